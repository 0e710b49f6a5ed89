"""The benchmark's side of the device protocol: firmware/app/mlperf/MLPERF.md."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from host.errors import DeviceError, LinkError
from host.transport.base import Transport

READY = "m-ready"
CHUNK_BYTES = 31
SILENCE_S = 10.0
INFER_SILENCE_S = 300.0  # nothing is said during inferences
_POLL_S = 0.05
_MOST_BYTES = 1 << 20  # of a reply


@dataclass(frozen=True)
class Inference:
    """What `infer` said: microseconds of all runs by the device's clock, and the results' numbers as printed."""

    runs: int
    us: int
    results: tuple[float, ...]


@dataclass
class Dut:
    """A device under test. `transcript` keeps what was said: `> ` before commands, `< ` before the device's lines."""

    transport: Transport
    clock: Callable[[], float] = time.monotonic
    transcript: list[str] = field(default_factory=list)
    _text: bytes = b""

    def hear_banner(self, timeout: float = 1.0) -> list[str]:
        """What a device says at its start, if it has just started; nothing after `timeout` seconds."""
        return self._lines(timeout, patient=False)

    def ask(self, command: str, timeout: float = SILENCE_S) -> list[str]:
        """The reply's lines, without m-ready. Raises DeviceError for an e-[...], LinkError."""
        self.transcript.append(f"> {command}%")
        self.transport.write(f"{command}%".encode("ascii"))
        *reply, _ = self._lines(timeout)
        for line in reply:
            if line.startswith("e-"):
                said = line.removeprefix("e-[").removesuffix("]")
                raise DeviceError(f"{command[:40]}: the device says: {said}")
        return reply

    def _lines(self, timeout: float, patient: bool = True) -> list[str]:
        end = self.clock() + timeout
        ready = f"{READY}\r\n".encode()
        while ready not in self._text and len(self._text) < _MOST_BYTES:
            piece = self.transport.read(min(_POLL_S, timeout))
            self._text += piece
            if self.clock() < end or piece:
                continue
            if not patient:
                return []
            heard = f"only {self._text[-60:]!r} came" if self._text else "nothing came"
            raise LinkError(
                f"no {READY} within {timeout:g} s, {heard}", "does a network for MLPerf Tiny run there?"
            )
        text, found, self._text = self._text.partition(ready)
        lines = (text + found).decode("ascii", "replace").split("\r\n")[:-1]
        self.transcript += [f"< {line}" for line in lines]
        return lines

    def profile(self) -> str:
        """The model's name."""
        for line in self.ask("profile"):
            if match := re.fullmatch(r"m-model-\[([^]]+)]", line):
                return match[1]
        raise LinkError("profile: the reply names no model")

    def name(self) -> str:
        """The device's name."""
        for line in self.ask("name"):
            if match := re.fullmatch(r"m-name-dut-\[([^]]+)]", line):
                return match[1]
        raise LinkError("name: the reply names no device")

    def load(self, data: bytes) -> None:
        """Sends an input. Raises LinkError if the device counts other bytes than we do."""
        self.ask(f"db load {len(data)}")
        for at in range(0, len(data), CHUNK_BYTES):
            done = at + CHUNK_BYTES >= len(data)
            reply = self.ask(f"db {data[at : at + CHUNK_BYTES].hex()}")
            if reply != (["m-load-done"] if done else []):
                raise LinkError(f"db: bytes were lost on the way at {at:,} of {len(data):,}", "try again")

    def infer(self, runs: int, warm_ups: int) -> Inference:
        """Runs inferences over the input that was loaded."""
        lines = self.ask(f"infer {runs} {warm_ups}", INFER_SILENCE_S)
        laps = [int(m[1]) for line in lines if (m := re.fullmatch(r"m-lap-us-(\d+)", line))]
        results = [m[1] for line in lines if (m := re.fullmatch(r"m-results-\[([^]]*)]", line))]
        if len(laps) != 2 or len(results) != 1:
            raise LinkError("infer: the reply has not two times and one line of results")
        return Inference(runs, laps[1] - laps[0], tuple(float(x) for x in results[0].split(",")))
