"""A pseudo terminal that leads to a device, for a runner that opens a serial port."""

from __future__ import annotations

import contextlib
import os
import select

from host.errors import PortError
from host.transport.base import Transport

_POLL_S = 0.02
_PIECE_BYTES = 4096


class Terminal:
    """`path` is the port, from here to close(). Raises PortError where there are no pseudo terminals."""

    def __init__(self, transport: Transport):
        try:
            import pty
            import tty
        except ImportError:
            raise PortError(
                "this system has no pseudo terminals", "use a real board, or --performance here"
            ) from None
        self._transport = transport
        self._ours, self._theirs = pty.openpty()  # theirs stays open: runners come and go
        tty.setraw(self._theirs)
        os.set_blocking(self._ours, False)
        self.path = os.ttyname(self._theirs)

    def serve(self) -> None:
        """Moves bytes until an exception such as KeyboardInterrupt, or until the device is gone (HostError)."""
        while True:
            if select.select([self._ours], [], [], 0)[0]:
                self._transport.write(os.read(self._ours, _PIECE_BYTES))
            data = self._transport.read(_POLL_S)
            with contextlib.suppress(BlockingIOError):  # nobody reads, and the terminal is full
                while data:
                    data = data[os.write(self._ours, data) :]

    def close(self) -> None:
        """Gives the terminal back."""
        os.close(self._ours)
        os.close(self._theirs)
