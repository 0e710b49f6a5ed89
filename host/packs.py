"""CMSIS packs in the user's cache, around cmsis-pack-manager: pyOCD takes chips that it does not know from there.

Nothing is fetched unless update() or install() is called. The cache is the one that pyOCD itself uses.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from host.boards import Board
from host.errors import PackError
from host.project import build_dir

if TYPE_CHECKING:
    from cmsis_pack_manager import Cache

Progress = Callable[[str, int, int], None]
OFFLINE_HINT = "is there a network? without one: `host packs install --from FILE.pack`"


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


@dataclass(frozen=True)
class Support:
    """How pyOCD knows a board's chip: `source` is built in, pack, or none; `pack` as far as the index tells."""

    board: str
    target: str
    device: str
    source: str
    pack: str
    installed: bool


def cache(json_folder: Path | None = None) -> Cache:
    """cmsis-pack-manager's cache, in the user's data folder; its index in another folder if one is named."""
    from cmsis_pack_manager import Cache

    kept = Cache(True, False, json_path=str(json_folder) if json_folder else None)
    Path(kept.data_path).mkdir(parents=True, exist_ok=True)
    return kept


def find(device: str) -> Pack | None:
    """The pack that the index names for a device, whether installed or not."""
    kept = cache()
    entry = kept.index.get(device)
    return _pack(kept, entry) if entry else None


def installed(device: str) -> Pack | None:
    """The installed pack that has a device."""
    pack = find(device)
    return pack if pack and pack.is_installed else None


def support(boards: list[Board]) -> list[Support]:
    """How pyOCD knows the chip of each board that has a probe."""
    from pyocd.target.builtin import BUILTIN_TARGETS

    rows = []
    for board in boards:
        if board.probe is None:
            continue
        pack = find(board.cmsis_pack) if board.cmsis_pack else None
        built_in = board.probe.pyocd_target.lower() in BUILTIN_TARGETS
        there = bool(pack and pack.is_installed)
        rows.append(
            Support(
                board.id,
                board.probe.pyocd_target,
                board.cmsis_pack or "",
                "built in" if built_in else "pack" if there else "none",
                str(pack) if pack else "",
                there,
            )
        )
    return rows


def update(progress: Progress = lambda stage, done, total: None) -> int:
    """Fetches the descriptions of all packs and returns how many devices are known then.

    What was known stays known if that fails. Raises PackError if nothing came.
    """
    with tempfile.TemporaryDirectory() as folder:
        fetching = cache(Path(folder))
        with _quiet():
            fetching.silent = False
            fetching._verbose_on_tick_fn = lambda total, done: progress("descriptions", done, total or done)
            try:
                fetching.cache_descriptors()
            except Exception as error:  # its library raises nothing more particular
                raise PackError(
                    f"the descriptions of packs could not be fetched: {error}", OFFLINE_HINT
                ) from None
        fetched = fetching.index
    if not fetched:
        raise PackError("the descriptions of packs could not be fetched", OFFLINE_HINT)
    return _merge(fetched)


def install(device: str, progress: Progress = lambda stage, done, total: None) -> Pack:
    """Fetches the pack that has a device. Raises PackError."""
    pack = find(device)
    if pack is None:
        update(progress)
        pack = find(device)
    if pack is None:
        raise PackError(
            f"no pack is known that has {device}", "`host packs install --from FILE.pack` takes a file"
        )
    if pack.is_installed:
        return pack
    from cmsis_pack_manager import CmsisPackRef

    kept = cache()
    with _quiet():
        kept.silent = False
        kept._verbose_on_tick_fn = lambda total, done: progress("pack", done, total or done)
        try:
            kept.download_pack_list([CmsisPackRef(pack.vendor, pack.name, pack.version)])
        except Exception as error:  # its library raises nothing more particular
            raise PackError(f"{pack} could not be fetched: {error}", OFFLINE_HINT) from None
    if not pack.is_installed:
        raise PackError(f"{pack} could not be fetched", OFFLINE_HINT)
    if not zipfile.is_zipfile(pack.file):
        pack.file.unlink()
        raise PackError(f"{pack} arrived damaged", "try again")
    return pack


def install_file(path: Path) -> tuple[Pack, list[str]]:
    """Puts a .pack file into the cache. Returns it and the devices that it has. Raises PackError."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [n for n in archive.namelist() if n.lower().endswith(".pdsc") and "/" not in n]
            if len(names) != 1:
                raise PackError(
                    f"{path} is no CMSIS pack: it has {len(names)} descriptions (.pdsc) instead of one"
                )
            text = archive.read(names[0])
            archive.testzip()
    except FileNotFoundError:
        raise PackError(f"there is no file {path}") from None
    except (OSError, zipfile.BadZipFile) as error:
        raise PackError(f"{path} is no CMSIS pack: {error}") from None
    vendor, name, version = _identity(path, text)
    with tempfile.TemporaryDirectory() as folder:
        reading = cache(Path(folder))
        kept = Path(reading.data_path) / f"{vendor}.{name}.{version}.pdsc"
        _replace(kept, text)
        with _quiet():
            reading.add_pack_from_path(str(kept))
        devices = reading.index
        pack = Pack(vendor, name, version, Path(reading.data_path) / vendor / name / f"{version}.pack")
    if not devices:
        kept.unlink()
        raise PackError(f"{path} describes no device", "a device family pack (DFP) is what is needed")
    _replace(pack.file, path.read_bytes())
    _merge(devices)
    return pack, sorted(devices)


def description(pack: Pack) -> ElementTree.Element:
    """The root of a pack's description (.pdsc), from the installed pack. Raises PackError."""
    try:
        with zipfile.ZipFile(pack.file) as archive:
            name = next(n for n in archive.namelist() if n.lower().endswith(".pdsc"))
            return ElementTree.fromstring(archive.read(name))
    except (OSError, StopIteration, zipfile.BadZipFile, ElementTree.ParseError) as error:
        raise PackError(f"{pack} in the cache is damaged: {error}", "install it again") from None


def svd(pack: Pack, device: str) -> bytes | None:
    """The SVD file that a pack's description names for a device; None if it names none. Raises PackError."""
    root = description(pack)
    for family in root.iter("family"):
        for path in paths(family, device):
            named = (d.get("svd") for element in reversed(path) for d in element.findall("debug"))
            name = next((n.replace("\\", "/") for n in named if n), None)
            if name is None:
                return None
            try:
                with zipfile.ZipFile(pack.file) as archive:
                    return archive.read(name)
            except (OSError, KeyError, zipfile.BadZipFile) as error:
                raise PackError(f"{pack} in the cache is damaged: {error}", "install it again") from None
    return None


def paths(element: ElementTree.Element, device: str) -> list[list[ElementTree.Element]]:
    """Ways from a family of a description down to a device or a variant of that name."""
    if device in (element.get("Dname"), element.get("Dvariant")):
        return [[element]]
    children = [c for c in element if c.tag in ("subFamily", "device", "variant")]
    return [[element, *path] for child in children for path in paths(child, device)]


def entry(device: str) -> dict[str, Any]:
    """What the index says about a device: memories, processors, algorithms. Raises PackError."""
    found = cache().index.get(device)
    if found is None:
        raise PackError(
            f"no pack is known that has {device}", "`host packs update` fetches the descriptions of all packs"
        )
    return found


def _pack(kept: Cache, found: dict[str, Any]) -> Pack:
    source = found["from_pack"]
    folder = Path(kept.data_path) / source["vendor"] / source["pack"]
    return Pack(source["vendor"], source["pack"], source["version"], folder / f"{source['version']}.pack")


def _identity(path: Path, text: bytes) -> tuple[str, str, str]:
    """Vendor, name and newest version that a description gives."""
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise PackError(f"{path}: its description is damaged: {error}") from None
    vendor, name = root.findtext("vendor"), root.findtext("name")
    release = root.find("releases/release")
    version = release.get("version") if release is not None else None
    if not vendor or not name or not version or any("/" in part for part in (vendor, name, version)):
        raise PackError(f"{path}: its description lacks vendor, name or version")
    return vendor, name, version


def _merge(devices: dict[str, Any]) -> int:
    """Adds devices to the index that pyOCD reads. Returns how many it has then."""
    kept = cache()
    merged = {**kept.index, **devices}
    _replace(Path(kept.index_path), json.dumps(merged).encode())
    if not Path(kept.aliases_path).is_file():
        _replace(Path(kept.aliases_path), b"{}")
    return len(merged)


def _replace(path: Path, data: bytes) -> None:
    """Writes a file as a whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(data)
        os.replace(file.name, path)
    except OSError as error:
        raise PackError(f"cannot write {path}: {error.strerror}") from None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The library's native half prints; that goes to a file instead of into our output."""
    with open(build_dir() / "packs.log", "wb") as log:
        kept = os.dup(1), os.dup(2)
        try:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            yield
        finally:
            for descriptor, copy in enumerate(kept, 1):
                os.dup2(copy, descriptor)
                os.close(copy)
