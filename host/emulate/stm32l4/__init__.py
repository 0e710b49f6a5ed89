"""STM32L4R5 and its family (STM32L4+), modelled from RM0432 (rev 9) and DS12023."""

from __future__ import annotations

from collections.abc import Iterator

from host.emulate.fields import FieldPeripheral, register
from host.emulate.gpio import Gpio
from host.emulate.peripheral import Chip, Peripheral
from host.emulate.stm32l4.pwr import GpioG, Pwr
from host.emulate.stm32l4.rcc import Flash, Rcc
from host.emulate.usart import UsartIsr
from host.errors import EmulatorError

MANUALS = "RM0432"
# The boot pins map the flash to 0 as well (RM0432 2.6).
BOOT_ADDRESS = 0
FLASH_ALIASES = (0,)

# DS12023 tables 15 and 16: alternate functions.
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

# Name, base address and interrupt (RM0432 2.2.2 and 16.3).
_USARTS = (
    ("USART1", 0x40013800, 37),
    ("USART2", 0x40004400, 38),
    ("USART3", 0x40004800, 39),
    ("UART4", 0x40004C00, 52),
    ("UART5", 0x40005000, 53),
    ("LPUART1", 0x40008000, 70),
)
_GPIO_BASE = 0x48000000
_RESETS = {
    "A": {"moder": 0xABFFFFFF, "ospeedr": 0x0C000000, "pupdr": 0x64000000},
    "B": {"moder": 0xFFFFFEBF, "ospeedr": 0, "pupdr": 0x100},
    "I": {"moder": 0x00FFFFFF},
}
_MODELLED = ("stm32l4r5", "stm32l4r7", "stm32l4r9", "stm32l4s5", "stm32l4s7", "stm32l4s9")


class Syscfg(FieldPeripheral):
    """SYSCFG: where memory is mapped, and the pins' fast modes (RM0432 9.2)."""

    REGISTERS = (
        register(0x00, "MEMRMP", "MEM_MODE[2:0] FB_MODE[8]"),
        register(
            0x04,
            "CFGR1",
            "FWDIS[0] BOOSTEN[8] ANASWVDD[9] I2C_PB6_FMP[16] I2C_PB7_FMP[17] I2C_PB8_FMP[18] I2C_PB9_FMP[19] "
            "I2C1_FMP[20] I2C2_FMP[21] I2C3_FMP[22] I2C4_FMP[23] FPU_IE[31:26]",
            reset=0x7C000001,
        ),
    )

    def __init__(self, chip: Chip):
        super().__init__(chip, "SYSCFG", 0x40010000)


def peripherals(chip: Chip) -> Iterator[Peripheral]:
    """See families.Family."""
    if not chip.board.mcu.lower().startswith(_MODELLED):
        raise EmulatorError(
            f"{chip.board.mcu} is not among the modelled chips: {', '.join(m.upper() for m in _MODELLED)}"
        )
    pwr, flash = Pwr(chip), Flash(chip)
    yield Rcc(chip, pwr, flash)
    yield pwr
    yield flash
    yield Syscfg(chip)
    for number, letter in enumerate("ABCDEFGHI"):
        kind = GpioG if letter == "G" else Gpio
        yield kind(chip, letter, _GPIO_BASE + 0x400 * number, **_RESETS.get(letter, {"moder": 0xFFFFFFFF}))
    for name, base, interrupt in _USARTS:
        lpuart = name.startswith("LP")
        yield UsartIsr(chip, name, base, interrupt, chip.line, fifo=8, lpuart=lpuart, prescaler=True)
