"""U(S)ARTs and LPUARTs: both generations of registers over one model of the line.

`UsartSrDr` is the older one (RM0090 30: SR and DR; F4), `UsartIsr` the later one (RM0385 31, RM0351 40, RM0433 48: ISR,
RDR and TDR; F7, H7, L4, U5), with a FIFO where the family has one.

A USART takes part in the line only as the chip would: with its clock on, enabled, with the pin that is wired to the
probe switched to it, and at the baud rate that its divisor makes of its kernel clock.
"""

from __future__ import annotations

from collections import deque

from host.emulate.gpio import pin_function
from host.emulate.line import Line
from host.emulate.peripheral import Chip, Peripheral, Register

BITS_PER_BYTE = 10  # start, 8 data, stop
# A receiver samples the last bit 9.5 bit times after the start bit began; beyond this it reads the wrong ones.
GARBLED_BEYOND = 0.04
WAITING_READS = 8


class _Usart(Peripheral):
    """What both generations share: the line, the shift registers, and the interrupt."""

    SECTION = ""
    UE = RE = TE = 0  # bits of CR1
    DATA_IN = DATA_OUT = STATUS = 0  # offsets of the registers for data, read and written, and of the flags

    def __init__(self, chip: Chip, name: str, base: int, irq: int, line: Line, fifo: int = 1):
        self.irq, self.line, self.fifo_entries = irq, line, fifo
        self.overruns = self.received = self.transmitted = 0
        self._clear()
        super().__init__(chip, name, base)

    def _clear(self) -> None:
        self._rx: deque[int] = deque()
        self._tx: deque[int] = deque()
        self._granted = 0
        self._arriving = self._shifting = False
        self._overrun = self._status_read = False
        self._level = False
        self._life = getattr(self, "_life", 0) + 1  # so that what was scheduled before a reset does nothing
        self._next_arrival_us = 0.0
        self._connected_at = -1
        self._connected = (False, False)
        self._clocked = self._garbled = False
        self._same_reads, self._last_status = 0, None

    def reset(self) -> None:
        """See Peripheral. What is in the shift register when the chip is reset never arrives."""
        super().reset()
        self._clear()

    # -- for the machine

    def grant(self, count: int) -> None:
        """Not timed: lets the firmware take up to so many of the incoming bytes, at its own speed."""
        if self.chip.options.timed:
            self._expect()
        elif self.receives:
            self._granted = min(count, len(self.line))
            self._update()

    @property
    def receives(self) -> bool:
        """Whether this is the USART that hears the probe."""
        return self._connection()[0]

    # -- the line

    def format_wrong(self) -> str | None:
        """Why a frame is not 8 data bits, no parity, 1 stop bit; None if it is."""
        raise NotImplementedError

    def divisor(self) -> float:
        """Kernel clocks a bit; 0 if there is no valid one."""
        raise NotImplementedError

    def baud(self) -> float:
        """Bits a second that the divisor makes of the kernel clock; 0 without a clock."""
        divisor = self.divisor()
        clock = self.chip.clock
        return clock.uart_hz(self.name) / divisor if clock and divisor else 0.0

    def _connection(self) -> tuple[bool, bool]:
        """Whether it receives from and sends to the probe."""
        if self._connected_at != self.chip.generation:
            self._connected_at = self.chip.generation
            control = self.values["CR1"]
            self._clocked = self.chip.enabled(self.name)
            on = bool(control & self.UE) and self._clocked
            self._connected = (
                on and bool(control & self.RE) and pin_function(self.chip, self.line.rx) == f"{self.name}_RX",
                on and bool(control & self.TE) and pin_function(self.chip, self.line.tx) == f"{self.name}_TX",
            )
            if any(self._connected):
                self._check_baud()
        return self._connected

    def _check_baud(self) -> None:
        baud = self.baud()
        self.line.baud = min(self.line.rates, key=lambda rate: abs(baud / rate - 1))
        error = baud / self.line.baud - 1
        self._garbled = abs(error) > GARBLED_BEYOND
        self.chip.require(
            abs(error) <= self.chip.options.baud_tolerance,
            f"{self.name}: {baud:,.0f} baud, {100 * error:+.1f} % off the line's {self.line.baud:,}",
            self.SECTION,
        )
        wrong = self.format_wrong()
        self.chip.require(wrong is None, f"{self.name}: {wrong}", self.SECTION)

    def _heard(self, byte: int) -> int:
        """The byte as a receiver at another rate reads it."""
        return byte ^ 0x5A if self._garbled else byte

    # -- receiving

    def _has_data(self) -> bool:
        return bool(self._rx) or self._granted > 0

    def _take(self) -> int:
        """A read of the data register."""
        if self._rx:
            byte = self._rx.popleft()
        elif self._granted > 0:
            self._granted -= 1
            byte = self._heard(self.line.take())
            self.received += 1
            if self._granted and self._connection()[0]:
                return byte  # the line of the interrupt stays as it is
        else:
            return 0
        self._update()
        return byte

    def _expect(self) -> None:
        """Timed: begins to receive what is incoming."""
        if self._arriving or not len(self.line):
            return
        self._arriving = True
        self._next_arrival_us = self.chip.time_us()
        self._schedule_arrival()

    def _schedule_arrival(self) -> None:
        self._next_arrival_us += BITS_PER_BYTE * 1e6 / self.line.baud
        wait = self.chip.cycles_in(max(0.0, self._next_arrival_us - self.chip.time_us()))
        life = self._life
        self.chip.core.call_at(self.chip.core.cycles() + wait, lambda: self._arrive(life))

    def _arrive(self, life: int) -> None:
        if life != self._life:
            return
        byte = self.line.take()
        if self.receives:
            self.received += 1
            if len(self._rx) < self.fifo_depth():
                self._rx.append(self._heard(byte))
            else:
                self._overrun = True
                self.overruns += 1
            self._update()
        if len(self.line):
            self._schedule_arrival()
        else:
            self._arriving = False

    def fifo_depth(self) -> int:
        """Bytes that may wait for the firmware."""
        return 1

    # -- sending

    def _room(self) -> bool:
        return len(self._tx) < self.fifo_depth()

    def _idle(self) -> bool:
        return not self._tx and not self._shifting

    def _send(self, byte: int) -> None:
        """A write of the data register."""
        if not self._connection()[1]:
            self.chip.violate(
                f"{self.name}: a byte is sent that does not reach the probe: "
                f"{self.line.tx} is {pin_function(self.chip, self.line.tx) or 'no pin of a USART'}, "
                f"CR1 is 0x{self.values['CR1']:x}",
                self.SECTION,
            )
            return
        self.transmitted += 1
        if not self.chip.options.timed:
            self.line.put(byte)
            return
        if not self._room():
            self.chip.violate(
                f"{self.name}: a byte is written while the last one waits, and is lost", self.SECTION
            )
            return
        self._tx.append(byte)
        if not self._shifting:
            self._shift()

    def _shift(self) -> None:
        self._shifting = True
        byte, life = self._tx.popleft(), self._life
        wait = self.chip.cycles_in(BITS_PER_BYTE * 1e6 / self.baud())
        self.chip.core.call_at(self.chip.core.cycles() + wait, lambda: self._shifted(byte, life))

    def _shifted(self, byte: int, life: int) -> None:
        if life != self._life:
            return
        self.line.put(byte)
        self._shifting = False
        if self._tx:
            self._shift()
        self._update()

    # -- interrupt

    def interrupt_wanted(self) -> bool:
        """Level of the interrupt line."""
        raise NotImplementedError

    def _update(self) -> None:
        level = self.interrupt_wanted()
        if level != self._level:
            self._level = level
            self.chip.core.set_interrupt(self.irq, level)

    def settle(self) -> None:
        """See Peripheral."""
        self._connection()
        if not self.chip.options.timed and not self.receives:
            self._granted = 0
        self._update()

    def read(self, offset: int, size: int) -> int:
        """See Peripheral; data and status go the short way, since they are what a session consists of."""
        known = self._connected_at == self.chip.generation and self._clocked
        if known and offset in (self.DATA_IN, self.STATUS):
            value = self._readers[offset]()
            if self.chip.options.timed:
                self._waited(value if offset == self.STATUS else None)
            return value
        return super().read(offset, size)

    def _waited(self, status: int | None) -> None:
        """Timed: a program that reads the same flags again and again waits; the next byte may as well come at once."""
        self._same_reads = self._same_reads + 1 if status is not None and status == self._last_status else 0
        self._last_status = status
        if self._same_reads >= WAITING_READS:
            self._same_reads = 0
            self.chip.core.skip()

    def write(self, offset: int, value: int, size: int) -> None:
        """See Peripheral; data go the short way."""
        if offset == self.DATA_OUT and not self.chip.intercept and self._connection()[1]:
            self._send(value & 0xFF)
            self._update()
            return
        super().write(offset, value, size)

    def _unsupported(self, register: str, value: int, bits: dict[int, str]) -> None:
        for bit, name in bits.items():
            if value >> bit & 1:
                self.chip.violate(f"{self.name}: {register}.{name} is set, which is not modelled")


class UsartSrDr(_Usart):
    """The generation with SR and DR."""

    SECTION = "RM0090 30.6"
    UE, TE, RE, RXNEIE, TCIE, TXEIE = 1 << 13, 1 << 3, 1 << 2, 1 << 5, 1 << 6, 1 << 7
    ORE, RXNE, TC, TXE = 1 << 3, 1 << 5, 1 << 6, 1 << 7
    DATA_IN, DATA_OUT, STATUS = 0x04, 0x04, 0x00
    REGISTERS = (
        Register(0x00, "SR", 0xC0, writable=0x360, readonly=0x9F),
        Register(0x04, "DR", writable=0x1FF),
        Register(0x08, "BRR", writable=0xFFFF),
        Register(0x0C, "CR1", writable=0xBFFF),
        Register(0x10, "CR2", writable=0x7F6F),
        Register(0x14, "CR3", writable=0xFFF),
        Register(0x18, "GTPR", writable=0xFFFF),
    )

    def read_sr(self) -> int:
        status = self.ORE if self._overrun else 0
        if self._has_data():
            status |= self.RXNE
        if self._room():
            status |= self.TXE
        if self._idle():
            status |= self.TC
        self._status_read = self._overrun
        return status

    def write_sr(self, value: int, old: int) -> int:
        return old  # RXNE and TC can be cleared here; nobody does

    def read_dr(self) -> int:
        if self._overrun and self._status_read:
            self._overrun = False  # SR, then DR
        return self._take()

    def write_dr(self, value: int, old: int) -> None:
        self._send(value & 0xFF)

    def write_cr1(self, value: int, old: int) -> None:
        self._unsupported("CR1", value, {0: "SBK", 1: "RWU", 4: "IDLEIE"})

    def write_cr3(self, value: int, old: int) -> None:
        self._unsupported("CR3", value, {1: "IREN", 3: "HDSEL", 6: "DMAR", 7: "DMAT", 8: "RTSE", 9: "CTSE"})

    def write_brr(self, value: int, old: int) -> None:
        pass

    def divisor(self) -> float:
        brr = self.values["BRR"]
        if self.values["CR1"] >> 15 & 1:  # OVER8: three bits of fraction
            brr = (brr >> 4) * 8 + (brr & 7)
            return brr if brr >= 8 else 0
        return brr if brr >= 16 else 0

    def format_wrong(self) -> str | None:
        if self.values["CR1"] & (1 << 12 | 1 << 10):
            return "the frame is not 8 bits without parity"
        return "there is not one stop bit" if self.values["CR2"] >> 12 & 3 else None

    def interrupt_wanted(self) -> bool:
        control = self.values["CR1"]
        if not control & self.UE:
            return False
        receive = control & self.RXNEIE and (self._has_data() or self._overrun)
        return bool(
            receive or (control & self.TXEIE and self._room()) or (control & self.TCIE and self._idle())
        )


class UsartIsr(_Usart):
    """The generation with ISR, RDR and TDR. fifo: entries of each FIFO, 1 if there is none; lpuart: an LPUART.

    prescaler: whether there is a PRESC register.
    """

    SECTION = "RM0385 31.8"
    UE, RE, TE = 1 << 0, 1 << 2, 1 << 3
    RXNEIE, TCIE, TXEIE, FIFOEN, OVER8 = 1 << 5, 1 << 6, 1 << 7, 1 << 29, 1 << 15
    OVRDIS = 1 << 12
    DATA_IN, DATA_OUT, STATUS = 0x24, 0x28, 0x1C
    PRESCALERS = (1, 2, 4, 6, 8, 10, 12, 16, 32, 64, 128, 256)
    _ALL = (
        Register(0x00, "CR1"),
        Register(0x04, "CR2"),
        Register(0x08, "CR3"),
        Register(0x0C, "BRR", writable=0xFFFFF),
        Register(0x10, "GTPR", writable=0xFFFF),
        Register(0x14, "RTOR"),
        Register(0x18, "RQR", writable=0x1F),
        Register(0x1C, "ISR", 0x020000C0, writable=0, readonly=0xFFFFFFFF),
        Register(0x20, "ICR", writable=0x00123BFF),
        Register(0x24, "RDR", writable=0, readonly=0x1FF),
        Register(0x28, "TDR", writable=0x1FF),
        Register(0x2C, "PRESC", writable=0xF),
    )

    def __init__(
        self, chip: Chip, name: str, base: int, irq: int, line: Line, *,
        fifo: int = 1, lpuart: bool = False, prescaler: bool = False,
    ):  # fmt: skip
        self.REGISTERS = tuple(r for r in self._ALL if prescaler or r.name != "PRESC")
        self.lpuart = lpuart
        super().__init__(chip, name, base, irq, line, fifo)

    def fifo_depth(self) -> int:
        return self.fifo_entries if self.values["CR1"] & self.FIFOEN else 1

    def read_isr(self) -> int:
        control = self.values["CR1"]
        status = 1 << 3 if self._overrun else 0
        if self._has_data():
            status |= 1 << 5
        if self._idle():
            status |= 1 << 6
        if self._room():
            status |= 1 << 7
        if control & self.FIFOEN:
            status |= (not self._tx) << 23 | (len(self._rx) >= self.fifo_entries) << 24
        if control & self.UE:
            status |= (control >> 3 & 1) << 21 | (control >> 2 & 1) << 22  # TEACK, REACK
        return status

    def read_rdr(self) -> int:
        return self._take()

    def write_tdr(self, value: int, old: int) -> None:
        self._send(value & 0xFF)

    def write_icr(self, value: int, old: int) -> int:
        if value >> 3 & 1:
            self._overrun = False
        return 0

    def write_rqr(self, value: int, old: int) -> int:
        if value >> 3 & 1:
            self._rx.clear()
        return 0

    def _while_off(self, register: str, value: int, old: int, bits: int) -> None:
        if self.values["CR1"] & self.UE and (value ^ old) & bits:
            self.chip.violate(
                f"{self.name}: {register} bits 0x{(value ^ old) & bits:x} change while UE is set",
                self.SECTION,
            )

    def write_cr1(self, value: int, old: int) -> None:
        # M, PCE, PS, OVER8, FIFOEN: only while the USART is off
        self._while_off("CR1", value, old, 1 << 28 | 1 << 12 | 1 << 10 | 1 << 9 | self.OVER8 | self.FIFOEN)
        if self.fifo_entries == 1 and value & self.FIFOEN:
            self.chip.violate(f"{self.name}: CR1.FIFOEN is set, but this chip has no FIFO", self.SECTION)
        self._unsupported(
            "CR1", value, {4: "IDLEIE", 13: "MME", 14: "CMIE", 26: "RTOIE", 30: "TXFEIE", 31: "RXFFIE"}
        )
        if not value & self.UE:
            self._rx.clear()
            self._overrun = False

    def write_cr2(self, value: int, old: int) -> None:
        self._while_off("CR2", value, old, 3 << 12 | 1 << 15)  # STOP, SWAP
        self._unsupported("CR2", value, {15: "SWAP", 20: "ABREN", 23: "RTOEN"})

    def write_cr3(self, value: int, old: int) -> None:
        self._while_off("CR3", value, old, self.OVRDIS)
        flags = {
            1: "IREN",
            3: "HDSEL",
            6: "DMAR",
            7: "DMAT",
            8: "RTSE",
            9: "CTSE",
            23: "TXFTIE",
            28: "RXFTIE",
        }
        self._unsupported("CR3", value, flags)

    def write_brr(self, value: int, old: int) -> None:
        self._while_off("BRR", value, old, 0xFFFFF)

    def write_presc(self, value: int, old: int) -> None:
        self._while_off("PRESC", value, old, 0xF)

    def divisor(self) -> float:
        prescaler = self.PRESCALERS[min(self.values.get("PRESC", 0), len(self.PRESCALERS) - 1)]
        brr = self.values["BRR"]
        if self.lpuart:
            return prescaler * brr / 256 if brr >= 0x300 else 0
        if self.values["CR1"] & self.OVER8:
            usartdiv = brr & 0xFFF0 | (brr & 7) << 1
            return prescaler * usartdiv / 2 if usartdiv >= 16 else 0
        return prescaler * brr if 16 <= brr <= 0xFFFF else 0

    def format_wrong(self) -> str | None:
        if self.values["CR1"] & (1 << 28 | 1 << 12 | 1 << 10):
            return "the frame is not 8 bits without parity"
        return "there is not one stop bit" if self.values["CR2"] >> 12 & 3 else None

    def interrupt_wanted(self) -> bool:
        control = self.values["CR1"]
        if not control & self.UE:
            return False
        receive = control & self.RXNEIE and (self._has_data() or self._overrun)
        return bool(
            receive or (control & self.TXEIE and self._room()) or (control & self.TCIE and self._idle())
        )
