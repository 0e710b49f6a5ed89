"""The bring-up proof: a board's real image from reset to its first answered HELLO, on models of its chip.

What is proved is what the models know: see README.md. A proof fails with every rule of the chip's manual that was
broken on the way, and with every fact of the board that did not come true.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from host.boards import Board
from host.emulate.gpio import PULL_UP, pin_function, pin_of
from host.emulate.machine import Machine
from host.emulate.peripheral import Event, Intercept, Options, Violation
from host.emulate.watchdog import FLAGS
from host.errors import EmulatorError, HostError, LinkError
from host.link.client import Client
from host.link.hello import Hello

# Start-up and HELLO take 70 thousand instructions; a crystal and a PLL that never come, some millions.
# The HSI makes 921600 baud 2.1 % too fast, and no divisor does better. With the host's own error that is less than what
# a receiver bears, 3.33 % (RM0090 30.3.5).
FALLBACK_BAUD_TOLERANCE = 0.025
MOST_INSTRUCTIONS = 40_000_000
VECTORS = 16
STACK_GUARD_BYTES = 32


@dataclass(frozen=True)
class Check:
    """A fact that should have come true, whether it did, and what was found."""

    name: str
    passed: bool
    found: str


@dataclass
class Proof:
    """What a bring-up was like. `hello` is None if it was not answered; frequencies are in Hz.

    `uart_hz` is the kernel clock of the USART at the probe, `baud` what its divisor makes of it.
    """

    board: str
    hello: Hello | None = None
    frequencies: dict[str, int] = field(default_factory=dict)
    uart: str = ""
    uart_hz: int = 0
    baud: float = 0.0
    instructions: int = 0
    events: list[Event] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether everything is as it should be."""
        return not self.violations and all(check.passed for check in self.checks)

    def failures(self) -> list[str]:
        """What is not, one line each."""
        lines = [f"{check.name}: {check.found}" for check in self.checks if not check.passed]
        return lines + [str(violation) for violation in self.violations]

    def to_json(self) -> dict[str, Any]:
        """The object of `--json`."""
        return {
            "board": self.board,
            "passed": self.passed,
            "frequencies_hz": self.frequencies,
            "uart": self.uart,
            "uart_hz": self.uart_hz,
            "baud": round(self.baud, 1),
            "instructions": self.instructions,
            "events": [asdict(event) for event in self.events],
            "violations": [asdict(violation) for violation in self.violations],
            "checks": [asdict(check) for check in self.checks],
        }


class Line:
    """A Transport to a machine in this process, which runs while an answer is awaited. Its time is counted."""

    counts_instructions = True

    def __init__(self, machine: Machine, most_instructions: int):
        self.description = f"emulator ({machine.board.id})"
        self._machine, self._most = machine, most_instructions
        self._time_s = 0.0

    def clock(self) -> float:
        """Seconds that were waited in vain."""
        return self._time_s

    def read(self, timeout: float) -> bytes:
        """See Transport."""
        machine = self._machine
        if not machine.line.outgoing:
            left = self._most - machine.instructions()
            if left <= 0:
                raise LinkError(f"{self.description} has not answered after {self._most:,} instructions")
            machine.run(until=lambda: bool(machine.line.outgoing), max_instructions=left)
        data = machine.line.sent()
        if not data:
            self._time_s += max(timeout, 0.001)
        return data

    def write(self, data: bytes) -> None:
        """See Transport."""
        self._machine.line.send(data)

    def close(self) -> None:
        """See Transport."""


def connect(machine: Machine, most_instructions: int = MOST_INSTRUCTIONS) -> Client:
    """A client of a machine in this process, connected. Raises LinkError and what the machine raises."""
    line = Line(machine, most_instructions)
    client = Client(line, line.clock)
    client.connect()
    return client


Prepare = Callable[[Machine], None]


def as_reset(machine: Machine) -> None:
    """A `prepare` of prove(): nothing has happened since the reset."""


def run_before(machine: Machine) -> None:
    """A `prepare` of prove(): the image has run, and a debugger or a boot loader jumps to it again without a reset."""
    connect(machine)
    machine.jump_to_start()
    machine.chip.forget()


def prove(
    board: Board,
    firmware: Path,
    options: Options | None = None,
    *,
    intercept: Intercept | None = None,
    prepare: Prepare = as_reset,
    full_speed: bool = True,
) -> Proof:
    """Starts the image and says hello.

    options.wiring names the pins that the board's manual gives. intercept: changes or drops writes to registers;
    prepare: does more to the machine before it starts.
    Not full_speed: the clock may have fallen back to what is then true, and HELLO must say so.
    """
    machine = Machine(board, firmware, options=options)
    prepare(machine)
    if intercept is not None:
        machine.chip.intercept = intercept
    proof = Proof(board.id)
    silent = ""
    try:
        proof.hello = connect(machine).hello
    except HostError as error:
        silent = error.message
    chip = machine.chip
    proof.events, proof.violations = chip.events, chip.violations
    proof.instructions = machine.instructions()
    assert chip.clock is not None
    proof.frequencies = chip.clock.frequencies()
    fifo = False
    for usart in machine.usarts:
        if usart.receives:
            fifo = usart.fifo_depth() == usart.fifo_entries
            proof.uart, proof.uart_hz, proof.baud = usart.name, chip.clock.uart_hz(usart.name), usart.baud()
    proof.checks = _checks(machine, proof, silent, full_speed)
    proof.checks.append(Check("the USART's FIFO is on, if it has one", fifo, str(fifo)))
    return proof


def _checks(machine: Machine, proof: Proof, silent: str, full_speed: bool) -> list[Check]:
    board, chip, system, hello = machine.board, machine.chip, machine.system, proof.hello
    assert chip.clock is not None
    checks = [Check("HELLO is answered", hello is not None, silent or "yes")]

    def check(name: str, passed: bool, found: Any) -> None:
        checks.append(Check(name, bool(passed), str(found)))

    core_hz = chip.clock.core_hz()
    if full_speed:
        check(f"the core runs at {board.clock.hz:,} Hz", core_hz == board.clock.hz, f"{core_hz:,} Hz")
    if hello is not None:
        check(
            "HELLO tells the core's clock",
            hello.clock_hz == core_hz,
            f"{hello.clock_hz:,} Hz, it is {core_hz:,}",
        )
        if full_speed:
            source = "PLL from crystal" if board.clock.crystal_hz else "PLL from internal oscillator"
            check(f"the clock is the {source}", hello.clock_source == source, hello.clock_source)
        check("cycles are counted", hello.counter == "instructions", hello.counter)
        check("the instruction cache or accelerator is on", hello.icache, hello.icache)
        if board.core != "m33":  # the STM32U5's DCACHE serves external memories only, RM0456 17.2
            check("the data cache or accelerator is on", hello.dcache, hello.dcache)
        if board.family != "stm32h7":  # which has none; nor has it an accelerator but the core's caches
            check("the flash prefetch is on", hello.prefetch, hello.prefetch)
        check(
            "no fault before",
            hello.fault is None and machine.resets == 0,
            hello.fault or f"{machine.resets} resets",
        )
    if board.core == "m7":
        check("the core's instruction cache is on", system.icache_on, system.icache_on)
        check("the core's data cache is on", system.dcache_on, system.dcache_on)
    off, tolerance = abs(proof.baud / board.uart.baud - 1), chip.options.baud_tolerance
    check(
        f"{board.uart.baud:,} baud within {100 * tolerance:g} %",
        off <= tolerance,
        f"{proof.baud:,.0f} from {proof.uart_hz:,} Hz",
    )
    for role, pin in (("TX", machine.line.tx), ("RX", machine.line.rx)):
        function = pin_function(chip, pin)
        check(f"{pin} is the USART's {role}", function == f"{proof.uart}_{role}", function or "nothing")
    port, number = pin_of(chip, machine.line.rx)
    check(f"{machine.line.rx} is pulled up", port.pull(number) == PULL_UP, port.pull(number))
    check("the FPU is on", system.values["CPACR"] >> 20 & 0xF == 0xF, f"CPACR 0x{system.values['CPACR']:08x}")
    check("a division by zero faults", system.values["CCR"] >> 4 & 1, f"CCR 0x{system.values['CCR']:08x}")
    flags = FLAGS[board.family].now(chip)
    check("the reset's flags are cleared for the next one", flags == 0, f"0x{flags:08x}")
    if (
        hello is not None and machine.resets == 0
    ):  # the flags of a start without a reset are an earlier start's
        causes = ("power", "other")
        check("HELLO tells the reset's cause", hello.reset_cause in causes, hello.reset_cause)
    if board.core != "m33":  # whose MPU cannot forbid; it has a stack limit
        bottom = board.pools[0].address
        guarded = system.forbidden(bottom) and not system.forbidden(bottom + STACK_GUARD_BYTES)
        check("the stack's lowest end is guarded", guarded, guarded)
    if hello is not None:
        used = hello.stack_used
        check("the stack is measured", 0 < used < hello.stack_bytes, f"{used} of {hello.stack_bytes} bytes")
    if clockless := getattr(chip.clock, "clockless", None):
        off = [
            gate
            for bank in board.memory
            if bank.kind == "ram"
            for gate in clockless(bank.address, bank.bytes)
        ]
        check(
            "every RAM bank of the manifest has its clock", not off, ", ".join(off) + " off" if off else "yes"
        )
    table = system.values["VTOR"]
    check("the vector table is the image's", table == board.firmware_region.address, f"VTOR 0x{table:08x}")
    wrong = _wrong_vectors(machine)
    check("all vectors lead into the flash", not wrong, ", ".join(wrong) or "yes")
    return checks


def _wrong_vectors(machine: Machine) -> list[str]:
    """Vectors of the core's exceptions that are neither 0 nor a Thumb address in flash."""
    table = machine.system.values["VTOR"]
    wrong = []
    for number in range(1, VECTORS):
        target = machine.word(table + 4 * number)
        inside = any(b.kind == "flash" and b.address <= target < b.end for b in machine.board.memory)
        if target and not (inside and target & 1):
            wrong.append(f"{number}: 0x{target:08x}")
    return wrong


def refuse_unmodelled(board: Board) -> None:
    """Raises EmulatorError for a board that is not a real one."""
    if board.emulated:
        raise EmulatorError(f"{board.id} exists only in QEMU: nothing there has to be brought up")
