"""A pseudo terminal with something behind it, in place of a board's serial port."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import threading
import tty
from typing import Protocol


class Behind(Protocol):
    """The device's side: takes what the host writes, gives what it answers."""

    def read(self, timeout: float) -> bytes: ...

    def write(self, data: bytes) -> None: ...


class SerialLine:
    """`path` is the port; unplug() makes it vanish as a pulled cable does."""

    def __init__(self, device: Behind):
        self._ours, theirs = pty.openpty()
        tty.setraw(theirs)
        os.set_blocking(self._ours, False)
        self.path = os.ttyname(theirs)
        self._theirs = theirs  # held, so that the terminal outlives a host that closes it
        self._device = device
        self._plugged = True
        self._thread = threading.Thread(target=self._pump, daemon=True)
        self._thread.start()

    def __enter__(self) -> SerialLine:
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()

    def unplug(self) -> None:
        """Ends the line; safe to call again."""
        if self._plugged:
            self._plugged = False
            self._thread.join()
            os.close(self._theirs)
            os.close(self._ours)

    def _pump(self) -> None:
        with contextlib.suppress(OSError):
            while self._plugged:
                if select.select([self._ours], [], [], 0.002)[0]:
                    self._device.write(os.read(self._ours, 4096))
                while self._plugged and (answer := self._device.read(0)):
                    self._hand_on(answer)

    def _hand_on(self, data: bytes) -> None:
        """Waits for a host that does not read, as long as the line is plugged in."""
        while data and self._plugged:
            if select.select([], [self._ours], [], 0.02)[1]:
                with contextlib.suppress(BlockingIOError):
                    data = data[os.write(self._ours, data) :]
