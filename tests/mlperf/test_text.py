"""Numbers are written as printf does it, and commands are found among frames however the bytes are cut."""

from __future__ import annotations

import ctypes
import random
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from host import native
from host.link.frame import Frame, encode
from host.project import firmware_dir, root


@pytest.fixture(scope="module")
def probe():
    folder = firmware_dir() / "app" / "mlperf"
    files = [folder / "say.c", folder / "command_line.c", root() / "tests" / "mlperf" / "probe.c"]
    lib = ctypes.CDLL(str(native.build("mlperf_probe.so", files, ("-shared", "-fPIC"))))
    for name in ("probe_thousandths", "probe_number", "probe_line_text"):
        getattr(lib, name).restype = ctypes.c_char_p
    lib.probe_quotient.restype, lib.probe_rest.restype = ctypes.c_uint64, ctypes.c_uint32
    return lib


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
@example(16 / 256)  # a tie: to the even thousandth
@example(48 / 256)
@example(0.0)
@example(-0.0)
@example(2.0**24)
@example(2.0**62)
@example(1e-45)
@example(struct.unpack("<f", struct.pack("<f", 0.9995))[0])
@example(0.99951171875)
def test_floats_are_written_as_by_printf(probe, value):
    got = probe.probe_thousandths(ctypes.c_float(value)).decode()
    sign = "-" if struct.pack(">f", value)[0] >> 7 else ""
    assert got == (f"{value:.3f}" if abs(value) < 2.0**63 else f"{sign}inf")


@pytest.mark.parametrize("number", [0, 9, 10, 2**32 - 1, 2**32, 2**64 - 1])
def test_numbers_of_64_bits(probe, number):
    assert probe.probe_number(ctypes.c_uint64(number)).decode() == str(number)


@given(st.integers(0, 2**64 - 1), st.integers(1, 2**32 - 1))
@example(2**64 - 1, 2**32 - 1)
@example(2**64 - 1, 1)
def test_division(probe, number, by):
    arguments = ctypes.c_uint64(number), ctypes.c_uint32(by)
    assert (probe.probe_quotient(*arguments), probe.probe_rest(*arguments)) == divmod(number, by)


def commands(probe, data: bytes, cuts: random.Random) -> list[str | None]:
    """The commands that are found; None for one that is too long."""
    line = ctypes.create_string_buffer(probe.probe_line_bytes())
    found, ended, too_long = [], ctypes.c_int(), ctypes.c_int()
    while data:
        piece = data[: cuts.randint(1, 40)]
        while piece:
            taken = probe.command_line_take(line, piece, len(piece))
            assert 0 < taken <= len(piece)
            text = probe.probe_line_text(line, ctypes.byref(ended), ctypes.byref(too_long))
            if ended.value:
                found.append(None if too_long.value else text.decode())
            piece, data = piece[taken:], data[taken:]
    return found


PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="%"), max_size=80)
FRAMES = st.builds(
    lambda kind, command, sequence, payload: encode(Frame(command, sequence, payload, kind=kind)),
    st.integers(0, 2),
    st.integers(0, 255),
    st.integers(0, 65535),
    st.binary(max_size=300) | st.just(b"db load 4%infer 5%"),
)


@given(st.lists(PRINTABLE | FRAMES, max_size=12), st.randoms(use_true_random=False))
def test_commands_and_frames_are_told_apart(probe, items, cuts):
    """A sender of frames ends rubbish by a zero first; one of text needs nothing."""
    data = b"".join(f"{i}%".encode() if isinstance(i, str) else b"\0" + i for i in items)
    assert commands(probe, data, cuts) == [i for i in items if isinstance(i, str)]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"name%", ["name"]),
        (b"\r\nname\r\n%\r\n", ["name"]),
        (b"%%", ["", ""]),
        (b"x" * 80 + b"%", ["x" * 80]),
        (b"x" * 81 + b"%ok%", [None, "ok"]),
        (b"\x02name%\0name%", ["name"]),
        (b"na\x80me%name%\0ok%", ["ok"]),
        (b"na\0me%", ["me"]),
        (b"n\x1fame%", []),
        (b"n\x7fame%", []),
    ],
)
def test_what_a_command_is(probe, data, found):
    for seed in range(20):
        assert commands(probe, data, random.Random(seed)) == found
