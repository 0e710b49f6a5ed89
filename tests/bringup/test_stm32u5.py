"""The rules of the STM32U5 model, by register sequences that are right and ones that each break one rule."""

from __future__ import annotations

import pytest

from host.errors import EmulatorError
from tests.bringup.bench import Bench, run
from tests.bringup.sequences import changed, moved

# RM0456 10.5.4 and 11.4.6: MSIS at 4 MHz, x 80 / 2 = 160 MHz in range 1, with the EPOD booster.
STEPS = {
    "PWR clock": lambda b: b.set("RCC.AHB3ENR", PWREN=1),
    "range 1": lambda b: b.set("PWR.VOSR", VOS=3),
    "wait range": lambda b: b.wait("PWR.VOSR", "VOSRDY"),
    "source": lambda b: b.set(
        "RCC.PLL1CFGR", PLL1SRC=1, PLL1M=0, PLL1MBOOST=0, PLL1RGE=0, PLL1REN=1, PLL1PEN=0, PLL1QEN=0
    ),
    "dividers": lambda b: b.set("RCC.PLL1DIVR", PLL1N=79, PLL1R=1),
    "booster": lambda b: b.set("PWR.VOSR", BOOSTEN=1),
    "wait booster": lambda b: b.wait("PWR.VOSR", "BOOSTRDY"),
    "PLL": lambda b: b.set("RCC.CR", PLL1ON=1),
    "wait PLL": lambda b: b.wait("RCC.CR", "PLL1RDY"),
    "wait states": lambda b: b.set("FLASH.ACR", LATENCY=4, PRFTEN=1),
    "switch": lambda b: b.set("RCC.CFGR1", SW=3),
    "cache": lambda b: b.set("ICACHE.CR", EN=1),
}
# What is not waited for: while the PLL locks, both would become ready unnoticed.
HURRIED = {name: step for name, step in STEPS.items() if name not in ("wait range", "wait booster")}
IMPATIENT_RANGE = moved(moved(HURRIED, "range 1", "PLL"), "booster", "PLL")
IMPATIENT_BOOSTER = moved(changed(STEPS, wait_booster=lambda b: None), "booster", "switch")
CLOCKS = dict.fromkeys(("sysclk", "hclk", "pclk1", "pclk2", "pclk3"), 160_000_000)


def u575(**more) -> Bench:
    return Bench("stm32u5", "stm32u575zit6q", "m33", **more)


def test_160_mhz():
    bench = run(u575(), STEPS)
    assert bench.said == []
    assert bench.clocks == CLOCKS
    assert bench.get("RCC.CFGR1", "SWS") == 3
    assert bench.chip.find("ICACHE").on


@pytest.mark.parametrize("step", HURRIED)
def test_each_step_is_needed(step):
    bench = run(u575(), STEPS, without=step)
    noticed = bench.said or bench.clocks != CLOCKS or not bench.chip.find("ICACHE").on
    assert noticed, f"nobody notices that {step!r} is missing"


def source(**fields: int):
    fields = {"PLL1SRC": 1, "PLL1REN": 1} | fields
    return lambda b: b.set("RCC.PLL1CFGR", **fields)


def divide(**fields: int):
    fields = {"PLL1N": 79, "PLL1R": 1} | fields
    return lambda b: b.set("RCC.PLL1DIVR", **fields)


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        (
            changed(STEPS, range_1=lambda b: b.set("PWR.VOSR", VOS=2)),
            "sysclk is 160 MHz, more than the 110 MHz",
        ),
        (
            changed(STEPS, range_1=lambda b: b.set("PWR.VOSR", VOS=1)),
            "booster is for ranges 1 and 2, not range 3",
        ),
        (changed(STEPS, range_1=lambda b: None), "PLL1 is switched on in range 4, where no PLL may run"),
        (IMPATIENT_RANGE, "PLL1 is switched on in range 4, where no PLL may run"),
        (moved(STEPS, "booster", "source"), "the EPOD booster is switched on with a clock of 0 MHz"),
        (
            changed(STEPS, source=source(PLL1MBOOST=1)),
            "switched on with a clock of 2 MHz, outside 4 to 16 MHz",
        ),
        (changed(STEPS, booster=lambda b: None), "sysclk is 160 MHz without the EPOD booster"),
        (IMPATIENT_BOOSTER, "sysclk is 160 MHz without the EPOD booster"),
        (
            {**STEPS, "late": lambda b: b.set("RCC.PLL1CFGR", PLL1MBOOST=1)},
            "PLL1MBOOST is changed while the EPOD booster is on",
        ),
        ({**STEPS, "no boost": lambda b: b.set("PWR.VOSR", BOOSTEN=0)}, "160 MHz without the EPOD booster"),
        (
            {**STEPS, "range 2": lambda b: b.set("PWR.VOSR", VOS=2)},
            "more than the 110 MHz that range 2 allows",
        ),
        (changed(STEPS, wait_states=lambda b: b.set("FLASH.ACR", LATENCY=3)), "has 3 wait states; 160 MHz"),
        (changed(STEPS, dividers=divide(PLL1N=139)), "VCO runs at 560 MHz, outside 128 to 544 MHz"),
        (changed(STEPS, dividers=divide(PLL1N=2)), "PLL1 multiplies by 3, outside 4 to 512"),
        (changed(STEPS, dividers=divide(PLL1R=0)), "PLL1's output R is 320 MHz, more than the 160 MHz"),
        (changed(STEPS, source=source(PLL1M=1)), "PLL1's input is 2 MHz, outside the 4 to 8 MHz"),
        (changed(STEPS, source=source(PLL1RGE=3)), "PLL1's input is 4 MHz, outside the 8 to 16 MHz"),
        (changed(STEPS, source=source(PLL1SRC=2)), "PLL1 is switched on without a running input clock"),
        (changed(STEPS, source=source(PLL1REN=0)), "SW selects PLL1, which is not ready"),
        (changed(STEPS, wait_PLL=lambda b: None), "SW selects PLL1, which is not ready"),
        (moved(STEPS, "dividers", "switch"), "PLL1N is changed while PLL1 is on"),
        (changed(STEPS, PWR_clock=lambda b: None), "VOSR is written while its clock is off"),
        (
            {**STEPS, "PLL off": lambda b: b.set("RCC.CR", PLL1ON=0)},
            "PLL1ON is cleared while the clock in use",
        ),
        (
            {**STEPS, "MSIS off": lambda b: b.set("RCC.CR", MSISON=0)},
            "MSISON is cleared while the clock in use",
        ),
        (
            {"MSI": lambda b: b.set("RCC.ICSCR1", MSISRANGE=0, MSIRGSEL=1)},
            "MSIS is 48 MHz, more than the 24 MHz",
        ),
        ({"PLL mode": lambda b: b.set("RCC.CR", MSIPLLEN=1)}, "MSIPLLEN is set before LSE is ready"),
        ({"LSE": lambda b: b.set("RCC.BDCR", LSEON=1)}, "RCC_BDCR is written while PWR_DBPR.DBP is 0"),
        ({"HSE": lambda b: b.set("RCC.CR", HSEON=1)}, "the HSE is switched on, but the board has none"),
        (
            {"on": lambda b: b.set("ICACHE.CR", EN=1), "ways": lambda b: b.set("ICACHE.CR", WAYSEL=0)},
            "WAYSEL is changed while the cache is on",
        ),
        ({"flush": lambda b: b.set("ICACHE.CR", CACHEINV=1)}, "ICACHE is invalidated while it is busy"),
    ],
)
def test_broken_rules(steps, wanted):
    steps = {"PWR": STEPS["PWR clock"], **steps} if "PWR clock" not in steps else steps
    bench = run(u575(), steps)
    assert any(wanted in what for what in bench.said), bench.said


def test_24_mhz_need_a_wait_state_in_range_4_and_none_in_range_1():
    bench = u575()
    bench.set("FLASH.ACR", LATENCY=0)
    bench.set("RCC.ICSCR1", MSISRANGE=1, MSIRGSEL=1)
    assert any("the flash has 0 wait states; 24 MHz in range 4 need 1" in what for what in bench.said)
    bench = u575()
    bench.set("RCC.AHB3ENR", PWREN=1)
    bench.set("PWR.VOSR", VOS=3)
    assert bench.wait("PWR.VOSR", "VOSRDY")
    bench.set("FLASH.ACR", LATENCY=0)
    bench.set("RCC.ICSCR1", MSISRANGE=1, MSIRGSEL=1)
    assert bench.said == []


def test_range_and_booster_in_one_write():
    steps = {
        "PWR clock": STEPS["PWR clock"],
        "source": STEPS["source"],
        "both": lambda b: b.set("PWR.VOSR", VOS=3, BOOSTEN=1),
        "wait": lambda b: b.wait("PWR.VOSR", "VOSRDY") and b.wait("PWR.VOSR", "BOOSTRDY"),
        **{name: STEPS[name] for name in ("dividers", "PLL", "wait PLL", "wait states", "switch")},
    }
    bench = run(u575(), steps)
    assert bench.said == [] and bench.clocks == CLOCKS


def test_port_g_needs_its_supply():
    bench = u575()
    bench.set("RCC.AHB2ENR1", GPIOGEN=1)
    bench.set("RCC.AHB3ENR", PWREN=1)
    bench.write("GPIOG.MODER", 0xFFFFFFFF & ~(1 << 14))
    assert any("PG7 in use while PWR_SVMCR.IO2SV is 0" in what for what in bench.said)


def test_supply_by_the_step_down_converter():
    bench = u575()
    bench.set("RCC.AHB3ENR", PWREN=1)
    bench.set("PWR.CR3", REGSEL=1)
    assert bench.wait("PWR.SVMSR", "REGS")
    assert bench.said == []


def test_kernel_clocks_of_the_serial_ports():
    bench = run(u575(), STEPS)
    assert bench.chip.clock.uart_hz("USART1") == 160_000_000
    bench.set("RCC.CCIPR1", USART1SEL=2)
    assert bench.chip.clock.uart_hz("USART1") == 0
    bench.set("RCC.CR", HSION=1)
    bench.wait("RCC.CR", "HSIRDY")
    assert bench.chip.clock.uart_hz("USART1") == 16_000_000
    bench.set("RCC.CCIPR3", LPUART1SEL=4)
    assert bench.chip.clock.uart_hz("LPUART1") == 4_000_000


def test_other_order_codes_are_refused():
    with pytest.raises(EmulatorError, match="stm32u599"):
        Bench("stm32u5", "stm32u599zi", "m33")
