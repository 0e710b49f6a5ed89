"""What the Cortex-M7 scoreboard needs to know about an instruction: when it reads operands, which unit it takes.

Issue rules and latencies come from published measurements on STM32H7 parts (CALIBRATION.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from capstone import arm

from host.cyclemodel.decode import Instruction, names

FLAGS = arm.ARM_REG_CPSR
PC = arm.ARM_REG_PC

EARLY_ADD = names("add adds addw sub subs subw rsb rsbs adr mov movs movw movt mvn mvns neg negs")
WIDE_IMMEDIATE = names("movw movt adr addw subw")
SHIFTS = names("lsl lsls lsr lsrs asr asrs ror rors")
REVERSE = names("rev rev16 revsh rbit")
EXTRACT = names("ubfx sbfx")
EXTEND_ADD = names("sxtab sxtah sxtab16 uxtab uxtah uxtab16 bfi bfc pkhbt pkhtb")
EXTEND = names("sxtb sxth uxtb uxth sxtb16 uxtb16")
SATURATE = names("ssat usat")
DSP = SATURATE | names("sel ssat16 usat16 qadd qsub qdadd qdsub clz usad8 usada8")
DSP_PREFIXES = tuple(
    sorted(names("sadd ssub qadd qsub uadd usub uqadd uqsub shadd shsub uhadd uhsub sasx ssax qasx qsax"))
)
INLINE_SHIFTS = (", lsl #", ", lsr #", ", asr #", ", ror #", ", rrx")
LONG_SIMD = names("smlald smlaldx smlsld smlsldx")
SUM_FOURTH = names("mla mls smmla smmls smmlar smmlsr smlabb smlabt smlatb smlatt smlawb smlawt")


@dataclass
class Uop:
    """Registers by the stage that reads them, and what issues beside it.

    `early`: address generation and early ALU; `late`: late ALU; `factors`: multiplier; `sums`: accumulator; `stored`:
    data of stores. `results` arrive late, `written_back` early. `unit`: alu, mac, ld, st, lsm, br, it, fp, div, sys.
    `group`: alu, shift, rev, load, stm, mul, fp, fpmov. `narrow`: a byte or halfword access. `bank`: base register and
    word bank of a load at a literal offset. `alone`: pairs with nothing. `older_only`: issues as the older of a pair
    only. `early_capable`: may run in the early ALU.
    """

    instruction: Instruction
    early: set[int] = field(default_factory=set)
    late: set[int] = field(default_factory=set)
    factors: set[int] = field(default_factory=set)
    sums: set[int] = field(default_factory=set)
    stored: set[int] = field(default_factory=set)
    results: set[int] = field(default_factory=set)
    written_back: set[int] = field(default_factory=set)
    unit: str = "alu"
    group: str = "alu"
    words: int = 1
    narrow: bool = False
    bank: tuple[int, int] | None = None
    alone: bool = False
    shifter: bool = False
    older_only: bool = False
    early_capable: bool = False

    @property
    def written(self) -> set[int]:
        """All registers that it changes."""
        return self.results | self.written_back


def uop(i: Instruction) -> Uop:
    """Classifies one instruction."""
    sources = set(i.sources) - {PC}
    u = Uop(i, written_back=set(i.written_back), results=set(i.results) - {PC} - i.written_back)
    if i.conditional and i.kind != "bcond":
        u.late.add(FLAGS)
    if i.kind in ("load", "vload", "store", "vstore", "ldm", "stm"):
        _memory(u, i, sources)
    elif i.kind in ("mul", "mac"):
        u.unit, u.group = "mac", "mul"
        u.sums = _sums(i, sources) if i.kind == "mac" else set()
        u.factors = sources - u.sums - {FLAGS}
    elif i.kind in ("bcond", "b", "call", "bind", "tbb"):
        u.unit = "br"
        if i.head in ("cbz", "cbnz") or i.kind in ("bind", "tbb"):
            u.late = set()
        u.results = set(i.results) & {arm.ARM_REG_LR}
    elif i.kind == "it":
        u.unit, u.results = "it", set()
    elif i.kind in ("vfp", "vmac", "vdiv"):
        u.unit, u.group, u.early = "fp", "fp", sources - {FLAGS}
        if i.head in ("vmov", "vmrs", "vmsr"):
            # a core register that goes to the float unit is read like an accumulator
            u.group = "fpmov"
            u.sums = {r for r in u.early if is_core_register(r) or r in (arm.ARM_REG_LR, arm.ARM_REG_SP)}
            u.early -= u.sums
    elif i.kind in ("div", "sys"):
        u.alone, u.unit = True, i.kind
        u.late |= sources if i.kind == "div" else set()
        u.early = sources if i.kind == "sys" else set()
    else:
        u.late |= sources
        _alu(u, i, sources)
    u.late.discard(PC)
    return u


def is_core_register(register: int) -> bool:
    """Whether it is one of r0 to r12."""
    return arm.ARM_REG_R0 <= register <= arm.ARM_REG_R12


def _memory(u: Uop, i: Instruction, sources: set[int]) -> None:
    u.early = set(i.address_registers) - {PC}
    if i.kind in ("ldm", "stm"):
        u.alone, u.unit, u.words = True, "lsm", max(1, i.count)
        u.group = "load" if i.kind == "ldm" else "stm"
        u.stored = sources - u.early if i.kind == "stm" else set()
        results = set(i.results) - {PC} - i.written_back
        u.written_back = (set(i.address_registers) & set(i.results)) | (results & {arm.ARM_REG_SP})
        u.results = results - u.written_back
        return
    u.alone = i.double
    u.narrow = i.head not in ("ldr", "str") and not i.kind.startswith("v")
    if i.kind in ("load", "vload"):
        u.unit, u.group = "ld", "load"
        if i.memory and not i.memory[1]:
            u.bank = (i.memory[0], (0 if i.post_indexed else i.memory[2]) >> 2 & 1)
    else:
        u.unit, u.stored, u.results = "st", sources - u.early, set()


def _sums(i: Instruction, sources: set[int]) -> set[int]:
    """Registers that a multiply-accumulate reads in its last stage."""
    registers, head = i.registers, i.head
    short = head in SUM_FOURTH or (head.startswith(("smlad", "smlsd")) and head not in LONG_SIMD)
    if short:
        return {registers[3]} - set(registers[1:3]) if len(registers) > 3 else set()
    return set(registers[:2]) & sources - set(registers[2:4])


def _alu(u: Uop, i: Instruction, sources: set[int]) -> None:
    """Data processing: which operands the shifter or the bit unit wants a stage earlier."""
    head, registers = i.head, i.registers
    inline_shift = any(shift in i.operands for shift in INLINE_SHIFTS)
    early: set[int] | None = None
    if head in SHIFTS:
        u.early_capable, u.group = True, "shift"
    elif head in REVERSE or head in EXTRACT:
        u.group = "rev" if head in REVERSE else "alu"
        u.older_only = u.shifter = True
        early = sources - {FLAGS}
    elif head in EXTEND_ADD:
        u.older_only = u.shifter = True
        early = set(registers[-1:])
        if head in ("bfi", "bfc"):
            early = set(registers[1:2])
        elif head == "pkhtb":
            early = set(registers[1:])
    elif head in EXTEND or head in DSP or head.startswith(DSP_PREFIXES):
        u.older_only = True
        if head in SATURATE and inline_shift:
            u.shifter = True
            early = sources - {FLAGS}
    elif inline_shift and head not in ("mov", "movs"):
        u.shifter = True
        early = set(registers[-1:])
    elif head in EARLY_ADD:
        u.shifter = head not in WIDE_IMMEDIATE and _shifted_constant(i.operands)
        u.early_capable = not u.shifter
    elif _shifted_constant(i.operands):
        u.shifter = True
    if early is not None:
        u.early = early
        u.late -= early


def _shifted_constant(operands: str) -> bool:
    """Whether the last operand is a constant that needs the shifter: neither 8 bits nor a pattern of bytes."""
    if "#" not in operands:
        return False
    try:
        value = int(operands.rsplit("#", 1)[1].rstrip("]! "), 0) & 0xFFFFFFFF
    except ValueError:
        return False
    low, second = value & 255, value >> 8 & 255
    patterns = (low, low * 0x00010001, (low * 0x01000100) & 0xFFFFFFFF, low * 0x01010101, second * 0x01000100)
    return value not in patterns
