"""A chip's register models beside its vendor's SVD file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from host.boards import Board
from host.emulate import families
from host.emulate.fields import FieldRegister
from host.emulate.peripheral import Chip, Peripheral
from host.emulate.usart import _Usart
from host.svd import SvdPeripheral


class _Still:
    """A processor that has just been switched on."""

    def instructions(self) -> int:
        return 0

    def cycles(self) -> int:
        return 0

    def pc(self) -> int:
        return 0

    def set_interrupt(self, number: int, level: bool) -> None:
        pass

    def call_at(self, cycles: int, function: Callable[[], None]) -> None:
        pass


@dataclass
class Agreement:
    """What two descriptions of one peripheral have in common.

    `places`: registers of the same name elsewhere, or another base or interrupt. `bits`: fields of the same name with
    other bits, which are as often errors of SVD files.
    """

    name: str
    registers: int = 0
    fields: int = 0
    places: list[str] = field(default_factory=list)
    bits: list[str] = field(default_factory=list)


def models(board: Board) -> list[Peripheral]:
    """The models of a board's chip, at reset. Raises EmulatorError if there are none."""
    family = families.load(board.family)
    chip = Chip(board, _Still(), pin_functions=family.PIN_FUNCTIONS)
    chip.add(family.peripherals(chip))
    return chip.peripherals


def compare(board: Board, svd: dict[str, SvdPeripheral]) -> list[Agreement]:
    """Every modelled peripheral that the file has, by its name or else by its base."""
    by_base = {theirs.base: theirs for theirs in svd.values()}
    found = []
    for ours in models(board):
        theirs = svd.get(ours.name) or by_base.get(ours.base)
        if theirs is not None:
            found.append(_compared(ours, theirs))
    return found


def _compared(ours: Peripheral, theirs: SvdPeripheral) -> Agreement:
    agreement = Agreement(ours.name)
    if ours.base != theirs.base:
        agreement.places.append(f"base 0x{ours.base:08x}, not 0x{theirs.base:08x}")
    irq = theirs.interrupts.get(ours.name)
    if isinstance(ours, _Usart) and irq is not None and irq != ours.irq:
        agreement.places.append(f"interrupt {ours.irq}, not {irq}")
    for register in ours.REGISTERS:
        fact = theirs.registers.get(register.name)
        if fact is None:
            continue
        agreement.registers += 1
        if fact.offset != register.offset:
            agreement.places.append(f"{register.name} at 0x{register.offset:02x}, not 0x{fact.offset:02x}")
        if not isinstance(register, FieldRegister):
            continue
        for name in register.fields.keys() & fact.fields.keys():
            agreement.fields += 1
            if register.fields[name] != fact.fields[name]:
                agreement.bits.append(f"{register.name}.{name}")
    agreement.bits.sort()
    return agreement
