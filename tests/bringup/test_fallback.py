"""What start-up does when something of the clock fails: it falls back, says so, and the serial line still works."""

from __future__ import annotations

import math

import pytest

from host.boards import load_board
from host.build import build
from host.emulate import rcc_f
from host.emulate.machine import Machine
from host.emulate.peripheral import Options, Peripheral, Register
from host.link.client import Client
from tests.bringup.test_machine import InProcess

HSI_HZ = 16_000_000
# 921600 baud from 16 MHz are 2.1 % off, and no divisor is better.
BAUD_OFF = "baud, +2.1 % off the line's 921,600"


def without(peripheral: str, register: str, bits: int):
    """An intercept for a chip on which these bits cannot be set."""

    def intercept(where: Peripheral, which: Register, value: int) -> int:
        return value & ~bits if (where.name, which.name) == (peripheral, register) else value

    return intercept


def started(board_id: str, options: Options | None = None, intercept=None) -> Client:
    board = load_board(board_id)
    machine = Machine(board, build(board).elf, options=options)
    machine.chip.intercept = intercept
    client = Client(InProcess(machine))
    client.connect()
    return client


def violations(client: Client) -> list[str]:
    return [violation.what for violation in client.transport.machine.chip.violations]


@pytest.mark.parametrize("board_id", ["disco_f407vg", "nucleo_f446re", "disco_f746ng"])
def test_without_its_crystal_a_board_runs_at_full_speed_from_the_internal_oscillator(board_id):
    client = started(board_id, Options(crystal_starts=False))
    assert client.hello.clock_source == "crystal failed, internal oscillator"
    assert client.hello.clock_hz == load_board(board_id).clock.hz
    rcc = client.transport.machine.chip.find("RCC")
    assert rcc.core_hz() == client.hello.clock_hz
    assert not rcc.values["CR"] >> 16 & 5, "HSEON and HSEBYP are off again"
    assert violations(client) == []


# board, options, intercept
FAILURES = {
    "PLL never locks": ("nucleo_f446re", Options(pll_locks=False), None),
    "ODRDY never comes": ("nucleo_f446re", None, without("PWR", "CR", 1 << 16)),
    "ODSWRDY never comes": ("disco_f746ng", None, without("PWR", "CR1", 1 << 17)),
    "wait states cannot be set": ("disco_f746ng", None, without("FLASH", "ACR", 0xF)),
    "VOSRDY never comes": ("nucleo_f446re", None, None),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_without_its_pll_a_board_stays_at_the_clock_of_reset(failure, monkeypatch):
    if failure == "VOSRDY never comes":
        monkeypatch.setattr(rcc_f, "SCALE_US", math.inf)
    client = started(*FAILURES[failure])
    assert client.hello.clock_source == "reset default"
    assert client.hello.clock_hz == HSI_HZ
    rcc = client.transport.machine.chip.find("RCC")
    assert rcc.frequencies() == {"sysclk": HSI_HZ, "hclk": HSI_HZ, "pclk1": HSI_HZ, "pclk2": HSI_HZ}
    assert not rcc.values["CR"] & (1 << 24 | 1 << 16), "PLL and crystal are off again"
    assert len(violations(client)) == 1 and BAUD_OFF in violations(client)[0]


def test_a_clock_that_a_debugger_left_running_is_undone_first():
    """OpenOCD's "reset init" lets the STM32F4 and F7 run at 64 MHz from the PLL, whose settings are then locked."""
    board = load_board("disco_f746ng")
    machine = Machine(board, build(board).elf)
    rcc, flash = machine.chip.find("RCC"), machine.chip.find("FLASH")
    flash.write(0x00, 0x102, 4)
    rcc.write(0x04, 0x08012008, 4)
    rcc.write(0x00, rcc.read(0x00, 4) | 1 << 24, 4)
    rcc.pll.ready_at_once()
    rcc.write(0x08, 0x1002, 4)
    assert rcc.core_hz() == 64_000_000
    machine.chip.violations.clear()
    client = Client(InProcess(machine))
    client.connect()
    assert client.hello.clock_source == "PLL from crystal"
    assert rcc.core_hz() == board.clock.hz
    assert violations(client) == []


def test_the_data_cache_is_written_back_before_a_reset():
    """Else the reset forgets the fault record, which the cache alone may hold."""
    client = started("disco_f746ng")
    assert client.hello.icache and client.hello.dcache and client.hello.prefetch
    cleaned: list[int] = []
    at_reset: list[int] = []

    def watch(where: Peripheral, which: Register, value: int) -> int:
        if which.name == "DCCSW":
            cleaned.append(value)
        if which.name == "AIRCR":
            at_reset.extend(cleaned)
        return value

    client.transport.machine.chip.intercept = watch
    client.reset()
    # 4 KB in 4 ways of 32 sets; DDI 0403 B2.2.7: the way in the uppermost bits, the set above the 5 bits of a line
    assert sorted(at_reset) == sorted(way << 30 | line << 5 for way in range(4) for line in range(32))
    assert violations(client) == []
