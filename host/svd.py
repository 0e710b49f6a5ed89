"""SVD files (CMSIS System View Description): where a chip's registers are, which bits they have, who interrupts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.etree import ElementTree

from host.emulate.fields import Field


@dataclass(frozen=True)
class SvdRegister:
    """A register: bytes from its peripheral's base, and fields by name."""

    offset: int
    fields: dict[str, Field]


@dataclass(frozen=True)
class SvdPeripheral:
    """A peripheral: base address, registers and interrupt numbers by name."""

    base: int
    registers: dict[str, SvdRegister] = field(default_factory=dict)
    interrupts: dict[str, int] = field(default_factory=dict)


def parse(text: bytes | str) -> dict[str, SvdPeripheral]:
    """Peripherals by name, derived ones with the registers of their origin. Raises ValueError if it is no SVD file.

    Registers inside clusters and arrays of registers are left out.
    """
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ValueError(f"no SVD file: {error}") from None
    sources = {p.findtext("name", ""): p for p in root.iter("peripheral")}
    if not sources:
        raise ValueError("no SVD file: it has no peripherals")
    return {name: _peripheral(name, element, sources) for name, element in sources.items()}


def _peripheral(
    name: str, element: ElementTree.Element, sources: dict[str, ElementTree.Element]
) -> SvdPeripheral:
    origin = sources.get(element.get("derivedFrom", ""), element)
    registers = {}
    for register in origin.findall("registers/register"):
        if register.find("dim") is not None:
            continue
        # Newer files say RCC_CR where older ones say CR.
        called = register.findtext("name", "")
        called = called.removeprefix(f"{name}_").removeprefix(f"{origin.findtext('name')}_")
        offset = int(register.findtext("addressOffset", "0"), 0)
        registers[called] = SvdRegister(offset, _joined(_fields(register)))
    interrupts = {i.findtext("name", ""): int(i.findtext("value", "0"), 0) for i in element.iter("interrupt")}
    return SvdPeripheral(int(element.findtext("baseAddress", "0"), 0), registers, interrupts)


def _fields(register: ElementTree.Element) -> dict[str, Field]:
    found = {}
    for element in register.findall("fields/field"):
        if (low := element.findtext("bitOffset")) is not None:
            bits = Field(int(low, 0), int(element.findtext("bitWidth", "1"), 0))
        elif match := re.fullmatch(r"\[(\d+):(\d+)\]", element.findtext("bitRange", "")):
            bits = Field(int(match[2]), int(match[1]) - int(match[2]) + 1)
        else:
            first, last = (int(element.findtext(tag, "0"), 0) for tag in ("lsb", "msb"))
            bits = Field(first, last - first + 1)
        found[element.findtext("name", "")] = bits
    return found


def _joined(fields: dict[str, Field]) -> dict[str, Field]:
    """With SW0 and SW1, as some files have them, as one field SW too."""
    more: dict[str, Field] = {}
    for name, bit in sorted(fields.items(), key=lambda item: item[1].low):
        if match := re.fullmatch(r"(\D+)(\d)", name):
            low = more.get(match[1], Field(bit.low, 0))
            if bit.width == 1 and (match[2] == "0" or bit.low == low.low + low.width):
                more[match[1]] = Field(low.low, low.width + 1)
    return {**{n: f for n, f in more.items() if f.width > 1}, **fields}
