"""A catalogue of public networks: where each comes from, its licence, size and hash; and getting them.

A file is looked for in the folder that TINYCONV_MODELS names, then among those downloaded before, then
fetched from its source. Whatever its way, its SHA-256 must be the catalogue's.
"""

from __future__ import annotations

import hashlib
import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from host.errors import DownloadError
from host.project import build_dir

FOLDER_VARIABLE = "TINYCONV_MODELS"
_TIMEOUT_S = 20
_CHUNK_BYTES = 16384


@dataclass(frozen=True)
class Entry:
    """One network; `bytes` and `sha256` are those of the file at `source`, `classes` what its outputs are called."""

    name: str
    title: str
    source: str
    licence: str
    bytes: int
    sha256: str
    classes: Sequence[str] = ()


@cache
def entries() -> dict[str, Entry]:
    """The catalogue by name."""
    text = resources.files("host.data").joinpath("models.json").read_text()
    return {e["name"]: Entry(**e) for e in json.loads(text)}


def find(name: str) -> Path | None:
    """The network's file if this computer has it, with the right hash."""
    entry = entries()[name]
    folders = [Path(os.environ[FOLDER_VARIABLE])] if os.environ.get(FOLDER_VARIABLE) else []
    for folder in [*folders, _downloads()]:
        path = folder / f"{name}.tflite"
        if path.is_file() and _digest(path) == entry.sha256:
            return path
    return None


def get(name: str, progress: Callable[[int, int], None] | None = None) -> Path:
    """The network's file, fetched if need be. `progress` gets bytes done and in all.

    Raises DownloadError for an unknown name, no connection, or a file that is not the promised one.
    """
    if name not in entries():
        raise DownloadError(f"no network {name!r} in the catalogue", f"it has {', '.join(entries())}")
    found = find(name)
    if found:
        return found
    entry = entries()[name]
    target = _downloads() / f"{name}.tflite"
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(f".{os.getpid()}.part")
    try:
        with urllib.request.urlopen(entry.source, timeout=_TIMEOUT_S) as reply, partial.open("wb") as file:
            done = 0
            # one byte more than promised is enough to know that it is another file
            while done <= entry.bytes and (chunk := reply.read(_CHUNK_BYTES)):
                file.write(chunk)
                done += len(chunk)
                if progress:
                    progress(min(done, entry.bytes), entry.bytes)
        if _digest(partial) != entry.sha256:
            raise DownloadError(
                f"{entry.source} is not the file that the catalogue promises: its SHA-256 differs"
            )
        partial.replace(target)
    except (urllib.error.URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise DownloadError(
            f"cannot fetch {name} from {entry.source}: {reason}",
            f"download it yourself and set {FOLDER_VARIABLE} to its folder",
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    return target


def _downloads() -> Path:
    return build_dir() / "models"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
