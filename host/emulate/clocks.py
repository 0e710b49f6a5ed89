"""Parts that the clock trees of several families share: prescalers, the HSE oscillator, PLLs with a fractional
multiplier, and words for frequencies.
"""

from __future__ import annotations

from dataclasses import dataclass

from host.emulate.peripheral import Chip, Ready

# Codes of the fields HPRE and PPRE, the same in every family: a code below 8 (or 4) does not divide.
HPRE = (1,) * 8 + (2, 4, 8, 16, 64, 128, 256, 512)
PPRE = (1,) * 4 + (2, 4, 8, 16)

# A crystal takes milliseconds, what comes from outside only some periods (datasheets, "HSE oscillator").
CRYSTAL_START_US = 2000.0
BYPASS_START_US = 10.0
PLL_LOCK_US = 50.0


def mhz(hz: float) -> str:
    """A frequency for people."""
    return f"{hz / 1e6:.6g} MHz"


@dataclass(frozen=True)
class Span:
    """Lowest and highest frequency allowed, in Hz."""

    low: float
    high: float

    def __contains__(self, hz: float) -> bool:
        return self.low <= hz <= self.high

    def __str__(self) -> str:
        """For people."""
        return f"{self.low / 1e6:.6g} to {mhz(self.high)}"


@dataclass(frozen=True)
class RamClock:
    """A memory whose clock has to be switched on before it is used: the bit `field` of the register `enable`."""

    start: int
    end: int
    enable: str
    field: str

    def covers(self, address: int, size_bytes: int) -> bool:
        """Whether a byte of that range is in it."""
        return self.start < address + size_bytes and address < self.end


class Hse:
    """The external oscillator: what the board's manifest says of it, and whether the firmware treats it so.

    section: where the manual describes it.
    """

    def __init__(self, chip: Chip, section: str):
        self._chip, self._section = chip, section
        self.hz = chip.board.clock.crystal_hz
        self.bypass = chip.board.clock.bypass
        self._ready = Ready(chip, None)

    @property
    def ready(self) -> bool:
        """The flag HSERDY."""
        return self._ready.ready

    def reset(self) -> None:
        """Off, as after a reset."""
        self._ready = Ready(self._chip, None)

    def write(self, on: bool, bypass: bool, was_on: bool, was_bypass: bool) -> None:
        """The bits HSEON and HSEBYP before and after a write."""
        require = self._chip.require
        if bypass != was_bypass:
            require(
                not was_on, "HSEBYP is changed while the HSE is on, which the chip ignores", self._section
            )
        if on and not was_on:
            require(self.hz > 0, "the HSE is switched on, but the board has none", self._section)
            if self.hz:
                wanted = "a clock signal (HSEBYP = 1)" if self.bypass else "a crystal (HSEBYP = 0)"
                require(bypass == self.bypass, f"the board's HSE is {wanted}", self._section)
            works = self.hz > 0 and bypass == self.bypass and self._chip.options.crystal_starts
            delay_us = BYPASS_START_US if bypass else CRYSTAL_START_US
            self._ready = Ready(self._chip, delay_us if works else None)
        self._ready.set(on)


@dataclass(frozen=True)
class PllSetting:
    """How a PLL with a fractional multiplier is set: the input's frequency and all dividers as numbers, not codes.

    p, q, r: dividers of the outputs that are enabled, 0 for those that are not.
    """

    input_hz: float
    m: int
    n: int
    fraction: int
    p: int
    q: int
    r: int

    @property
    def reference_hz(self) -> float:
        """What the phase comparator sees."""
        return self.input_hz / self.m if self.m else 0.0

    @property
    def vco_hz(self) -> float:
        """The oscillator's frequency. The fraction counts 1/8192 of the reference."""
        return self.reference_hz * (self.n + self.fraction / 8192)

    def output_hz(self, divider: int) -> float:
        """One output; 0 if it is off."""
        return self.vco_hz / divider if divider else 0.0

    def outputs(self) -> dict[str, float]:
        """The enabled outputs by letter."""
        return {name: self.vco_hz / by for name, by in (("P", self.p), ("Q", self.q), ("R", self.r)) if by}


def check_pll(
    chip: Chip, name: str, pll: PllSetting, reference: Span, multiplier: range, vco: Span, section: str
) -> None:
    """Records what is out of range in a PLL at the moment when it is switched on."""
    if not pll.input_hz:
        chip.violate(f"{name} is switched on without a running input clock", section)
        return
    chip.require(
        pll.reference_hz in reference,
        f"{name}'s input is {mhz(pll.reference_hz)}, outside the {reference} that are set for it",
        section,
    )
    chip.require(
        pll.n in multiplier,
        f"{name} multiplies by {pll.n}, outside {multiplier[0]} to {multiplier[-1]}",
        section,
    )
    chip.require(pll.vco_hz in vco, f"{name}'s VCO runs at {mhz(pll.vco_hz)}, outside {vco}", section)
