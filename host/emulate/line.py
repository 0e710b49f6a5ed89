"""The probe's virtual COM port: what the chip's pins are wired to."""

from __future__ import annotations

from collections.abc import Callable


class Line:
    """Bytes on their way. `baud` is what the host's end is set to, `tx` and `rx` the chip's pins at the other end.

    Of several `rates` the host's end takes the one that the chip's is nearest to.

    `on_byte` is called with each byte that the chip sends.
    `incoming` are bytes from the host that the chip has not received yet, `outgoing` what it has sent.
    """

    def __init__(self, baud: int, tx: str, rx: str):
        self.baud, self.tx, self.rx = baud, tx, rx
        self.rates: tuple[int, ...] = (baud,)
        self.outgoing = bytearray()
        self._incoming = bytearray()
        self._taken = 0
        self.on_byte: Callable[[int], None] = lambda byte: None

    def __len__(self) -> int:
        """How many bytes are incoming."""
        return len(self._incoming) - self._taken

    def send(self, data: bytes) -> None:
        """The host sends."""
        if self._taken:
            del self._incoming[: self._taken]
            self._taken = 0
        self._incoming += data

    def take(self) -> int:
        """The next incoming byte, which there must be."""
        byte = self._incoming[self._taken]
        self._taken += 1
        return byte

    def put(self, byte: int) -> None:
        """The chip has sent a byte."""
        self.outgoing.append(byte)
        self.on_byte(byte)

    def sent(self) -> bytes:
        """What the chip has sent since the last call."""
        data = bytes(self.outgoing)
        self.outgoing.clear()
        return data
