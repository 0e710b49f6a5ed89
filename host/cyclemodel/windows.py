"""Reads what the plugin wrote: blocks of code, and what each window (one call of the watched function) did in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True)
class Block:
    """A translation block: `instructions` in a row, left at its end only."""

    id: int
    address: int
    instructions: int
    code: bytes

    @property
    def end(self) -> int:
        """Address behind it."""
        return self.address + len(self.code)


class Fetch(NamedTuple):
    """Fills of the instruction cache for one piece of a block: after a branch, and in sequence."""

    piece: int
    misses: int
    sequential_misses: int


class Access(NamedTuple):
    """What one instruction of a block, counted from 0, did with data.

    `misaligned_half` are halfwords at odd addresses, `misaligned_even` words at addresses 2 mod 4, `misaligned_odd`
    words at odd addresses. `same_bank` reads followed one of the same 32-bit bank; `hazards` a recent store there.
    """

    instruction: int
    reads: int
    writes: int
    flash_misses: int
    misaligned_half: int
    misaligned_even: int
    misaligned_odd: int
    ram_misses: int
    same_bank: int
    hazards: int


@dataclass
class Counts:
    """A block in one window. `before[id]` is how often the block `id` ran just before it.

    `mispredicted` ends: conditional, direct, indirect branches.
    """

    block: Block
    runs: int
    fall_throughs: int
    fetches: list[Fetch] = field(default_factory=list)
    accesses: list[Access] = field(default_factory=list)
    before: dict[int, int] = field(default_factory=dict)
    mispredicted: tuple[int, int, int] = (0, 0, 0)


@dataclass
class Window:
    """One call of the watched function."""

    blocks: list[Counts]
    write_backs: int

    @property
    def instructions(self) -> int:
        """All that were executed."""
        return sum(c.runs * c.block.instructions for c in self.blocks)


def parse(lines: Iterable[str]) -> list[Window]:
    """All complete windows, in order. Raises ValueError for text that the plugin did not write."""
    windows: list[Window] = []
    blocks: dict[int, Block] = {}
    counts: list[Counts] = []
    for line in lines:
        kind, *rest = line.split()
        if kind == "T":
            blocks[int(rest[0])] = Block(int(rest[0]), int(rest[1], 16), int(rest[2]), bytes.fromhex(rest[3]))
            continue
        values = tuple(map(int, rest))
        if kind == "C":
            counts.append(Counts(blocks[values[0]], values[1], values[2]))
        elif kind == "L":
            counts[-1].fetches.append(Fetch(*values))
        elif kind == "M":
            counts[-1].accesses.append(Access(*values))
        elif kind == "E":
            counts[-1].before[values[0]] = values[1]
        elif kind == "P":
            counts[-1].mispredicted = (values[0], values[1], values[2])
        elif kind == "W":
            windows.append(Window(counts, values[1]))
            counts = []
        else:
            raise ValueError(f"not the plugin's: {line!r}")
    return windows
