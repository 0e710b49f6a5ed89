"""Watching a line: pieces, rubbish, silence, refusals; and never a byte sent."""

from __future__ import annotations

import pytest

from host.demo.watch import watch
from host.errors import DeviceError, LinkError

LINE = (
    b"tinyconv demo digits: 692,222 instructions a frame "
    b"(emulated, as if one instruction took one cycle at 168 MHz: 243 FPS)\r\n"
)


class Pieces:
    """A transport that reads what it was given, a second a piece, and takes nothing."""

    description = "pieces"

    def __init__(self, *pieces: bytes):
        self.pieces, self.seconds = list(pieces), 0.0

    def read(self, timeout: float) -> bytes:
        self.seconds += 1
        return self.pieces.pop(0) if self.pieces else b""

    def write(self, data: bytes) -> None:
        raise AssertionError(f"sent {data!r}")

    def close(self) -> None:
        pass


def watched(*pieces: bytes, count: int = 99) -> list[int | None]:
    transport = Pieces(*pieces)
    found = []
    with pytest.raises(LinkError, match=r"no line of a demo for 10 s .*reset button"):
        for line in watch(transport, 10.0, lambda: transport.seconds):
            found.append(line.per_frame)
    return found


def test_lines_in_any_pieces():
    assert watched(LINE + LINE) == [692_222] * 2
    assert watched(*[LINE[i : i + 7] for i in range(0, len(LINE), 7)][:9], LINE[63:]) == [692_222]


def test_a_port_that_is_opened_in_the_middle():
    assert watched(LINE[30:] + LINE, b"\0\xff\x01\n\0" + LINE, b"x" * 5000 + b"\n" + LINE) == [692_222] * 3


def test_silence():
    assert watched() == []
    assert watched(*[b""] * 9, LINE, *[b""] * 9, LINE) == [692_222] * 2


def test_a_refusal_is_an_error():
    transport = Pieces(LINE, b"tinyconv demo: not run, wrong in the demo block: labels\r\n\0")
    lines = watch(transport, 10.0, lambda: transport.seconds)
    next(lines)
    with pytest.raises(DeviceError, match="does not run its demo: wrong in the demo block: labels"):
        next(lines)
