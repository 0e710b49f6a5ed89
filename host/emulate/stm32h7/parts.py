"""What differs between the parts of the family: limits by voltage scale, wait states, supplies, addresses.

Sources: RM0433 rev 8 and DS12110 (STM32H743), RM0455 rev 10 and DS13195 (STM32H7A3).
"""

from __future__ import annotations

from dataclasses import dataclass

from host.emulate.clocks import RamClock, Span
from host.errors import EmulatorError


@dataclass(frozen=True)
class Scale:
    """What a voltage scale of VCORE allows, in Hz.

    wait_states: (highest AXI clock in Hz, LATENCY, WRHIGHFREQ), rising.
    """

    name: str
    cpu_hz: int
    axi_hz: int
    apb_hz: int
    wait_states: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Part:
    """A part of the family.

    scales: by the code of the field VOS. overdrive: the scale that ODEN adds to the one of code 3, None if there is
    no such bit. multiplier: DIVNx as a factor. enables: offset of AHB3ENR in RCC, the first of the clock enable
    registers. acr_reset: of FLASH_ACR.
    """

    name: str
    manual: str
    id_code: int
    scales: dict[int, Scale]
    overdrive: Scale | None
    vos_reset: int
    wide_vco: Span
    multiplier: range
    enables: int
    acr_reset: int
    has_smps: bool
    ram_clocks: tuple[RamClock, ...]


def _steps(*rows: tuple[float, int, int]) -> tuple[tuple[int, int, int], ...]:
    return tuple((int(hz * 1_000_000), latency, delay) for hz, latency, delay in rows)


# RM0433 4.3.8, table "FLASH recommended number of wait states and programming delay".
_H743_FAST = _steps((70, 0, 0), (140, 1, 1), (185, 2, 1), (210, 2, 2), (225, 3, 2), (240, 4, 2))
_H743_VOS2 = _steps((55, 0, 0), (110, 1, 1), (165, 2, 1), (224, 3, 2))
_H743_VOS3 = _steps((45, 0, 0), (90, 1, 1), (135, 2, 1), (180, 3, 2), (224, 4, 2))

# DS12110 "General operating conditions"; VOS 00 is reserved (RM0433 6.8.6).
_H743_SCALES = {
    3: Scale("VOS1", 400_000_000, 200_000_000, 100_000_000, _H743_FAST),
    2: Scale("VOS2", 300_000_000, 150_000_000, 75_000_000, _H743_VOS2),
    1: Scale("VOS3", 200_000_000, 100_000_000, 50_000_000, _H743_VOS3),
}
_H743_VOS0 = Scale("VOS0", 480_000_000, 240_000_000, 120_000_000, _H743_FAST)

# RM0455 4.3.8, the same table, and DS13195 "General operating conditions".
_H7A3_SCALES = {
    3: Scale(
        "VOS0",
        280_000_000,
        280_000_000,
        140_000_000,
        _steps((42, 0, 0), (84, 1, 0), (126, 2, 1), (168, 3, 1), (210, 4, 2), (252, 5, 2), (280, 6, 3)),
    ),
    2: Scale(
        "VOS1",
        225_000_000,
        225_000_000,
        112_500_000,
        _steps((38, 0, 0), (76, 1, 0), (114, 2, 1), (152, 3, 1), (190, 4, 2), (225, 5, 2)),
    ),
    1: Scale(
        "VOS2",
        160_000_000,
        160_000_000,
        80_000_000,
        _steps((34, 0, 0), (68, 1, 0), (102, 2, 1), (136, 3, 1), (160, 4, 2)),
    ),
    0: Scale(
        "VOS3", 88_000_000, 88_000_000, 44_000_000, _steps((22, 0, 0), (44, 1, 0), (66, 2, 1), (88, 3, 1))
    ),
}

# Medium VCO, PLLxVCOSEL = 1, in both manuals.
MEDIUM_VCO = Span(150e6, 420e6)
# PLLxRGE by code: the range that the reference clock has to lie in.
REFERENCE = (Span(1e6, 2e6), Span(2e6, 4e6), Span(4e6, 8e6), Span(8e6, 16e6))

# RAM of the second domain is off after a reset (RM0433 2.4 and 8.7.42, RM0455 2.4 and 8.7.44).
_H743_RAM = (
    RamClock(0x30000000, 0x30020000, "AHB2ENR", "SRAM1EN"),
    RamClock(0x30020000, 0x30040000, "AHB2ENR", "SRAM2EN"),
    RamClock(0x30040000, 0x30048000, "AHB2ENR", "SRAM3EN"),
)
_H7A3_RAM = (
    RamClock(0x30000000, 0x30010000, "AHB2ENR", "SRAM1EN"),
    RamClock(0x30010000, 0x30020000, "AHB2ENR", "SRAM2EN"),
)

# Revision V runs at 480 MHz by the overdrive that revision Y lacks (ES0392; DBGMCU_IDC in RM0433 60.5.8).
H743_V = Part(
    "STM32H743 revision V",
    "RM0433",
    0x20036450,
    _H743_SCALES,
    _H743_VOS0,
    1,
    Span(192e6, 960e6),
    range(4, 513),
    0xD4,
    0x37,
    False,
    _H743_RAM,
)
H743_Y = Part(
    "STM32H743 revision Y",
    "RM0433",
    0x10036450,
    _H743_SCALES,
    None,
    1,
    Span(192e6, 836e6),
    range(4, 513),
    0xD4,
    0x37,
    False,
    _H743_RAM,
)
H7A3 = Part(
    "STM32H7A3",
    "RM0455",
    0x10016480,
    _H7A3_SCALES,
    None,
    0,
    Span(128e6, 560e6),
    range(8, 421),
    0x134,
    0x13,
    True,
    _H7A3_RAM,
)

# How VCORE is wired on the boards: UM2407 (MB1364, NUCLEO-H743ZI2: LDO), UM2408 (MB1363, NUCLEO-H7A3ZI-Q: SMPS).
BOARD_SUPPLY = {"nucleo_h743zi": "LDO", "nucleo_h743zi2": "LDO", "nucleo_h7a3zi_q": "direct SMPS"}


def part_of(mcu: str, revision: str) -> Part:
    """The part of an order code. Raises EmulatorError for one that is not modelled."""
    code = mcu.lower()
    if code.startswith(("stm32h743", "stm32h753")):
        if revision not in ("", "V", "Y"):
            raise EmulatorError(
                f"an STM32H743 has no revision {revision}", "revisions modelled: V (default), Y"
            )
        return H743_Y if revision == "Y" else H743_V
    if code.startswith(("stm32h7a3", "stm32h7b3")):
        return H7A3
    raise EmulatorError(f"{mcu} is not modelled", "modelled are STM32H743/753 and STM32H7A3/7B3")


def supply(part: Part, bypass: int, ldo: int, smps: int, external: int, level: int) -> str | None:
    """What the bits of PWR_CR3 select, None for an invalid combination.

    smps, external, level: SDEN, SDEXTHP, SDLEVEL (RM0455 6.4.1, table "Supply configuration control"); an
    STM32H743 has only BYPASS and LDOEN (RM0433 6.4.1).
    """
    if not part.has_smps:
        return {(0, 1): "LDO", (1, 0): "bypass"}.get((bypass, ldo))
    if not smps:
        return {(0, 1): "LDO", (1, 0): "bypass"}.get((bypass, ldo))
    if not external and not bypass:
        if level == 0:
            return "SMPS and LDO, as at reset" if ldo else "direct SMPS"
        return "SMPS supplies LDO" if ldo and level in (1, 2) else None
    if external and level in (1, 2) and bypass != ldo:
        return "SMPS supplies external circuits and LDO" if ldo else "SMPS supplies external circuits"
    return None
