"""Limits of STM32U575 by voltage range (RM0456 rev 4 10.5.4, 11.4.10, DS13737 "General operating conditions")."""

from __future__ import annotations

from dataclasses import dataclass

from host.emulate.clocks import RamClock, Span


@dataclass(frozen=True)
class Range:
    """What a voltage range allows, in Hz.

    plain_hz: SYSCLK's limit while the EPOD booster is off. vco: None where no PLL may run. pll_hz: of the PLLs' outputs
    P and Q. wait_states: the highest HCLK for 0, 1, 2 ... of them.
    """

    name: str
    clock_hz: int
    plain_hz: int
    msi_hz: int
    hse_hz: int
    vco: Span | None
    pll_hz: int
    wait_states: tuple[int, ...]


def _steps(*mega: int) -> tuple[int, ...]:
    return tuple(hz * 1_000_000 for hz in mega)


# By the code of VOS. RM0456 7.3.3, table "Number of wait states according to CPU clock (HCLK) frequency", LPM = 0.
RANGES = {
    3: Range(
        "range 1",
        160_000_000,
        55_000_000,
        48_000_000,
        50_000_000,
        Span(128e6, 544e6),
        208_000_000,
        _steps(32, 64, 96, 128, 160),
    ),
    2: Range(
        "range 2",
        110_000_000,
        55_000_000,
        48_000_000,
        50_000_000,
        Span(128e6, 544e6),
        110_000_000,
        _steps(30, 60, 90, 110),
    ),
    1: Range(
        "range 3",
        55_000_000,
        55_000_000,
        48_000_000,
        50_000_000,
        Span(128e6, 330e6),
        55_000_000,
        _steps(24, 48, 55),
    ),
    0: Range("range 4", 25_000_000, 25_000_000, 24_000_000, 25_000_000, None, 0, _steps(12, 25)),
}

# PLLxRGE by code (RM0456 11.8.9): 0, 1 and 2 are the same.
REFERENCE = (Span(4e6, 8e6), Span(4e6, 8e6), Span(4e6, 8e6), Span(8e6, 16e6))
# PLLxN as a factor (RM0456 11.8.12).
MULTIPLIER = range(4, 513)
# PLL1MBOOST by code; further ones are reserved.
BOOST_DIVIDERS = (1, 2, 4, 6, 8, 10, 12, 14, 16)
# What the EPOD booster may be clocked with (RM0456 10.5.4).
BOOST_CLOCK = Span(4e6, 16e6)
# MSISRANGE and MSIKRANGE by code (RM0456 11.8.2).
MSI_HZ = (
    48_000_000,
    24_000_000,
    16_000_000,
    12_000_000,
    4_000_000,
    2_000_000,
    1_330_000,
    1_000_000,
    3_072_000,
    1_536_000,
    1_024_000,
    768_000,
    400_000,
    200_000,
    133_000,
    100_000,
)
# All on after a reset (RM0456 2.3.1 and 11.8.25 to 11.8.28).
RAM_CLOCKS = (
    RamClock(0x20000000, 0x20030000, "AHB1ENR", "SRAM1EN"),
    RamClock(0x20030000, 0x20040000, "AHB2ENR1", "SRAM2EN"),
    RamClock(0x20040000, 0x200C0000, "AHB2ENR1", "SRAM3EN"),
    RamClock(0x28000000, 0x28004000, "AHB3ENR", "SRAM4EN"),
)
