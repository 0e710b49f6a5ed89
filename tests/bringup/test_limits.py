"""Start-up of the STM32H7, L4+ and U5 with one field written wrong: the proof fails and names the limit.

Writes that are left out are in test_mutations.py, rules without firmware in test_stm32h7.py and its neighbours.
"""

from __future__ import annotations

import dataclasses

import pytest

from host.boards import load_board
from host.build import build
from host.emulate.bringup import Proof, prove
from host.emulate.fields import FieldRegister
from host.emulate.peripheral import Intercept, Options, Peripheral, Register
from tests.bringup.wiring import WIRING


def proved(board_id: str, intercept: Intercept | None = None, **options) -> Proof:
    """The proof of a board at the pins of its user manual."""
    board, wiring = load_board(board_id), WIRING[board_id]
    settings = Options(wiring=(wiring.tx, wiring.rx), **options)
    return prove(board, build(board).elf, settings, intercept=intercept)


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


@pytest.mark.parametrize(
    ("board_id", "intercept", "wanted"),
    [
        ("nucleo_h743zi", with_field("FLASH.ACR", "WRHIGHFREQ", 1), "reset default"),
        (
            "nucleo_h743zi",
            with_field("RCC.PLL1DIVR", "DIVN1", 124),
            "VCO runs at 1000 MHz, outside 192 to 960 MHz",
        ),
        (
            "nucleo_h743zi",
            with_field("RCC.PLLCKSELR", "DIVM1", 4, right=1),
            "PLL1's input is 2 MHz, outside the 8",
        ),
        (
            "nucleo_h743zi",
            with_field("RCC.D2CFGR", "D2PPRE2", 0),
            "pclk2 is 240 MHz, more than the 120 MHz that VOS0",
        ),
        ("nucleo_h743zi", with_field("PWR.CR3", "BYPASS", 1), "is no valid supply configuration"),
        ("nucleo_h743zi", with_field("PWR.D3CR", "VOS", 2, right=3), "ODEN is set before VOS1 is ready"),
        (
            "nucleo_h743zi",
            with_field("RCC.CR", "HSEBYP", 0),
            "the board's HSE is a clock signal (HSEBYP = 1)",
        ),
        ("nucleo_h7a3zi_q", with_field("PWR.CR3", "LDOEN", 1), "the board is wired for direct SMPS"),
        (
            "nucleo_h7a3zi_q",
            with_field("PWR.SRDCR", "VOS", 2, right=3),
            "280 MHz, more than the 225 MHz that VOS1",
        ),
        (
            "nucleo_h7a3zi_q",
            with_field("RCC.PLLCFGR", "PLL1VCOSEL", 1),
            "VCO runs at 560 MHz, outside 150 to 420 MHz",
        ),
        ("nucleo_l4r5zi", with_field("FLASH.ACR", "LATENCY", 4, right=5), "reset default"),
        (
            "nucleo_l4r5zi",
            with_field("RCC.PLLCFGR", "PLLM", 0, right=1),
            "the PLL's input is 16 MHz, outside 4 to 8",
        ),
        ("nucleo_l4r5zi", with_field("PWR.CR1", "VOS", 2), "more than the 26 MHz that range 2 allows"),
        (
            "nucleo_u575zi_q",
            with_field("PWR.VOSR", "VOS", 2, right=3),
            "more than the 110 MHz that range 2 allows",
        ),
        (
            "nucleo_u575zi_q",
            with_field("RCC.PLL1CFGR", "PLL1MBOOST", 4),
            "booster is switched on with a clock of 2 MHz",
        ),
        (
            "nucleo_u575zi_q",
            with_field("RCC.PLL1CFGR", "PLL1M", 0),
            "VCO runs at 640 MHz, outside 128 to 544",
        ),
    ],
)
def test_broken_limits_are_named(board_id, intercept, wanted):
    failures = proved(board_id, intercept).failures()
    assert any(wanted in line for line in failures), failures


def test_a_ram_bank_without_its_clock_is_told():
    """A manifest that lets the planner use the RAM of the second domain, which start-up does not switch on."""
    board, wiring = load_board("nucleo_h743zi"), WIRING["nucleo_h743zi"]
    more = dataclasses.replace(board.memory[-1], name="sram1", address=0x30000000, bytes=0x40000)
    with_bank = dataclasses.replace(board, memory=(*board.memory, more))
    proof = prove(with_bank, build(board).elf, Options(wiring=(wiring.tx, wiring.rx)))
    assert proof.failures() == [
        "every RAM bank of the manifest has its clock: AHB2ENR.SRAM1EN, AHB2ENR.SRAM2EN off"
    ]


def test_an_stm32h743_of_revision_y_runs_at_400_mhz():
    proof = proved("nucleo_h743zi", revision="Y")
    assert proof.violations == []
    assert proof.hello is not None and proof.hello.clock_hz == 400_000_000
    assert proof.frequencies["cpu"] == 400_000_000
    assert [check.name for check in proof.checks if not check.passed] == ["the core runs at 480,000,000 Hz"]
