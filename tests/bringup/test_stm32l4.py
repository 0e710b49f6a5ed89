"""The rules of the STM32L4+ model, by register sequences that are right and ones that each break one rule."""

from __future__ import annotations

import pytest

from host.errors import EmulatorError
from tests.bringup.bench import Bench, run
from tests.bringup.sequences import changed, moved

# RM0432 5.1.8 and 6.2.8: MSI at 48 MHz, / 12 x 60 / 2 = 120 MHz in the boost of range 1.
STEPS = {
    "PWR clock": lambda b: b.set("RCC.APB1ENR1", PWREN=1),
    "boost": lambda b: b.set("PWR.CR5", R1MODE=0),
    "wait range": lambda b: b.wait("PWR.SR2", "VOSF", 0),
    "wait states": lambda b: b.set("FLASH.ACR", LATENCY=5, PRFTEN=1),
    "MSI": lambda b: b.set("RCC.CR", MSIRANGE=11, MSIRGSEL=1),
    "source": lambda b: b.set("RCC.PLLCFGR", PLLSRC=1, PLLM=11, PLLN=60, PLLR=0, PLLREN=1),
    "PLL": lambda b: b.set("RCC.CR", PLLON=1),
    "wait PLL": lambda b: b.wait("RCC.CR", "PLLRDY"),
    "half": lambda b: b.set("RCC.CFGR", HPRE=8),
    "switch": lambda b: b.set("RCC.CFGR", SW=3),
    "a microsecond": lambda b: b.pause(1.1),
    "whole": lambda b: b.set("RCC.CFGR", HPRE=0),
}
CLOCKS = {"sysclk": 120_000_000, "hclk": 120_000_000, "pclk1": 120_000_000, "pclk2": 120_000_000}


def l4r5(**more) -> Bench:
    return Bench("stm32l4", "stm32l4r5zit6", "m4", **more)


def test_120_mhz():
    bench = run(l4r5(), STEPS)
    assert bench.said == []
    assert bench.clocks == CLOCKS
    assert bench.get("RCC.CFGR", "SWS") == 3
    assert bench.chip.find("FLASH").accelerated


@pytest.mark.parametrize("step", sorted(set(STEPS) - {"wait range"}))
def test_each_step_is_needed(step):
    bench = run(l4r5(), STEPS, without=step)
    assert bench.said or bench.clocks != CLOCKS, f"nobody notices that {step!r} is missing"


def msi(code: int):
    return lambda b: b.set("RCC.CR", MSIRANGE=code, MSIRGSEL=1)


def pll(**fields: int):
    fields = {"PLLSRC": 1, "PLLM": 11, "PLLN": 60, "PLLR": 0, "PLLREN": 1} | fields
    return lambda b: b.set("RCC.PLLCFGR", **fields)


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        (changed(STEPS, boost=lambda b: None), "sysclk is 120 MHz, more than the 80 MHz that range 1 normal"),
        (changed(STEPS, boost=lambda b: None), "the PLL's output R is 120 MHz, more than the 80 MHz"),
        (
            changed(STEPS, half=lambda b: None),
            "SYSCLK goes from 48 MHz to 120 MHz without HCLK divided by two",
        ),
        (changed(STEPS, a_microsecond=lambda b: b.pause(0.5)), "HCLK is undivided 0.50 us after SYSCLK rose"),
        (moved(STEPS, "half", "a microsecond"), "without HCLK divided by two"),
        (changed(STEPS, wait_states=lambda b: b.set("FLASH.ACR", LATENCY=4)), "has 4 wait states; 120 MHz"),
        (moved(STEPS, "MSI", "boost"), "the flash has 0 wait states; 48 MHz in range 1 normal need 2"),
        (changed(STEPS, source=pll(PLLM=2)), "input is 16 MHz, outside 4 to 8 MHz"),
        (changed(STEPS, source=pll(PLLN=7)), "PLLN = 7, outside 8 to 127"),
        (changed(STEPS, source=pll(PLLN=127)), "VCO runs at 508 MHz, outside the 64 to 344 MHz"),
        (changed(STEPS, source=pll(PLLSRC=0)), "the PLL is switched on without a running input clock"),
        (changed(STEPS, source=pll(PLLSRC=3)), "the PLL is switched on without a running input clock"),
        (changed(STEPS, source=pll(PLLREN=0)), "SW selects PLL, which is not ready"),
        (changed(STEPS, wait_PLL=lambda b: None), "SW selects PLL, which is not ready"),
        (moved(STEPS, "source", "half"), "PLLM is changed while the PLL is in use"),
        (changed(STEPS, MSI=msi(12)), "MSIRANGE = 12 is not allowed"),
        (changed(STEPS, PWR_clock=lambda b: None), "CR5 is read while its clock is off"),
        ({**STEPS, "PLL off": lambda b: b.set("RCC.CR", PLLON=0)}, "PLLON is cleared while the clock in use"),
        ({**STEPS, "MSI off": lambda b: b.set("RCC.CR", MSION=0)}, "MSION is cleared while the clock in use"),
        (
            {**STEPS, "normal": lambda b: b.set("PWR.CR5", R1MODE=1)},
            "more than the 80 MHz that range 1 normal",
        ),
        ({**STEPS, "range 2": lambda b: b.set("PWR.CR1", VOS=2)}, "more than the 26 MHz that range 2"),
        ({**STEPS, "range 0": lambda b: b.set("PWR.CR1", VOS=0)}, "VOS = 0 is forbidden"),
        ({**STEPS, "reset": lambda b: b.set("FLASH.ACR", ICRST=1)}, "ICRST is set while the cache is on"),
        ({"BDCR": lambda b: b.set("RCC.BDCR", LSEON=1)}, "RCC_BDCR is written while PWR_CR1.DBP is 0"),
        ({"PLL mode": lambda b: b.set("RCC.CR", MSIPLLEN=1)}, "MSIPLLEN is set before LSE is ready"),
        ({"HSE": lambda b: b.set("RCC.CR", HSEON=1)}, "the HSE is switched on, but the board has none"),
    ],
)
def test_broken_rules(steps, wanted):
    steps = {"PWR": STEPS["PWR clock"], **steps} if "PWR clock" not in steps else steps
    bench = run(l4r5(), steps)
    assert any(wanted in what for what in bench.said), bench.said


def test_msi_follows_the_crystal():
    bench = run(l4r5(), {"PWR clock": STEPS["PWR clock"]})
    bench.set("PWR.CR1", DBP=1)
    bench.set("RCC.BDCR", LSEON=1)
    bench.pause(600_000)
    assert bench.wait("RCC.BDCR", "LSERDY")
    bench.set("RCC.CR", MSIPLLEN=1)
    assert bench.get("RCC.CR", "MSIPLLEN") == 1
    assert bench.said == []


def test_port_g_needs_its_supply():
    bench = l4r5()
    bench.set("RCC.AHB2ENR", GPIOGEN=1)
    bench.set("RCC.APB1ENR1", PWREN=1)
    bench.write("GPIOG.AFRL", 8 << 28)
    bench.write("GPIOG.MODER", 0xFFFFFFFF & ~(1 << 14))
    assert any("PG7 in use while PWR_CR2.IOSV is 0" in what for what in bench.said)
    bench = l4r5()
    bench.set("RCC.AHB2ENR", GPIOGEN=1)
    bench.set("RCC.APB1ENR1", PWREN=1)
    bench.set("PWR.CR2", IOSV=1)
    bench.write("GPIOG.AFRL", 8 << 28)
    bench.write("GPIOG.MODER", 0xFFFFFFFF & ~(1 << 14))
    assert bench.said == []
    assert bench.chip.find("GPIOG").function(7) == "LPUART1_TX"


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"LPUART1SEL": 0}, 120_000_000),
        ({"LPUART1SEL": 1}, 120_000_000),
        ({"LPUART1SEL": 2}, 0),
        ({"LPUART1SEL": 3}, 0),
    ],
)
def test_kernel_clock_of_the_low_power_uart(fields, wanted):
    bench = run(l4r5(), STEPS)
    bench.set("RCC.CCIPR", **fields)
    assert bench.chip.clock.uart_hz("LPUART1") == wanted
    if fields["LPUART1SEL"] == 2:
        bench.set("RCC.CR", HSION=1)
        bench.wait("RCC.CR", "HSIRDY")
        assert bench.chip.clock.uart_hz("LPUART1") == 16_000_000


def test_other_order_codes_are_refused():
    with pytest.raises(EmulatorError, match="stm32l476"):
        Bench("stm32l4", "stm32l476rgt6", "m4")
