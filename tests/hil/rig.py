"""A rig file: which boards hang on this machine. README.md beside this documents it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from host.boards import load_board
from host.errors import HostError
from tests.station import Entry

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_FIELDS = {
    "name": str,
    "board": str,
    "port": str,
    "probe": str,
    "flash": bool,
    "without": list,
    "lock_timeout_s": (int, float),
}


def load_rig(path: Path) -> list[Entry]:
    """The entries of a rig file. Raises HostError with the file, the entry and the field."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise HostError(f"cannot read the rig {path}: {error.strerror}") from None
    try:
        parsed = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise HostError(f"{path} is not TOML: {error}") from None
    return parse_rig(parsed, str(path))


def parse_rig(parsed: dict[str, Any], where: str) -> list[Entry]:
    """As load_rig(), from what TOML made of it."""
    tables = parsed.get("device")
    if set(parsed) != {"device"} or not isinstance(tables, list) or not tables:
        raise HostError(f"{where}: must hold [[device]] tables and nothing else")
    entries = [_entry(table, f"{where}: device {i}") for i, table in enumerate(tables)]
    for attribute in ("name", "port"):
        taken: dict[str, str] = {}
        for entry in entries:
            value = getattr(entry, attribute)
            if value in taken and value and not value.startswith("emulate:"):
                raise HostError(
                    f"{where}: {entry.name}: {attribute} {value!r} is also that of {taken[value]}"
                )
            taken[value] = entry.name
    return entries


def _entry(table: Any, where: str) -> Entry:
    if not isinstance(table, dict):
        raise HostError(f"{where}: must be a table")
    for field, value in table.items():
        if field not in _FIELDS:
            raise HostError(f"{where}: {field}: is no field that we know ({', '.join(_FIELDS)})")
        kind = _FIELDS[field]
        if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
            raise HostError(f"{where}: {field}: must be {getattr(kind, '__name__', 'a number')}")
    if "board" not in table:
        raise HostError(f"{where}: board: is missing")
    board = load_board(table["board"])
    if not board.emulated and "port" not in table:
        raise HostError(
            f'{where}: port: is missing, and {board.id} is a real board ("emulate://" emulates it)'
        )
    if not all(isinstance(x, str) for x in table.get("without", [])):
        raise HostError(f"{where}: without: must be a list of strings")
    facts = {**table, "without": frozenset(table.get("without", ()))}
    return Entry(**{"name": board.id, **facts})
