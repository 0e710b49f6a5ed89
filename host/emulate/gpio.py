"""GPIO ports; the same in all STM32 families from F2 on but for their reset values. RM0090 8.4."""

from __future__ import annotations

import re

from host.emulate.peripheral import Chip, Peripheral, Register

INPUT, OUTPUT, ALTERNATE, ANALOG = range(4)
NO_PULL, PULL_UP, PULL_DOWN = range(3)


def split_pin(pin: str) -> tuple[str, int]:
    """ "PB10" as ("B", 10)."""
    match = re.fullmatch(r"P([A-K])(\d|1[0-5])", pin)
    if not match:
        raise ValueError(f"{pin!r} is no pin like PA9")
    return match[1], int(match[2])


class Gpio(Peripheral):
    """One port, named GPIOA ... GPIOK; `letter` is its letter.

    moder, ospeedr, pupdr: reset values of these registers, where they are not 0.
    """

    def __init__(
        self, chip: Chip, letter: str, base: int, *, moder: int = 0, ospeedr: int = 0, pupdr: int = 0
    ):
        self.letter = letter
        self.REGISTERS = (
            Register(0x00, "MODER", moder),
            Register(0x04, "OTYPER", writable=0xFFFF),
            Register(0x08, "OSPEEDR", ospeedr),
            Register(0x0C, "PUPDR", pupdr),
            Register(0x10, "IDR", writable=0, readonly=0xFFFF),
            Register(0x14, "ODR", writable=0xFFFF),
            Register(0x18, "BSRR"),
            Register(0x1C, "LCKR", writable=0x1FFFF),
            Register(0x20, "AFRL"),
            Register(0x24, "AFRH"),
            Register(0x28, "BRR", writable=0xFFFF),  # from L4 on; on older families nothing is there
        )
        super().__init__(chip, f"GPIO{letter}", base)

    def mode(self, pin: int) -> int:
        """INPUT, OUTPUT, ALTERNATE or ANALOG."""
        return self.values["MODER"] >> pin * 2 & 3

    def alternate(self, pin: int) -> int:
        """Number of the alternate function that is selected, whether the pin uses it or not."""
        return self.values["AFRL" if pin < 8 else "AFRH"] >> pin % 8 * 4 & 0xF

    def speed(self, pin: int) -> int:
        """0 (slowest) to 3."""
        return self.values["OSPEEDR"] >> pin * 2 & 3

    def pull(self, pin: int) -> int:
        """NO_PULL, PULL_UP or PULL_DOWN."""
        return self.values["PUPDR"] >> pin * 2 & 3

    def function(self, pin: int) -> str | None:
        """What the pin is to a USART ("USART3_TX"), None if nothing."""
        if self.mode(pin) != ALTERNATE:
            return None
        return self.chip.pin_functions.get((f"P{self.letter}{pin}", self.alternate(pin)))

    def read_idr(self) -> int:
        """Outputs read back; inputs read what pulls them, and low where nothing does."""
        level = self.values["ODR"]
        for pin in range(16):
            if self.mode(pin) != OUTPUT:
                level = level & ~(1 << pin) | (self.pull(pin) == PULL_UP) << pin
        return level

    def write_bsrr(self, value: int, old: int) -> int:
        self.values["ODR"] = self.values["ODR"] & ~(value >> 16) | value & 0xFFFF
        return 0

    def write_brr(self, value: int, old: int) -> int:
        self.values["ODR"] &= ~value
        return 0


def pin_of(chip: Chip, pin: str) -> tuple[Gpio, int]:
    """The port that a pin belongs to, and its number. Raises KeyError."""
    letter, number = split_pin(pin)
    port = chip.find(f"GPIO{letter}")
    assert isinstance(port, Gpio)
    return port, number


def pin_function(chip: Chip, pin: str) -> str | None:
    """What the pin is to a USART now ("USART3_TX"); None if nothing, also while its port has no clock."""
    try:
        port, number = pin_of(chip, pin)
    except KeyError:
        return None
    return port.function(number)
