"""Compares a bench with a saved one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host.bench.measure import SCHEMA, Bench, Result
from host.errors import InputError

UNITS = ("count", "cycles")


@dataclass(frozen=True)
class Change:
    """A result and what it was; `unit` is `count` or `cycles`."""

    result: Result
    unit: str
    before: int
    after: int

    @property
    def percent(self) -> float:
        """How much more it takes now; negative if it got faster."""
        return 100 * (self.after / self.before - 1)


def load(path: Path) -> dict[str, Any]:
    """A file that --save wrote. Raises InputError."""
    try:
        saved = json.loads(path.read_text())
        if saved["schema"] != SCHEMA:
            raise InputError(f"{path}: has schema {saved['schema']}, not {SCHEMA}")
        _ = (
            dict(saved["conditions"]),
            [(r["case"], r["kernel"], *(r[unit] for unit in UNITS)) for r in saved["results"]],
        )
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} was not written by `host bench --save`") from error
    return saved


def changes(bench: Bench, saved: dict[str, Any]) -> list[Change]:
    """What differs, the worst first. Raises InputError if the two cannot be compared."""
    then = {**saved, **saved["conditions"]}
    for name, now in {"board": bench.board, "counter": bench.counter, **bench.conditions}.items():
        if then.get(name) != now:
            raise InputError(f"the saved bench is of {name} {then.get(name)}, this one of {now}")
    before = {(r["case"], r["kernel"]): r for r in saved["results"]}
    units = UNITS if bench.chip and saved["chip"] == bench.chip.name else UNITS[:1]
    found = []
    for result in bench.results:
        old = before.get((result.case, result.kernel), {})
        for unit in units:
            was, now = old.get(unit), getattr(result, unit)
            if was and now and was != now:
                found.append(Change(result, unit, was, now))
    return sorted(found, key=lambda c: -c.percent)
