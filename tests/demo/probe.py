"""probe.c as a process under the sanitizers."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

from host import native
from host.project import firmware_dir
from tests.native_build import ENVIRONMENT, SANITIZE

SOURCES = ("block.c", "line.c", "text.c")
CYCLES, INSTRUCTIONS = 1, 2


class Probe:
    """One running probe; close() ends it."""

    def __init__(self):
        demo = firmware_dir() / "app" / "demo"
        files = [Path(__file__).parent / "probe.c", *(demo / name for name in SOURCES)]
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
        """demo_line() of a result over a sound block."""
        names = (
            "counter_kind", "clock_hz", "frames", "count", "elapsed", "labelled", "right", "drawn", "sample",
            "best",
        )  # fmt: skip
        assert set(values) <= set(names)
        packed = struct.pack("<10I", *(values.get(name, 0) for name in names)) + struct.pack("<b", score)
        return self._ask(b"L" + struct.pack("<I", len(block)) + block + packed)

    def _ask(self, request: bytes) -> str:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(request)
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer.endswith(b"\n"), "the probe ended: see the sanitizer's report on standard error"
        return answer.decode("ascii").rstrip("\n")
