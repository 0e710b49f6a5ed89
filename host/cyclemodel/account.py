"""Adds up: from windows of counted blocks to cycles per step and per function, split by what they were spent on."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from host.cyclemodel import m4, m7_pipeline
from host.cyclemodel.chips import MISS_CYCLES, Caches, Chip, Flash
from host.cyclemodel.decode import MEMORY, Instruction, decode
from host.cyclemodel.windows import Block, Counts, Window
from host.errors import BuildError


@dataclass
class Cost:
    """Executed instructions, and modelled cycles by what they were spent on.

    `issue`: one each on a Cortex-M4; on a Cortex-M7, which issues two at a time and waits for operands, all of the
    pipeline but branches. `arithmetic`: divisions and float operations beyond their first cycle. `branch`: refills of
    the pipeline. `load`: loads and stores beyond their first cycle, misaligned ones, and misses of cached RAM.
    `flash_code`, `flash_data`: waiting for flash.
    """

    instructions: int = 0
    issue: float = 0.0
    arithmetic: float = 0.0
    branch: float = 0.0
    load: float = 0.0
    flash_code: float = 0.0
    flash_data: float = 0.0

    @property
    def cycles(self) -> float:
        """All of them."""
        return sum(getattr(self, name) for name in SPLIT)

    def add(self, other: Cost) -> None:
        """Adds another's."""
        for f in fields(self):
            setattr(self, f.name, getattr(self, f.name) + getattr(other, f.name))

    def to_json(self) -> dict[str, Any]:
        """Rounded to whole cycles."""
        return {
            "instructions": self.instructions,
            "cycles": round(self.cycles),
            "split": {name: round(getattr(self, name)) for name in SPLIT},
        }


SPLIT = tuple(f.name for f in fields(Cost) if f.name != "instructions")


@dataclass
class StepCost:
    """One window: its cost, in all and by function."""

    total: Cost = field(default_factory=Cost)
    functions: dict[str, Cost] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """For storing; from_dict reads it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> StepCost:
        """What to_dict gave."""
        return cls(Cost(**value["total"]), {name: Cost(**c) for name, c in value["functions"].items()})


class Symbols:
    """Functions of an ELF file by address."""

    def __init__(self, elf: Path):
        """Raises BuildError if the file has no symbols."""
        from elftools.elf.elffile import ELFFile

        with open(elf, "rb") as file:
            table = ELFFile(file).get_section_by_name(".symtab")
            if table is None:
                raise BuildError(f"{elf.name} has no symbol table")
            found = {
                (s["st_value"] & ~1, s["st_size"], s.name)
                for s in table.iter_symbols()
                if s["st_info"]["type"] == "STT_FUNC"
            }
        self._functions = sorted(found)
        self._starts = [f[0] for f in self._functions]
        self._by_name = {name: address for address, _, name in self._functions}

    def address(self, name: str) -> int:
        """Where a function begins. Raises BuildError if there is none of that name."""
        if name not in self._by_name:
            raise BuildError(f"the firmware has no function {name}", "the cycle model needs it as a landmark")
        return self._by_name[name]

    def at(self, address: int) -> str:
        """The function that an address lies in."""
        k = bisect_right(self._starts, address) - 1
        if k < 0:
            return "?"
        start, size, name = self._functions[k]
        return name if address < start + max(size, 2) or size == 0 else f"{name}+?"


def costs(windows: Sequence[Window], chip: Chip, symbols: Symbols) -> list[StepCost]:
    """The cost of each window on the chip."""
    blocks = {c.block.id: c.block for w in windows for c in w.blocks}
    decoded = {b.id: decode(b.address, b.code) for b in blocks.values()}
    model = _M4(chip, decoded) if chip.core == "m4" else _M7(chip, decoded)
    return [_step(model, window, symbols) for window in windows]


def _step(model: _M4 | _M7, window: Window, symbols: Symbols) -> StepCost:
    functions: defaultdict[str, Cost] = defaultdict(Cost)
    result = StepCost()
    for block, cost in model.window(window):
        functions[symbols.at(block.address)].add(cost)
        result.total.add(cost)
    result.total.load += model.write_back * window.write_backs
    result.functions = dict(sorted(functions.items(), key=lambda item: -item[1].cycles))
    return result


class _M4:
    """Cortex-M4: block timings, taken branches, flash accelerator."""

    write_back = 0.0

    def __init__(self, chip: Chip, decoded: Mapping[int, list[Instruction]]):
        self._flash = chip.memory if isinstance(chip.memory, Flash) else None
        self._decoded = decoded
        self._cycles = {id: m4.block_cycles(block) for id, block in decoded.items()}
        self._code = {i.address: i.bytes for block in decoded.values() for i in block}

    def window(self, window: Window) -> Iterable[tuple[Block, Cost]]:
        """The cost of each block."""
        return ((c.block, self._block(c)) for c in window.blocks)

    def _block(self, counts: Counts) -> Cost:
        t, block = m4.TIMING, counts.block
        instructions, cycles = self._decoded[block.id], self._cycles[block.id]
        cost = Cost(instructions=counts.runs * block.instructions, issue=counts.runs * len(instructions))
        for i, n in zip(instructions, cycles, strict=True):
            extra = counts.runs * (n - 1)
            if i.kind in MEMORY:
                cost.load += extra
            elif i.kind == "tbb":
                cost.branch += extra
            else:
                cost.arithmetic += extra
        taken = m4.taken_runs(instructions, block.end, counts.runs, counts.fall_throughs)
        if taken:
            cost.branch += taken * m4.refill_cycles(instructions[-1], self._code)
        for a in counts.accesses:
            cost.load += a.misaligned_half * t.misaligned_half + a.misaligned_even * t.misaligned_even
            cost.load += a.misaligned_odd * t.misaligned_odd
        if self._flash:
            miss = self._flash.wait_states + MISS_CYCLES
            sequential = float(miss)
            if self._flash.prefetch:
                # the next fill has begun while the instructions of this one ran
                hidden = sum(cycles) / max(1, len(block.code)) * self._flash.fill_bytes
                sequential = max(0.0, miss + 1 - hidden)
            for f in counts.fetches:
                cost.flash_code += f.misses * miss + f.sequential_misses * sequential
            cost.flash_data += miss * sum(a.flash_misses for a in counts.accesses)
        return cost


class _M7:
    """Cortex-M7: scoreboard, simulated branch prediction, line fills."""

    def __init__(self, chip: Chip, decoded: Mapping[int, list[Instruction]]):
        self._memory = chip.memory if isinstance(chip.memory, Caches) else None
        self.write_back = self._memory.write_back if self._memory else 0.0
        self._decoded = dict(decoded)
        self._pipeline = m7_pipeline.Pipeline()

    def window(self, window: Window) -> Iterable[tuple[Block, Cost]]:
        """The cost of each block."""
        core = self._pipeline.core_cycles(window.blocks, self._decoded)
        return ((c.block, self._block(c, core[c.block.id])) for c in window.blocks)

    def _block(self, counts: Counts, core: float) -> Cost:
        t, instructions = m7_pipeline.TIMING, self._decoded[counts.block.id]
        conditional, direct, indirect = counts.mispredicted
        cost = Cost(
            instructions=counts.runs * counts.block.instructions,
            issue=core,
            branch=conditional * t.mispredicted
            + direct * t.mispredicted_direct
            + indirect * t.mispredicted_indirect,
        )
        for a in counts.accesses:
            misaligned = a.misaligned_half + a.misaligned_even + a.misaligned_odd
            loads = instructions[a.instruction].kind in ("load", "ldm", "vload")
            cost.load += misaligned * (t.misaligned_load if loads else t.misaligned_store)
            cost.load += a.hazards * t.store_hazard
            if self._memory:
                cost.load += a.ram_misses * self._memory.ram_fill
                cost.flash_data += a.flash_misses * self._memory.flash_fill
        if self._memory:
            sequential = 0.5 if self._memory.instruction_prefetch else 1.0
            fills = sum(f.misses + f.sequential_misses * sequential for f in counts.fetches)
            cost.flash_code += fills * self._memory.flash_fill
        return cost
