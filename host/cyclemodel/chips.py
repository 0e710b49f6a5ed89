"""The chips whose memory is modelled: flash accelerators of Cortex-M4 parts, caches of Cortex-M7 parts.

Wait states and geometries are from ST's reference manuals (RM0432, RM0090, RM0385, RM0433); what is fitted or assumed
is in CALIBRATION.md, and `error_text` repeats what matters.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from host.errors import HostError

CACHE_LINE_BYTES = 32  # of a Cortex-M7
RAM_BASE = 0x20000000
RAM_END = 0x2FFFFFFF
MISS_CYCLES = 1  # of a look-up that fails, on top of the wait states (fitted)
# Branch predictor of the Cortex-M7 model: entries of the target cache, bits of history, return stack (fitted).
PREDICTOR = {"targets": 64, "history": 12, "returns": 8}


@dataclass(frozen=True)
class Flash:
    """A Cortex-M4 part's flash behind caches of instructions and data; each fill brings `fill_bytes`."""

    wait_states: int
    instruction_lines: int
    instruction_line_bytes: int
    data_lines: int
    data_line_bytes: int
    fill_bytes: int
    prefetch: bool


@dataclass(frozen=True)
class Caches:
    """Memory of a Cortex-M7 part: cache lines and ways (0: fully associative), cycles that a line fill stalls.

    RAM from RAM_BASE on is tightly coupled for `dtcm_bytes`, what follows is cached. `instruction_prefetch` halves
    the cost of fills in sequence.
    """

    instruction_lines: int
    instruction_ways: int
    data_lines: int
    data_ways: int
    flash_fill: float
    ram_fill: float
    write_back: float
    dtcm_bytes: int
    instruction_prefetch: bool = False


@dataclass(frozen=True)
class Chip:
    """A core with its memory at a clock. `memory` is None if nothing ever waits.

    `error_percent` is how far modelled cycles may be off, `error_text` why.
    """

    name: str
    core: str
    clock_hz: int
    memory: Flash | Caches | None
    error_percent: int
    error_text: str


_L4R5 = Flash(5, 32, 32, 8, 32, 8, prefetch=False)
_F405 = Flash(5, 64, 16, 8, 16, 16, prefetch=True)
_NO_POINT = "pipeline within 5 % of published measurements, caches and flash not calibrated"

CHIPS = {
    chip.name: chip
    for chip in (
        Chip("l4r5", "m4", 120_000_000, _L4R5, 7,
             "-6.6 to +0.9 % on eight published measurements of an STM32L4R5"),
        Chip("f405", "m4", 168_000_000, _F405, 15, "flash accelerator of the STM32F405 not calibrated"),
        Chip("none", "m4", 168_000_000, None, 15, "memory that never waits; no chip is like that at this clock"),
        Chip("ideal", "m7", 216_000_000, None, 5, "code and data in tightly coupled memory"),
        Chip("f746-axi", "m7", 216_000_000, Caches(128, 2, 128, 4, 16, 12, 4, 64 << 10), 25, _NO_POINT),
        Chip("f746-itcm", "m7", 216_000_000,
             Caches(64, 0, 64, 0, 9, 12, 4, 64 << 10, instruction_prefetch=True), 25, _NO_POINT),
        Chip("f767", "m7", 216_000_000, Caches(512, 2, 512, 4, 16, 12, 4, 128 << 10), 25, _NO_POINT),
        Chip("h743", "m7", 480_000_000, Caches(512, 2, 512, 4, 26, 22, 8, 128 << 10), 25, _NO_POINT),
        Chip("h743-400", "m7", 400_000_000, Caches(512, 2, 512, 4, 24, 22, 8, 128 << 10), 25, _NO_POINT),
    )
}  # fmt: skip

# Above this share of cycles spent on fetching instructions, the calibration no longer holds so well.
FETCH_SHARE = 0.07
FETCH_ERROR_PERCENT = 20


def chip_names(core: str) -> list[str]:
    """Chips with that core."""
    return [c.name for c in CHIPS.values() if c.core == core]


def find_chip(name: str, clock_hz: int | None = None) -> Chip:
    """The chip of that name, at another clock if one is given (its wait states stay as they are)."""
    if name not in CHIPS:
        raise HostError(f"no chip {name!r} is modelled", f"there are: {', '.join(CHIPS)}")
    chip = CHIPS[name]
    return replace(chip, clock_hz=clock_hz) if clock_hz else chip


def plugin_settings(chip: Chip, flash_address: int, flash_bytes: int) -> dict[str, int]:
    """What the plugin has to simulate for the chip; the flash is the emulated board's."""
    settings = {"flash_lo": flash_address, "flash_hi": flash_address + flash_bytes}
    memory = chip.memory
    if isinstance(memory, Flash):
        settings |= {
            "ilines": memory.instruction_lines, "iline": memory.instruction_line_bytes, "isub": memory.fill_bytes,
            "dlines": memory.data_lines, "dline": memory.data_line_bytes, "dsub": memory.fill_bytes,
        }  # fmt: skip
    elif memory:
        settings |= {
            "ilines": memory.instruction_lines, "iways": memory.instruction_ways, "iline": CACHE_LINE_BYTES,
            "dlines": memory.data_lines, "dways": memory.data_ways, "dline": CACHE_LINE_BYTES,
            "ram_lo": RAM_BASE + memory.dtcm_bytes, "ram_hi": RAM_END,
        }  # fmt: skip
    return settings | PREDICTOR if chip.core == "m7" else settings
