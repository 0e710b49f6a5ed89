"""The debug port of a simulated chip at the level of its wires, for OpenOCD's remote_bitbang driver over TCP.

IEEE 1149.1's state machine; the JTAG-DP and MEM-AP of the Arm Debug Interface v5.2 (IHI 0031, chapters B3 and C2). With
it the real OpenOCD runs its real target scripts and flash algorithms on the simulated chip. JTAG since the driver of
OpenOCD 0.12 knows no SWD; an STM32 has its boundary scan in the same chain.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

from tests.debug.chip import ROM_TABLE, BusFault, Chip

OK_OR_FAULT = 2
AHB_AP_IDR = 0x24770011
STICKYERR = 1 << 5
CTRL_STAT, SELECT, RDBUFF = 0x4, 0x8, 0xC
CSW, TAR, DRW, CFG, BASE, IDR = 0x00, 0x04, 0x0C, 0xF4, 0xF8, 0xFC
ABORT, DPACC, APACC, IDCODE, BYPASS = 0x8, 0xA, 0xB, 0xE, 0xF
JTAG_IDS = {"m4": 0x4BA00477, "m7": 0x5BA00477}
IR_BITS = 4
BOUNDARY_IR_BITS = 5
# State machine: next state with TMS 0, with TMS 1.
STATES = {
    "reset": ("idle", "reset"),
    "idle": ("idle", "select-dr"),
    "select-dr": ("capture-dr", "select-ir"),
    "capture-dr": ("shift-dr", "exit1-dr"),
    "shift-dr": ("shift-dr", "exit1-dr"),
    "exit1-dr": ("pause-dr", "update-dr"),
    "pause-dr": ("pause-dr", "exit2-dr"),
    "exit2-dr": ("shift-dr", "update-dr"),
    "update-dr": ("idle", "select-dr"),
    "select-ir": ("capture-ir", "reset"),
    "capture-ir": ("shift-ir", "exit1-ir"),
    "shift-ir": ("shift-ir", "exit1-ir"),
    "exit1-ir": ("pause-ir", "update-ir"),
    "pause-ir": ("pause-ir", "exit2-ir"),
    "exit2-ir": ("shift-ir", "update-ir"),
    "update-ir": ("idle", "select-dr"),
}


class DebugPort:
    """Registers of the JTAG-DP and of one AHB-AP. A scan returns what the one before read."""

    def __init__(self, chip: Chip):
        self.chip = chip
        self._ctrl, self._select, self.result = 0, 0, 0
        self._csw, self._tar = 0x43000002, 0

    def access(self, is_ap: bool, read: bool, address: int, value: int) -> None:
        if is_ap:
            if self._ctrl & STICKYERR:
                return  # transactions are discarded until it is cleared
            if read:
                self.result = self._read_ap(address)
            else:
                self._write_ap(address, value)
        elif read:
            if address == CTRL_STAT:
                self.result = self._ctrl | (self._ctrl & 0x50000000) << 1
            elif address == SELECT:
                self.result = self._select
        elif address == CTRL_STAT:
            sticky = self._ctrl & STICKYERR & ~value  # write 1 to clear
            self._ctrl = sticky | value & 0x50000001
        elif address == SELECT:
            self._select = value

    def _register(self, address: int) -> int:
        return self._select & 0xF0 | address if self._select >> 24 == 0 else -1

    def _read_ap(self, address: int) -> int:
        register = self._register(address)
        if register == DRW or 0x10 <= register < 0x20:
            return self._transfer(register, None)
        known = {CSW: self._csw | 0x40, TAR: self._tar, BASE: ROM_TABLE | 3, IDR: AHB_AP_IDR, CFG: 0}
        return known.get(register, 0)

    def _write_ap(self, address: int, value: int) -> None:
        register = self._register(address)
        if register == CSW:
            packed = value >> 4 & 3 == 2  # not implemented, which the AP may choose
            self._csw = value & ~0x30 if packed else value
        elif register == TAR:
            self._tar = value
        elif register == DRW or 0x10 <= register < 0x20:
            self._transfer(register, value)

    def _transfer(self, register: int, value: int | None) -> int:
        size = 1 << min(self._csw & 7, 2)
        banked = register != DRW
        address = (self._tar & ~0xF) | (register & 0xF) if banked else self._tar
        lane = 8 * (address & 3) if size < 4 else 0
        result = 0
        try:
            if value is None:
                result = int.from_bytes(self.chip.read(address, size), "little") << lane
            else:
                self.chip.write(address, struct.pack("<Q", value >> lane)[:size])
        except BusFault:
            self._ctrl |= STICKYERR
        if not banked and self._csw >> 4 & 3 == 1:
            self._tar = (self._tar & ~0x3FF) | (self._tar + size & 0x3FF)
        return result


class Chain:
    """The two TAPs of an STM32: TDI, boundary scan, debug port, TDO."""

    def __init__(self, port: DebugPort, idcode: int):
        self._port, self._idcode = port, idcode
        self._state, self._clock = "reset", 0
        self._ir, self._shift, self._bits = IDCODE, 0, 1

    @property
    def tdo(self) -> int:
        return self._shift & 1

    def set(self, tck: int, tms: int, tdi: int) -> None:
        rising = tck and not self._clock
        self._clock = tck
        if not rising:
            return
        state = self._state
        if state in ("shift-dr", "shift-ir"):
            self._shift = self._shift >> 1 | tdi << self._bits - 1
        elif state == "capture-dr":
            # the debug port is nearer to TDO, so its bits are the low ones
            length, value = self._captured()
            self._bits, self._shift = length + 1, value
        elif state == "capture-ir":
            self._bits, self._shift = IR_BITS + BOUNDARY_IR_BITS, 1 | 1 << IR_BITS
        self._state = STATES[state][tms]
        if self._state == "reset":
            self._ir = IDCODE
        elif self._state == "update-ir":
            self._ir = self._shift & 0xF
        elif self._state == "update-dr":
            self._update(self._shift)

    def _captured(self) -> tuple[int, int]:
        if self._ir == IDCODE:
            return 32, self._idcode
        if self._ir in (DPACC, APACC, ABORT):
            return 35, self._port.result << 3 | OK_OR_FAULT
        return 1, 0

    def _update(self, bits: int) -> None:
        if self._ir in (DPACC, APACC):
            read, address, value = bool(bits & 1), (bits >> 1 & 3) << 2, bits >> 3 & 0xFFFFFFFF
            self._port.access(self._ir == APACC, read, address, value)


class Server:
    """OpenOCD's remote_bitbang server for one chip; the line drops as soon as `unplug_when` is true."""

    def __init__(self, chip: Chip, unplug_when=lambda: False):
        self._chain, self._chip, self._unplug = Chain(DebugPort(chip), JTAG_IDS[chip.core]), chip, unplug_when
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # ends a wait for somebody to connect
        self._socket.close()
        self._thread.join(5)

    def _serve(self) -> None:
        """One OpenOCD after the other, until close() or until it is unplugged."""
        try:
            while not self._unplug():
                line, _ = self._socket.accept()
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with line, contextlib.suppress(ConnectionError, EOFError):
                    self._talk(line)
        except OSError:  # closed
            pass
        except BaseException as error:
            self.failure = error
            raise

    def _talk(self, line: socket.socket) -> None:
        while (data := line.recv(65536)) and not self._unplug():
            if answer := self._characters(data):
                line.sendall(answer)

    def _characters(self, data: bytes) -> bytes:
        answer = bytearray()
        chain = self._chain
        for character in data:
            if 0x30 <= character <= 0x37:  # 0 to 7: TCK, TMS, TDI
                chain.set(character >> 2 & 1, character >> 1 & 1, character & 1)
            elif character == 0x52:  # R: read TDO
                answer.append(0x30 + (chain.tdo if self._chip.powered else 1))
            elif character in b"su":  # SRST is active
                self._chip.reset()
            elif character == 0x51:  # Q: quit
                raise EOFError
        return bytes(answer)
