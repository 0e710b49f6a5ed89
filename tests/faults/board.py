"""The firmware's own C code in this process, in simulated time, at the end of a simulated serial line.

    board = Board()                       # a device that has just got its power
    with Client(board.line(), clock=board.now) as client: ...

Time passes only while a host reads: waiting costs nothing, and a case with many time-outs takes milliseconds.
"""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from heapq import heappop, heappush
from pathlib import Path

from host import native
from host.errors import PortError
from host.project import build_dir, firmware_dir, root
from tests.native_build import build_generator

IDLE, LATE, WROTE, RESET = range(4)
BITS_PER_BYTE = 10
NS = 1_000_000_000
OUT_BYTES = 4096
RESET_NS = 2_000_000  # from a reset to the first instruction that looks at the line

Faults = Callable[[bytes, float], list[tuple[float, bytes]]]
"""What a line makes of bytes that are sent at a moment: pieces and when each arrives, in any order."""


def faultless(data: bytes, at: float) -> list[tuple[float, bytes]]:
    """A good line."""
    return [(at, data)]


class _Image(ctypes.Structure):
    _fields_ = (
        ("address", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("headers", ctypes.c_void_p),
        ("count", ctypes.c_uint16),
    )


class _Segment(ctypes.Structure):
    """Elf64_Phdr."""

    _fields_ = (
        ("type", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        *((name, ctypes.c_uint64) for name in ("offset", "vaddr", "paddr", "filesz", "memsz", "align")),
    )


_LOAD, _RELRO, _WRITABLE = 1, 0x6474E552, 2


class _Library:
    """The loaded code, and what its data were before anything ran."""

    def __init__(self, path: Path):
        self.lib = ctypes.CDLL(str(path))
        lib = self.lib
        lib.device_new.restype = ctypes.c_void_p
        lib.device_now.restype = ctypes.c_uint64
        self.data = self._writable(path)
        self.fresh = [ctypes.string_at(address, size) for address, size in self.data]

    def _writable(self, path: Path) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []

        def look(image, size, _context):
            if Path(image.contents.name.decode() or "/").name != path.name:
                return 0
            base = image.contents.address or 0
            segments = (_Segment * image.contents.count).from_address(image.contents.headers)
            relro = max((base + s.vaddr + s.memsz for s in segments if s.type == _RELRO), default=0)
            for s in segments:
                if s.type == _LOAD and s.flags & _WRITABLE:
                    begin, end = base + s.vaddr, base + s.vaddr + s.memsz
                    begin = max(begin, relro) if begin < relro <= end else begin
                    found.append((begin, end - begin))
            return 1

        callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Image), ctypes.c_size_t, ctypes.c_void_p)(
            look
        )
        ctypes.CDLL(None).dl_iterate_phdr(callback, None)
        assert found, f"{path.name} is not among the loaded images"
        return found

    def forget(self) -> None:
        """Puts all data back: the next start finds what a power-up would."""
        for (address, _), content in zip(self.data, self.fresh, strict=True):
            ctypes.memmove(address, content, len(content))


@dataclass(frozen=True)
class Mutation:
    """A change to one file of the firmware, to see that it is noticed."""

    file: str
    old: str
    new: str

    def write(self) -> Path:
        """The changed file, in the build folder."""
        path = firmware_dir() / self.file
        text = path.read_text()
        assert text.count(self.old) == 1, f"{self.file} has {text.count(self.old)} times {self.old!r}"
        folder = build_dir() / "mutations" / hashlib.sha256(repr(self).encode()).hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / path.name).write_text(text.replace(self.old, self.new))
        return folder / path.name


@cache
def library(mutation: Mutation | None = None, flags: tuple[str, ...] = ()) -> _Library:
    """Builds and loads the firmware with this port."""
    generate = build_generator()
    include = build_dir() / "native_include"
    digest = generate.build_hash(root(), "emu_stm32f405", "native", f"faults {mutation} {flags}")
    generate.write_if_changed(include / "build_generated.h", generate.build_header("native", "-O2", digest))
    sources = [
        p
        for folder in ("app", "app/demo", "app/mlperf", "link")
        for p in sorted((firmware_dir() / folder).glob("*.c"))
    ]
    name, options = "faults_device.so", []
    if mutation:
        original = firmware_dir() / mutation.file
        sources[sources.index(original)] = changed = mutation.write()
        options = ["-iquote", str(original.parent)]
        name = f"faults_{changed.parent.name}.so"
    sources.append(Path(__file__).with_name("device.c"))
    if flags:
        name = f"flags_{hashlib.sha256(repr(flags).encode()).hexdigest()[:8]}_{name}"
    options += [
        *flags,
        "-shared",
        "-fPIC",
        "-Wl,-z,now",
        "-Wl,-Bsymbolic",
        "-Wl,--wrap=plan_run_step",
        "-Dmain=firmware_main",
        f"-I{include}",
    ]
    return _Library(native.build(name, sources, tuple(options)))


class Board:
    """A device with power. Only one exists at a time, since the firmware's data do.

    `baud` is the line's rate, `step_s` what a step of a plan takes. `reset_after` counts the bytes that the device has
    received and sent until it is reset; RAM then holds `garbage`.
    """

    def __init__(
        self,
        *,
        baud: int = 115_200,
        step_s: float = 0.001,
        pools: tuple[int, ...] = (16 * 1024, 64 * 1024),
        flash_plan: bytes = b"",
        mutation: Mutation | None = None,
        flags: tuple[str, ...] = (),
    ):
        self._library = library(mutation, flags)
        self._lib = self._library.lib
        self.byte_s = BITS_PER_BYTE / baud
        sizes = (ctypes.c_uint32 * 4)(*pools)
        self._device = ctypes.c_void_p(
            self._lib.device_new(round(self.byte_s * NS), max(1, round(step_s * NS)), sizes)
        )
        self._flash = ctypes.create_string_buffer(flash_plan, max(8, len(flash_plan)))
        self._flash_bytes = len(flash_plan)
        self._now = 0.0
        self._out = ctypes.create_string_buffer(OUT_BYTES)
        self.lines: list[Line] = []
        self.reset_after: int | None = None
        self.passed_bytes = 0
        self.resets = 0
        self.garbage = 0
        self.start()

    def now(self) -> float:
        """Seconds of simulated time."""
        return self._now

    @property
    def lost_bytes(self) -> int:
        """Received bytes that found the ring full."""
        return self._lib.device_lost(self._device)

    def start(self, at: float | None = None) -> None:
        """Resets the device: at once, or at a moment."""
        begin = max(self._now, at or 0.0)
        self._library.forget()
        self._lib.device_cut(self._device)
        self._lib.device_start(
            self._device,
            ctypes.c_uint64(round(begin * NS) + RESET_NS),
            ctypes.c_uint8(self.garbage),
            ctypes.byref(self._flash),
            self._flash_bytes,
        )

    def close(self) -> None:
        """Frees the memory."""
        if self._device:
            self._lib.device_free(self._device)
            self._device = None

    def line(self, to_device: Faults = faultless, to_host: Faults = faultless, usb_s: float = 0.0) -> Line:
        """A new end of the serial line for a host; the one before it is dead. `usb_s`: see Line."""
        self.lines = [Line(self, to_device, to_host, usb_s)]
        return self.lines[0]

    def receive(self, data: bytes, at: float) -> None:
        """Bytes that begin to arrive at a moment, not before those given earlier."""
        self._lib.device_receive(self._device, data, len(data), ctypes.c_uint64(round(at * NS)))
        self._count(len(data), at)

    def advance(self, until: float) -> tuple[float, bytes] | None:
        """Runs the device up to a moment or to the next bytes that it sends, and when the last of them has left."""
        target = ctypes.c_uint64(round(until * NS))
        while True:
            reason = self._lib.device_run(self._device, target)
            if reason == WROTE:
                first = ctypes.c_uint64()
                count = self._lib.device_written(self._device, self._out, ctypes.byref(first))
                sent = first.value / NS + count * self.byte_s
                data = self._out.raw[:count]
                self._count(count, sent)
                return sent, data
            if reason == RESET:
                self.resets += 1
                self.start(self._lib.device_now(self._device) / NS)
                continue
            self._now = max(self._now, until)
            return None

    def _count(self, count: int, at: float) -> None:
        self.passed_bytes += count
        if self.reset_after is not None and self.passed_bytes >= self.reset_after:
            self.reset_after = None
            self.resets += 1
            self.start(at)


class Line:
    """A host's end of the serial line; a Transport.

    `usb_s` is the period at which an adapter hands on what it has: 1 ms for full-speed USB frames, 16 ms for an FTDI
    chip's latency timer, 0 for none.
    """

    description = "simulated line"

    def __init__(self, board: Board, to_device: Faults, to_host: Faults, usb_s: float):
        self.board = board
        self._faults_there, self._faults_back = to_device, to_host
        self._usb_s = usb_s
        self._sent_until = 0.0
        self._arriving: list[tuple[float, int, bytes]] = []
        self._going: list[tuple[float, int, bytes]] = []
        self._pieces = 0
        self.closed = False
        self.cut_after: int | None = None
        """Bytes in both directions until the connection breaks."""
        self.bytes_there = self.bytes_back = 0

    def _check(self, count: int) -> None:
        if self.cut_after is not None:
            self.cut_after -= count
            if self.cut_after < 0:
                self.closed = True
        if self.closed or self not in self.board.lines:
            raise PortError("the connection is cut", "plug it in again")

    def write(self, data: bytes) -> None:
        """See Transport."""
        self._check(len(data))
        board = self.board
        begin = self._on_frame(board.now())
        for at, piece in self._faults_there(bytes(data), begin):
            if not piece:
                continue
            self._pieces += 1
            heappush(self._going, (at, self._pieces, piece))

    def _hand_over(self, until: float) -> None:
        """Gives the device what begins to arrive by then; the line takes one byte after another."""
        while self._going and self._going[0][0] <= until:
            at, _, piece = heappop(self._going)
            begin = max(at, self._sent_until) + self.board.byte_s
            self.board.receive(piece, begin)
            self._sent_until = begin + (len(piece) - 1) * self.board.byte_s
            self.bytes_there += len(piece)

    def read(self, timeout: float) -> bytes:
        """See Transport."""
        self._check(0)
        board = self.board
        end = board.now() + max(timeout, 0.0)
        while True:
            soonest = self._arriving[0][0] if self._arriving else None
            if soonest is not None and soonest <= board.now():
                return self._take(board.now())
            self._hand_over(board.now())
            until = min(
                at for at in (end, soonest, self._going[0][0] if self._going else None) if at is not None
            )
            sent = board.advance(until)
            if sent is None:
                if until >= end and not (self._arriving and self._arriving[0][0] <= end):
                    self._hand_over(end)
                    return b""
                continue
            at, data = sent
            self.bytes_back += len(data)
            for when, piece in self._faults_back(data, at):
                if piece:
                    self._pieces += 1
                    heappush(self._arriving, (self._on_frame(when), self._pieces, piece))

    def _take(self, now: float) -> bytes:
        ready = []
        while self._arriving and self._arriving[0][0] <= now:
            ready.append(heappop(self._arriving)[2])
        data = b"".join(ready)
        self._check(len(data))
        return data

    def _on_frame(self, at: float) -> float:
        if not self._usb_s:
            return at
        return -(-at // self._usb_s) * self._usb_s

    def close(self) -> None:
        """See Transport."""
        self.closed = True
