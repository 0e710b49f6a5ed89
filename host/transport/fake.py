"""A transport pair in memory, for tests: what one end writes, the other reads. Safe between threads."""

from __future__ import annotations

import queue

from host.errors import LinkError


class FakeTransport:
    """One end of a pair."""

    def __init__(self, description: str, incoming: queue.Queue, outgoing: queue.Queue):
        self.description = description
        self._incoming = incoming
        self._outgoing = outgoing
        self._closed = False

    def read(self, timeout: float) -> bytes:
        """See Transport."""
        if self._closed:
            raise LinkError(f"{self.description} is closed")
        try:
            data = self._incoming.get(timeout=timeout) if timeout > 0 else self._incoming.get_nowait()
            while not self._incoming.empty() and data is not None:
                more = self._incoming.get_nowait()
                if more is None:
                    self._incoming.put(None)
                    break
                data += more
        except queue.Empty:
            return b""
        if data is None:
            self._incoming.put(None)
            raise LinkError(f"{self.description}: the other end is closed")
        return data

    def write(self, data: bytes) -> None:
        """See Transport."""
        if self._closed:
            raise LinkError(f"{self.description} is closed")
        self._outgoing.put(bytes(data))

    def close(self) -> None:
        """See Transport."""
        if not self._closed:
            self._closed = True
            self._outgoing.put(None)


def pair(description: str = "fake") -> tuple[FakeTransport, FakeTransport]:
    """Two connected ends."""
    there: queue.Queue = queue.Queue()
    back: queue.Queue = queue.Queue()
    return FakeTransport(description, back, there), FakeTransport(f"{description} (device)", there, back)
