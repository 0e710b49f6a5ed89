"""CMSIS packs in the user's cache, around cmsis-pack-manager: pyOCD takes chips that it does not know from there.

Nothing is fetched unless update() or install() is called. The cache is the one that pyOCD itself uses.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cmsis_pack_manager import Cache


@dataclass(frozen=True)
class Pack:
    """A pack as the index names it; `file` is where it is or would be kept."""

    vendor: str
    name: str
    version: str
    file: Path

    @property
    def is_installed(self) -> bool:
        """Whether its file is in the cache."""
        return self.file.is_file()

    def __str__(self) -> str:
        """Its name for people."""
        return f"{self.vendor}.{self.name} {self.version}"


def cache() -> Cache:
    """cmsis-pack-manager's cache, in the user's data folder."""
    from cmsis_pack_manager import Cache

    return Cache(True, False)  # silent; with time-outs


def index() -> dict[str, Any]:
    """Devices by name, as the cache's index has them; empty if it was never filled."""
    return cache().index


def find(device: str) -> Pack | None:
    """The pack that the index names for a device, whether installed or not."""
    kept = cache()
    entry = kept.index.get(device)
    if entry is None:
        return None
    source = entry["from_pack"]
    folder = Path(kept.data_path) / source["vendor"] / source["pack"]
    return Pack(source["vendor"], source["pack"], source["version"], folder / f"{source['version']}.pack")


def installed(device: str) -> Pack | None:
    """The installed pack that has a device."""
    pack = find(device)
    return pack if pack and pack.is_installed else None
