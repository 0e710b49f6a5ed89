"""Limits of STM32L4+ by voltage range (RM0432 rev 9 5.1.8 and 6.2.8, DS12023 "General operating conditions")."""

from __future__ import annotations

from dataclasses import dataclass

from host.emulate.clocks import Span


@dataclass(frozen=True)
class Range:
    """What a voltage range allows, in Hz. wait_states: the highest HCLK for 0, 1, 2 ... of them."""

    name: str
    clock_hz: int
    msi_hz: int
    hse_hz: int
    vco: Span
    wait_states: tuple[int, ...]


# RM0432 3.3.3, table "Number of wait states according to CPU clock (HCLK) frequency".
_RANGE_1_STEPS = tuple(mega * 1_000_000 for mega in (20, 40, 60, 80, 100, 120))
BOOST = Range("range 1 boost", 120_000_000, 48_000_000, 48_000_000, Span(64e6, 344e6), _RANGE_1_STEPS)
NORMAL = Range("range 1 normal", 80_000_000, 48_000_000, 48_000_000, Span(64e6, 344e6), _RANGE_1_STEPS)
RANGE_2 = Range(
    "range 2",
    26_000_000,
    24_000_000,
    26_000_000,
    Span(64e6, 128e6),
    (8_000_000, 16_000_000, 26_000_000),
)

# What the PLL may be fed with: RM0432 6.4.4 says 2.66 to 8 MHz, ST's own drivers 4 to 16; this much is in both.
REFERENCE = Span(4e6, 8e6)
MULTIPLIER = range(8, 128)
# RM0432 6.4.1, MSIRANGE; further codes are not allowed.
MSI_HZ = (
    100_000,
    200_000,
    400_000,
    800_000,
    1_000_000,
    2_000_000,
    4_000_000,
    8_000_000,
    16_000_000,
    24_000_000,
    32_000_000,
    48_000_000,
)
# RM0432 5.1.8: how long HCLK stays divided by two after SYSCLK rose above 80 MHz.
HALF_SPEED_US = 1.0
