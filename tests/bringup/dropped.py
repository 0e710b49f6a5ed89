"""Writes of a board's start-up, each of which a proof must miss if it is left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache

from host.boards import load_board
from host.build import build
from host.emulate.bringup import Proof, prove
from host.emulate.fields import FieldRegister
from host.emulate.peripheral import Intercept, Options, Peripheral, Register
from tests.bringup.wiring import WIRING

# Registers in which a write acts, whatever it writes.
ACTS = {"ICIALLU", "DCISW", "ISER0", "ISER1", "ISER2", "ISER3", "LAR"}


@dataclass(frozen=True)
class Write:
    """The `number`-th write of start-up to a register, counted from 0. idle: it changes nothing."""

    peripheral: str
    register: str
    number: int
    value: int
    idle: bool

    def __str__(self) -> str:
        return f"{self.peripheral}.{self.register}#{self.number} = 0x{self.value:x}"


def is_data(peripheral: Peripheral, register: Register) -> bool:
    """Whether a write is a byte on the line and no part of start-up."""
    return register.name in ("TDR", "DR")


def proved(board_id: str, intercept: Intercept | None = None, **options) -> Proof:
    """The proof of a board at the pins of its user manual."""
    board, wiring = load_board(board_id), WIRING[board_id]
    settings = Options(wiring=(wiring.tx, wiring.rx), **options)
    return prove(board, build(board).elf, settings, intercept=intercept)


@cache
def writes(board_id: str) -> tuple[Write, ...]:
    """Every write of a start-up that is right, but for what empties cache lines: of those the first and the last."""
    found: list[Write] = []
    count: Counter[tuple[str, str]] = Counter()

    def record(peripheral: Peripheral, register: Register, value: int) -> int:
        key = peripheral.name, register.name
        if not is_data(peripheral, register):
            differs = (value ^ peripheral.values[register.name]) & register.writable
            found.append(Write(*key, count[key], value, not differs and register.name not in ACTS))
            count[key] += 1
        return value

    assert proved(board_id, record).failures() == []
    last = count["SCS", "DCISW"] - 1
    return tuple(w for w in found if w.register != "DCISW" or w.number in (0, last))


def without(write: Write) -> Intercept:
    """Drops this one write."""
    count: Counter[tuple[str, str]] = Counter()

    def drop(peripheral: Peripheral, register: Register, value: int) -> int | None:
        key = peripheral.name, register.name
        if is_data(peripheral, register):
            return value
        number, count[key] = count[key], count[key] + 1
        return None if (*key, number) == (write.peripheral, write.register, write.number) else value

    return drop


def with_field(where: str, field: str, wrong: int, right: int | None = None) -> Intercept:
    """Writes another number to a field, in every write or in those that write the right one."""
    block, name = where.split(".")

    def change(peripheral: Peripheral, register: Register, value: int) -> int:
        if (peripheral.name, register.name) != (block, name):
            return value
        assert isinstance(register, FieldRegister)
        bits = register.fields[field]
        if right is not None and bits.of(value) != right:
            return value
        return value & ~bits.mask | wrong << bits.low

    return change
