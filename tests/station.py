"""A device under test for a whole session: where it is, what it can; given back and opened again as tests need it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from host import build
from host.boards import load_board
from host.devices import open_device
from host.errors import HostError, PortBusyError
from host.link.client import Client
from host.link.hello import Hello
from host.transport.lock import PortLock

LOCK_POLL_S = 0.5
FLASH_TIMEOUT_S = 600
LOST_AFTER = (
    3  # times in a row that a device could not be opened: then it is gone for the rest of the session
)


@dataclass(frozen=True)
class Entry:
    """One device of a rig. Without a port an emulated board is started.

    `flash` writes this checkout's firmware first; else the device must run it already. `without` are capabilities
    that it is not to be tested for. `lock_timeout_s` is how long to wait for another test run that uses it.
    """

    name: str
    board: str
    port: str | None = None
    probe: str | None = None
    flash: bool = False
    without: frozenset[str] = frozenset()
    lock_timeout_s: float = 600.0


class Station:
    """The device of an entry; one client at a time. Raises HostError with the entry's name where it cannot be had."""

    def __init__(self, entry: Entry, opener: Callable[..., Client] = open_device):
        self.entry = entry
        self._open = opener
        self._client: Client | None = None
        self._lock: PortLock | None = None
        self._flashed = False
        self._failures = 0
        self._lost = ""
        self.hello: Hello | None = None

    def fresh(self) -> Client:
        """The device, connected and reset: it holds no plan. What an earlier test did to it does not matter."""
        if self._client is not None:
            try:
                self._client.reset()
                return self._client
            except HostError:
                self.release()
        if self._lost:
            raise HostError(self._lost)
        try:
            self._prepare()
            self._client = self._open(self.entry.board, self.entry.port)
            self.hello = self._client.connect()
            self._check_firmware(self.hello)
            self._client.reset()
        except HostError as error:
            self.release()
            self._failures += 1
            message = f"{self.entry.name}: {error.message}"
            if self._failures >= LOST_AFTER:
                self._lost = f"{message}; given up after {self._failures} tries"
            raise type(error)(message, error.hint) from error
        self._failures = 0
        return self._client

    @property
    def capabilities(self) -> frozenset[str]:
        """What tests may ask for with `needs`: see tests/hil/README.md."""
        if self.hello is None:
            self.fresh()
        hello = self.hello
        assert hello is not None
        found = {"emulated" if hello.emulated else "metal", hello.counter}
        if hello.flash_plan_bytes:
            found.add("flash_plan")
        if hello.clock_source != "emulated":
            found.add("clock")
        return frozenset(found) - self.entry.without

    def release(self) -> None:
        """Lets go of the device, so that code under test can open it by itself."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def close(self) -> None:
        """Gives everything back; safe to call again."""
        self.release()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _prepare(self) -> None:
        """Before the first opening: the lock, and the firmware if the rig says so."""
        if self._lock is None and self.entry.port and not self.entry.port.startswith("emulate:"):
            self._lock = self._wait_for_lock()
        if self.entry.flash and not self._flashed:
            self._flash()
            self._flashed = True

    def _wait_for_lock(self) -> PortLock:
        end = time.monotonic() + self.entry.lock_timeout_s
        while True:
            try:
                # apart from the port's own lock, which is free while a test lets go of the device
                return PortLock(f"hil://{self.entry.port}")
            except PortBusyError:
                if time.monotonic() >= end:
                    raise
                time.sleep(LOCK_POLL_S)

    def _flash(self) -> None:
        command = [
            sys.executable,
            "-m",
            "host.cli",
            "flash",
            "--board",
            self.entry.board,
        ]
        if self.entry.probe:
            command += ["--probe", self.entry.probe]
        if self.entry.port:
            command += ["--port", self.entry.port]
        done = subprocess.run(command, capture_output=True, text=True, timeout=FLASH_TIMEOUT_S)
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [f"host flash ended with status {done.returncode}"]
            raise HostError(f"not flashed: {lines[-1].removeprefix('error: ')}")

    def _check_firmware(self, hello: Hello) -> None:
        if hello.board != self.entry.board:
            raise HostError(f"the device is a {hello.board}, not a {self.entry.board}")
        wanted = build.build(load_board(self.entry.board)).build_hash
        if hello.build != wanted:
            raise HostError(
                f"runs firmware {hello.build}, this checkout's is {wanted}",
                f"`host flash --board {self.entry.board}`, or `flash = true` in the rig",
            )
