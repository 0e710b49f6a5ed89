"""Registers whose fields have the manual's names.

A register is written down as the manual draws it: `register(0x10, "CFGR", "SW[2:0] STOPWUCK[6]", readonly="SWS[5:3]")`.
Masks follow from the names, and a test can compare the names and bits with those of an SVD file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from host.emulate.peripheral import Peripheral, Register

_FIELD = re.compile(r"(\w+)\[(\d+)(?::(\d+))?\]")


@dataclass(frozen=True)
class Field:
    """Bits of a register: the lowest one and how many."""

    low: int
    width: int

    @property
    def mask(self) -> int:
        """The bits in place."""
        return (1 << self.width) - 1 << self.low

    def of(self, value: int) -> int:
        """The field in a register's value."""
        return (value & self.mask) >> self.low


@dataclass(frozen=True)
class FieldRegister(Register):
    """A register that knows its fields by name."""

    fields: dict[str, Field] = field(default_factory=dict, hash=False)


def parse_fields(text: str) -> dict[str, Field]:
    """`HSION[0] HSIDIV[4:3]` as fields by name. Raises ValueError for anything else."""
    fields = {}
    for word in text.split():
        match = _FIELD.fullmatch(word)
        if not match or match[1] in fields:
            raise ValueError(f"not a field, or one given twice: {word}")
        high, low = int(match[2]), int(match[3] or match[2])
        fields[match[1]] = Field(low, high - low + 1)
    return fields


def register(offset: int, name: str, writable: str = "", readonly: str = "", reset: int = 0) -> FieldRegister:
    """A register from the names of its fields; all other bits are reserved."""
    write, read = parse_fields(writable), parse_fields(readonly)

    def mask(fields: dict[str, Field]) -> int:
        return sum(f.mask for f in fields.values())

    return FieldRegister(
        offset, name, reset, writable=mask(write), readonly=mask(read), fields={**write, **read}
    )


class FieldPeripheral(Peripheral):
    """A peripheral whose registers are made by register()."""

    def field(self, name: str, of: str) -> Field:
        """Field `of` of the register `name`. Raises KeyError."""
        known = self.register(name)
        assert isinstance(known, FieldRegister)
        return known.fields[of]

    def get(self, name: str, of: str) -> int:
        """What the field `of` of the register `name` holds, as last written."""
        return self.field(name, of).of(self.values[name])

    def flag(self, name: str, of: str, on: bool) -> int:
        """The one-bit field as a number to be or-ed into what a read of the register gives."""
        return self.field(name, of).mask if on else 0

    def changed(self, name: str, value: int, old: int) -> set[str]:
        """Names of the fields that differ between two values of a register."""
        known = self.register(name)
        assert isinstance(known, FieldRegister)
        return {f for f, bits in known.fields.items() if (value ^ old) & bits.mask}
