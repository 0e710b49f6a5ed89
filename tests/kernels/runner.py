"""Client of runner.c: kernels under AddressSanitizer and UndefinedBehaviorSanitizer."""

from __future__ import annotations

import struct
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from host import defs, native

_CHECK, _RUN = 1, 2
INPUT0, INPUT1, OWN, BEHIND_INPUT0 = range(4)  # enum place in runner.c
_FLAGS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")


@dataclass(frozen=True)
class Fit:
    """What a kernel says of valid parameters."""

    supports: bool
    scratch: int
    weights: int
    channels: int


@dataclass(frozen=True)
class Checked:
    """Answer to CHECK. `field` names the bad one; the rest is for valid parameters only."""

    field: str | None
    inputs: tuple[int, ...] = ()
    out: int = 0
    kernels: dict[str, Fit] | None = None


class Runner:
    """A sanitized process, alive for many cases; a finding raises AssertionError with its report."""

    def __init__(self) -> None:
        source = Path(__file__).with_name("runner.c")
        self._program = native.build("sanitized-runner", [source], _FLAGS)
        self._process: subprocess.Popen | None = None
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as this object)

    def _send(self, data: bytes) -> None:
        if self._process is None:
            self._errors.truncate(0)
            pipe = subprocess.PIPE
            self._process = subprocess.Popen([self._program], stdin=pipe, stdout=pipe, stderr=self._errors)
        try:
            self._process.stdin.write(data)
            self._process.stdin.flush()
        except BrokenPipeError:
            self._died()

    def _read(self, count: int) -> bytes:
        data = self._process.stdout.read(count)
        if len(data) < count:
            self._died()
        return data

    def _words(self, count: int) -> tuple[int, ...]:
        return struct.unpack(f"={count}I", self._read(4 * count))

    def _died(self) -> None:
        self._process.wait()
        self._process = None
        self._errors.seek(0)
        raise AssertionError("the sanitizers object:\n" + self._errors.read().decode(errors="replace")[:3000])

    def close(self) -> None:
        """Ends the process."""
        if self._process:
            self._process.stdin.close()
            self._process.wait()
            self._process = None

    def check(self, op: str, params: bytes) -> Checked:
        """op_params_valid(), sizes and supports()."""
        definition = defs.operators()[op]
        self._send(struct.pack("=3I", _CHECK, definition.id, len(params)) + params)
        valid, field = self._words(2)
        if not valid:
            return Checked(definition.fields[field])
        in0, in1, in2, out, count = self._words(5)
        names = {k.id: k.name for k in defs.kernels().values()}
        fits = {}
        for _ in range(count):
            code, supports, *sizes = self._words(5)
            fits[names[code]] = Fit(bool(supports), *sizes)
        return Checked(None, tuple(n for n in (in0, in1, in2) if n), out, fits)

    def run(
        self,
        kernel: str,
        params: bytes,
        inputs: Sequence[bytes],
        weights: bytes,
        channels: bytes,
        before: bytes,
        place: int = OWN,
    ) -> np.ndarray | None:
        """The output, int8; None if the blobs are refused. `before` is the output's former content."""
        missing = [b""] * (len(native.INPUTS) - len(inputs))
        buffers = (params, *inputs, *missing, weights, channels, before)
        head = struct.pack("=10I", _RUN, defs.kernels()[kernel].id, place, *map(len, buffers))
        self._send(head + b"".join(buffers))
        if not self._words(1)[0]:
            return None
        return np.frombuffer(self._read(len(before)), np.int8)
