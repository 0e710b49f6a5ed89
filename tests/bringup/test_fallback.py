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


@pytest.mark.parametrize("board_id", ["disco_f407vg", "nucleo_f446re"])
def test_without_its_crystal_a_board_runs_at_full_speed_from_the_internal_oscillator(board_id):
    client = started(board_id, Options(crystal_starts=False))
    assert client.hello.clock_source == "crystal failed, internal oscillator"
    assert client.hello.clock_hz == load_board(board_id).clock.hz
    rcc = client.transport.machine.chip.find("RCC")
    assert rcc.core_hz() == client.hello.clock_hz
    assert not rcc.values["CR"] >> 16 & 5, "HSEON and HSEBYP are off again"
    assert violations(client) == []


FAILURES = {
    "PLL never locks": (Options(pll_locks=False), None),
    "ODRDY never comes": (None, without("PWR", "CR", 1 << 16)),
    "wait states cannot be set": (None, without("FLASH", "ACR", 0xF)),
    "VOSRDY never comes": (None, None),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_without_its_pll_a_board_stays_at_the_clock_of_reset(failure, monkeypatch):
    if failure == "VOSRDY never comes":
        monkeypatch.setattr(rcc_f, "SCALE_US", math.inf)
    client = started("nucleo_f446re", *FAILURES[failure])
    assert client.hello.clock_source == "reset default"
    assert client.hello.clock_hz == HSI_HZ
    rcc = client.transport.machine.chip.find("RCC")
    assert rcc.frequencies() == {"sysclk": HSI_HZ, "hclk": HSI_HZ, "pclk1": HSI_HZ, "pclk2": HSI_HZ}
    assert not rcc.values["CR"] & (1 << 24 | 1 << 16), "PLL and crystal are off again"
    assert len(violations(client)) == 1 and BAUD_OFF in violations(client)[0]
