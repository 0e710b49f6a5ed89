"""Start-up with one register write missing, or one limit broken: the proof must fail, and say why."""

from __future__ import annotations

import pytest

from tests.bringup.dropped import proved, with_field, without, writes

# What may be missing: (peripheral, register, number) and why nothing is wrong then. None as number: every one.
HARMLESS = {
    "nucleo_h743zi": {
        ("GPIOD", "OSPEEDR", None): "the slowest pin is fast enough for 921600 baud",
        ("GPIOD", "PUPDR", 0): "TX is driven; only RX could float",
        ("USART3", "CR1", 0): "FIFOEN comes with UE in the next write",
    },
    "nucleo_h7a3zi_q": {
        ("PWR", "SRDCR", 0): "scale 1 on the way to scale 0, which may also be chosen at once",
        ("GPIOD", "OSPEEDR", None): "as above",
        ("GPIOD", "PUPDR", 0): "as above",
        ("USART3", "CR1", 0): "as above",
    },
    "nucleo_l4r5zi": {
        ("SCS", "VTOR", None): "the boot pins show the flash at 0 as well, where the core looks without it",
        ("FLASH", "ACR", 1): "empties caches that are empty after a reset",
        ("GPIOG", "OSPEEDR", None): "as above",
        ("GPIOG", "PUPDR", 0): "as above",
        ("LPUART1", "CR1", 0): "as above",
    },
    "nucleo_u575zi_q": {
        ("ICACHE", "CR", 0): "invalidates what a reset has invalidated",
        ("GPIOA", "OSPEEDR", None): "as above",
        ("GPIOA", "PUPDR", 0): "as above",
        ("USART1", "CR1", 0): "as above",
    },
}
# The crystal's bits: without them start-up waits a hundred milliseconds for it, many seconds here. What follows from
# a crystal that does not come is in test_bringup.py.
CRYSTAL_BITS = 5 << 16


def is_crystal(write, board_id: str) -> bool:
    return (write.peripheral, write.register) == ("RCC", "CR") and bool(write.value & CRYSTAL_BITS)


@pytest.mark.parametrize("board_id", HARMLESS)
def test_every_write_of_start_up_is_needed(board_id):
    unnoticed = set()
    tried = [w for w in writes(board_id) if not w.idle and not is_crystal(w, board_id)]
    for write in tried:
        if not proved(board_id, without(write)).failures():
            unnoticed.add(str(write))
    harmless = {
        str(w)
        for w in tried
        if {(w.peripheral, w.register, w.number), (w.peripheral, w.register, None)} & set(HARMLESS[board_id])
    }
    assert unnoticed == harmless
    assert len(tried) - len(harmless) >= 20


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
            "the PLL's input is 16 MHz, outside 2.66 to 8",
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


def test_an_stm32h743_of_revision_y_runs_at_400_mhz():
    proof = proved("nucleo_h743zi", revision="Y")
    assert proof.violations == []
    assert proof.hello is not None and proof.hello.clock_hz == 400_000_000
    assert proof.frequencies["cpu"] == 400_000_000
    assert [check.name for check in proof.checks if not check.passed] == ["the core runs at 480,000,000 Hz"]
