"""STM32U575 and STM32U585, modelled from RM0456 (rev 4) and DS13737, without TrustZone (TZEN as delivered)."""

from __future__ import annotations

from collections.abc import Iterator

from host.emulate.fields import FieldPeripheral, register
from host.emulate.gpio import Gpio
from host.emulate.peripheral import Chip, Peripheral
from host.emulate.stm32u5.flash import Flash, Icache
from host.emulate.stm32u5.pwr import GpioG, Pwr
from host.emulate.stm32u5.rcc import Rcc
from host.emulate.usart import UsartIsr
from host.errors import EmulatorError

MANUALS = "RM0456"
# NSBOOTADD0 as delivered (RM0456 4.1).
BOOT_ADDRESS = 0x08000000
FLASH_ALIASES: tuple[int, ...] = ()

# DS13737 tables 28 and 29: alternate functions.
PIN_FUNCTIONS = {
    ("PA9", 7): "USART1_TX",
    ("PA10", 7): "USART1_RX",
    ("PB6", 7): "USART1_TX",
    ("PB7", 7): "USART1_RX",
    ("PG9", 7): "USART1_TX",
    ("PG10", 7): "USART1_RX",
    ("PA2", 7): "USART2_TX",
    ("PA3", 7): "USART2_RX",
    ("PD5", 7): "USART2_TX",
    ("PD6", 7): "USART2_RX",
    ("PA5", 7): "USART3_RX",
    ("PA7", 7): "USART3_TX",
    ("PB10", 7): "USART3_TX",
    ("PB11", 7): "USART3_RX",
    ("PC4", 7): "USART3_TX",
    ("PC5", 7): "USART3_RX",
    ("PC10", 7): "USART3_TX",
    ("PC11", 7): "USART3_RX",
    ("PD8", 7): "USART3_TX",
    ("PD9", 7): "USART3_RX",
    ("PA0", 8): "UART4_TX",
    ("PA1", 8): "UART4_RX",
    ("PC10", 8): "UART4_TX",
    ("PC11", 8): "UART4_RX",
    ("PC12", 8): "UART5_TX",
    ("PD2", 8): "UART5_RX",
    ("PA2", 8): "LPUART1_TX",
    ("PA3", 8): "LPUART1_RX",
    ("PB11", 8): "LPUART1_TX",
    ("PB10", 8): "LPUART1_RX",
    ("PC1", 8): "LPUART1_TX",
    ("PC0", 8): "LPUART1_RX",
    ("PG7", 8): "LPUART1_TX",
    ("PG8", 8): "LPUART1_RX",
}

# Name, base address and interrupt (RM0456 2.3.2 and 22.3).
_USARTS = (
    ("USART1", 0x40013800, 61),
    ("USART2", 0x40004400, 62),
    ("USART3", 0x40004800, 63),
    ("UART4", 0x40004C00, 64),
    ("UART5", 0x40005000, 65),
    ("LPUART1", 0x46002400, 66),
)
_GPIO_BASE = 0x42020000
_RESETS = {
    "A": {"moder": 0xABFFFFFF, "ospeedr": 0x08000000, "pupdr": 0x64000000},
    "B": {"moder": 0xFFFFFEBF, "ospeedr": 0, "pupdr": 0x100},
    "I": {"moder": 0x0000FFFF},
}


class Dbgmcu(FieldPeripheral):
    """Identity of the chip (RM0456 65.12)."""

    NEEDS_CLOCK = False
    REGISTERS = (
        register(0x00, "IDCODE", "", "DEV_ID[11:0] REV_ID[31:16]", 0x20016482),
        register(0x04, "CR", "DBG_STOP[1] DBG_STANDBY[2] TRACE_IOEN[4] TRACE_EN[5] TRACE_MODE[7:6]"),
    )

    def __init__(self, chip: Chip):
        super().__init__(chip, "DBGMCU", 0xE0044000)


def peripherals(chip: Chip) -> Iterator[Peripheral]:
    """See families.Family."""
    if not chip.board.mcu.lower().startswith(("stm32u575", "stm32u585")):
        raise EmulatorError(f"{chip.board.mcu} is not among the modelled chips: STM32U575, STM32U585")
    pwr, flash = Pwr(chip), Flash(chip)
    yield Rcc(chip, pwr, flash)
    yield pwr
    yield flash
    yield Icache(chip)
    yield Dbgmcu(chip)
    for number, letter in enumerate("ABCDEFGHI"):
        kind = GpioG if letter == "G" else Gpio
        yield kind(chip, letter, _GPIO_BASE + 0x400 * number, **_RESETS.get(letter, {"moder": 0xFFFFFFFF}))
    for name, base, interrupt in _USARTS:
        lpuart = name.startswith("LP")
        yield UsartIsr(chip, name, base, interrupt, chip.line, fifo=8, lpuart=lpuart, prescaler=True)
