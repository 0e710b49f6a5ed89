"""The core's own registers: NVIC, SCB, cache maintenance, MPU, debug and the cycle counter.

Sources: Armv7-M Architecture Reference Manual (DDI 0403) B3, C1; Cortex-M7 TRM (DDI 0489); Armv8-M (DDI 0553).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from host.emulate.peripheral import WORD, Chip, Peripheral, Register

SCS_BASE = 0xE000E000
DWT_BASE = 0xE0001000
IRQ_WORDS = 8  # enough for 256 interrupts; the largest of our chips has 150
FIRST_IRQ = 16
HARD_FAULT, MEM_MANAGE, BUS_FAULT, USAGE_FAULT, SVCALL, PENDSV, SYSTICK = 3, 4, 5, 6, 11, 14, 15
FIXED_PRIORITY = {1: -3, 2: -2, HARD_FAULT: -1}
IDLE_PRIORITY = 256

CPUID = {"m4": 0x410FC241, "m7": 0x411FC271, "m33": 0x410FD213}
CCR_RESET = {"m4": 0x200, "m7": 0x40200, "m33": 0x201}
CCR_DC, CCR_IC = 1 << 16, 1 << 17
VECTKEY = 0x05FA
LINE_BYTES = 32
DATA_WAYS = 4
INSTRUCTION_WAYS = 2


def cache_bytes(mcu: str) -> int:
    """Size of each of a Cortex-M7's two caches: 4 KB on STM32F74x and F75x, 16 KB on the others (datasheets)."""
    return 4096 if mcu.lower().startswith(("stm32f74", "stm32f75")) else 16384


def cache_geometry(total_bytes: int, ways: int) -> int:
    """CCSIDR: all of write-through, write-back, read- and write-allocate, and the numbers less one."""
    sets = total_bytes // ways // LINE_BYTES
    return 0xF0000000 | (sets - 1) << 13 | (ways - 1) << 3 | 1


def _array(name: str, offset: int, count: int, **fields: int) -> tuple[Register, ...]:
    return tuple(Register(offset + 4 * i, f"{name}{i}", **fields) for i in range(count))


_NVIC = (
    *_array("ISER", 0x100, IRQ_WORDS),
    *_array("ICER", 0x180, IRQ_WORDS),
    *_array("ISPR", 0x200, IRQ_WORDS),
    *_array("ICPR", 0x280, IRQ_WORDS),
    *_array("IABR", 0x300, IRQ_WORDS, writable=0, readonly=WORD),
    *_array("IPR", 0x400, IRQ_WORDS * 8),
)
_SYSTICK = (
    Register(0x010, "SYST_CSR", writable=0x7, readonly=0x10000),
    Register(0x014, "SYST_RVR", writable=0xFFFFFF),
    Register(0x018, "SYST_CVR", writable=0xFFFFFF),
)
_SCB = (
    Register(0x004, "ICTR", writable=0, readonly=WORD),
    Register(0xD00, "CPUID", writable=0, readonly=WORD),
    Register(0xD04, "ICSR", writable=0, readonly=WORD),
    Register(0xD08, "VTOR", writable=0xFFFFFF80),
    Register(0xD0C, "AIRCR", 0xFA050000),
    Register(0xD10, "SCR", writable=0x1E),
    Register(0xD14, "CCR", writable=0x7031B, readonly=0x600),
    Register(0xD18, "SHPR1"),
    Register(0xD1C, "SHPR2"),
    Register(0xD20, "SHPR3"),
    Register(0xD24, "SHCSR", writable=0xFFFFF),
    Register(0xD28, "CFSR"),
    Register(0xD2C, "HFSR"),
    Register(0xD30, "DFSR"),
    Register(0xD34, "MMFAR"),
    Register(0xD38, "BFAR"),
    Register(0xD3C, "AFSR"),
    Register(0xD88, "CPACR"),
    Register(0xDF0, "DHCSR", writable=0, readonly=WORD),
    Register(0xDFC, "DEMCR"),
    Register(0xF34, "FPCCR", 0xC0000000),
    Register(0xF38, "FPCAR"),
    Register(0xF3C, "FPDSCR"),
    Register(0xF40, "MVFR0", 0x10110021, writable=0, readonly=WORD),
    Register(0xF44, "MVFR1", 0x11000011, writable=0, readonly=WORD),
)
_MPU = (
    Register(0xD90, "MPU_TYPE", writable=0, readonly=WORD),
    Register(0xD94, "MPU_CTRL", writable=0x7),
    Register(0xD98, "MPU_RNR", writable=0xFF),
    *(Register(0xD9C + 4 * i, name) for i, name in enumerate(("MPU_RBAR", "MPU_RASR", "MPU_RBAR_A1",
      "MPU_RASR_A1", "MPU_RBAR_A2", "MPU_RASR_A2", "MPU_RBAR_A3", "MPU_RASR_A3"))),
    Register(0xDC0, "MPU_MAIR0"),
    Register(0xDC4, "MPU_MAIR1"),
)  # fmt: skip
_CACHE = (
    Register(0xD78, "CLIDR", 0x09000003, writable=0, readonly=WORD),
    Register(0xD7C, "CTR", 0x8303C003, writable=0, readonly=WORD),
    Register(0xD80, "CCSIDR", writable=0, readonly=WORD),
    Register(0xD84, "CSSELR", writable=0xF),
    Register(0xF50, "ICIALLU"),
    Register(0xF58, "ICIMVAU"),
    Register(0xF5C, "DCIMVAC"),
    Register(0xF60, "DCISW"),
    Register(0xF64, "DCCMVAU"),
    Register(0xF68, "DCCMVAC"),
    Register(0xF6C, "DCCSW"),
    Register(0xF70, "DCCIMVAC"),
    Register(0xF74, "DCCISW"),
    Register(0xF78, "BPIALL"),
    Register(0xF90, "ITCMCR", writable=0x7, readonly=0x78),
    Register(0xF94, "DTCMCR", writable=0x7, readonly=0x78),
    Register(0xF98, "AHBPCR", writable=0x1, readonly=0xE),
    Register(0xF9C, "CACR", writable=0x7),
    Register(0xFA0, "AHBSCR", writable=0xFFFF),
)


class SystemControl(Peripheral):
    """NVIC, SCB, MPU and cache maintenance, 0xE000E000.

    `on_reset` is called when the firmware asks for a system reset.
    """

    NEEDS_CLOCK = False

    def __init__(self, chip: Chip, boot_address: int, on_reset: Callable[[], None]):
        self.core = chip.board.core
        self.REGISTERS = (*_NVIC, *_SYSTICK, *_SCB, *_MPU, *(_CACHE if self.core == "m7" else ()))
        self.boot_address, self._on_reset = boot_address, on_reset
        size = cache_bytes(chip.board.mcu)
        self._geometry = {
            0: cache_geometry(size, DATA_WAYS),
            1: cache_geometry(size, INSTRUCTION_WAYS),
        }
        self._data_lines = size // LINE_BYTES
        self.lines = 0  # interrupts whose line is high, one bit each
        self.changed: Callable[[], None] = lambda: None
        self._clear()
        super().__init__(chip, "SCS", SCS_BASE, 0x1000)
        for i in range(IRQ_WORDS):
            self._writers[0x100 + 4 * i] = partial(self._enable, i, True)
            self._writers[0x180 + 4 * i] = partial(self._enable, i, False)
            self._writers[0x200 + 4 * i] = partial(self._pend, i, True)
            self._writers[0x280 + 4 * i] = partial(self._pend, i, False)
            for offset in (0x100, 0x180):
                self._readers[offset + 4 * i] = partial(lambda k: self.enabled >> 32 * k & WORD, i)
            for offset in (0x200, 0x280):
                self._readers[offset + 4 * i] = partial(lambda k: self.pending >> 32 * k & WORD, i)
            self._readers[0x300 + 4 * i] = partial(lambda k: self._active_word(k), i)
        for i in range(IRQ_WORDS * 8):
            self._writers[0x400 + 4 * i] = self._touched
        self.reset()

    def _clear(self) -> None:
        self.enabled = 0  # interrupts, one bit each
        self.latched = 0
        self.faults: set[int] = set()  # system exceptions that are pending
        self.active: list[int] = []
        self.regions: dict[int, tuple[int, int, int] | None] = {}  # of the MPU: base, bytes, AP
        self._ticking = getattr(self, "_ticking", 0) + 1  # a reset ends the one that was on
        self._instructions_invalidated = False
        self._invalidated: set[int] = set()

    def reset(self) -> None:
        """See Peripheral."""
        debug = self.values.get("DEMCR", 0)  # only power-on resets it: DDI 0403 C1.6.5
        super().reset()
        self._clear()
        self.values["DEMCR"] = debug
        self.values["CCR"] = CCR_RESET[self.core]
        self.values["VTOR"] = self.boot_address

    # -- exceptions

    @property
    def pending(self) -> int:
        """Interrupts that are pending, one bit each."""
        return self.latched | self.lines

    def priority(self, exception: int) -> int:
        """Priority of an exception; lower ones come first."""
        if exception in FIXED_PRIORITY:
            return FIXED_PRIORITY[exception]
        if exception >= FIRST_IRQ:
            irq = exception - FIRST_IRQ
            return self.values[f"IPR{irq // 4}"] >> irq % 4 * 8 & 0xFF
        return self.values[f"SHPR{exception // 4}"] >> exception % 4 * 8 & 0xFF

    def execution_priority(self) -> int:
        """Priority of what runs now, before PRIMASK."""
        return min((self.priority(n) for n in self.active), default=IDLE_PRIORITY)

    def wanted(self) -> int | None:
        """The pending and enabled exception that would be taken next if nothing masked it."""
        ready = self.pending & self.enabled
        if not ready and not self.faults:
            return None
        candidates = set(self.faults)
        while ready:
            low = ready & -ready
            candidates.add(FIRST_IRQ + low.bit_length() - 1)
            ready ^= low
        best = min(candidates, key=lambda n: (self.priority(n), n))
        return best if self.priority(best) < self.execution_priority() else None

    def begin(self, exception: int) -> None:
        """The exception is taken: no longer pending, but active."""
        if exception >= FIRST_IRQ:
            self.latched &= ~(1 << exception - FIRST_IRQ)
        self.faults.discard(exception)
        self.active.append(exception)

    def fault_enabled(self, exception: int) -> bool:
        """Whether a configurable fault has a handler of its own; else it becomes a HardFault."""
        bit = {MEM_MANAGE: 16, BUS_FAULT: 17, USAGE_FAULT: 18}[exception]
        return bool(self.values["SHCSR"] >> bit & 1)

    def _active_word(self, word: int) -> int:
        bits = sum(1 << n - FIRST_IRQ for n in self.active if n >= FIRST_IRQ)
        return bits >> 32 * word & WORD

    def _enable(self, word: int, on: bool, value: int, old: int) -> int:
        bits = value << 32 * word
        self.enabled = self.enabled | bits if on else self.enabled & ~bits
        self.changed()
        return 0

    def _pend(self, word: int, on: bool, value: int, old: int) -> int:
        bits = value << 32 * word
        self.latched = self.latched | bits if on else self.latched & ~bits
        self.changed()
        return 0

    def _touched(self, value: int, old: int) -> None:
        self.changed()

    # -- SysTick, DDI 0403 B3.3: its interrupt, and no more; the counter cannot be read

    def write_syst_csr(self, value: int, old: int) -> None:
        self._ticking += 1
        if value & 3 == 3:
            self.chip.require(
                value & 4, "SCS: SysTick on the external clock is not modelled", "DDI 0403 B3.3.3"
            )
            self._tick_later(self._ticking)

    def _tick_later(self, turn: int) -> None:
        self.chip.core.call_at(
            self.chip.core.cycles() + self.values["SYST_RVR"] + 1, lambda: self._tick(turn)
        )

    def _tick(self, turn: int) -> None:
        if turn == self._ticking:
            self.faults.add(SYSTICK)
            self._tick_later(turn)
            self.changed()

    # -- system control block

    def read_cpuid(self) -> int:
        return CPUID[self.core]

    def read_ictr(self) -> int:
        return IRQ_WORDS - 1

    def read_icsr(self) -> int:
        wanted = self.wanted()
        return (self.active[-1] if self.active else 0) | (wanted or 0) << 12

    def write_aircr(self, value: int, old: int) -> int:
        if value >> 16 != VECTKEY:
            self.chip.violate(
                "SCS: AIRCR is written without its key 0x05fa; the write is ignored", "DDI 0403 B3.2.6"
            )
            return old
        if value & 4:
            self._on_reset()
        return old & 0xFFFF0000 | value & 0x700

    def write_cfsr(self, value: int, old: int) -> int:
        return old & ~value

    def write_hfsr(self, value: int, old: int) -> int:
        return old & ~value

    def write_dfsr(self, value: int, old: int) -> int:
        return old & ~value

    def write_vtor(self, value: int, old: int) -> None:
        self.chip.event("vectors", f"vector table at 0x{value:08x}")

    def write_mpu_ctrl(self, value: int, old: int) -> None:
        self.chip.event("mpu", f"MPU {'on' if value & 1 else 'off'}")

    def write_mpu_rbar(self, value: int, old: int) -> None:
        if self.core != "m33" and value & 0x10:  # VALID: REGION takes RNR's place
            self.values["MPU_RNR"] = value & 0xF

    def write_mpu_rasr(self, value: int, old: int) -> None:
        """Armv7-M B3.5.9. An Armv8-M core has RLAR here."""
        if self.core == "m33":
            return
        self.chip.require(
            not self.values["MPU_CTRL"] & 1,
            "SCS: a region of the MPU is changed while the MPU is on",
            "DDI 0403 B3.5.2",
        )
        base, size = self.values["MPU_RBAR"] & ~0x1F, 2 << (value >> 1 & 0x1F)
        if value & 1:
            self.chip.require(size >= 32, f"SCS: an MPU region of {size} bytes", "DDI 0403 B3.5.9")
            self.chip.require(
                base % size == 0,
                f"SCS: an MPU region of {size} bytes at 0x{base:08x}, no multiple of its size",
                "DDI 0403 B3.5.8",
            )
        self.regions[self.values["MPU_RNR"]] = (base, size, value >> 24 & 7) if value & 1 else None

    def forbidden(self, address: int) -> bool:
        """Whether the MPU lets nobody read or write there."""
        if self.core == "m33" or not self.values["MPU_CTRL"] & 1:
            return False
        for number in sorted(self.regions, reverse=True):
            region = self.regions[number]
            if region and region[0] <= address < region[0] + region[1]:
                return region[2] == 0
        return not self.values["MPU_CTRL"] & 4

    def read_mpu_type(self) -> int:
        return {"m4": 0x800, "m7": 0x800 if cache_bytes(self.chip.board.mcu) == 4096 else 0x1000}.get(
            self.core, 0x800
        )

    def write_cpacr(self, value: int, old: int) -> None:
        if value >> 20 & 0xF == 0xF and old >> 20 & 0xF != 0xF:
            self.chip.event("fpu", "FPU on")

    # -- caches

    def write_ccr(self, value: int, old: int) -> None:
        if self.core != "m7":
            return
        if value & ~old & CCR_IC:
            self.chip.require(
                self._instructions_invalidated,
                "SCS: the instruction cache is switched on before ICIALLU invalidated it",
                "DDI 0489 4.2",
            )
            self.chip.event("icache", "instruction cache on, after invalidation")
        if value & ~old & CCR_DC:
            missing = self._data_lines - len(self._invalidated)
            self.chip.require(
                missing == 0,
                f"SCS: the data cache is switched on with {missing} of {self._data_lines} lines not invalidated",
                "DDI 0489 4.2",
            )
            self.chip.event("dcache", "data cache on, after invalidation")
        if old & ~value & CCR_IC:
            self._instructions_invalidated = False
        if old & ~value & CCR_DC:
            self._invalidated.clear()

    def write_iciallu(self, value: int, old: int) -> int:
        self._instructions_invalidated = True
        return 0

    def write_dcisw(self, value: int, old: int) -> int:
        if self.values["CCR"] & CCR_DC:
            self.chip.violate(
                "SCS: DCISW while the data cache is on loses what was not written back", "DDI 0489 4.2"
            )
        self._invalidated.add(self._line(value))
        return 0

    def write_dccisw(self, value: int, old: int) -> int:
        if not self.values["CCR"] & CCR_DC:
            # cleaning lines that were never valid writes their junk to memory
            self.chip.violate("SCS: DCCISW before the data cache was invalidated", "DDI 0489 4.2")
        return 0

    def _line(self, value: int) -> int:
        sets = self._data_lines // DATA_WAYS
        line = value >> 5 & sets - 1
        reserved = value & 0x3FFFFFFF & ~(sets - 1 << 5)
        self.chip.require(
            reserved == 0, f"SCS: DCISW of 0x{value:08x}: no such set of the data cache", "DDI 0403 B2.2.7"
        )
        return (value >> 30) * sets + line

    def read_ccsidr(self) -> int:
        return self._geometry[self.values["CSSELR"] & 1]

    @property
    def icache_on(self) -> bool:
        """Whether the core's instruction cache is on."""
        return bool(self.values["CCR"] & CCR_IC)

    @property
    def dcache_on(self) -> bool:
        """Whether the core's data cache is on."""
        return bool(self.values["CCR"] & CCR_DC)


class CycleCounter(Peripheral):
    """DWT, 0xE0001000. CYCCNT counts executed instructions, since time is not modelled.

    On a Cortex-M7 writes are ignored until LAR unlocks them (DDI 0403 D1.1, software lock); a power-on reset locks.
    """

    NEEDS_CLOCK = False
    UNLOCK = 0xC5ACCE55
    REGISTERS = (
        Register(0x000, "CTRL", 0x40000000, writable=0x007FFFFF, readonly=0xFF800000),
        Register(0x004, "CYCCNT"),
        *_array("COUNT", 0x008, 5),  # CPICNT, EXCCNT, SLEEPCNT, LSUCNT, FOLDCNT
        Register(0x01C, "PCSR", writable=0, readonly=WORD),
        Register(0xFB0, "LAR"),
        Register(0xFB4, "LSR", writable=0, readonly=WORD),
    )

    def __init__(self, chip: Chip, system: SystemControl):
        self._system = system
        self._base = 0
        self._stopped_at: int | None = 0
        self.locked = chip.board.core == "m7"
        super().__init__(chip, "DWT", DWT_BASE, 0x1000)

    def reset(self) -> None:
        """A system reset leaves the debug components alone."""

    @property
    def counting(self) -> bool:
        """Whether CYCCNT moves."""
        return self._stopped_at is None

    def _usable(self) -> bool:
        return bool(self._system.values["DEMCR"] >> 24 & 1)

    def write(self, offset: int, value: int, size: int) -> None:
        """See Peripheral. Ignored without DEMCR.TRCENA or with the lock closed, as on the chip."""
        if offset == 0xFB0 or (self._usable() and not self.locked):
            super().write(offset, value, size)

    def read(self, offset: int, size: int) -> int:
        """See Peripheral."""
        return super().read(offset, size) if self._usable() else 0

    def read_lsr(self) -> int:
        return (1 if self.chip.board.core == "m7" else 0) | (2 if self.locked else 0)

    def write_lar(self, value: int, old: int) -> int:
        if self.chip.board.core == "m7":
            self.locked = value != self.UNLOCK
        return 0

    def write_ctrl(self, value: int, old: int) -> None:
        now = self.chip.core.instructions()
        if value & 1 and self._stopped_at is not None:
            self._base, self._stopped_at = now - self._stopped_at, None
            self.chip.event("counter", "cycle counter on")
        elif not value & 1 and self._stopped_at is None:
            self._stopped_at = now - self._base

    def read_cyccnt(self) -> int:
        if self._stopped_at is not None:
            return self._stopped_at & WORD
        return self.chip.core.instructions() - self._base & WORD

    def write_cyccnt(self, value: int, old: int) -> None:
        if self._stopped_at is None:
            self._base = self.chip.core.instructions() - value
        else:
            self._stopped_at = value
