"""Which module models which family of chips."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from importlib import import_module
from typing import Protocol

from host.emulate.peripheral import Chip, Peripheral
from host.errors import EmulatorError


class Family(Protocol):
    """What a family's module defines, in `host/emulate/<family>.py`."""

    # Which manuals the model follows, for people.
    MANUALS: str
    # What a pin is in an alternate function, from the datasheet: ("PB10", 7): "USART3_TX". Of USARTs only.
    PIN_FUNCTIONS: dict[tuple[str, int], str]
    # Where the core looks for its vectors after a reset, with the boot pins and option bytes as delivered.
    BOOT_ADDRESS: int
    # Further addresses at which the flash bank can be read.
    FLASH_ALIASES: tuple[int, ...]

    def peripherals(self, chip: Chip) -> Iterable[Peripheral]:
        """Every modelled block of `chip.board`'s chip, the one with the clock tree first."""


def has_model(family: str) -> bool:
    """Whether there is a model of the family, named as the folder below firmware/port/."""
    return importlib.util.find_spec(f"host.emulate.{family}") is not None


def load(family: str) -> Family:
    """The family's module. Raises EmulatorError if there is none."""
    if not has_model(family):
        raise EmulatorError(
            f"there is no register model of the family {family}",
            f"a model is one file, host/emulate/{family}.py; host/emulate/README.md says how",
        )
    return import_module(f"host.emulate.{family}")  # type: ignore[return-value]
