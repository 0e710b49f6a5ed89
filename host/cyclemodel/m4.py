"""Cortex-M4 timing: cycles of each instruction in its block, and of taken branches.

Arm DDI 0439, section 3.3 and its notes on loads and stores; `refill` and `refill_unaligned` are fitted, see
CALIBRATION.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from host.cyclemodel.decode import DATA_PROCESSING, Instruction


@dataclass(frozen=True)
class Timing:
    """Cycles. Every other data-processing instruction takes 1."""

    divide: int = 7  # 2 to 12, by the data
    load: int = 2  # alone; 1 less behind a load that it does not depend on
    store: int = 1  # [Rn, #imm]: the write buffer hides the rest
    store_register_offset: int = 2  # 1 behind a load
    multiple: int = 1  # LDM, STM, PUSH, POP, LDRD, STRD: this and 1 a word
    address_dependency: int = 1  # the address was made by the instruction before
    refill: int = 1  # of the pipeline after a taken direct branch
    refill_unaligned: int = 1  # more, if the target is a 32-bit instruction across two words
    refill_indirect: int = 2  # after BX, BLX, POP pc
    refill_load: int = 3  # after LDR pc, TBB, TBH
    if_then: int = 1
    misaligned_half: int = 1
    misaligned_even: int = 1
    misaligned_odd: int = 2
    float_accumulate: int = 3
    float_divide: int = 14
    float_dependency: int = 1  # a float result that the next instruction uses
    float_access: int = 2
    float_access_double: int = 3
    table_branch: int = 3
    system: int = 2


TIMING = Timing()


def block_cycles(block: Sequence[Instruction], t: Timing = TIMING) -> list[int]:
    """Cycles of each instruction; a branch at the end counts as not taken."""
    cycles = []
    before: Instruction | None = None
    for i in block:
        cycles.append(_cycles(i, before, t))
        before = i
    return cycles


def _cycles(i: Instruction, before: Instruction | None, t: Timing) -> int:
    dependent = (
        before is not None and before.kind in DATA_PROCESSING and bool(i.address_registers & before.results)
    )
    # pipelined: the address phase of this access runs in the data phase of the load before
    behind_load = (
        before is not None
        and before.kind == "load"
        and not before.writes_pc
        and not i.address_registers & (before.results - before.written_back)
    )
    wait = t.address_dependency if dependent else 0
    match i.kind:
        case "load":
            cycles = t.load - behind_load + wait
        case "store":
            cycles = (t.store_register_offset - behind_load if i.register_offset else t.store) + wait
        case "ldm" | "stm":
            cycles = t.multiple + i.count + wait
        case "vload" | "vstore":
            cycles = (t.float_access_double if i.double else t.float_access) + wait
        case "div":
            cycles = t.divide
        case "vmac":
            cycles = t.float_accumulate
        case "vdiv":
            cycles = t.float_divide
        case "it":
            cycles = t.if_then
        case "tbb":
            cycles = t.table_branch
        case "sys":
            cycles = t.system
        case _:
            cycles = 1
    if before is not None and before.kind in ("vfp", "vmac") and i.sources & before.results:
        moves = before.base.startswith(("vmov", "vmrs", "vcmp"))
        cycles += 0 if moves else t.float_dependency
    return cycles


def taken_runs(block: Sequence[Instruction], end: int, runs: int, fall_throughs: int) -> int:
    """How many of a block's runs ended in a taken branch. `end` is the address behind the block."""
    last = block[-1]
    branches = last.kind in ("b", "bind", "call", "tbb") or (last.writes_pc and last.kind in ("ldm", "load"))
    if last.kind == "bcond" or (last.conditional and branches):
        goes_on = last.kind == "bcond" and last.target == end
        return 0 if goes_on else runs - min(fall_throughs, runs)
    return runs if branches else 0


def refill_cycles(last: Instruction, code: Mapping[int, int], t: Timing = TIMING) -> int:
    """Cycles of a taken branch beyond its own. `code` has the bytes of the instruction at each known address."""
    if last.kind in ("bcond", "b", "call"):
        across = last.target is not None and last.target & 2 and code.get(last.target, 2) == 4
        return t.refill + (t.refill_unaligned if across else 0)
    if last.kind == "bind" or (last.kind == "ldm" and last.writes_pc):
        return t.refill_indirect
    if last.kind in ("load", "tbb"):
        return t.refill_load
    return 0
