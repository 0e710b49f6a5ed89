"""STM32H743 and STM32H7A3, modelled from RM0433 (rev 8) and RM0455 (rev 10), DS12110 and DS13195."""

from __future__ import annotations

from collections.abc import Iterator

from host.emulate.fields import FieldPeripheral, register
from host.emulate.gpio import Gpio
from host.emulate.peripheral import Chip, Peripheral
from host.emulate.stm32h7.parts import Part, part_of
from host.emulate.stm32h7.pwr import Pwr, Syscfg
from host.emulate.stm32h7.rcc import Flash, Rcc
from host.emulate.usart import UsartIsr

MANUALS = "RM0433, RM0455"
BOOT_ADDRESS = 0x08000000
FLASH_ALIASES: tuple[int, ...] = ()

# DS12110 tables 10 to 20, DS13195 tables 9 to 18: alternate functions. UART9 and USART10 are the STM32H7A3's.
PIN_FUNCTIONS = {
    ("PA9", 7): "USART1_TX",
    ("PA10", 7): "USART1_RX",
    ("PB6", 7): "USART1_TX",
    ("PB7", 7): "USART1_RX",
    ("PB14", 4): "USART1_TX",
    ("PB15", 4): "USART1_RX",
    ("PA2", 7): "USART2_TX",
    ("PA3", 7): "USART2_RX",
    ("PD5", 7): "USART2_TX",
    ("PD6", 7): "USART2_RX",
    ("PB10", 7): "USART3_TX",
    ("PB11", 7): "USART3_RX",
    ("PC10", 7): "USART3_TX",
    ("PC11", 7): "USART3_RX",
    ("PD8", 7): "USART3_TX",
    ("PD9", 7): "USART3_RX",
    ("PA0", 8): "UART4_TX",
    ("PA1", 8): "UART4_RX",
    ("PA12", 6): "UART4_TX",
    ("PA11", 6): "UART4_RX",
    ("PB9", 8): "UART4_TX",
    ("PB8", 8): "UART4_RX",
    ("PC10", 8): "UART4_TX",
    ("PC11", 8): "UART4_RX",
    ("PD1", 8): "UART4_TX",
    ("PD0", 8): "UART4_RX",
    ("PB6", 14): "UART5_TX",
    ("PB5", 14): "UART5_RX",
    ("PB13", 14): "UART5_TX",
    ("PB12", 14): "UART5_RX",
    ("PC12", 8): "UART5_TX",
    ("PD2", 8): "UART5_RX",
    ("PC6", 7): "USART6_TX",
    ("PC7", 7): "USART6_RX",
    ("PG14", 7): "USART6_TX",
    ("PG9", 7): "USART6_RX",
    ("PA15", 11): "UART7_TX",
    ("PA8", 11): "UART7_RX",
    ("PB4", 11): "UART7_TX",
    ("PB3", 11): "UART7_RX",
    ("PE8", 7): "UART7_TX",
    ("PE7", 7): "UART7_RX",
    ("PF7", 7): "UART7_TX",
    ("PF6", 7): "UART7_RX",
    ("PE1", 8): "UART8_TX",
    ("PE0", 8): "UART8_RX",
    ("PJ8", 8): "UART8_TX",
    ("PJ9", 8): "UART8_RX",
    ("PA9", 3): "LPUART1_TX",
    ("PA10", 3): "LPUART1_RX",
    ("PB6", 8): "LPUART1_TX",
    ("PB7", 8): "LPUART1_RX",
}

# Name, base address and interrupt (RM0433 19.1.2 "NVIC" and table 8 "Register boundary addresses").
_USARTS = (
    ("USART1", 0x40011000, 37),
    ("USART2", 0x40004400, 38),
    ("USART3", 0x40004800, 39),
    ("UART4", 0x40004C00, 52),
    ("UART5", 0x40005000, 53),
    ("USART6", 0x40011400, 71),
    ("UART7", 0x40007800, 82),
    ("UART8", 0x40007C00, 83),
    ("LPUART1", 0x58000C00, 142),
)
_GPIO_BASE = 0x58020000
_RESET_A = {"moder": 0xABFFFFFF, "ospeedr": 0x0C000000, "pupdr": 0x64000000}
_RESET_B = {"moder": 0xFFFFFEBF, "ospeedr": 0x000000C0, "pupdr": 0x00000100}


class Dbgmcu(FieldPeripheral):
    """Identity of the chip, and what keeps running for a debugger (RM0433 60.5.8)."""

    NEEDS_CLOCK = False

    def __init__(self, chip: Chip, part: Part):
        self.REGISTERS = (
            register(0x00, "IDC", "", "DEV_ID[11:0] REV_ID[31:16]", part.id_code),
            register(
                0x04,
                "CR",
                "DBGSLEEP_D1[0] DBGSTOP_D1[1] DBGSTBY_D1[2] DBGSTOP_D3[7] DBGSTBY_D3[8] TRACECLKEN[20] "
                "D1DBGCKEN[21] D3DBGCKEN[22] TRGOEN[28]",
            ),
        )
        super().__init__(chip, "DBGMCU", 0x5C001000, 0x1000)


class Gpv(FieldPeripheral):
    """The AXI interconnect's settings: of its port to the AXI SRAM, how many reads may be under way (RM0433 2.2.4)."""

    NEEDS_CLOCK = False
    REGISTERS = (register(0x8108, "TARG7_FN_MOD", "READ_ISS_OVERRIDE[0] WRITE_ISS_OVERRIDE[1]"),)

    def __init__(self, chip: Chip):
        super().__init__(chip, "GPV", 0x51000000, 0x100000)


def peripherals(chip: Chip) -> Iterator[Peripheral]:
    """See families.Family."""
    part = part_of(chip.board.mcu, chip.options.revision)
    pwr, flash = Pwr(chip, part), Flash(chip, part)
    yield Rcc(chip, part, pwr, flash)
    yield pwr
    yield flash
    yield Syscfg(chip, part, pwr)
    yield Dbgmcu(chip, part)
    if not part.has_smps:
        yield Gpv(chip)
    for number, letter in enumerate("ABCDEFGHIJK"):
        reset = {"A": _RESET_A, "B": _RESET_B}.get(letter, {"moder": 0xFFFFFFFF})
        yield Gpio(chip, letter, _GPIO_BASE + 0x400 * number, **reset)
    for name, base, interrupt in _USARTS:
        lpuart = name.startswith("LP")
        yield UsartIsr(chip, name, base, interrupt, chip.line, fifo=16, lpuart=lpuart, prescaler=True)
