"""Puts an exported network into a folder, and takes away what an earlier export left there."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from host import build, defs
from host.boards import Board
from host.compile import Compiled
from host.errors import OutputError
from host.export import render, size, sources
from host.project import root

MARKER = "tinyconv-export.json"
SCHEMA = 1
LIBRARY = ("tinyconv.c", "tinyconv.h")


@dataclass
class Export:
    """What lies in a folder: texts by file name, the network's name in C, its kernels in kernels.def's order."""

    compiled: Compiled
    board: Board
    name: str
    kernels: list[str]
    files: dict[str, str] = field(default_factory=dict)
    code: size.Code | None = None

    def to_json(self) -> dict:
        """For --json."""
        inputs, outputs = render.ports(self.compiled)
        return {
            "schema": SCHEMA,
            "model": self.compiled.net.name,
            "sha256": self.compiled.net.sha256,
            "board": self.board.id,
            "core": f"cortex-{self.board.core}",
            "prefix": self.name,
            "kernels": self.kernels,
            "files": sorted(self.files),
            "macs": self.compiled.net.macs,
            "arena_bytes": self.compiled.net.arena_bytes,
            "flash_bytes": {
                "code": self.code.checked_bytes if self.code else None,
                "code_trusted": self.code.trusted_bytes if self.code else None,
                "plan": len(self.compiled.plan),
            },
            "compiler": self.code.compiler if self.code else None,
            "flags": self.code.flags if self.code else None,
            "inputs": [port.to_json() for port in inputs],
            "outputs": [port.to_json() for port in outputs],
        }


def export(
    compiled: Compiled, board: Board, folder: Path, *, example: bool = True, force: bool = False
) -> Export:
    """Writes the network's folder and measures its code if the compiler is there.

    Raises OutputError if the folder holds something else and not `force`, or cannot be written; BuildError if
    the code does not compile.
    """
    exported = contents(compiled, board, example=example)
    write(folder, exported.files, force=force)
    exported.code = size.measure(exported.files, board.core)
    return exported


def contents(compiled: Compiled, board: Board, *, example: bool = True) -> Export:
    """What export() writes, from the network alone: always the same."""
    used = {step.kernel for step in compiled.net.steps}
    kernels = [kernel for kernel in defs.kernels() if kernel in used]
    files = {path.name: sources.flat_text(path, kernels) for path in sources.needed(kernels)}
    files |= {name: render.template(name) for name in LIBRARY}
    name = render.identifier(compiled.net.name, set(files))
    files[f"{name}.h"] = render.network_header(compiled, name)
    files[f"{name}_plan.c"] = render.plan_source(compiled, name)
    if example:
        files["example/main.c"] = render.example_source(compiled, name)
        files[f"example/{name}_sample.h"] = render.sample_header(compiled, name)
    patterns = " ".join(f"*{suffix}" for suffix in (".c", ".S") if any(f.endswith(suffix) for f in files))
    files["README.md"] = render.readme(compiled, name, kernels, compile_line(board, patterns), example)
    files["LICENSE"] = (root() / "LICENSE").read_text()
    return Export(compiled, board, name, kernels, files)


def compile_line(board: Board, patterns: str) -> str:
    """How to compile the folder by hand."""
    return " ".join(
        [build.COMPILER, *size.cpu_flags(board.core), "-O2", "-ffunction-sections", "-c", patterns]
    )


def write(folder: Path, files: dict[str, str], *, force: bool = False) -> None:
    """Writes the files; those of an earlier export that are not among them are removed, others are left alone.

    Raises OutputError.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stale = _earlier(folder, force) - set(files)
        # first, so that an export that was interrupted can be repeated
        marker = {"schema": SCHEMA, "made_by": "host export", "files": sorted({*files, *stale})}
        (folder / MARKER).write_text(json.dumps(marker, indent=2) + "\n")
        for name in stale:
            (folder / name).unlink(missing_ok=True)
            if "/" in name:
                with suppress(OSError):  # it holds something else
                    (folder / name).parent.rmdir()
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        marker["files"] = sorted(files)
        (folder / MARKER).write_text(json.dumps(marker, indent=2) + "\n")
    except OSError as error:
        raise OutputError(f"cannot write {error.filename or folder}: {error.strerror}") from error


def _earlier(folder: Path, force: bool) -> set[str]:
    """Files that an earlier export wrote. Raises OutputError if the folder holds something and is none of ours."""
    marker = folder / MARKER
    if not marker.is_file():
        if any(folder.iterdir()) and not force:
            raise OutputError(
                f"{folder} is not empty and no folder of `host export`", "choose another, or --force"
            )
        return set()
    try:
        names = json.loads(marker.read_text())["files"]
        paths = [PurePosixPath(name) for name in names]
    except (ValueError, KeyError, TypeError):
        if force:
            return set()
        raise OutputError(f"{marker} is damaged", "delete the folder, or --force") from None
    # a name that leads out of the folder is not one that we wrote
    return {str(p) for p in paths if not p.is_absolute() and ".." not in p.parts}
