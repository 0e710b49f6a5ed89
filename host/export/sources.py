"""Which files of the firmware some kernels need, found in the sources' text: no compiler has to be there.

A file is needed if it defines a name that a needed file uses; what it includes is needed too. Definitions are what
clang-format leaves at the beginning of a line, or the first argument of a macro there; an assembler file defines the
names of C functions that stand in it, since all of them have a twin in C. Names that only a header's inline functions
use are not seen.
tests/unit/test_export.py compares this with the symbols that compilers see, and links every kernel alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from host import defs
from host.project import firmware_dir

KERNEL_FUNCTIONS = ("", "_supports", "_scratch_bytes", "_gap_bytes")
# What runs and checks any plan; kernels.c is the table, made of the exported kernels.def.
RUNTIME = ("runtime/plan.c", "runtime/crc32.c", "kernels/kernels.c", "kernels/ops.c")
# What ops.c calls by names that a macro makes.
OPERATORS = "kernels/ops_*.c"
KERNELS_DEF = "kernels.def"

_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:[^\"\\\n]|\\.)*\"", re.S)
_INCLUDE = re.compile(r'^(\s*#\s*include\s+)"([^"]+)"', re.M)
_FUNCTION = re.compile(r"^(?![^\n(]*\bstatic\b)\w[\w\s*]*?\b(\w+)\([^;{}]*\)\s*\{", re.M)
_BY_MACRO = re.compile(r"^[A-Z]\w*\((\w+),", re.M)
_OBJECT = re.compile(r"^(?![^\n=]*\b(?:static|typedef|extern)\b)\w[\w\s*]*?\b(\w+)(?:\[\w*\])?\s*=", re.M)


@dataclass(frozen=True)
class Source:
    """A C or assembler file: the names that it defines for others, and those that it uses.

    A C file that names its own definition again uses it, too: on an Arm core that may be an assembler file's.
    """

    path: Path
    defines: frozenset[str]
    uses: frozenset[str]


@cache
def sources() -> tuple[Source, ...]:
    """Every file that computes: kernels and runtime."""
    root = firmware_dir()
    paths = sorted(p for folder in ("kernels", "runtime") for p in (root / folder).rglob("*.[cS]"))
    code = {path: _COMMENT.sub(" ", path.read_text()) for path in paths}
    names = {path: Counter(re.findall(r"[A-Za-z_]\w*", text)) for path, text in code.items()}
    in_c = {
        path: frozenset(name for form in (_FUNCTION, _BY_MACRO, _OBJECT) for name in form.findall(text))
        for path, text in code.items()
        if path.suffix == ".c"
    }
    functions = frozenset().union(*in_c.values())
    found = []
    for path in paths:
        defines = in_c.get(path, functions.intersection(names[path]))
        once = defines if path.suffix == ".c" else frozenset()
        uses = frozenset(name for name, count in names[path].items() if count > (name in once))
        found.append(Source(path, defines, uses))
    return tuple(found)


def needed(kernels: Iterable[str]) -> list[Path]:
    """Files that make a firmware of these kernels: C, assembler, headers, `.def` lists; sorted by name.

    Names of files are unique among them, so that they can lie in one folder.
    """
    wanted = {firmware_dir() / name for name in RUNTIME} | set(firmware_dir().glob(OPERATORS))
    names = {kernel + function for kernel in kernels for function in KERNEL_FUNCTIONS}
    while True:
        found = [s for s in sources() if s.path in wanted or s.defines & names]
        more = names.union(*(s.uses for s in found))
        if len(found) == len(wanted) and more == names:
            break
        wanted, names = {s.path for s in found}, more
    return sorted(_with_included(wanted), key=lambda path: path.name)


def _with_included(paths: Iterable[Path]) -> set[Path]:
    """The files and all of ours that they include."""
    found: set[Path] = set()
    pending = list(paths)
    while pending:
        path = pending.pop()
        if path not in found:
            found.add(path)
            pending += [p for _, name in _INCLUDE.findall(path.read_text()) if (p := _ours(path, name))]
    return found


def _ours(includer: Path, name: str) -> Path | None:
    """The included file, if it is one of the firmware's; a framework's is not."""
    path = (includer.parent / name).resolve()
    return path if path.is_file() else None


def flat_text(path: Path, kernels: Iterable[str]) -> str:
    """The file's text for a folder without subfolders; of kernels.def only the lines of these kernels."""
    text = path.read_text()
    if path.name == KERNELS_DEF:
        return _reduced(text, set(kernels))
    return _INCLUDE.sub(lambda m: f'{m[1]}"{Path(m[2]).name if _ours(path, m[2]) else m[2]}"', text)


def _reduced(text: str, kernels: set[str]) -> str:
    head, end, _ = text.partition("*/\n")
    lines = [line for line in text.splitlines() if line.startswith("KERNEL(")]
    by_name = dict(zip(defs.kernels(), lines, strict=True))
    chosen = [line for name, line in by_name.items() if name in kernels]
    return "\n".join([f"{head}{end}", "/* Only those that the exported network needs. */", *chosen, ""])
