"""The ground that every register model stands on: widths, reserved bits, clocks, flags that come late."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from host.emulate.peripheral import Chip, Peripheral, Ready, Register
from tests.bringup import bench


class Core(bench.Core):
    """And in which nothing interrupts."""

    def set_interrupt(self, number: int, level: bool) -> None:
        raise AssertionError("nothing in here interrupts")


class Block(Peripheral):
    REGISTERS = (
        Register(0x00, "CR", reset=0x80, writable=0x0000FF0F, readonly=0x10),
        Register(0x04, "SR", reset=0x3),
    )

    def read_sr(self) -> int:
        return self.values["SR"] | 0x100

    def write_sr(self, value: int, old: int) -> int:
        return old & ~value


class Clock:
    """A clock tree in which one block is on."""

    name = "RCC"

    def __init__(self):
        self.hz, self.on = 1_000_000, {"BLOCK"}

    def core_hz(self) -> int:
        return self.hz

    def enabled(self, name: str) -> bool:
        return name in self.on


@pytest.fixture
def chip() -> Chip:
    return Chip(SimpleNamespace(id="none"), Core())


@pytest.fixture
def block(chip) -> Block:
    return Block(chip, "BLOCK", 0x40000000)


def test_registers_begin_at_their_reset_values_and_return_to_them(chip, block):
    assert block.read(0, 4) == 0x80
    block.write(0, 0x8F, 4)
    assert block.read(0, 4) == 0x8F
    chip.add([block])
    chip.reset()
    assert block.read(0, 4) == 0x80
    assert chip.violations == []


@pytest.mark.parametrize(("offset", "size", "wanted"), [(0, 1, 0x85), (1, 1, 0x12), (0, 2, 0x1285)])
def test_narrow_reads_and_writes(chip, block, offset, size, wanted):
    block.write(0, 0x85, 1)
    block.write(1, 0x12, 1)
    assert block.read(offset, size) == wanted
    assert chip.violations == []


def test_methods_give_bits_their_meaning(block):
    assert block.read(4, 4) == 0x103
    block.write(4, 1, 4)
    assert block.read(4, 4) == 0x102


def test_readonly_bits_stay_without_complaint_and_reserved_ones_with_one(chip, block):
    block.write(0, 0x90, 4)
    assert block.read(0, 4) == 0x80 and chip.violations == []
    block.write(0, 0x00, 4)
    assert block.read(0, 4) == 0x80
    (violation,) = chip.violations
    assert "CR changes reserved bits 0x00000080" in violation.what
    assert violation.pc == 0x08000100


def test_what_is_not_modelled_is_refused(chip, block):
    assert block.read(8, 4) == 0
    block.write(12, 5, 4)
    assert ["offset 0x08" in chip.violations[0].what, "offset 0x0c" in chip.violations[1].what] == [
        True,
        True,
    ]


def test_a_block_without_its_clock(chip, block):
    clock = Clock()
    chip.clock = clock
    clock.on.clear()
    block.write(0, 0x8F, 4)
    assert block.read(0, 4) == 0
    clock.on.add("BLOCK")
    assert block.read(0, 4) == 0x80
    assert [v.what for v in chip.violations] == [
        "BLOCK: CR is written while its clock is off",
        "BLOCK: CR is read while its clock is off",
    ]


def test_a_write_can_be_changed_or_dropped(chip, block):
    chip.intercept = lambda peripheral, register, value: None if value == 0x81 else value | 2
    block.write(0, 0x81, 4)
    assert block.read(0, 4) == 0x80
    block.write(0, 0x84, 4)
    assert block.read(0, 4) == 0x86


def test_time_follows_the_clock(chip):
    clock = Clock()
    chip.clock = clock
    chip.clock_changed()
    chip.core.count = 50
    assert chip.time_us() == 50
    clock.hz = 10_000_000
    chip.clock_changed()
    chip.core.count = 150
    assert chip.time_us() == 60
    assert chip.cycles_in(2.0) == 20


def test_a_flag_comes_late_or_never(chip):
    chip._hz = 1_000_000
    soon, never = Ready(chip, 100), Ready(chip, None)
    assert not soon.ready
    soon.set(True)
    never.set(True)
    chip.core.count = 99
    assert not soon.ready
    soon.set(True)  # already on: the time runs on
    chip.core.count = 100
    assert soon.ready and not never.ready
    soon.set(False)
    assert not soon.ready
    soon.ready_at_once()
    assert soon.ready


def test_the_same_violation_is_recorded_once_and_told(chip):
    told = []
    chip.on_violation = told.append
    for _ in range(3):
        chip.require(False, "the sky falls", "RM0000 1.1")
    chip.require(True, "never")
    assert told == chip.violations and len(told) == 1
    assert str(told[0]) == "the sky falls [RM0000 1.1], at PC 0x08000100 after 0 instructions"
