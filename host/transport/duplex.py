"""A socket that is read while it is written: QEMU stops taking bytes when some hundred of its own wait for a reader."""

from __future__ import annotations

import contextlib
import select
import socket
import time

_RECEIVE_BYTES = 65536


class Duplex:
    """Bytes in both directions over a connected stream socket, which it owns. Not for several threads."""

    def __init__(self, connected: socket.socket):
        self._socket = connected
        self._socket.setblocking(False)
        self._kept = bytearray()

    def read(self, timeout: float) -> bytes:
        """What has arrived; waits up to `timeout` seconds for the first byte, then b"".

        Raises ConnectionError when the other side has closed, OSError.
        """
        if not self._kept and select.select([self._socket], [], [], max(timeout, 0))[0]:
            self._receive()
        data = bytes(self._kept)
        self._kept.clear()
        return data

    def write(self, data: bytes, timeout: float) -> None:
        """Sends everything. Raises TimeoutError when nothing moves for `timeout` seconds, OSError."""
        left = memoryview(data)
        end = time.monotonic() + timeout
        while left:
            wait = max(0.0, end - time.monotonic())
            readable, writable, _ = select.select([self._socket], [self._socket], [], wait)
            if readable:
                self._receive()
            if writable:
                with contextlib.suppress(BlockingIOError):
                    left = left[self._socket.send(left) :]
            if not (readable or writable):
                raise TimeoutError
            end = time.monotonic() + timeout

    def close(self) -> None:
        """Safe to call again."""
        self._socket.close()

    def _receive(self) -> None:
        with contextlib.suppress(BlockingIOError):
            data = self._socket.recv(_RECEIVE_BYTES)
            if not data:
                raise ConnectionResetError("the other side closed the connection")
            self._kept += data
