"""Decodes Thumb-2 code (capstone) into what the timing models want to know about each instruction.

Kinds: alu, mul, mac, simd, div; load, store, ldm, stm (LDRD and STRD count as multiple), vload, vstore; vfp, vmac,
vdiv; bcond (conditional, or CBZ), b, call, bind (indirect), tbb; it; sys.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import capstone
from capstone import arm


def names(text: str) -> frozenset[str]:
    """The words of a text, as a set of mnemonics."""
    return frozenset(text.split())


MULTIPLY = names(
    "mul muls smulbb smulbt smultb smultt smulwb smulwt smuad smuadx smusd smusdx smmul smmulr smull umull"
)
ACCUMULATE = names(
    "mla mls smlabb smlabt smlatb smlatt smlad smladx smlsd smlsdx smlal umlal umaal smlald smlaldx smlalbb smlalbt "
    "smlaltb smlaltt smlawb smlawt smmla smmlar smmls smmlsr smlsld smlsldx"
)
SIMD = names(
    "sxtb16 sxtab16 uxtb16 uxtab16 sadd16 sadd8 qadd16 qadd8 uadd8 usub8 ssub16 ssub8 qsub16 qsub8 pkhbt pkhtb ssat16 "
    "usat16 sel usad8 usada8 uqadd8 uqsub8 shadd16 shadd8 uhadd8 uhadd16 sasx ssax"
)
SYSTEM = names("mrs msr dsb isb dmb svc bkpt wfi cpsie cpsid udf")
LOAD_MULTIPLE = names("ldm ldmia ldmdb ldmfd pop")
STORE_MULTIPLE = names("stm stmia stmdb stmfd push")
FLOAT_LOAD_MULTIPLE = names("vldm vldmia vldmdb vpop")
FLOAT_STORE_MULTIPLE = names("vstm vstmia vstmdb vpush")
FLOAT_ACCUMULATE = names("vmla vmls vnmla vnmls vfma vfms vfnma vfnms")
IMPLIED_BASE = names("pop push vpop vpush")
CONDITIONS = names("eq ne cs hs cc lo mi pl vs vc hi ls ge lt gt le al")
UNCONDITIONAL = (arm.ARM_CC_AL, arm.ARM_CC_INVALID)

DATA_PROCESSING = frozenset({"alu", "mul", "mac", "simd", "div"})
MEMORY = frozenset({"load", "store", "ldm", "stm", "vload", "vstore"})


@dataclass
class Instruction:
    """`base` is the mnemonic without condition and width; registers are capstone's numbers.

    `address_registers` form an address, `written_back` are changed by it. `memory` is (base, index, displacement).
    `target` is a direct branch's; `count` the registers of a multiple transfer, in words.
    """

    address: int
    bytes: int
    text: str
    base: str = "?"
    kind: str = "sys"
    operands: str = ""
    count: int = 0
    sources: frozenset[int] = frozenset()
    results: frozenset[int] = frozenset()
    address_registers: frozenset[int] = frozenset()
    written_back: frozenset[int] = frozenset()
    registers: tuple[int, ...] = ()
    memory: tuple[int, int, int] | None = None
    post_indexed: bool = False
    register_offset: bool = False
    conditional: bool = False
    writes_pc: bool = False
    double: bool = False
    target: int | None = None

    @property
    def head(self) -> str:
        """The base without its data type: vmov of vmov.f32."""
        return self.base.split(".")[0]


@cache
def _decoder() -> Any:
    decoder = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    decoder.detail = True
    decoder.skipdata = True  # an unknown instruction is decoded as data and counts as `sys`
    return decoder


def decode(address: int, code: bytes) -> list[Instruction]:
    """The instructions of a piece of code."""
    return [_classify(insn) for insn in _decoder().disasm(code, address)]


def _base(insn: Any) -> str:
    mnemonic = insn.mnemonic.replace(".w", "").replace(".n", "")
    if insn.cc not in UNCONDITIONAL and not mnemonic.startswith("it"):
        head = mnemonic.split(".")[0]
        if head[-2:] in CONDITIONS and len(head) > 2:
            return head[:-2] + mnemonic[len(head) :]
    return mnemonic


def _classify(insn: Any) -> Instruction:
    i = Instruction(insn.address, insn.size, f"{insn.mnemonic} {insn.op_str}".strip(), operands=insn.op_str)
    if insn.id == 0:
        return i
    i.base = _base(insn)
    i.conditional = insn.cc not in UNCONDITIONAL
    read, written = insn.regs_access()
    i.sources, i.results = frozenset(read), frozenset(written)
    i.writes_pc = arm.ARM_REG_PC in i.results
    i.registers = tuple(o.reg for o in insn.operands if o.type == arm.ARM_OP_REG)
    memory = next((o.mem for o in insn.operands if o.type == arm.ARM_OP_MEM), None)
    if memory:
        i.memory = (memory.base, memory.index, memory.disp)
        i.post_indexed = "]," in insn.op_str
        i.register_offset = bool(memory.index)
        i.address_registers = frozenset(r for r in (memory.base, memory.index) if r)
    i.kind = _kind(i, insn)
    if insn.writeback:
        i.written_back = i.address_registers
    return i


def _kind(i: Instruction, insn: Any) -> str:
    """The kind; sets what only some kinds have."""
    head = i.head
    if insn.id == arm.ARM_INS_IT:
        return "it"
    if head in ("b", "bl"):
        if insn.operands and insn.operands[0].type == arm.ARM_OP_IMM:
            i.target = insn.operands[0].imm & 0xFFFFFFFF
        return "call" if head == "bl" else "bcond" if i.conditional else "b"
    if head in ("cbz", "cbnz"):
        i.target = insn.operands[1].imm & 0xFFFFFFFF
        return "bcond"
    if head in ("bx", "blx"):
        return "bind"
    if head in ("tbb", "tbh"):
        return "tbb"
    if head in LOAD_MULTIPLE or head in STORE_MULTIPLE:
        i.count = len(i.registers) - (head not in IMPLIED_BASE)
        i.writes_pc = head in LOAD_MULTIPLE and arm.ARM_REG_PC in i.registers
        i.address_registers = frozenset([arm.ARM_REG_SP if head in IMPLIED_BASE else i.registers[0]])
        return "ldm" if head in LOAD_MULTIPLE else "stm"
    if head in FLOAT_LOAD_MULTIPLE or head in FLOAT_STORE_MULTIPLE:
        doubles = bool(i.registers) and insn.reg_name(i.registers[-1]).startswith("d")
        i.count = (len(i.registers) - (head not in IMPLIED_BASE)) * (2 if doubles else 1)
        return "ldm" if head in FLOAT_LOAD_MULTIPLE else "stm"
    if head in ("ldrd", "strd"):
        i.count = 2
        return "ldm" if head == "ldrd" else "stm"
    if head in ("vldr", "vstr"):
        i.double = "64" in i.base or insn.op_str.startswith("d")
        return "vload" if head == "vldr" else "vstore"
    if head.startswith("ldr"):
        return "load"
    if head.startswith("str"):
        return "store"
    return _arithmetic_kind(i, head)


def _arithmetic_kind(i: Instruction, head: str) -> str:
    if head in FLOAT_ACCUMULATE:
        return "vmac"
    if head in ("vdiv", "vsqrt"):
        return "vdiv"
    if head.startswith("v"):
        return "vfp"
    if head in ("sdiv", "udiv"):
        return "div"
    for kind, names in (("mul", MULTIPLY), ("mac", ACCUMULATE), ("simd", SIMD), ("sys", SYSTEM)):
        if head in names:
            return kind
    return "bind" if i.writes_pc else "alu"
