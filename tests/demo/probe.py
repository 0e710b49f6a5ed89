"""probe.c as a process under the sanitizers."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

import numpy as np

from host import native
from host.demo.block import HEADER
from host.project import firmware_dir
from tests.native_build import ENVIRONMENT, SANITIZE

SOURCES = ("block.c", "line.c", "text.c")
WIDTH, HEIGHT = 480, 272
ENOUGH = WIDTH * HEIGHT + 31  # bytes for a picture that begins at a multiple of 32
ENDED = "the probe ended: see the sanitizer's report on standard error"
CYCLES, INSTRUCTIONS = 1, 2
RESULT_FIELDS = (
    "counter_kind", "clock_hz", "frames", "count", "elapsed", "labelled", "right", "drawn", "sample", "best",
)  # fmt: skip


class Probe:
    """One running probe; close() ends it."""

    def __init__(self):
        demo = firmware_dir() / "app" / "demo"
        display = sorted((firmware_dir() / "display").glob("*.c"))
        files = [Path(__file__).parent / "probe.c", *(demo / name for name in SOURCES), *display]
        executable = native.build("demo_probe", files, SANITIZE)
        self._process = subprocess.Popen(
            [executable], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **ENVIRONMENT}
        )

    def close(self) -> None:
        self._process.communicate()

    def open(self, region: bytes) -> str:
        """What became of the region: "none", "plan", or "<offset> <wrong field> <sum>"."""
        return self._ask(b"B" + struct.pack("<I", len(region)) + region)

    def number(self, value: int) -> str:
        return self._ask(b"N" + struct.pack("<I", value))

    def shortened(self, capacity: int, value: int) -> str:
        return self._ask(b"T" + struct.pack("<II", capacity, value))

    def ratio(self, numerator: int, denominator: int) -> str:
        return self._ask(b"R" + struct.pack("<II", numerator, denominator))

    def line(self, block: bytes, score: int, **values: int) -> str:
        """demo_line() of a result over a sound block, whose best class has this score."""
        scores = bytearray(HEADER.unpack_from(block)[8])
        scores[values.get("best", 0)] = score & 0xFF
        return self._ask(b"L" + _result(block, bytes(scores), values))

    def draw(
        self, block: bytes, scores: bytes, *, width: int = WIDTH, height: int = HEIGHT, spare_bytes: int = ENOUGH,
        **values: int,
    ) -> np.ndarray | None:  # fmt: skip
        """The picture of a result over a sound block as uint8 [height, width, 3]; None if the memory does not suffice.

        `scores` are the classes', `values` fields of struct demo_result; `best` is found if it is not given.
        """
        values.setdefault("best", int(np.frombuffer(scores, np.int8).argmax()) if scores else 0)
        request = struct.pack("<III", width, height, spare_bytes) + _result(block, scores, values)
        self._send(b"S" + request)
        if self._receive(1) == b"\0":
            return None
        colours = np.frombuffer(self._receive(4 * 256), "<u4")
        pixels = np.frombuffer(self._receive(2 * height * width), np.uint8).reshape(2, height, width)
        assert np.array_equal(pixels[0], pixels[1]), "a second drawing of the same is another"
        rgb = np.stack([colours >> 16 & 255, colours >> 8 & 255, colours & 255], axis=1).astype(np.uint8)
        return rgb[pixels[0]]

    def _send(self, request: bytes) -> None:
        assert self._process.stdin
        self._process.stdin.write(request)
        self._process.stdin.flush()

    def _receive(self, count: int) -> bytes:
        assert self._process.stdout
        data = self._process.stdout.read(count)
        assert len(data) == count, ENDED
        return data

    def _ask(self, request: bytes) -> str:
        assert self._process.stdout
        self._send(request)
        answer = self._process.stdout.readline()
        assert answer.endswith(b"\n"), ENDED
        return answer.decode("ascii").rstrip("\n")


def _result(block: bytes, scores: bytes, values: dict[str, int]) -> bytes:
    assert set(values) <= set(RESULT_FIELDS)
    assert len(scores) == HEADER.unpack_from(block)[8]
    numbers = struct.pack("<10I", *(values.get(name, 0) for name in RESULT_FIELDS))
    return struct.pack("<I", len(block)) + block + numbers + scores
