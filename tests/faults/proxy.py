"""A bad serial line: seeded faults in what passes, in simulated or in real time.

Noise damages bytes; FaultyTransport puts it before any transport in real time. The simulated line of board.py takes
Noise as it is.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, fields

from host.transport.base import Transport


@dataclass(frozen=True)
class Rates:
    """How often each fault happens, as the probability a piece of up to `piece_bytes` bytes.

    A delay holds up everything behind it; a piece that is overtaken comes up to `overtaken_s` late; an echo is a
    second copy that comes up to `max_delay_s` after the first.
    """

    drop_byte: float = 0.0
    drop_piece: float = 0.0
    repeat_byte: float = 0.0
    repeat_piece: float = 0.0
    echo: float = 0.0
    flip_bit: float = 0.0
    insert_byte: float = 0.0
    delay: float = 0.0
    overtaken: float = 0.0
    piece_bytes: int = 400
    max_delay_s: float = 3.0
    overtaken_s: float = 0.02

    @staticmethod
    def draw(rng: random.Random) -> Rates:
        """One to three kinds of fault, from rare to one in four pieces."""
        kinds = [f.name for f in fields(Rates) if f.type == "float" and not f.name.endswith("_s")]
        chosen = rng.sample(kinds, rng.randint(1, 3))
        rates = {kind: 10 ** rng.uniform(-2.5, -0.6) for kind in chosen}
        return Rates(
            **rates,
            piece_bytes=rng.choice((8, 64, 400, 2000)),
            max_delay_s=10 ** rng.uniform(-3, 0.7),
            overtaken_s=10 ** rng.uniform(-3, -0.5),
        )


class Noise:
    """One direction of a bad line. `on` may be put off and on again."""

    def __init__(self, rates: Rates, rng: random.Random):
        self.rates, self._rng = rates, rng
        self.on = True
        self._free_at = 0.0

    def __call__(self, data: bytes, at: float) -> list[tuple[float, bytes]]:
        """What arrives of bytes sent at a moment, and when."""
        if not self.on:
            self._free_at = max(self._free_at, at)
            return [(self._free_at, data)]
        arriving = []
        while data:
            size = self._rng.randint(1, self.rates.piece_bytes)
            piece, data = bytearray(data[:size]), data[size:]
            arriving += self._pass(piece, at)
        return arriving

    def _pass(self, piece: bytearray, at: float) -> list[tuple[float, bytes]]:
        rates, rng = self.rates, self._rng

        def happens(rate: float) -> bool:
            return rate > 0 and rng.random() < rate

        if happens(rates.drop_byte):
            del piece[rng.randrange(len(piece))]
        if piece and happens(rates.repeat_byte):
            where = rng.randrange(len(piece))
            piece.insert(where, piece[where])
        if piece and happens(rates.flip_bit):
            piece[rng.randrange(len(piece))] ^= 1 << rng.randrange(8)
        if happens(rates.insert_byte):
            piece.insert(rng.randint(0, len(piece)), rng.randrange(256))
        copies = 0 if happens(rates.drop_piece) else 2 if happens(rates.repeat_piece) else 1
        if happens(rates.delay):
            self._free_at = max(self._free_at, at) + rng.random() * rates.max_delay_s
        arrival = max(self._free_at, at)
        self._free_at = arrival
        if happens(rates.overtaken):
            arrival += rng.random() * rates.overtaken_s
        arriving = [(arrival, bytes(piece))] * copies
        if copies and happens(rates.echo):
            arriving.append((arrival + rng.random() * rates.max_delay_s, bytes(piece)))
        return arriving


class FaultyTransport:
    """A transport with Noise in both directions, in real time."""

    def __init__(
        self,
        inner: Transport,
        to_device: Noise,
        to_host: Noise,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.description = f"{inner.description} on a bad line"
        self.counts_instructions = getattr(inner, "counts_instructions", False)
        self._inner, self._there, self._back, self._clock = inner, to_device, to_host, clock
        self._going: list[tuple[float, bytes]] = []
        self._coming: list[tuple[float, bytes]] = []

    def write(self, data: bytes) -> None:
        """See Transport."""
        self._going += self._there(bytes(data), self._clock())
        self._send_due()

    def _send_due(self) -> None:
        now = self._clock()
        due = sorted((item for item in self._going if item[0] <= now), key=lambda item: item[0])
        self._going = [item for item in self._going if item[0] > now]
        if due:
            self._inner.write(b"".join(piece for _, piece in due))

    def read(self, timeout: float) -> bytes:
        """See Transport."""
        now = self._clock()
        end = now + timeout
        while True:
            self._send_due()
            next_event = min([end, *(at for at, _ in self._going + self._coming)])
            if data := self._inner.read(max(0.0, next_event - now)):
                self._coming += [item for item in self._back(data, self._clock()) if item[1]]
            now = self._clock()
            due = sorted((item for item in self._coming if item[0] <= now), key=lambda item: item[0])
            if due:
                self._coming = [item for item in self._coming if item[0] > now]
                return b"".join(piece for _, piece in due)
            if now >= end:
                return b""

    def close(self) -> None:
        """See Transport."""
        self._inner.close()
