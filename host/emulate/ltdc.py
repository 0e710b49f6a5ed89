"""The display controller LTDC of STM32F7 (RM0385 18) with the panel that a board has on it, and the picture it shows.

Checked: PLLSAI and pixel clock, the panel's timing, the layer's window and memory, every signal's pin. Sources beside
RM0385: DS10916 (alternate functions, LCD_CLK up to 45 MHz), UM1907 (pins of the STM32F746G-DISCO's panel), the data
sheet of the RK043FN48H (limits of its timing). One layer of 8 bits a pixel is modelled, as our firmware uses it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from host.emulate.gpio import ALTERNATE, OUTPUT, pin_of
from host.emulate.peripheral import Chip, Peripheral, Register
from host.emulate.rcc_f import MHZ, Rcc

LTDC_SECTION, PLL_SECTION = "RM0385 18.7", "RM0385 5.3.25"
LCD_CLK_MAX_HZ = 45 * MHZ
SAI_VCO_HZ = (100 * MHZ, 432 * MHZ)
SAI_N, SAI_R = (50, 432), (2, 7)
SAI_DIVIDERS = (2, 4, 8, 16)
SAI_READY_BIT = 28  # of the PLL in RCC_CR, as Rcc.others knows it
LAYER = 0x84
L8 = 5

# DS10916, table of alternate functions: those of UM1907's wiring.
_PIN_FUNCTIONS = {
    ("PI15", 14): "R0", ("PJ0", 14): "R1", ("PJ1", 14): "R2", ("PJ2", 14): "R3",
    ("PJ3", 14): "R4", ("PJ4", 14): "R5", ("PJ5", 14): "R6", ("PJ6", 14): "R7",
    ("PJ7", 14): "G0", ("PJ8", 14): "G1", ("PJ9", 14): "G2", ("PJ10", 14): "G3",
    ("PJ11", 14): "G4", ("PK0", 14): "G5", ("PK1", 14): "G6", ("PK2", 14): "G7",
    ("PE4", 14): "B0", ("PJ13", 14): "B1", ("PJ14", 14): "B2", ("PJ15", 14): "B3",
    ("PG12", 9): "B4", ("PK4", 14): "B5", ("PK5", 14): "B6", ("PK6", 14): "B7",
    ("PG12", 14): "B1", ("PK3", 14): "B4", ("PI12", 14): "HSYNC", ("PI13", 14): "VSYNC", ("PJ12", 14): "B0",
    ("PI14", 14): "CLK", ("PI10", 14): "HSYNC", ("PI9", 14): "VSYNC", ("PK7", 14): "DE",
}  # fmt: skip


@dataclass(frozen=True)
class Panel:
    """A panel and its wiring: inclusive limits of its data sheet, in Hz, pixel clocks and lines."""

    name: str
    width: int
    height: int
    clock_hz: tuple[int, int]
    line_clocks: tuple[int, int]
    lines: tuple[int, int]
    wiring: dict[str, str]  # signal: pin
    standby: str  # pin that is high while the panel works
    backlight: str


PANELS = {
    "disco_f746ng": Panel(
        "RK043FN48H", 480, 272, (5 * MHZ, 12 * MHZ), (490, 605), (275, 335),
        {
            "R0": "PI15", "R1": "PJ0", "R2": "PJ1", "R3": "PJ2", "R4": "PJ3", "R5": "PJ4", "R6": "PJ5", "R7": "PJ6",
            "G0": "PJ7", "G1": "PJ8", "G2": "PJ9", "G3": "PJ10", "G4": "PJ11", "G5": "PK0", "G6": "PK1", "G7": "PK2",
            "B0": "PE4", "B1": "PJ13", "B2": "PJ14", "B3": "PJ15", "B4": "PG12", "B5": "PK4", "B6": "PK5", "B7": "PK6",
            "CLK": "PI14", "HSYNC": "PI10", "VSYNC": "PI9", "DE": "PK7",
        },
        "PI12", "PK3",
    ),
}  # fmt: skip


class Ltdc(Peripheral):
    """LTDC with its first layer. What is written to the layer works from the next reload on."""

    def __init__(self, chip: Chip, base: int = 0x40016800):
        pair, short = 0x0FFF07FF, 0x07FF
        self.REGISTERS = (
            Register(0x08, "SSCR", writable=pair),
            Register(0x0C, "BPCR", writable=pair),
            Register(0x10, "AWCR", writable=pair),
            Register(0x14, "TWCR", writable=pair),
            Register(0x18, "GCR", 0x2220, writable=0xF0010001, readonly=0x7770),
            Register(0x24, "SRCR", writable=3),
            Register(0x2C, "BCCR", writable=0xFFFFFF),
            Register(0x34, "IER", writable=0xF),
            Register(0x38, "ISR", writable=0, readonly=0xF),
            Register(0x3C, "ICR", writable=0xF),
            Register(0x40, "LIPCR", writable=short),
            Register(LAYER + 0x00, "L1CR", writable=0x13),
            Register(LAYER + 0x04, "L1WHPCR", writable=0x0FFF0FFF),
            Register(LAYER + 0x08, "L1WVPCR", writable=0x07FF07FF),
            Register(LAYER + 0x0C, "L1CKCR", writable=0xFFFFFF),
            Register(LAYER + 0x10, "L1PFCR", writable=7),
            Register(LAYER + 0x14, "L1CACR", 0xFF, writable=0xFF),
            Register(LAYER + 0x18, "L1DCCR"),
            Register(LAYER + 0x1C, "L1BFCR", 0x0607, writable=0x0707),
            Register(LAYER + 0x28, "L1CFBAR"),
            Register(LAYER + 0x2C, "L1CFBLR", writable=0x1FFF1FFF),
            Register(LAYER + 0x30, "L1CFBLNR", writable=short),
            Register(LAYER + 0x40, "L1CLUTWR"),
        )
        super().__init__(chip, "LTDC", base)
        self._begin()

    def reset(self) -> None:
        super().reset()
        self._begin()

    def _begin(self) -> None:
        self.colours = [0] * 256
        self._layer_sound = False
        self.active: dict[str, int] = dict(self.values)  # the layer's registers as of the last reload

    @property
    def panel(self) -> Panel | None:
        """What hangs on the controller of this board."""
        return PANELS.get(self.chip.board.id)

    @property
    def on(self) -> bool:
        """Whether the controller runs."""
        return bool(self.values["GCR"] & 1) and self.chip.enabled("LTDC")

    @property
    def lit(self) -> bool:
        """Whether somebody in front of the board sees the picture."""
        panel = self.panel
        return panel is not None and self.on and self._high(panel.standby) and self._high(panel.backlight)

    # -- registers

    def write_gcr(self, value: int, old: int) -> None:
        if value & 1 and not old & 1:
            self.values["GCR"] = value
            self._check_clock()
            self._check_timing()
            self._check_pins()
            self._check_layer()
            self.chip.event("display", f"LTDC on, pixel clock {self.pixel_hz() / MHZ:g} MHz")

    def write_srcr(self, value: int, old: int) -> int:
        if value & 3:
            self.active = dict(self.values)
            if self.on:
                self._check_layer()
        return 0

    def write_l1clutwr(self, value: int, old: int) -> int:
        self._require(not self.active["L1CR"] & 1 or not self.on, "a colour is written while the layer is on")
        self.colours[value >> 24] = value & 0xFFFFFF
        return 0

    def read_srcr(self) -> int:
        return 0

    # -- rules

    def _require(self, good: bool, what: str, section: str = LTDC_SECTION) -> bool:
        self.chip.require(good, f"LTDC: {what}", section)
        return good

    def pixel_hz(self) -> float:
        """LCD_CLK; 0 while PLLSAI is not ready."""
        rcc = self.chip.find("RCC")
        assert isinstance(rcc, Rcc)
        pll, divider = rcc.values["PLLSAICFGR"], SAI_DIVIDERS[rcc.values["DCKCFGR1"] >> 16 & 3]
        if not rcc.others[SAI_READY_BIT].ready or not pll >> 28 & 7:
            return 0.0
        return rcc.pll_input_hz() * (pll >> 6 & 0x1FF) / (pll >> 28 & 7) / divider

    def _check_clock(self) -> None:
        rcc = self.chip.find("RCC")
        assert isinstance(rcc, Rcc)
        pll = rcc.values["PLLSAICFGR"]
        n, r = pll >> 6 & 0x1FF, pll >> 28 & 7
        vco_hz, hz = rcc.pll_input_hz() * n, self.pixel_hz()
        self._require(rcc.others[SAI_READY_BIT].ready, "it starts before PLLSAI is ready", PLL_SECTION)
        self._require(SAI_N[0] <= n <= SAI_N[1], f"PLLSAIN is {n}, 50 to 432 are allowed", PLL_SECTION)
        self._require(SAI_R[0] <= r <= SAI_R[1], f"PLLSAIR is {r}, 2 to 7 are allowed", PLL_SECTION)
        self._require(
            SAI_VCO_HZ[0] <= vco_hz <= SAI_VCO_HZ[1],
            f"PLLSAI's VCO runs at {vco_hz / MHZ:g} MHz, 100 to 432 are allowed", PLL_SECTION,
        )  # fmt: skip
        self._require(hz <= LCD_CLK_MAX_HZ, f"LCD_CLK is {hz / MHZ:g} MHz, 45 are allowed", "DS10916 5.3.34")
        if self.panel:
            low, high = self.panel.clock_hz
            self._require(
                low <= hz <= high,
                f"the pixel clock is {hz / MHZ:g} MHz, the panel takes {low / MHZ:g} to {high / MHZ:g}",
            )

    def timing(self, name: str) -> tuple[int, int]:
        """A timing register's horizontal and vertical position, counted from 1."""
        return (self.values[name] >> 16) + 1, (self.values[name] & 0xFFFF) + 1

    def active_area(self) -> tuple[int, int]:
        """Width and height of what the panel shows, in pixels."""
        (x0, y0), (x1, y1) = self.timing("BPCR"), self.timing("AWCR")
        return x1 - x0, y1 - y0

    def _check_timing(self) -> None:
        steps = [self.timing(name) for name in ("SSCR", "BPCR", "AWCR", "TWCR")]
        for axis, what in enumerate(("horizontal", "vertical")):
            values = [step[axis] for step in steps]
            rising = all(a < b for a, b in pairwise(values))
            self._require(rising, f"its {what} positions do not rise: {values}")
        panel = self.panel
        if panel is None:
            return
        self._require(
            self.active_area() == (panel.width, panel.height),
            f"the active area is {self.active_area()}, the panel's is {(panel.width, panel.height)}",
        )
        for value, (low, high), what in (
            (steps[3][0], panel.line_clocks, "clocks a line"),
            (steps[3][1], panel.lines, "lines"),
        ):
            self._require(low <= value <= high, f"{value} {what}, the panel takes {low} to {high}")
        self._require(not self.values["GCR"] >> 28, "a polarity is not the panel's")

    def _check_pins(self) -> None:
        if self.panel is None:
            return
        for signal, pin in self.panel.wiring.items():
            port, number = pin_of(self.chip, pin)
            there = port.mode(number) == ALTERNATE and _PIN_FUNCTIONS.get((pin, port.alternate(number)))
            self._require(
                there == signal, f"{pin} is to be LCD_{signal} and is {there or 'no LCD pin'}", "UM1907 5.9"
            )

    def _high(self, pin: str) -> bool:
        port, number = pin_of(self.chip, pin)
        return port.mode(number) == OUTPUT and bool(port.values["ODR"] >> number & 1)

    def window(self) -> tuple[int, int, int, int]:
        """The layer's left, top, width and height in the active area."""
        x0, y0 = self.timing("BPCR")
        horizontal, vertical = self.active["L1WHPCR"], self.active["L1WVPCR"]
        left, top = (horizontal & 0xFFF) - x0, (vertical & 0x7FF) - y0
        return left, top, (horizontal >> 16) - x0 - left + 1, (vertical >> 16) - y0 - top + 1

    def _check_layer(self) -> None:
        self._layer_sound = False
        if not self.active["L1CR"] & 1:
            return
        left, top, width, height = self.window()
        area = self.active_area()
        pitch, length = self.active["L1CFBLR"] >> 16, self.active["L1CFBLR"] & 0x1FFF
        lines, address = self.active["L1CFBLNR"], self.active["L1CFBAR"]
        end = address + pitch * height
        banks = [b for b in self.chip.board.memory if b.address <= address and end <= b.end]
        inside = (
            min(left, top) >= 0 < min(width, height) and left + width <= area[0] and top + height <= area[1]
        )
        rules = [
            (inside, f"the layer at {left}, {top} of {width} x {height} leaves the active area of {area}"),
            (self.active["L1PFCR"] == L8, "the layer's format is not modelled: only L8 is"),
            (bool(self.active["L1CR"] & 0x10), "L8 without its table of colours"),
            (length == width + 3, f"the line length is {length}, 3 more than {width} bytes are needed"),
            (pitch >= width, f"the pitch is {pitch} bytes, a line has {width}"),
            (lines == height, f"{lines} lines of memory, {height} are shown"),
        ]  # fmt: skip
        readable = bool(banks) and banks[0].speed != "tightly_coupled"
        sound = [self._require(good, what) for good, what in rules]
        sound.append(
            self._require(
                readable,
                f"the picture at 0x{address:08x} is in no memory that the controller reads",
                "RM0385 2.1",
            )
        )
        self._layer_sound = all(sound)

    # -- the picture

    def picture(self, read: Callable[[int, int], bytes]) -> np.ndarray:
        """What the panel shows, uint8 [height, width, 3]; black while it is not lit, or its timing is not the panel's.

        `read(address, bytes)` reads memory.
        """
        panel = self.panel
        width, height = (panel.width, panel.height) if panel else self.active_area()
        shown = np.zeros((height, width, 3), np.uint8)
        if not self.lit or self.active_area() != (width, height):
            return shown
        shown[:] = _rgb(np.array([self.values["BCCR"]]))
        if self._layer_sound:
            left, top, columns, rows = self.window()
            pitch = self.active["L1CFBLR"] >> 16
            data = np.frombuffer(read(self.active["L1CFBAR"], pitch * rows), np.uint8).reshape(rows, pitch)
            shown[top : top + rows, left : left + columns] = _rgb(np.array(self.colours))[data[:, :columns]]
        return shown


def _rgb(colours: np.ndarray) -> np.ndarray:
    return np.stack([colours >> 16 & 255, colours >> 8 & 255, colours & 255], axis=-1).astype(np.uint8)
