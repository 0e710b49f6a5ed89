"""A board in an instruction emulator: the engine, what it leaves out of a core, and the family's peripherals.

unicorn runs the instructions; everything that it leaves out of a Cortex-M is in here: exception entry and exit (Armv7-M
Architecture Reference Manual B1.5), sleeping, faults, system reset. One instruction takes one cycle.
"""

from __future__ import annotations

import heapq
import struct
from collections import Counter as Tally
from collections.abc import Callable
from pathlib import Path
from typing import Any

from host.boards import Board
from host.emulate import counter as counting
from host.emulate import families, image, system, watchdog
from host.emulate.bus import Bus
from host.emulate.engine import Engine
from host.emulate.line import Line
from host.emulate.peripheral import Chip, Options
from host.emulate.usart import BITS_PER_BYTE, _Usart
from host.errors import EmulatorError

NOWHERE = 0xFFFFFFFE  # an address that is never reached
BASIC_FRAME, FP_FRAME = 8, 26  # words
RETURN_TO_THREAD_MSP, RETURN_TO_HANDLER = 0xFFFFFFF9, 0xFFFFFFF1
NO_FP = 1 << 4  # of EXC_RETURN: the frame is a basic one
THUMB, ALIGNED = 1 << 24, 1 << 9  # of xPSR
FPCA = 1 << 2  # of CONTROL
WFI, WFE = 0xBF30, 0xBF20
UNICORN_EXCEPTION_RETURN, UNICORN_SVC, UNICORN_STACK_LIMIT = 8, 2, 19
# Not timed: bytes that firmware which sleeps gets at once. Less than any port's ring of received bytes.
BURST_BYTES = 2048
# Not timed: how often a program that does not sleep is offered what could have arrived meanwhile.
OFFER_US = 1000.0

# Bits of CFSR.
UNDEFINSTR, INVSTATE, STKOF = 1 << 16, 1 << 17, 1 << 20
IBUSERR, PRECISERR, STKERR, BFARVALID = 1 << 8, 1 << 9, 1 << 12, 1 << 15
MSTKERR = 1 << 4


class Lockup(EmulatorError):
    """A fault inside the handler of a fault: the core stops for good."""


class Machine(Engine):
    """A board that has just been switched on; run() executes it.

    `firmware` is an ELF file or a raw image. Peripherals' notes are in `chip`, the serial line is `line`.
    `on_idle()` is called when the firmware sleeps and nothing inside the chip will ever wake it: it returns whether it
    gave bytes to the line. `on_sleep()` is called whenever the firmware begins to sleep, `on_attend()` soon after
    attend().
    """

    def __init__(
        self, board: Board, firmware: Path, plan: bytes | None = None, options: Options | None = None
    ):
        family = families.load(board.family)
        options = options or Options()
        super().__init__(board, image.flash_contents(board, firmware, plan), family.FLASH_ALIASES)
        self.board = board
        self.line = Line(board.uart.baud, *(options.wiring or (board.uart.tx or "", board.uart.rx or "")))
        self.on_idle: Callable[[], bool] = lambda: False
        self.on_sleep: Callable[[], None] = lambda: None
        self.on_attend: Callable[[], object] = lambda: None
        # Exceptions taken, and instructions executed in them, by exception number.
        self.entries: Tally[int] = Tally()
        self.spent: Tally[int] = Tally()
        self.resets = 0
        self._idle_cycles = 0
        self._timers: list[tuple[int, int, Callable[[], None]]] = []
        self._timer_number = 0
        self._frames: list[int] = []  # instruction counts at entry of the active exceptions
        self._cause = ""
        self._fault: tuple[int, int, int | None] = (0, 0, None)
        self._stopping = False

        self.uc.hook_add(self.unicorn.UC_HOOK_INTR, self._interrupted)
        self.uc.hook_add(self.unicorn.UC_HOOK_MEM_INVALID, self._invalid_access)

        self.chip = Chip(board, self, options, pin_functions=family.PIN_FUNCTIONS)
        self.chip.line = self.line
        self.chip.add(family.peripherals(self.chip))
        self.system = system.SystemControl(self.chip, family.BOOT_ADDRESS, self._reset_requested)
        self.system.changed = self._interrupts_changed
        self.dwt = system.CycleCounter(self.chip, self.system)
        self.watchdog = watchdog.IndependentWatchdog(self.chip, lambda: self._reset("watchdog"))
        self.chip.add([self.system, self.dwt, self.watchdog])
        self.usarts = [p for p in self.chip.peripherals if isinstance(p, _Usart)]
        Bus(self, self.chip, {self.system, self.dwt, *self.usarts}, self._no_peripheral)
        self._start()

    # -- what peripherals ask (peripheral.Core)

    def instructions(self) -> int:
        """See Core."""
        return self.counter.count

    def cycles(self) -> int:
        """See Core."""
        return self.counter.count + self._idle_cycles

    def pc(self) -> int:
        """See Core."""
        return self.counter.pc

    def set_interrupt(self, number: int, level: bool) -> None:
        """See Core."""
        if level:
            self.system.lines |= 1 << number
            self.system.latched |= 1 << number
            self._interrupts_changed()
        else:
            self.system.lines &= ~(1 << number)

    def call_at(self, cycles: int, function: Callable[[], None]) -> None:
        """See Core."""
        self._timer_number += 1
        heapq.heappush(self._timers, (cycles, self._timer_number, function))
        self.counter.stop_at = min(self.counter.stop_at, max(0, cycles - self._idle_cycles))

    def skip(self) -> None:
        """See Core."""
        if self._timers:
            self._idle_cycles = max(self._idle_cycles, self._timers[0][0] - self.counter.count)
            self.counter.stop_at = 0

    # -- running

    def run(self, until: Callable[[], bool] | None = None, max_instructions: int | None = None) -> None:
        """Runs until `until()`, asked whenever the firmware begins to sleep, or until it sleeps for ever.

        Raises Lockup, and EmulatorError after `max_instructions` more instructions.
        """
        limit = None if max_instructions is None else self.counter.count + max_instructions
        while not self._stopping:
            if limit is not None and self.counter.count >= limit:
                raise EmulatorError(
                    f"{self.board.id} is still running after {max_instructions:,} instructions"
                )
            self._run_timers()
            exception = self.system.wanted()
            masked = exception is not None and exception >= 4 and self.register("PRIMASK") & 1
            if exception is not None and not masked:
                self._enter(exception)
            self.counter.unmasked = bool(masked)
            if self._execute(limit) == "sleep" and not self._sleep(until):
                return

    def stop(self) -> None:
        """Makes run() return at the next opportunity."""
        self._stopping = True
        self.counter.attend = 1

    def attend(self) -> None:
        """Makes the machine look at the line soon; may be called by another thread."""
        self.counter.attend = 1

    def offer(self, count: int = BURST_BYTES) -> None:
        """Lets the USART have so many of the bytes that wait on the line, or as many as their time allows."""
        for usart in self.usarts:
            if usart.receives:
                usart.grant(count)
                return

    def _execute(self, limit: int | None) -> str:
        """Runs until something needs attention; "sleep" if that is a WFI."""
        counter = self.counter
        next_timer = self._timers[0][0] - self._idle_cycles if self._timers else counting.NEVER
        counter.stop_at = max(0, min(next_timer, limit if limit is not None else counting.NEVER))
        self._cause = ""
        try:
            self.uc.emu_start(self.register("PC") | 1, NOWHERE)
        except self.unicorn.UcError as error:
            self._engine_failed(error)
            return "fault"
        pc = self.register("PC")
        if counter.attend:
            counter.attend = 0
            self.on_attend()
            self._offer_while_busy()
        if self._cause == "return":
            self._leave(pc)
        elif self._cause == "fault":
            self.set_register("PC", counter.pc)
            self._raise_fault()
        elif self._cause == "svc":
            self.system.faults.add(system.SVCALL)
        elif self._cause == "reset":
            self._reset()
        elif pc == counter.pc + 2 and self.halfword(counter.pc) in (WFI, WFE):
            return "sleep"
        return self._cause

    def _sleep(self, until: Callable[[], bool] | None) -> bool:
        """Waits for an interrupt; False if none will come, or the caller has seen enough."""
        self.on_sleep()
        if until is not None and until():
            return False
        while self.system.wanted() is None:
            if len(self.line):
                self.offer()
                if self.system.wanted() is not None:
                    break
            if self._timers:
                self._idle_cycles = max(self._idle_cycles, self._timers[0][0] - self.counter.count)
                self._run_timers()
            elif (
                len(self.line)
                and self.chip.options.timed is False
                and not any(u.receives for u in self.usarts)
            ):
                self.line.sent()
                while len(self.line):
                    self.line.take()  # nobody listens
            elif self._stopping or not self.on_idle():
                return False
        return True

    def _offer_while_busy(self) -> None:
        """The firmware is at work: what the line could have carried meanwhile is offered, now and again later."""
        if not len(self.line):
            return
        if self.chip.options.timed:
            self.offer()
            return
        self.offer(max(1, int(OFFER_US * self.line.baud / BITS_PER_BYTE / 1e6)))
        self.call_at(self.cycles() + self.chip.cycles_in(OFFER_US), self._offer_while_busy)

    def _run_timers(self) -> None:
        while self._timers and self._timers[0][0] <= self.cycles():
            heapq.heappop(self._timers)[2]()

    def _interrupts_changed(self) -> None:
        if self.system.wanted() is not None:
            self.uc.emu_stop()

    # -- exceptions

    def _enter(self, exception: int) -> None:
        """Exception entry: B1.5.6."""
        control = self.register("CONTROL")
        if control & 2:
            raise EmulatorError("the process stack is not modelled")
        extended = bool(control & FPCA)
        words = FP_FRAME if extended else BASIC_FRAME
        sp, xpsr = self.register("SP"), self.register("XPSR")
        aligned = (sp - 4 * words) & 4
        frame = (sp - 4 * words) & ~7
        values = [self.register(r) for r in ("R0", "R1", "R2", "R3", "R12", "LR", "PC")]
        values.append(xpsr & ~ALIGNED | (ALIGNED if aligned else 0))
        if extended:
            values += [self.register(f"S{i}") for i in range(16)] + [self.register("FPSCR"), 0]
        try:
            if self.system.forbidden(frame):
                self.system.values["CFSR"] |= MSTKERR
                if exception >= 4:
                    exception = self._escalated(system.MEM_MANAGE)
            else:
                self.uc.mem_write(frame, struct.pack(f"<{words}I", *values))
        except self.unicorn.UcError:
            self.system.values["CFSR"] |= STKERR
            if exception >= 4:
                exception = self._escalated(system.BUS_FAULT)
        handler_mode = bool(self.system.active)
        self.system.begin(exception)
        self.entries[exception] += 1
        self._frames.append(self.counter.count)
        self.set_register("SP", frame)
        self.set_register(
            "LR", (RETURN_TO_HANDLER if handler_mode else RETURN_TO_THREAD_MSP) & (~NO_FP if extended else -1)
        )
        self.set_register("CONTROL", control & ~FPCA)
        self.set_register("XPSR", xpsr & 0xF8000000 | THUMB | exception)
        vector = self.system.values["VTOR"] + 4 * exception
        try:
            (target,) = struct.unpack("<I", self.uc.mem_read(vector, 4))
        except self.unicorn.UcError:
            raise Lockup(f"no vector can be read at 0x{vector:08x}") from None
        if not target & 1:
            raise Lockup(f"the vector of exception {exception} is 0x{target:08x}, no Thumb address")
        self.set_register("PC", target & ~1)

    def _leave(self, exc_return: int) -> None:
        """Exception return: B1.5.8."""
        if not self.system.active:
            raise Lockup(f"an exception return without an exception, after PC 0x{self.counter.pc:08x}")
        exception = self.system.active.pop()
        self.spent[exception] += self.counter.count - self._frames.pop()
        if exception >= system.FIRST_IRQ and self.system.lines >> exception - system.FIRST_IRQ & 1:
            self.system.latched |= 1 << exception - system.FIRST_IRQ
        extended = not exc_return & NO_FP
        words = FP_FRAME if extended else BASIC_FRAME
        frame = self.register("SP")
        values = struct.unpack(f"<{words}I", self.uc.mem_read(frame, 4 * words))
        for register, value in zip(("R0", "R1", "R2", "R3", "R12", "LR"), values, strict=False):
            self.set_register(register, value)
        if extended:
            for i in range(16):
                self.set_register(f"S{i}", values[8 + i])
            self.set_register("FPSCR", values[24])
        xpsr = values[7]
        self.set_register("CONTROL", self.register("CONTROL") & ~FPCA | (FPCA if extended else 0))
        self.set_register("SP", frame + 4 * words + (4 if xpsr & ALIGNED else 0))
        self.set_register("XPSR", xpsr & ~ALIGNED)
        self.set_register("PC", values[6] & ~1)

    def fault(self, exception: int, status: int, address: int | None = None) -> None:
        """A peripheral's or the core's access failed: the running instruction ends in a fault."""
        self._cause, self._fault = "fault", (exception, status, address)
        self.uc.emu_stop()

    def _no_peripheral(self, address: int) -> None:
        self.fault(system.BUS_FAULT, PRECISERR | BFARVALID, address)

    def _raise_fault(self) -> None:
        exception, status, address = self._fault
        values = self.system.values
        values["CFSR"] |= status
        if address is not None and status & BFARVALID:
            values["BFAR"] = address
        self.system.faults.add(self._escalated(exception))

    def _escalated(self, exception: int) -> int:
        """The fault, or the HardFault that it becomes. Raises Lockup if that cannot be taken either."""
        values = self.system.values
        blocked = (
            self.register("PRIMASK") & 1
            or self.system.priority(exception) >= self.system.execution_priority()
        )
        if self.system.fault_enabled(exception) and not blocked:
            return exception
        if self.system.execution_priority() <= -1:
            raise Lockup(
                f"a fault in a fault handler, at PC 0x{self.counter.pc:08x}, CFSR 0x{values['CFSR']:08x}"
            )
        values["HFSR"] |= 1 << 30
        return system.HARD_FAULT

    def _engine_failed(self, error: Any) -> None:
        """unicorn gave up at an instruction: which fault is it on a chip?"""
        u = self.unicorn
        if error.errno in (u.UC_ERR_INSN_INVALID, u.UC_ERR_EXCEPTION):
            thumb = self.register("XPSR") & THUMB
            self._fault = (system.USAGE_FAULT, UNDEFINSTR if thumb else INVSTATE, None)
            self.set_register("XPSR", self.register("XPSR") | THUMB)
        elif error.errno in (u.UC_ERR_FETCH_UNMAPPED, u.UC_ERR_FETCH_PROT):
            self._fault = (system.BUS_FAULT, IBUSERR, None)
        elif self._cause != "fault":
            raise EmulatorError(f"unicorn failed at PC 0x{self.counter.pc:08x}: {error}") from None
        self._raise_fault()

    def _interrupted(self, uc: Any, number: int, data: Any) -> None:
        if number == UNICORN_EXCEPTION_RETURN:
            self._cause = "return"
        elif number == UNICORN_SVC:
            self._cause = "svc"
        else:
            status = STKOF if number == UNICORN_STACK_LIMIT else UNDEFINSTR
            self._cause, self._fault = "fault", (system.USAGE_FAULT, status, None)
        uc.emu_stop()

    def _invalid_access(self, uc: Any, kind: int, address: int, size: int, value: int, data: Any) -> bool:
        if kind not in (self.unicorn.UC_MEM_FETCH_UNMAPPED, self.unicorn.UC_MEM_FETCH_PROT):
            self._cause, self._fault = "fault", (system.BUS_FAULT, PRECISERR | BFARVALID, address)
        return False

    # -- reset

    def _reset_requested(self) -> None:
        self._cause = "reset"
        self.uc.emu_stop()

    def _reset(self, cause: str = "software") -> None:
        self.resets += 1
        flags = watchdog.FLAGS[self.board.family]
        before = flags.now(self.chip)
        self.on_sleep()  # what was sent is on its way
        self._timers.clear()
        self.chip.reset()
        flags.set(self.chip, before, cause)
        self.system.lines = 0
        self._start()

    def jump_to_start(self) -> None:
        """Starts the image again without a reset: all registers but the core's keep what they hold."""
        self.system.values["VTOR"] = self.system.boot_address
        self._start()

    def _start(self) -> None:
        """B1.5.5: reset. RAM keeps what it holds."""
        vectors = self.system.values["VTOR"]
        sp, pc = struct.unpack("<2I", self.uc.mem_read(vectors, 8))
        ram = any(b.kind == "ram" and b.address < sp <= b.end for b in self.board.memory)
        self.chip.require(
            ram and sp % 8 == 0, f"the vector table's first word, 0x{sp:08x}, is no end of a stack in RAM"
        )
        flash = any(b.kind == "flash" and b.address <= pc < b.end for b in self.board.memory)
        self.chip.require(
            flash and pc & 1 == 1, f"the reset vector, 0x{pc:08x}, is no Thumb address in flash"
        )
        self._frames.clear()
        self.set_register("CONTROL", 0)
        self.set_register("PRIMASK", 0)
        self.set_register("XPSR", THUMB)
        self.set_register("SP", sp & ~3)
        self.set_register("LR", 0xFFFFFFFF)
        self.set_register("PC", pc & ~1)
