"""Cortex-M7 timing: an in-order dual-issue scoreboard over blocks, each behind the blocks that really ran before it.

Stages of an instruction that issues in cycle t: address generation and early ALU in t, late ALU and multiplier in t+1,
accumulation in t+2, data of a store in t+3. A value that is there at time T serves a stage that starts at T or after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from host.cyclemodel.decode import Instruction
from host.cyclemodel.m7_uops import FLAGS, Uop, is_core_register, uop
from host.cyclemodel.windows import Counts

LATE, MULTIPLY, STORE = 1, 1, 3  # stages, in cycles after issue


@dataclass(frozen=True)
class Timing:
    """Cycles; latencies count from issue. Sources and fitted values: CALIBRATION.md."""

    load: int = 2
    load_narrow: int = 3
    load_to_multiplier: int = 1  # a loaded word is that much later there
    load_to_shifter: int = 1
    multiply: int = 3
    accumulate_stage: int = 2
    fetch_bytes: int = 8  # a cycle
    divide: int = 7
    words_per_cycle: int = 2  # of LDM, STM, LDRD, PUSH, POP
    store_narrow: float = 2.0  # a store of less than a word, sustained
    float_result: int = 3
    float_accumulate: int = 5
    float_divide: int = 14
    float_to_core: int = 2
    core_to_float: int = 3
    system: int = 2
    mispredicted: int = 8
    mispredicted_direct: int = 3
    mispredicted_indirect: int = 8
    misaligned_load: int = 2
    misaligned_store: int = 1
    store_hazard: float = 1.5  # a load behind a store to the same double-word


TIMING = Timing()
HISTORY_BLOCKS = 2  # blocks that run before the one that is timed, so that the pipeline is as full as it was


@dataclass
class _State:
    """The scoreboard: when each register is there, and what issued in this cycle."""

    cycle: int = 0
    group: list[Uop] = field(default_factory=list)
    ready: dict[int, int] = field(default_factory=dict)
    source: dict[int, str] = field(default_factory=dict)  # "word" if loaded, "rev" from the bit unit
    full: bool = False

    def next_cycle(self, cycle: int) -> None:
        """Goes on to a cycle in which nothing has issued."""
        self.cycle, self.group, self.full = cycle, [], False


def issue(state: _State, uops: Sequence[Uop], same_bank: Sequence[bool], t: Timing = TIMING) -> None:
    """Issues the instructions in order. `same_bank`: whether each load mostly hit the bank of the load before it."""
    for u, bank_clash in zip(uops, same_bank, strict=True):
        earliest = _earliest(u, state, t)
        if earliest > state.cycle:
            state.next_cycle(earliest)
        elif (
            state.full or len(state.group) >= 2 or (state.group and not _pair(state.group[0], u, bank_clash))
        ):
            state.next_cycle(state.cycle + 1)
        older = not state.group
        state.group.append(u)
        _results(u, state, older, t)


def _earliest(u: Uop, state: _State, t: Timing) -> int:
    """The first cycle in which all its operands come in time."""
    earliest = 0

    def wait(registers: set[int], stage: int, word_delay: int = 0, rev_delay: int = 0) -> None:
        nonlocal earliest
        for register in registers:
            if register in state.ready:
                source = state.source.get(register)
                delay = word_delay if source == "word" else rev_delay if source == "rev" else 0
                earliest = max(earliest, state.ready[register] + delay - stage)

    wait(u.early, 0, rev_delay=1)
    wait(u.late, LATE, word_delay=t.load_to_shifter if u.early and u.unit == "alu" else 0)
    wait(u.factors, MULTIPLY, word_delay=t.load_to_multiplier)
    wait(u.sums, t.accumulate_stage)
    wait(u.stored, STORE)
    return earliest


def _pair(a: Uop, b: Uop, same_bank: bool) -> bool:
    """Whether b may issue in the same cycle as the older a."""
    if a.alone or b.alone or b.older_only:
        return False
    if a.unit == b.unit and a.unit in ("mac", "st", "br", "fp"):
        return False
    if {a.unit, b.unit} == {"st", "mac"}:
        return False
    if a.unit == b.unit == "ld":
        known = a.bank is not None and b.bank is not None and a.bank[0] == b.bank[0]
        if a.bank == b.bank if known else same_bank:
            return False
    if b.shifter and (a.shifter or a.group == "shift"):
        return False
    return not a.written & b.written - {FLAGS}


def _results(u: Uop, state: _State, older: bool, t: Timing) -> None:
    """Says when its results are there, and whether the cycle or more are taken."""
    now, source = state.cycle, None
    if u.unit == "lsm":
        if u.group == "load":
            for k, register in enumerate(sorted(u.results)):
                state.ready[register] = now + k // t.words_per_cycle + t.load
                state.source[register] = "word"
        _set(state, u.written_back, now + 1)
        state.cycle = now - (-u.words // t.words_per_cycle) - 1
        state.full = True
        return
    ready = now + 2
    if u.unit in ("div", "sys"):
        state.cycle = now + (t.divide if u.unit == "div" else t.system) - 1
        state.full = True
        ready = state.cycle + 2 if u.unit == "div" else ready
    elif u.unit == "ld":
        ready, source = (now + t.load_narrow, None) if u.narrow else (now + t.load, "word")
    elif u.unit == "mac":
        ready = now + t.multiply
    elif u.unit == "fp":
        ready = now + _float_latency(u, t)
        if u.instruction.kind == "vdiv":
            state.cycle, state.full = now + t.float_divide - 1, True
    elif u.group == "rev":
        ready, source = now + 1, "rev"
    elif u.early_capable and (older or u.group == "shift"):
        in_time = all(state.ready.get(r, 0) <= now for r in u.late if r != FLAGS)
        ready = now + 1 if in_time else ready
    for register in u.results:
        state.ready[register] = now + 2 if register == FLAGS else ready
        state.source[register] = source or ""
    _set(state, u.written_back, now + 1)
    state.full = state.full or u.alone


def _set(state: _State, registers: set[int], ready: int) -> None:
    for register in registers:
        state.ready[register] = ready
        state.source[register] = ""


def _float_latency(u: Uop, t: Timing) -> int:
    if u.instruction.kind == "vmac":
        return t.float_accumulate
    if u.instruction.kind == "vdiv":
        return t.float_divide
    if u.group == "fpmov":
        return t.float_to_core if any(is_core_register(r) for r in u.results) else t.core_to_float
    return t.float_result


@dataclass(frozen=True)
class _Passage:
    """A block as it was passed: which one, its loads' banks, and whether it was left by a taken branch."""

    block: int
    same_bank: tuple[bool, ...]
    taken: bool


class Pipeline:
    """Costs of blocks; results are kept, since the same passages come again in every window."""

    def __init__(self, timing: Timing = TIMING):
        self._timing = timing
        self._uops: dict[int, list[Uop]] = {}
        self._costs: dict[tuple[_Passage, ...], float] = {}

    def core_cycles(
        self, blocks: Sequence[Counts], decoded: dict[int, list[Instruction]]
    ) -> dict[int, float]:
        """Cycles that each block of a window took in the core, by its id, with nothing waiting for memory."""
        by_id = {c.block.id: c for c in blocks}
        banks = {c.block.id: _same_bank(c) for c in blocks}
        usual = {
            c.block.id: max(((n, b) for b, n in c.before.items() if b in by_id), default=(0, -1))[1]
            for c in blocks
        }
        for c in blocks:
            if c.block.id not in self._uops:
                self._uops[c.block.id] = [uop(i) for i in decoded[c.block.id]]

        def passage(block: int, goes_to: int) -> _Passage:
            return _Passage(block, banks[block], by_id[block].block.end != goes_to)

        cycles = {}
        for c in blocks:
            total, seen = 0.0, 0
            for before, runs in c.before.items():
                if before not in by_id:
                    continue
                chain, goes_to, block = [], c.block.address, before
                for _ in range(HISTORY_BLOCKS):
                    chain.insert(0, passage(block, goes_to))
                    goes_to, block = by_id[block].block.address, usual[block]
                    if block < 0:
                        break
                total += runs * self._cost(c, (*chain, _Passage(c.block.id, banks[c.block.id], False)))
                seen += runs
            if seen < c.runs:
                alone = self._cost(c, (_Passage(c.block.id, banks[c.block.id], False),))
                total += (c.runs - seen) * alone
            cycles[c.block.id] = total
        return cycles

    def _cost(self, counts: Counts, passages: tuple[_Passage, ...]) -> float:
        """Cycles that the last passage adds to those before it."""
        if passages in self._costs:
            return self._costs[passages]
        state, chain = _State(), passages[:-1]
        for p in chain:
            issue(state, self._uops[p.block], p.same_bank, self._timing)
            state.full = state.full or p.taken
        start = state.cycle
        last = passages[-1]
        issue(state, self._uops[last.block], last.same_bank, self._timing)
        cycles = state.cycle - start + (0 if chain else 1)
        entered_by_branch = chain[-1].taken if chain else True
        cost = max(float(cycles), self._bound(counts, self._uops[last.block], entered_by_branch))
        self._costs[passages] = cost
        return cost

    def _bound(self, counts: Counts, uops: Sequence[Uop], entered_by_branch: bool) -> float:
        """What fetching and the store buffer allow at best."""
        width, block = self._timing.fetch_bytes, counts.block
        if entered_by_branch:
            fetch = float((block.end - 1) // width - block.address // width + 1)
        else:
            fetch = len(block.code) / width
        stores = sum(self._timing.store_narrow if u.narrow else 1.0 for u in uops if u.unit == "st")
        return max(fetch, stores)


def _same_bank(counts: Counts) -> tuple[bool, ...]:
    clashes = [False] * counts.block.instructions
    for a in counts.accesses:
        clashes[a.instruction] = a.same_bank > 0.5 * a.reads > 0
    return tuple(clashes)
