"""STM32F405, F407, F415, F417, F427, F429, F437, F439 and F446. RM0090, RM0390 and the datasheets."""

from __future__ import annotations

from collections.abc import Iterable

from host.emulate.gpio import Gpio
from host.emulate.peripheral import Chip, Peripheral, Register
from host.emulate.rcc_f import MHZ, FlashInterface, Limits, Power, Rcc, Sections, spare
from host.emulate.usart import UsartSrDr
from host.errors import EmulatorError

MANUALS = "RM0090, RM0390"
BOOT_ADDRESS = 0  # BOOT0 low: the flash is seen at 0
FLASH_ALIASES = (0,)

# Datasheets' tables of alternate functions.
PIN_FUNCTIONS = {
    ("PA9", 7): "USART1_TX", ("PB6", 7): "USART1_TX", ("PA10", 7): "USART1_RX", ("PB7", 7): "USART1_RX",
    ("PA2", 7): "USART2_TX", ("PD5", 7): "USART2_TX", ("PA3", 7): "USART2_RX", ("PD6", 7): "USART2_RX",
    ("PB10", 7): "USART3_TX", ("PC10", 7): "USART3_TX", ("PD8", 7): "USART3_TX",
    ("PB11", 7): "USART3_RX", ("PC11", 7): "USART3_RX", ("PD9", 7): "USART3_RX",
    ("PA0", 8): "UART4_TX", ("PC10", 8): "UART4_TX", ("PA1", 8): "UART4_RX", ("PC11", 8): "UART4_RX",
    ("PC12", 8): "UART5_TX", ("PD2", 8): "UART5_RX",
    ("PC6", 8): "USART6_TX", ("PG14", 8): "USART6_TX", ("PC7", 8): "USART6_RX", ("PG9", 8): "USART6_RX",
}  # fmt: skip

# name: base, interrupt, enable register, bit
_USARTS = {
    "USART1": (0x40011000, 37, "APB2ENR", 4),
    "USART2": (0x40004400, 38, "APB1ENR", 17),
    "USART3": (0x40004800, 39, "APB1ENR", 18),
    "UART4": (0x40004C00, 52, "APB1ENR", 19),
    "UART5": (0x40005000, 53, "APB1ENR", 20),
    "USART6": (0x40011400, 71, "APB2ENR", 5),
}

# F405, F407: RM0090 5.1.3; datasheet DS8626 table 14, 5.3.1
_F405 = Limits(
    hclk_hz={(0, False): 144 * MHZ, (1, False): 168 * MHZ},
    pclk1_hz=(42 * MHZ, 42 * MHZ), pclk2_hz=(84 * MHZ, 84 * MHZ), pll_out_hz=(24 * MHZ, 168 * MHZ),
    overdrive=False, pll_has_r=False,
)  # fmt: skip
# F42x, F43x: RM0090 5.1.4; F446: RM0390 5.1.3, DS10693
_OVERDRIVE = {
    (1, False): 120 * MHZ, (2, False): 144 * MHZ, (3, False): 168 * MHZ,
    (1, True): 120 * MHZ, (2, True): 168 * MHZ, (3, True): 180 * MHZ,
}  # fmt: skip
_F429 = Limits(
    hclk_hz=_OVERDRIVE, pclk1_hz=(42 * MHZ, 45 * MHZ), pclk2_hz=(84 * MHZ, 90 * MHZ),
    pll_out_hz=(24 * MHZ, 180 * MHZ), overdrive=True, pll_has_r=False,
)  # fmt: skip
_F446 = Limits(
    hclk_hz=_OVERDRIVE, pclk1_hz=(42 * MHZ, 45 * MHZ), pclk2_hz=(84 * MHZ, 90 * MHZ),
    pll_out_hz=(12_500_000, 180 * MHZ), overdrive=True, pll_has_r=True,
)  # fmt: skip
_LINES = {
    **dict.fromkeys(("405", "407", "415", "417"), _F405),
    **dict.fromkeys(("427", "429", "437", "439"), _F429),
    "446": _F446,
}
_RM0090 = Sections("RM0090 7.3.2", "RM0090 7.3.3", "RM0090 3.5.1", "RM0090 5.1.3", "RM0090 5.1.4")
_RM0390 = Sections("RM0390 6.3.2", "RM0390 6.3.3", "RM0390 3.4.1", "RM0390 5.1.3", "RM0390 5.1.4")

_RCC_REGISTERS = {
    0x10: "AHB1RSTR", 0x14: "AHB2RSTR", 0x18: "AHB3RSTR", 0x20: "APB1RSTR", 0x24: "APB2RSTR",
    0x30: "AHB1ENR", 0x34: "AHB2ENR", 0x38: "AHB3ENR", 0x40: "APB1ENR", 0x44: "APB2ENR",
    0x50: "AHB1LPENR", 0x54: "AHB2LPENR", 0x58: "AHB3LPENR", 0x60: "APB1LPENR", 0x64: "APB2LPENR",
    0x70: "BDCR", 0x74: "CSR", 0x80: "SSCGR", 0x84: "PLLI2SCFGR",
}  # fmt: skip


def peripherals(chip: Chip) -> Iterable[Peripheral]:
    """See families.Family."""
    number = chip.board.mcu.lower().removeprefix("stm32f")[:3]
    if number not in _LINES:
        raise EmulatorError(f"{chip.board.mcu} is not among the modelled chips: STM32F{', '.join(_LINES)}")
    limits = _LINES[number]
    sections = _RM0390 if number == "446" else _RM0090
    letters = {"446": "ABCDEFGH"}.get(number, "ABCDEFGHI" if limits is _F405 else "ABCDEFGHIJK")
    enables = {f"GPIO{letter}": ("AHB1ENR", i) for i, letter in enumerate(letters)}
    enables |= {name: (register, bit) for name, (_, _, register, bit) in _USARTS.items()}
    enables |= {"PWR": ("APB1ENR", 28), "SYSCFG": ("APB2ENR", 14)}
    more = {} if limits is _F405 else {0x88: "PLLSAICFGR", 0x8C: "DCKCFGR"}
    if number == "446":
        more |= {0x90: "CKGATENR", 0x94: "DCKCFGR2"}
    reset = {"AHB1ENR": 0 if number == "446" else 1 << 20, "CSR": 0x0E000000, "PLLI2SCFGR": 0x24003000}
    registers = spare(_RCC_REGISTERS | more, reset)
    yield Rcc(chip, 0x40023800, limits, sections, enables, registers)
    if limits.overdrive:
        control = Register(0x00, "CR", 0xC000, writable=0x003FEFFF if number == "446" else 0x000FEFFF)
    else:
        control = Register(0x00, "CR", 0x4000, writable=0x43FF)
    yield Power(
        chip, 0x40007000, limits, sections, (control, Register(0x04, "CSR", writable=0x300, readonly=0xF400F))
    )
    latency_bits = 0x7 if limits is _F405 else 0xF
    accelerator = {
        1 << 8: ("prefetch", 0),
        1 << 9: ("instruction cache", 1 << 11),
        1 << 10: ("data cache", 1 << 12),
    }
    section = "RM0390 3.8.1" if number == "446" else "RM0090 3.9.1"
    yield FlashInterface(chip, 0x40023C00, latency_bits | 0x1F00, accelerator, section)
    resets = {
        "A": {"moder": 0xA8000000, "ospeedr": 0x0C000000, "pupdr": 0x64000000},
        "B": {"moder": 0x280, "ospeedr": 0xC0, "pupdr": 0x100},
    }
    for i, letter in enumerate(letters):
        yield Gpio(chip, letter, 0x40020000 + 0x400 * i, **resets.get(letter, {}))
    for name, (base, irq, _, _) in _USARTS.items():
        yield UsartSrDr(chip, name, base, irq, chip.line)
