"""How a chip is recognised and whether its flash is read-protected: two registers that a probe can always read.

DEV_ID is the low 12 bits of DBGMCU_IDCODE. Both registers stay readable at read protection level 1, only flash,
backup registers and backup SRAM are closed to a debugger then.
"""

from __future__ import annotations

from dataclasses import dataclass

from host.boards import Board

CPUID = 0xE000ED00
CORTEX_M4 = 0xC24  # CPUID's part number, bits 15 to 4
RDP_OPEN = 0xAA
RDP_HALF = 0x55  # STM32U5 with TrustZone: level 0.5, non-secure debugging and flash stay open
RDP_FOREVER = 0xCC

# Chips that share a die share a DEV_ID. Reference manuals RM0090, RM0390, RM0385, RM0410, RM0433, RM0455, RM0432 and
# RM0456 in this order, chapter "Debug support", register DBGMCU_IDCODE (DBGMCU_IDC on H7).
_DEV_IDS = {
    "stm32f405": 0x413,
    "stm32f407": 0x413,
    "stm32f446": 0x421,
    "stm32f746": 0x449,
    "stm32f767": 0x451,
    "stm32h743": 0x450,
    "stm32h7a3": 0x480,
    "stm32l4r5": 0x470,
    "stm32u575": 0x482,
}


@dataclass(frozen=True)
class Registers:
    """Addresses of DBGMCU_IDCODE and of the option register with the RDP byte at bit `rdp_shift`."""

    idcode: int
    options: int
    rdp_shift: int


_REGISTERS = {
    "stm32f4": Registers(0xE0042000, 0x40023C14, 8),  # RM0090, FLASH_OPTCR
    "stm32f7": Registers(0xE0042000, 0x40023C14, 8),  # RM0410, FLASH_OPTCR
    "stm32h7": Registers(0x5C001000, 0x5200201C, 8),  # RM0433 and RM0455, FLASH_OPTSR_CUR
    "stm32l4": Registers(0xE0042000, 0x40022020, 0),  # RM0432, FLASH_OPTR
    "stm32u5": Registers(0xE0044000, 0x40022040, 0),  # RM0456, FLASH_OPTR
}


def identity(idcode: int, cpuid: int) -> int:
    """DEV_ID of a chip. An STM32F405 or F407 of revision A says 0x411, an STM32F2 with another core too (ES0182)."""
    number = idcode & 0xFFF
    return 0x413 if number == 0x411 and cpuid >> 4 & 0xFFF == CORTEX_M4 else number


def registers(board: Board) -> Registers | None:
    """Where the board's chip keeps them; None for a family that nobody has described."""
    return _REGISTERS.get(board.mcu[:7].lower())


def dev_id(board: Board) -> int | None:
    """The DEV_ID that the board's chip must have; None for a chip that nobody has described."""
    return _DEV_IDS.get(board.mcu[:9].lower())


def chips_with(number: int) -> str:
    """Names of the chips that have this DEV_ID, for a message."""
    names = [name.upper() for name, known in _DEV_IDS.items() if known == number]
    return "/".join(names) if names else "an unknown chip"
