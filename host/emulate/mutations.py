"""Mutations of a bring-up: what the proof is worth is shown by what it does not let through.

One write to a register is dropped, or its value changed, and the proof is made again; it has to fail.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from host.boards import Board
from host.emulate.bringup import Prepare, Proof, as_reset, prove
from host.emulate.peripheral import Options, Peripheral, Register

DATA = ("DR", "TDR")  # what is sent is no part of the start-up
# A loop over all lines of a cache writes one register hundreds of times; the first and last ones stand for all.
LOOPED = ("DCISW",)
# Registers whose writing does something, whatever the value.
ACTIONS = ("ICIALLU", "DCISW", "LAR")


@dataclass(frozen=True)
class Write:
    """One write of the start-up; `index` counts all of them, `nth` those to its register, both from 0.

    changes: whether anything differs by it. What undoes what a debugger may have left does nothing after a reset.
    """

    index: int
    nth: int
    peripheral: str
    register: str
    before: int
    value: int
    changes: bool

    def __str__(self) -> str:
        """Like `PWR.CR 0x0000c000 -> 0x0001c000 (#2)`."""
        return f"{self.peripheral}.{self.register} 0x{self.before:08x} -> 0x{self.value:08x} (#{self.nth})"


def record(
    board: Board, firmware: Path, options: Options | None = None, *, prepare: Prepare = as_reset
) -> list[Write]:
    """Every write of the start-up that succeeds, in order. prepare: see bringup.prove()."""
    writes: list[Write] = []
    counts: dict[tuple[str, str], int] = {}

    def intercept(peripheral: Peripheral, register: Register, value: int) -> int:
        if register.name not in DATA:
            key = peripheral.name, register.name
            counts[key] = counts.get(key, 0) + 1
            before = peripheral.values[register.name]
            changes = register.name in ACTIONS or bool((before ^ value) & register.writable)
            writes.append(Write(len(writes), counts[key] - 1, *key, before, value, changes))
        return value

    prove(board, firmware, options, intercept=intercept, prepare=prepare)
    return writes


def chosen(writes: list[Write]) -> list[Write]:
    """Those to mutate: all, but of a loop over one register only the first and the last write."""
    last = {(w.peripheral, w.register): w.nth for w in writes}
    return [w for w in writes if w.register not in LOOPED or w.nth in (0, last[w.peripheral, w.register])]


def dropped(
    board: Board,
    firmware: Path,
    write: Write,
    options: Options | None = None,
    *,
    prepare: Prepare = as_reset,
) -> Proof:
    """The proof without one write."""
    index = -1

    def intercept(peripheral: Peripheral, register: Register, given: int) -> int | None:
        nonlocal index
        if register.name in DATA:
            return given
        index += 1
        return None if index == write.index else given

    return prove(board, firmware, options, intercept=intercept, prepare=prepare)


def patched(
    board: Board,
    firmware: Path,
    register: str,
    change: Callable[[int], int],
    options: Options | None = None,
) -> tuple[Proof, int]:
    """The proof with every write to a register ("PWR.CR") changed, and how many of them that made different."""
    different = 0

    def intercept(peripheral: Peripheral, where: Register, given: int) -> int:
        nonlocal different
        if f"{peripheral.name}.{where.name}" != register:
            return given
        changed = change(given)
        different += changed != given
        return changed

    return prove(board, firmware, options, intercept=intercept), different
