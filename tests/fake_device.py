"""The device's side of the protocol in Python, written from PROTOCOL.md alone, on a line with the seeded faults of
tests/faults/proxy.py.

It shares no code with host/link, so that a mistake there does not cancel itself out. Time is simulated: give
`device.now` to the Client as its clock, and a time-out costs nothing.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections import deque
from dataclasses import dataclass, field

from tests.faults.proxy import Noise, Rates

OK, BAD_FRAME, BAD_VERSION, BAD_COMMAND, BAD_LENGTH, BAD_SEQUENCE, OUT_OF_RANGE = range(7)
NO_PLAN, PLAN_TOO_LARGE = 7, 8
NO_SESSION = 22
PLAN_INCOMPLETE, PLAN_CHECKSUM, NO_FLASH_PLAN, TENSOR_NOT_ALIVE, INPUT_MISSING = 10, 13, 14, 17, 18
HEADER_BYTES = 64


def cobs_encode(body: bytes) -> bytes:
    out = bytearray()
    for part in (body + b"\0").split(b"\0")[:-1]:
        while len(part) >= 254:
            out += b"\xff" + part[:254]
            part = part[254:]
        out += bytes([len(part) + 1]) + part
    return bytes(out)


def cobs_decode(data: bytes) -> bytes | None:
    out, at = bytearray(), 0
    while at < len(data):
        code = data[at]
        block = data[at + 1 : at + code]
        if code == 0 or len(block) != code - 1 or 0 in block:
            return None
        out += block
        at += code
        if code < 255 and at < len(data):
            out.append(0)
    return bytes(out)


def make_plan(input_bytes: int, output_bytes: int, filler: bytes = b"", arena_bytes: int = 0) -> bytes:
    """A plan as far as the fake looks at it: tensor 0 is the input, tensor 1 the output, one step."""
    tensors = b"".join(struct.pack("<II4II", 0, n, 1, 1, 1, n, 0) for n in (input_bytes, output_bytes))
    filler += bytes(-len(filler) % 4)
    io = struct.pack("<HH", 0, 1)
    total = HEADER_BYTES + len(tensors) + len(io) + len(filler)
    arena = arena_bytes or (input_bytes + output_bytes + 3) // 4 * 4
    io_offset = HEADER_BYTES + len(tensors)
    rest = struct.pack("<IHHIIHHI8s16x", arena, 2, 1, HEADER_BYTES, 0, 1, 1, io_offset, b"fakeplan")
    rest += tensors + io + filler
    return struct.pack("<IHHII", 0x4E504354, 1, HEADER_BYTES, total, zlib.crc32(rest)) + rest


@dataclass
class FakeDevice:
    """A device and its line; itself the Transport of the host's end."""

    seed: int = 0
    faults: Rates = field(default_factory=Rates)
    both_ways: bool = True
    version: int = 4
    pools: tuple[int, ...] = (100_000,)
    hot_code_bytes: int = 0
    rx_window_bytes: int = 1024
    max_payload_bytes: int = 256
    latency_s: float = 0.001
    run_s: float = 0.0
    fault: tuple[int, int, int, int] = (0, 0, 0, 0)
    flash_plan: bytes = b""
    description: str = "fake"

    def __post_init__(self):
        rng = random.Random(self.seed)
        self._there = Noise(self.faults, rng)
        self._back = Noise(self.faults if self.both_ways else Rates(), rng)
        self._time = 0.0
        self._to_device: deque[tuple[float, bytes]] = deque()
        self._to_host: deque[tuple[float, bytes]] = deque()
        self._partial = b""
        self._busy_until = 0.0
        self.closed = False
        self.runs_executed = 0
        self.frames_received = 0
        self.max_waiting_bytes = 0
        self.crash_on_run = False
        self.mute = False
        self.restart()

    # The line.

    def now(self) -> float:
        return self._time

    def write(self, data: bytes) -> None:
        self._send(self._to_device, data, self._time)
        self.max_waiting_bytes = max(self.max_waiting_bytes, sum(len(d) for _, d in self._to_device))

    def read(self, timeout: float) -> bytes:
        end = self._time + max(timeout, 0)
        while True:
            self._work(end)
            if self._to_host and self._to_host[0][0] <= end:
                at, data = self._to_host.popleft()
                self._time = max(self._time, at)
                return data
            if not self._to_device or self._to_device[0][0] > end:
                self._time = end
                return b""

    def close(self) -> None:
        self.closed = True

    def _send(self, line: deque, data: bytes, at: float) -> None:
        noise = self._there if line is self._to_device else self._back
        for arrival, chunk in noise(data, at + self.latency_s):
            if chunk:
                line.append((max(arrival, line[-1][0] if line else 0), chunk))

    def calm(self) -> None:
        """From now on the line is a good one."""
        self._there.on = self._back.on = False

    def _work(self, until: float) -> None:
        while self._to_device and self._to_device[0][0] <= until:
            at, data = self._to_device.popleft()
            pieces = (self._partial + data).split(b"\0")
            self._partial = pieces.pop()
            for piece in pieces:
                if piece:
                    self._answer(piece, max(at, self._busy_until))
            if len(self._partial) > self.rx_window_bytes:
                self._partial = b""

    def _answer(self, stuffed: bytes, at: float) -> None:
        self.frames_received += 1
        response = self._frame(stuffed, at)
        if response and not self.mute:
            self._send(self._to_host, response, max(at, self._busy_until))

    # The device.

    def restart(self) -> None:
        self._plan = b""
        self._expected = -1
        self._held = 0
        self._ready = False
        self._written = 0
        self._input = bytearray()
        self._output: bytes | None = None
        self._session: int | None = None
        self._old_session: int | None = None
        self._newest = 0
        self._last_run: tuple[int, bytes] | None = None

    def _frame(self, stuffed: bytes, at: float) -> bytes | None:
        body = cobs_decode(stuffed)
        if body is None or not 12 <= len(body) <= 12 + self.max_payload_bytes:
            return self._encode(0, 0, BAD_FRAME, bytes(16))
        version, kind, command, status, sequence, length = struct.unpack_from("<BBBBHH", body)
        crc = struct.unpack_from("<I", body, len(body) - 4)[0]
        if length != len(body) - 12 or zlib.crc32(body[:-4]) != crc:
            return self._encode(0, 0, BAD_FRAME, bytes(16))
        if version != self.version:
            return self._encode(command, sequence, BAD_VERSION, self._hello()[:16])
        if kind != 0 or status != 0:
            return self._encode(0, 0, BAD_FRAME, bytes(16))
        payload = body[8:-4]
        lead = (sequence - self._newest) & 0xFFFF
        if command == 0x01:
            if self._session is not None and len(payload) == 4:
                number = struct.unpack("<I", payload)[0]
                if number == self._old_session or (number == self._session and not 0 < lead <= 0x8000):
                    return None
        elif self._session is None:
            return self._encode(command, sequence, NO_SESSION, bytes(16))
        elif lead == 0 and self._last_run and self._last_run[0] == sequence:
            return self._last_run[1]
        elif not 0 < lead <= 1024:
            return None
        else:
            self._newest = sequence
        if command == 0x30:
            if self.crash_on_run:
                self.restart()
                self.fault = (3, 0x08001234, 0x08005678, 0x8200)
                return None
            self._progress(sequence, at)
        handler = {
            0x01: self._do_hello,
            0x02: lambda p: p,
            0x03: self._do_reset,
            0x10: self._do_plan_begin,
            0x11: self._do_plan_data,
            0x12: self._do_plan_commit,
            0x13: self._do_select_flash,
            0x20: self._do_tensor_write,
            0x21: self._do_tensor_read,
            0x30: self._do_run,
            0x31: self._do_counts,
        }.get(command)
        result = handler(payload) if handler else BAD_COMMAND
        if isinstance(result, int):
            result = (result, (0, 0, 0, 0))
        if isinstance(result, tuple):
            response = self._encode(command, sequence, result[0], struct.pack("<4I", *result[1]))
        else:
            response = self._encode(command, sequence, OK, result)
            if command == 0x01:
                self._newest = sequence
        if command == 0x30:
            self._last_run = (sequence, response)
        return response

    def _encode(self, command: int, sequence: int, status: int, payload: bytes, kind: int = 1) -> bytes:
        version = 1 if status == BAD_VERSION else self.version
        body = struct.pack("<BBBBHH", version, kind, command, status, sequence, len(payload)) + payload
        return cobs_encode(body + struct.pack("<I", zlib.crc32(body))) + b"\0"

    def _progress(self, sequence: int, at: float) -> None:
        self._busy_until = at + self.run_s
        for second in range(int(self.run_s)):
            frame = self._encode(0x30, sequence, 0, struct.pack("<II", second, 0), kind=2)
            self._send(self._to_host, frame, at + second)

    def _hello(self) -> bytes:
        strings = b"".join(bytes([len(s)]) + s for s in (b"fake", b"python", b"-O2"))
        pools = (*self.pools, 0, 0, 0, 0)[:4]
        fixed = struct.pack("<HH8sIBBBB", self.version, 1, b"\1\2\3\4\5\6\7\x08", 168_000_000, 1, 1, 10, 4)
        fixed += struct.pack("<7I", *pools, self.hot_code_bytes, len(self.flash_plan), self.rx_window_bytes)
        fixed += struct.pack("<HH4I", self.max_payload_bytes, 3, *self.fault)
        fixed += struct.pack("<IIIB3xI", self._session or 0, 4096, 512, 1, 0)
        return fixed + strings + struct.pack("<3H", 1, 2, 300)

    def _do_hello(self, p: bytes):
        if len(p) != 4:
            return BAD_LENGTH
        session = struct.unpack("<I", p)[0]
        if self._session is not None and session != self._session:
            self.fault = (0, 0, 0, 0)
            self._old_session = self._session
        self._last_run = None
        self._session = session
        return self._hello()

    def _do_reset(self, p: bytes):
        self.restart()
        return b""

    def _do_plan_begin(self, p: bytes):
        if len(p) != 4:
            return BAD_LENGTH
        total = struct.unpack("<I", p)[0]
        self._ready = False
        if total > max(self.pools):
            return PLAN_TOO_LARGE, (0, 0, total, max(self.pools))
        self._plan, self._expected, self._held = bytearray(total), total, 0
        return b""

    def _do_plan_data(self, p: bytes):
        if len(p) < 4 or self._expected < 0:
            return BAD_LENGTH
        offset = struct.unpack_from("<I", p)[0]
        if offset > self._held:
            return BAD_SEQUENCE
        if offset + len(p) - 4 > self._expected:
            return OUT_OF_RANGE
        self._plan[offset : offset + len(p) - 4] = p[4:]
        self._held = max(self._held, offset + len(p) - 4)
        return b""

    def _do_plan_commit(self, p: bytes):
        if self._held != self._expected:
            return PLAN_INCOMPLETE
        return self._open(bytes(self._plan), len(self._plan))

    def _do_select_flash(self, p: bytes):
        return self._open(self.flash_plan, 0) if self.flash_plan else NO_FLASH_PLAN

    def _open(self, plan: bytes, in_ram: int):
        crc, arena, tensors, steps = struct.unpack_from("<IIHH", plan, 12)
        if zlib.crc32(plan[16:]) != crc:
            return PLAN_CHECKSUM
        rooms = list(self.pools)
        largest = max(i for i, pool in enumerate(rooms) if pool == max(rooms))
        rooms[largest] -= (in_ram + 3) // 4 * 4 + (4 * steps + 7) // 8 * 8
        fitting = [i for i, room in enumerate(rooms) if room >= arena]
        if not fitting:
            return 9, (18, 0, arena, max(rooms))
        self._current = plan
        self._sizes = [struct.unpack_from("<I", plan, HEADER_BYTES + 28 * i + 4)[0] for i in range(tensors)]
        self._input, self._written, self._output, self._ready = bytearray(self._sizes[0]), 0, None, True
        return struct.pack(
            "<IIIHHHHI", crc, len(plan), arena, tensors, steps, 1, fitting[0], self.rx_window_bytes
        )

    def _do_tensor_write(self, p: bytes):
        if not self._ready:
            return NO_PLAN
        if len(p) < 8:
            return BAD_LENGTH
        tensor, _, offset = struct.unpack_from("<HHI", p)
        data = p[8:]
        if tensor != 0 or offset + len(data) > self._sizes[0]:
            return OUT_OF_RANGE
        if offset == 0:
            self._written = 0
        if offset > self._written:
            return BAD_SEQUENCE
        self._output = None
        self._input[offset : offset + len(data)] = data
        self._written = max(self._written, offset + len(data))
        return b""

    def _do_tensor_read(self, p: bytes):
        if not self._ready:
            return NO_PLAN
        if len(p) != 12:
            return BAD_LENGTH
        tensor, _, offset, count = struct.unpack("<HHII", p)
        if tensor > 1 or offset + count > self._sizes[tensor] or count > self.max_payload_bytes:
            return OUT_OF_RANGE
        data = bytes(self._input) if tensor == 0 else self._output
        return TENSOR_NOT_ALIVE if data is None else data[offset : offset + count]

    def _do_run(self, p: bytes):
        if not self._ready:
            return NO_PLAN
        if len(p) != 8:
            return BAD_LENGTH
        first, _, runs = struct.unpack("<HHI", p)
        if first:
            return BAD_SEQUENCE
        if self._written < self._sizes[0]:
            return INPUT_MISSING
        self.runs_executed += 1
        self._output = expected_output(bytes(self._input), self._sizes[1])
        return struct.pack("<QII", 1000 * runs, runs, 1)

    def _do_counts(self, p: bytes):
        if not self._ready:
            return NO_PLAN
        first, steps = struct.unpack("<HH", p)
        return OUT_OF_RANGE if first + steps > 1 else struct.pack("<I", 1000) * steps


def expected_output(data: bytes, size: int) -> bytes:
    """What the fake's one step computes."""
    return bytes((data[i % len(data)] * 7 + i) & 0xFF for i in range(size))
