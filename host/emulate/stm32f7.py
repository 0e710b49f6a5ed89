"""STM32F745, F746, F756 (RM0385) and F765, F767, F769, F777, F779 (RM0410), with their datasheets' limits."""

from __future__ import annotations

from collections.abc import Iterable

from host.emulate.gpio import Gpio
from host.emulate.ltdc import Ltdc
from host.emulate.peripheral import Chip, Peripheral, Register
from host.emulate.rcc_f import HSI_HZ, MHZ, FlashInterface, Limits, Power, Rcc, Sections, spare
from host.emulate.usart import UsartIsr
from host.errors import EmulatorError

MANUALS = "RM0385, RM0410"
BOOT_ADDRESS = 0x00200000  # BOOT_ADD0 as delivered: the flash behind the ITCM bus
FLASH_ALIASES = (0x00200000,)

# Datasheets' tables of alternate functions.
PIN_FUNCTIONS = {
    ("PA9", 7): "USART1_TX", ("PB6", 7): "USART1_TX", ("PA10", 7): "USART1_RX", ("PB7", 7): "USART1_RX",
    ("PA2", 7): "USART2_TX", ("PD5", 7): "USART2_TX", ("PA3", 7): "USART2_RX", ("PD6", 7): "USART2_RX",
    ("PB10", 7): "USART3_TX", ("PC10", 7): "USART3_TX", ("PD8", 7): "USART3_TX",
    ("PB11", 7): "USART3_RX", ("PC11", 7): "USART3_RX", ("PD9", 7): "USART3_RX",
    ("PA0", 8): "UART4_TX", ("PC10", 8): "UART4_TX", ("PA1", 8): "UART4_RX", ("PC11", 8): "UART4_RX",
    ("PC12", 8): "UART5_TX", ("PD2", 8): "UART5_RX",
    ("PC6", 8): "USART6_TX", ("PG14", 8): "USART6_TX", ("PC7", 8): "USART6_RX", ("PG9", 8): "USART6_RX",
    ("PE8", 8): "UART7_TX", ("PF7", 8): "UART7_TX", ("PE7", 8): "UART7_RX", ("PF6", 8): "UART7_RX",
    ("PE1", 8): "UART8_TX", ("PE0", 8): "UART8_RX",
}  # fmt: skip

# name: base, interrupt, enable register, bit, position in DCKCFGR2, bus
_USARTS = {
    "USART1": (0x40011000, 37, "APB2ENR", 4, 0, 2),
    "USART2": (0x40004400, 38, "APB1ENR", 17, 2, 1),
    "USART3": (0x40004800, 39, "APB1ENR", 18, 4, 1),
    "UART4": (0x40004C00, 52, "APB1ENR", 19, 6, 1),
    "UART5": (0x40005000, 53, "APB1ENR", 20, 8, 1),
    "USART6": (0x40011400, 71, "APB2ENR", 5, 10, 2),
    "UART7": (0x40007800, 82, "APB1ENR", 30, 12, 1),
    "UART8": (0x40007C00, 83, "APB1ENR", 31, 14, 1),
}

# RM0385 4.1.4 and RM0410 4.1.4; DS10916, DS11532: general operating conditions
_HCLK = {
    (1, False): 144 * MHZ, (2, False): 168 * MHZ, (3, False): 180 * MHZ,
    (1, True): 144 * MHZ, (2, True): 180 * MHZ, (3, True): 216 * MHZ,
}  # fmt: skip


def _limits(pll_has_r: bool) -> Limits:
    return Limits(
        hclk_hz=_HCLK, pclk1_hz=(45 * MHZ, 54 * MHZ), pclk2_hz=(90 * MHZ, 108 * MHZ),
        pll_out_hz=(24 * MHZ, 216 * MHZ), overdrive=True, pll_has_r=pll_has_r,
    )  # fmt: skip


_RM0385 = Sections("RM0385 5.3.2", "RM0385 5.2", "RM0385 3.3.2", "RM0385 4.1.4", "RM0385 4.1.4")
_RM0410 = Sections("RM0410 5.3.2", "RM0410 5.2", "RM0410 3.3.2", "RM0410 4.1.4", "RM0410 4.1.4")

_RCC_REGISTERS = {
    0x10: "AHB1RSTR", 0x14: "AHB2RSTR", 0x18: "AHB3RSTR", 0x20: "APB1RSTR", 0x24: "APB2RSTR",
    0x30: "AHB1ENR", 0x34: "AHB2ENR", 0x38: "AHB3ENR", 0x40: "APB1ENR", 0x44: "APB2ENR",
    0x50: "AHB1LPENR", 0x54: "AHB2LPENR", 0x58: "AHB3LPENR", 0x60: "APB1LPENR", 0x64: "APB2LPENR",
    0x70: "BDCR", 0x74: "CSR", 0x80: "SSCGR", 0x84: "PLLI2SCFGR", 0x88: "PLLSAICFGR", 0x8C: "DCKCFGR1",
    0x90: "DCKCFGR2",
}  # fmt: skip
LSE_HZ = 32_768


class RccF7(Rcc):
    """The F7's: each USART chooses its kernel clock."""

    def uart_hz(self, name: str) -> int:
        _, _, _, _, position, bus = _USARTS[name]
        return (self.pclk_hz(bus), self.sysclk_hz(), self.source_hz(0) and HSI_HZ, LSE_HZ)[
            self.values["DCKCFGR2"] >> position & 3
        ]

    def write_pllsaicfgr(self, value: int, old: int) -> None:
        self._sai_is_off("PLLSAICFGR" if value != old else "")

    def write_dckcfgr1(self, value: int, old: int) -> None:
        self._sai_is_off("PLLSAIDIVR" if (value ^ old) >> 16 & 3 else "")

    def _sai_is_off(self, changed: str) -> None:
        off = not changed or not self.others[28].on
        self.chip.require(off, f"RCC: {changed} changes while PLLSAI is on", self.sections.pll)


def peripherals(chip: Chip) -> Iterable[Peripheral]:
    """See families.Family."""
    number = chip.board.mcu.lower().removeprefix("stm32f")[:3]
    large = number in ("765", "767", "769", "777", "779")
    if not large and number not in ("745", "746", "756"):
        raise EmulatorError(
            f"{chip.board.mcu} is not among the modelled chips: STM32F745, 746, 756, 765 to 779"
        )
    sections, limits = (_RM0410 if large else _RM0385), _limits(large)
    letters = "ABCDEFGHIJK"
    enables = {f"GPIO{letter}": ("AHB1ENR", i) for i, letter in enumerate(letters)}
    enables |= {name: (register, bit) for name, (_, _, register, bit, _, _) in _USARTS.items()}
    enables |= {"PWR": ("APB1ENR", 28), "SYSCFG": ("APB2ENR", 14), "LTDC": ("APB2ENR", 26)}
    reset = {"AHB1ENR": 1 << 20, "APB1ENR": 0x400 if large else 0, "CSR": 0x0E000000, "PLLI2SCFGR": 0x24003000,
             "PLLSAICFGR": 0x24003000}  # fmt: skip
    yield RccF7(chip, 0x40023800, limits, sections, enables, spare(_RCC_REGISTERS, reset))
    power = (
        Register(0x00, "CR1", 0xC000, writable=0x000FEFFB),
        Register(0x04, "CSR1", writable=0x000C0200, readonly=0x0003400F),
        Register(0x08, "CR2", writable=0x3F3F),
        Register(0x0C, "CSR2", writable=0x3F00, readonly=0x3F),
    )
    yield Power(chip, 0x40007000, limits, sections, power)
    accelerator = {1 << 8: ("prefetch", 0), 1 << 9: ("instruction cache", 1 << 11)}  # together they are ART
    section = "RM0410 3.7.1" if large else "RM0385 3.7.1"
    yield FlashInterface(chip, 0x40023C00, 0xB0F, accelerator, section)
    resets = {
        "A": {"moder": 0xA8000000, "ospeedr": 0x0C000000, "pupdr": 0x64000000},
        "B": {"moder": 0x280, "ospeedr": 0xC0, "pupdr": 0x100},
    }
    for i, letter in enumerate(letters):
        yield Gpio(chip, letter, 0x40020000 + 0x400 * i, **resets.get(letter, {}))
    for name, (base, irq, _, _, _, _) in _USARTS.items():
        yield UsartIsr(chip, name, base, irq, chip.line)
    if number not in ("745", "765"):  # these have no display controller
        yield Ltdc(chip)
