"""The rules of the STM32H7 models, by register sequences that are right and ones that each break one rule."""

from __future__ import annotations

import pytest

from host.emulate.peripheral import Options
from host.errors import EmulatorError
from tests.bringup.bench import Bench, run
from tests.bringup.sequences import changed, moved

SUPPLY = "supply"
# RM0433 6.6.2 and 8.5.5: 8 MHz from outside, / 2, x 240, / 2 = 480 MHz, the buses at half and a quarter of it.
H743 = {
    SUPPLY: lambda b: b.set("PWR.CR3", LDOEN=1, SCUEN=1),
    "wait supply": lambda b: b.wait("PWR.CSR1", "ACTVOSRDY"),
    "VOS1": lambda b: b.set("PWR.D3CR", VOS=3),
    "wait VOS1": lambda b: b.wait("PWR.D3CR", "VOSRDY"),
    "SYSCFG clock": lambda b: b.set("RCC.APB4ENR", SYSCFGEN=1),
    "overdrive": lambda b: b.set("SYSCFG.PWRCR", ODEN=1),
    "wait VOS0": lambda b: b.wait("PWR.D3CR", "VOSRDY"),
    "bypass": lambda b: b.set("RCC.CR", HSEBYP=1),
    "HSE": lambda b: b.set("RCC.CR", HSEON=1),
    "wait HSE": lambda b: b.wait("RCC.CR", "HSERDY"),
    "source": lambda b: b.set("RCC.PLLCKSELR", PLLSRC=2, DIVM1=2),
    "range": lambda b: b.set("RCC.PLLCFGR", PLL1RGE=2, PLL1VCOSEL=0, DIVP1EN=1, DIVQ1EN=0, DIVR1EN=0),
    "dividers": lambda b: b.set("RCC.PLL1DIVR", DIVN1=239, DIVP1=1),
    "PLL": lambda b: b.set("RCC.CR", PLL1ON=1),
    "wait PLL": lambda b: b.wait("RCC.CR", "PLL1RDY"),
    "AHB": lambda b: b.set("RCC.D1CFGR", HPRE=8, D1PPRE=4),
    "APB1 and APB2": lambda b: b.set("RCC.D2CFGR", D2PPRE1=4, D2PPRE2=4),
    "APB4": lambda b: b.set("RCC.D3CFGR", D3PPRE=4),
    "wait states": lambda b: b.set("FLASH.ACR", LATENCY=4, WRHIGHFREQ=2),
    "switch": lambda b: b.set("RCC.CFGR", SW=3),
}
H743_CLOCKS = {
    "sysclk": 480_000_000,
    "cpu": 480_000_000,
    "hclk": 240_000_000,
    "pclk1": 120_000_000,
    "pclk2": 120_000_000,
    "pclk3": 120_000_000,
    "pclk4": 120_000_000,
}
# At reset the flash waits 7 cycles: without this step the chip is slow, not wrong.
HARMLESS = {"wait states"}


def h743(revision: str = "", **more) -> Bench:
    options = Options(revision=revision)
    return Bench("stm32h7", "stm32h743zit6", "m7", crystal_hz=8_000_000, bypass=True, options=options, **more)


def test_h743_to_480_mhz():
    bench = run(h743(), H743)
    assert bench.said == []
    assert bench.clocks == H743_CLOCKS
    assert bench.get("RCC.CFGR", "SWS") == 3


@pytest.mark.parametrize("step", sorted(set(H743) - HARMLESS))
def test_h743_each_step_is_needed(step):
    bench = run(h743(), H743, without=step)
    assert bench.said or bench.clocks != H743_CLOCKS, f"nobody notices that {step!r} is missing"


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        (moved(H743, "VOS1", SUPPLY), "VOS is changed before PWR_CR3 is written"),
        (moved(H743, "VOS1", "wait supply"), "VOS is changed before PWR_CR3 is written and ACTVOSRDY"),
        (
            moved(moved(H743, "wait VOS1", "wait VOS0"), "SYSCFG clock", "VOS1"),
            "ODEN is set before VOS1 is ready",
        ),
        (moved(H743, "overdrive", "switch"), "PLL1's output P is 480 MHz, more than the 400 MHz that VOS1"),
        (changed(H743, wait_HSE=lambda b: None), "PLL1 is switched on without a running input clock"),
        (moved(H743, "switch", "AHB"), "hclk is 480 MHz, more than the 240 MHz"),
        (moved(H743, "switch", "APB4"), "pclk4 is 240 MHz, more than the 120 MHz"),
        (moved(H743, "dividers", "switch"), "DIVN1 is changed while PLL1 is on"),
        (moved(H743, "source", "switch"), "PLLSRC is changed while PLL1 is on"),
        (moved(H743, "range", "switch"), "PLL1RGE is changed while PLL1 is on"),
        (moved(H743, "bypass", "wait HSE"), "HSEBYP is changed while the HSE is on"),
        (changed(H743, bypass=lambda b: None), "the board's HSE is a clock signal"),
        (changed(H743, wait_states=lambda b: b.set("FLASH.ACR", LATENCY=3, WRHIGHFREQ=2)), "need 4"),
        (changed(H743, wait_states=lambda b: b.set("FLASH.ACR", LATENCY=4, WRHIGHFREQ=1)), "WRHIGHFREQ is 1"),
        (changed(H743, range=lambda b: b.set("RCC.PLLCFGR", PLL1RGE=3)), "input is 4 MHz, outside the 8 to"),
        (
            changed(H743, range=lambda b: b.set("RCC.PLLCFGR", PLL1RGE=2, PLL1VCOSEL=1)),
            "VCO runs at 960 MHz, outside 150 to",
        ),
        (changed(H743, dividers=lambda b: b.set("RCC.PLL1DIVR", DIVN1=249, DIVP1=1)), "outside 192 to 960"),
        (changed(H743, dividers=lambda b: b.set("RCC.PLL1DIVR", DIVN1=239, DIVP1=2)), "odd DIVP1 of 3"),
        (changed(H743, source=lambda b: b.set("RCC.PLLCKSELR", PLLSRC=2, DIVM1=0)), "DIVM1 = 0"),
        (
            changed(H743, overdrive=lambda b: None),
            "PLL1's output P is 480 MHz, more than the 400 MHz that VOS1 allows",
        ),
        (changed(H743, VOS1=lambda b: b.set("PWR.D3CR", VOS=0)), "VOS = 0 is reserved"),
        (changed(H743, wait_PLL=lambda b: None), "SW selects PLL1, which is not ready"),
        (
            changed(H743, supply=lambda b: b.write("PWR.CR3", 0x3)),
            "PWR_CR3 = 0x03 is no valid supply configuration",
        ),
        (
            {**H743, "again": lambda b: b.write("PWR.CR3", 0x1)},
            "supply configuration is written a second time, 0x01 after 0x02",
        ),
        ({**H743, "lower": lambda b: b.set("SYSCFG.PWRCR", ODEN=0)}, "cpu is 480 MHz, more than the 400 MHz"),
        ({**H743, "VOS2": lambda b: b.set("PWR.D3CR", VOS=2)}, "VOS is changed while ODEN is set"),
        ({**H743, "HSE off": lambda b: b.set("RCC.CR", HSEON=0)}, "HSEON is cleared while the core's clock"),
        (
            {**H743, "PLL off": lambda b: b.set("RCC.CR", PLL1ON=0)},
            "PLL1ON is cleared while PLL1 is the system",
        ),
    ],
)
def test_h743_broken_rules(steps, wanted):
    bench = run(h743(), steps)
    assert any(wanted in what for what in bench.said), bench.said


def test_revision_y_has_no_overdrive_and_stops_at_400_mhz():
    assert any("revision Y has no overdrive" in what for what in run(h743("Y"), H743).said)
    steps = changed(
        H743,
        overdrive=lambda b: None,
        SYSCFG_clock=lambda b: None,
        dividers=lambda b: b.set("RCC.PLL1DIVR", DIVN1=199, DIVP1=1),
    )
    bench = run(h743("Y"), steps)
    assert bench.said == []
    assert bench.clocks["cpu"] == 400_000_000
    assert bench.read("DBGMCU.IDC") >> 16 == 0x1003
    assert h743().read("DBGMCU.IDC") >> 16 == 0x2003


def test_an_unknown_revision_is_refused():
    with pytest.raises(EmulatorError, match="no revision Q"):
        h743("Q")


def test_supply_configuration_survives_a_reset_and_stays_locked():
    bench = run(h743(), H743)
    bench.chip.reset()
    assert bench.clocks["cpu"] == 64_000_000
    assert run(bench, H743).said == []
    assert bench.clocks == H743_CLOCKS


def test_without_crystal_or_lock_the_flags_never_come():
    options = Options(crystal_starts=False)
    bench = Bench("stm32h7", "stm32h743zit6", "m7", crystal_hz=8_000_000, bypass=True, options=options)
    bench.set("RCC.CR", HSEBYP=1)
    bench.set("RCC.CR", HSEON=1)
    assert not bench.wait("RCC.CR", "HSERDY") and bench.said == []
    bench = Bench("stm32h7", "stm32h743zit6", "m7")
    bench.set("RCC.CR", HSEON=1)
    assert not bench.wait("RCC.CR", "HSERDY")
    assert bench.said == ["the HSE is switched on, but the board has none"]


def test_second_addresses_of_the_clock_enables():
    bench = h743()
    rcc = bench.chip.find("RCC")
    offset = rcc.register("AHB4ENR").offset
    rcc.write(offset + 0x60, 1 << 3, 4)
    assert bench.read("RCC.AHB4ENR") == 1 << 3 and rcc.read(offset + 0x60, 4) == 1 << 3
    assert bench.chip.enabled("GPIOD") and not bench.chip.enabled("GPIOE")
    assert bench.said == []


@pytest.mark.parametrize(
    ("name", "fields", "wanted"),
    [
        ("USART3", {"USART234578SEL": 0}, 120_000_000),
        ("USART3", {"USART234578SEL": 3}, 64_000_000),
        ("USART3", {"USART234578SEL": 4}, 0),
        ("USART1", {"USART16910SEL": 0}, 120_000_000),
        ("USART1", {"USART16910SEL": 1}, 0),
    ],
)
def test_kernel_clocks_of_the_serial_ports(name, fields, wanted):
    bench = run(h743(), H743)
    bench.set("RCC.D2CCIP2R", **fields)
    assert bench.chip.clock.uart_hz(name) == wanted


# RM0455 6.6 and 8.5.6: 8 MHz / 2 x 140 / 2 = 280 MHz, all but the APBs at full speed.
H7A3 = {
    SUPPLY: lambda b: b.set("PWR.CR3", SDEN=1, LDOEN=0, BYPASS=0),
    "wait supply": lambda b: b.wait("PWR.CSR1", "ACTVOSRDY"),
    "VOS0": lambda b: b.set("PWR.SRDCR", VOS=3),
    "wait VOS0": lambda b: b.wait("PWR.SRDCR", "VOSRDY"),
    "bypass": lambda b: b.set("RCC.CR", HSEBYP=1),
    "HSE": lambda b: b.set("RCC.CR", HSEON=1),
    "wait HSE": lambda b: b.wait("RCC.CR", "HSERDY"),
    "source": lambda b: b.set("RCC.PLLCKSELR", PLLSRC=2, DIVM1=2),
    "range": lambda b: b.set("RCC.PLLCFGR", PLL1RGE=2, PLL1VCOSEL=0),
    "dividers": lambda b: b.set("RCC.PLL1DIVR", DIVN1=139, DIVP1=1),
    "PLL": lambda b: b.set("RCC.CR", PLL1ON=1),
    "wait PLL": lambda b: b.wait("RCC.CR", "PLL1RDY"),
    "wait states": lambda b: b.set("FLASH.ACR", LATENCY=6, WRHIGHFREQ=3),
    "APB3": lambda b: b.set("RCC.D1CFGR", D1PPRE=4),
    "APB1 and APB2": lambda b: b.set("RCC.D2CFGR", D2PPRE1=4, D2PPRE2=4),
    "APB4": lambda b: b.set("RCC.D3CFGR", D3PPRE=4),
    "switch": lambda b: b.set("RCC.CFGR", SW=3),
}


def h7a3(board: str = "nucleo_h7a3zi_q") -> Bench:
    return Bench("stm32h7", "stm32h7a3zitxq", "m7", crystal_hz=8_000_000, bypass=True, board=board)


def test_h7a3_to_280_mhz():
    bench = run(h7a3(), H7A3)
    assert bench.said == []
    assert bench.clocks["cpu"] == bench.clocks["hclk"] == 280_000_000
    assert {bench.clocks[f"pclk{n}"] for n in (1, 2, 3, 4)} == {140_000_000}


@pytest.mark.parametrize("step", H7A3)
def test_h7a3_each_step_is_needed(step):
    bench = run(h7a3(), H7A3, without=step)
    assert bench.said or bench.clocks["cpu"] != 280_000_000, f"nobody notices that {step!r} is missing"


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        (
            changed(H7A3, supply=lambda b: b.set("PWR.CR3", SDEN=0, LDOEN=1)),
            "the board is wired for direct SMPS",
        ),
        (changed(H7A3, supply=lambda b: b.write("PWR.CR3", 0x0)), "no valid supply configuration"),
        (changed(H7A3, VOS0=lambda b: b.set("PWR.SRDCR", VOS=2)), "280 MHz, more than the 225 MHz"),
        (changed(H7A3, wait_states=lambda b: b.set("FLASH.ACR", LATENCY=5, WRHIGHFREQ=3)), "need 6"),
        (moved(H7A3, "wait VOS0", "switch"), "PLL1's output P is 280 MHz, more than the 88 MHz that VOS3"),
        (
            changed(H7A3, dividers=lambda b: b.set("RCC.PLL1DIVR", DIVN1=149, DIVP1=1)),
            "outside 128 to 560 MHz",
        ),
        (
            {"divide": lambda b: b.set("RCC.CR", PLL1ON=1), "then": lambda b: b.set("RCC.CR", HSIDIV=1)},
            "HSIDIV",
        ),
    ],
)
def test_h7a3_broken_rules(steps, wanted):
    bench = run(h7a3(), steps)
    assert any(wanted in what for what in bench.said), bench.said


def test_a_wrong_supply_leaves_the_chip_in_run_star():
    bench = run(h7a3(), changed(H7A3, supply=lambda b: b.set("PWR.CR3", SDEN=0, LDOEN=1)))
    assert bench.get("PWR.CSR1", "ACTVOSRDY") == 0


def test_other_order_codes_are_refused():
    with pytest.raises(EmulatorError, match="stm32h723"):
        Bench("stm32h7", "stm32h723zg", "m7")
