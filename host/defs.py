"""Reads the `.def` files of the firmware, so that numbers that cross the seam are written once, in C.

`params.def`, `kernels.def`, `status.def` and `commands.def` are lists of macro calls; C expands them, we
parse them. A file that does not look as expected is a mistake in this repository: it raises ValueError.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from host.project import firmware_dir


@dataclass(frozen=True)
class OpDef:
    """One operator of params.def."""

    id: int
    name: str
    inputs: int
    fields: tuple[str, ...]

    def pack(self, **values: int) -> bytes:
        """The C struct of these values; every field must be given."""
        if set(values) != set(self.fields):
            wrong = sorted(set(values) ^ set(self.fields))
            raise ValueError(f"{self.name}: fields missing or unknown: {wrong}")
        return struct.pack(f"<{len(self.fields)}i", *(int(values[f]) for f in self.fields))

    def unpack(self, data: bytes) -> dict[str, int]:
        """Field values of a C struct."""
        return dict(zip(self.fields, struct.unpack(f"<{len(self.fields)}i", data), strict=True))


@dataclass(frozen=True)
class KernelDef:
    """One line of kernels.def."""

    id: int
    op: str
    name: str
    weights: str
    channels: str
    overlap: str


@dataclass(frozen=True)
class CommandDef:
    """One line of commands.def."""

    code: int
    name: str
    summary: str


@dataclass(frozen=True)
class StatusDef:
    """One STATUS line of status.def."""

    code: int
    name: str
    text: str


def _macro_calls(path: Path, macro: str) -> list[list[str]]:
    text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
    calls = []
    for match in re.finditer(rf"^{macro}\(", text, flags=re.M):
        depth, end = 1, match.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        calls.append([a.strip() for a in re.split(r",(?![^\"]*\"$)", text[match.end() : end - 1])])
    if not calls:
        raise ValueError(f"{path}: no {macro} lines")
    return calls


@cache
def operators() -> dict[str, OpDef]:
    """Operators by name."""
    ops = {}
    for code, name, inputs, fields in _macro_calls(firmware_dir() / "kernels" / "params.def", "OP"):
        ops[name] = OpDef(int(code), name, int(inputs), tuple(re.findall(r"FIELD\((\w+)\)", fields)))
    return ops


@cache
def kernels() -> dict[str, KernelDef]:
    """Kernels by name, in the file's order, which is the order of preference."""
    calls = _macro_calls(firmware_dir() / "kernels" / "kernels.def", "KERNEL")
    return {c[2]: KernelDef(int(c[0]), *c[1:]) for c in calls}


@cache
def statuses() -> dict[int, StatusDef]:
    """Statuses by code."""
    calls = _macro_calls(firmware_dir() / "runtime" / "status.def", "STATUS")
    return {int(c): StatusDef(int(c), name, text.strip('"')) for c, name, text in calls}


@cache
def plan_fields() -> dict[int, str]:
    """Names of the plan's fields, for plan errors."""
    calls = _macro_calls(firmware_dir() / "runtime" / "status.def", "FIELD_ID")
    return {int(code): name for code, name in calls}


@cache
def commands() -> dict[str, CommandDef]:
    """Commands of the link by name."""
    calls = _macro_calls(firmware_dir() / "link" / "commands.def", "COMMAND")
    return {name: CommandDef(int(code, 0), name, text.strip('"')) for code, name, text in calls}
