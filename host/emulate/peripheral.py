"""What register models are made of: registers, peripherals, and the chip that holds them together.

A family's module (families.py names it) describes its chip in terms of these. Models are written from the reference
manual and know nothing of our drivers. A rule that the manual states is checked at the very write that
breaks it and recorded as a Violation; the firmware goes on, so that one run shows all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from host.boards import Board
from host.emulate.line import Line

WORD = 0xFFFFFFFF


@dataclass(frozen=True)
class Violation:
    """A rule of the manual that was broken.

    `what` says how, `section` where the rule stands ("RM0090 3.5.1"), `pc` which instruction did it, `at` how many
    instructions had been executed.
    """

    what: str
    section: str
    pc: int
    at: int

    def __str__(self) -> str:
        """One line for people."""
        place = f" [{self.section}]" if self.section else ""
        return f"{self.what}{place}, at PC 0x{self.pc:08x} after {self.at:,} instructions"


@dataclass(frozen=True)
class Event:
    """A step of the bring-up worth showing: `what` in words, `kind` for programs ("latency", "switch" ...)."""

    kind: str
    what: str
    pc: int
    at: int
    time_us: float


@dataclass(frozen=True)
class Register:
    """One register of a peripheral.

    Bits that are neither `writable` nor `readonly` are reserved and to be kept at their reset value: a write that
    changes one is a violation. Writes to `readonly` bits are ignored, as on the chip. Peripheral methods named
    `read_<name>` and `write_<name>`, in lower case, do what the bits mean.
    """

    offset: int
    name: str
    reset: int = 0
    writable: int = WORD
    readonly: int = 0


@dataclass
class Options:
    """How the emulated chip shall behave, within what a real one may do.

    crystal_starts, pll_locks: what is false never becomes ready. timed: received and sent bytes take their time on
    the line; otherwise they are there as fast as the firmware takes them. wiring: pins of the probe's virtual COM
    port, (chip's TX pin, chip's RX pin); None means the manifest's. revision: of the silicon, where the family's model
    knows several ("V" or "Y" of an STM32H743); "" is the one that is sold now. baud_tolerance: how far the USART's rate
    may be off the line's.
    """

    crystal_starts: bool = True
    pll_locks: bool = True
    timed: bool = False
    wiring: tuple[str, str] | None = None
    revision: str = ""
    baud_tolerance: float = 0.01


class ClockTree(Protocol):
    """What the model of an RCC offers to the rest of the chip; all frequencies are those of this moment, in Hz."""

    def core_hz(self) -> int:
        """The core's clock, which instructions and time are related by."""

    def frequencies(self) -> dict[str, int]:
        """Every clock worth reporting: at least "sysclk", "hclk", and the buses' "pclk1", "pclk2" ..."""

    def uart_hz(self, name: str) -> int:
        """Kernel clock of "USART3", "LPUART1" ...; 0 if it is off."""

    def enabled(self, name: str) -> bool:
        """Whether the peripheral of that name ("GPIOD", "USART3", "PWR") gets its bus clock."""


class Core(Protocol):
    """What peripherals ask of the processor."""

    def instructions(self) -> int:
        """How many instructions have been executed since the emulator began."""

    def cycles(self) -> int:
        """The same, and the cycles slept through: what emulated time is made of."""

    def pc(self) -> int:
        """Address of the instruction that is being executed."""

    def set_interrupt(self, number: int, level: bool) -> None:
        """Raises or lowers an interrupt line."""

    def call_at(self, cycles: int, function: Callable[[], None]) -> None:
        """Calls the function between two instructions, when `cycles()` has come so far."""

    def skip(self) -> None:
        """Lets the time pass until the next call_at() is due: the program does nothing but wait."""


# Given a peripheral, a register and the value about to be written, what to write instead; None drops the write.
Intercept = Callable[["Peripheral", Register, int], "int | None"]


@dataclass
class Chip:
    """A chip under emulation: its peripherals, its clock, and what it noticed."""

    board: Board
    core: Core
    options: Options = field(default_factory=Options)
    intercept: Intercept | None = None
    on_violation: Callable[[Violation], None] | None = None
    clock: ClockTree | None = None
    violations: list[Violation] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    peripherals: list[Peripheral] = field(default_factory=list)
    # The probe's virtual COM port, which the USARTs talk to.
    line: Line = field(default_factory=lambda: Line(115200, "", ""))
    # The family's, see families.Family: what a pin is in an alternate function.
    pin_functions: dict[tuple[str, int], str] = field(default_factory=dict)
    # Rises with every write to a register and every change of the clock: what follows from these is good until then.
    generation: int = 0
    _seen: set[str] = field(default_factory=set)
    _time_us: float = 0.0
    _time_at: int = 0
    _hz: int = 1_000_000

    def add(self, peripherals: Iterable[Peripheral]) -> None:
        """Adds peripherals; one that has the methods of ClockTree becomes the clock."""
        for peripheral in peripherals:
            self.peripherals.append(peripheral)
            if hasattr(peripheral, "core_hz"):
                self.clock = peripheral  # type: ignore[assignment]
        self.clock_changed()

    def find(self, name: str) -> Peripheral:
        """The peripheral of that name. Raises KeyError."""
        for peripheral in self.peripherals:
            if peripheral.name == name:
                return peripheral
        raise KeyError(name)

    def reset(self) -> None:
        """What a system reset does to the peripherals. Time goes on, and what was noticed stays."""
        for peripheral in self.peripherals:
            peripheral.reset()
        self.clock_changed()

    def time_us(self) -> float:
        """Emulated time since the beginning: one instruction takes one cycle of the core's clock."""
        return self._time_us + (self.core.cycles() - self._time_at) * 1e6 / self._hz

    def cycles_in(self, time_us: float) -> int:
        """Cycles of the core that take so long at the present clock."""
        return max(1, round(time_us * self._hz / 1e6))

    def clock_changed(self) -> None:
        """To be called by the clock tree after each change of the core's frequency."""
        hz = self.clock.core_hz() if self.clock else self._hz
        if hz > 0 and hz != self._hz:
            self._time_us, self._time_at, self._hz = self.time_us(), self.core.cycles(), hz
            self.generation += 1

    def enabled(self, name: str) -> bool:
        """Whether a peripheral gets its bus clock."""
        return self.clock is None or self.clock.enabled(name)

    def violate(self, what: str, section: str = "") -> None:
        """Records that a rule is broken; the same one is recorded once."""
        if what in self._seen:
            return
        self._seen.add(what)
        violation = Violation(what, section, self.core.pc(), self.core.instructions())
        self.violations.append(violation)
        if self.on_violation:
            self.on_violation(violation)

    def forget(self) -> None:
        """Forgets what was noticed so far."""
        self.violations.clear()
        self.events.clear()
        self._seen.clear()

    def require(self, condition: bool, what: str, section: str = "") -> None:
        """Records a violation unless the condition holds."""
        if not condition:
            self.violate(what, section)

    def event(self, kind: str, what: str) -> None:
        """Records a step of the bring-up."""
        self.events.append(Event(kind, what, self.core.pc(), self.core.instructions(), self.time_us()))


class Peripheral:
    """A block of registers at an address.

    A subclass lists REGISTERS and defines methods:

    - `read_<name>(self) -> int`: the value that is read, where it is more than what was written;
    - `write_<name>(self, value, old) -> int | None`: what a write does. `value` has the bits that may be written from
      the bus and the others from the register. Returns what the register then holds; None for `value`.
    - `settle(self)`: called after every write to this peripheral, to check limits that several registers share.

    NEEDS_CLOCK: whether the registers need the bus clock that RCC gives to it; without it writes are lost, reads
    give 0, and both are violations.
    """

    REGISTERS: tuple[Register, ...] = ()
    NEEDS_CLOCK = True

    def __init__(self, chip: Chip, name: str, base: int, size: int = 0x400):
        self.chip, self.name, self.base, self.size = chip, name, base, size
        self.values: dict[str, int] = {}
        self._by_offset = {r.offset: r for r in self.REGISTERS}
        self._readers: dict[int, Callable[[], int]] = {}
        self._writers: dict[int, Callable[[int, int], int | None]] = {}
        for register in self.REGISTERS:
            low = register.name.lower()
            if reader := getattr(self, f"read_{low}", None):
                self._readers[register.offset] = reader
            if writer := getattr(self, f"write_{low}", None):
                self._writers[register.offset] = writer
        Peripheral.reset(self)

    def reset(self) -> None:
        """Registers as after a system reset. A subclass with state of its own extends it."""
        self.values = {r.name: r.reset for r in self.REGISTERS}

    def settle(self) -> None:
        """See the class."""

    def register(self, name: str) -> Register:
        """The register of that name. Raises KeyError."""
        for register in self.REGISTERS:
            if register.name == name:
                return register
        raise KeyError(name)

    def read(self, offset: int, size: int) -> int:
        """What the bus reads: `size` bytes (1, 2 or 4) at an offset."""
        word = offset & ~3
        register = self._by_offset.get(word)
        if register is None:
            self.chip.violate(f"{self.name}: a read of offset 0x{offset:02x}, where no register is modelled")
            return 0
        if self.NEEDS_CLOCK and not self.chip.enabled(self.name):
            self.chip.violate(f"{self.name}: {register.name} is read while its clock is off")
            return 0
        reader = self._readers.get(word)
        value = reader() if reader else self.values[register.name]
        if size == 4:
            return value & WORD
        return value >> (offset & 3) * 8 & (1 << size * 8) - 1

    def write(self, offset: int, value: int, size: int) -> None:
        """What the bus writes: `size` bytes (1, 2 or 4) at an offset."""
        word = offset & ~3
        register = self._by_offset.get(word)
        if register is None:
            self.chip.violate(
                f"{self.name}: 0x{value:x} is written to offset 0x{offset:02x}, where no register is modelled"
            )
            return
        old = self.values[register.name]
        if size != 4:
            shift, mask = (offset & 3) * 8, (1 << size * 8) - 1
            value = old & ~(mask << shift) | (value & mask) << shift
        if self.chip.intercept:
            changed = self.chip.intercept(self, register, value)
            if changed is None:
                return
            value = changed
        if self.NEEDS_CLOCK and not self.chip.enabled(self.name):
            self.chip.violate(f"{self.name}: {register.name} is written while its clock is off")
            return
        reserved = WORD & ~(register.writable | register.readonly)
        if (value ^ register.reset) & reserved:
            self.chip.violate(
                f"{self.name}: a write of 0x{value:08x} to {register.name} changes reserved bits "
                f"0x{(value ^ register.reset) & reserved:08x}"
            )
        value = value & register.writable | old & ~register.writable
        writer = self._writers.get(word)
        if writer is not None:
            result = writer(value, old)
            value = value if result is None else result
        self.values[register.name] = value & WORD
        self.chip.generation += 1
        self.settle()


class Ready:
    """A flag that follows its enable bit late, as oscillators and regulators do.

    delay_us: from enable to ready, in emulated time; None if it never happens. It is off at once.
    """

    def __init__(self, chip: Chip, delay_us: float | None):
        self._chip, self.delay_us = chip, delay_us
        self.on = False
        self._since_us = 0.0

    def set(self, on: bool) -> None:
        """Writes the enable bit; writing the value that it has changes nothing."""
        if on and not self.on:
            self._since_us = self._chip.time_us()
        self.on = on

    def ready_at_once(self) -> None:
        """On and ready, as what runs at reset is."""
        self.on, self._since_us = True, float("-inf")

    @property
    def ready(self) -> bool:
        """The flag."""
        if not self.on or self.delay_us is None:
            return False
        return self._chip.time_us() - self._since_us >= self.delay_us
