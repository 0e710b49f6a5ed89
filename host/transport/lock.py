"""One program a port: a lock between hosts, for URLs too, and the system's own for serial ports."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile

from host.errors import PortBusyError
from host.transport.holder import describe, holders

try:
    import fcntl
    import termios
except ImportError:  # Windows, where the serial ports themselves are exclusive
    fcntl = termios = None


class PortLock:
    """Held from here to release() or the end of the process. PortBusyError if another has it."""

    def __init__(self, port: str):
        self._fd = -1
        if fcntl is None:
            return
        name = os.path.realpath(port) if "://" not in port else port.lower()
        path = os.path.join(
            tempfile.gettempdir(), f"tinyconv-{hashlib.sha256(name.encode()).hexdigest()[:16]}.lock"
        )
        fd = _open(path)
        if fd < 0:
            return
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            with os.fdopen(fd, "rb") as file:
                owner = file.read(32).decode("ascii", "replace").strip()
            raise PortBusyError(
                f"{port} is in use by another host"
                + (f" ({describe(int(owner))})" if owner.isdigit() else ""),
                "end it first",
            ) from None
        self._fd = fd
        with contextlib.suppress(OSError):
            os.ftruncate(fd, 0)
            os.pwrite(fd, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Lets others in; safe to call again."""
        if self._fd >= 0:
            os.close(self._fd)  # the file stays: deleting it would race with the next host's lock
            self._fd = -1


def keep_others_out(fd: int, port: str) -> None:
    """From now on nobody else may open this serial port. Raises PortBusyError if another program has it open already:
    both would read, and each get a part of the bytes. The other end of a pseudo terminal is no such program.
    """
    if termios is None:
        return
    with contextlib.suppress(OSError):
        fcntl.ioctl(fd, termios.TIOCEXCL)
    if not is_pseudo_terminal(port) and (others := holders(port)):
        let_others_in(fd)
        raise busy(port, others)


def let_others_in(fd: int) -> None:
    """Before the port is closed: the mark of a pseudo terminal would stay."""
    if termios is not None:
        with contextlib.suppress(OSError):
            fcntl.ioctl(fd, termios.TIOCNXCL)


def is_pseudo_terminal(port: str) -> bool:
    """Whether a program is at the other end of a port, as with socat."""
    return os.path.realpath(port).startswith("/dev/pts/")


def busy(port: str, others: list[str]) -> PortBusyError:
    """The error for a port that other programs have open; they are named where that is known."""
    who = f" ({', '.join(others)})" if others else ""
    return PortBusyError(f"{port} is in use by another program{who}", "end it first")


def _open(path: str) -> int:
    """The lock file; -1 if we may not, so that a stranger's file in /tmp does not keep us from working.

    Linux (fs.protected_regular) refuses O_CREAT on another user's file, hence two steps.
    """
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    for attempt in (flags, flags | os.O_CREAT | os.O_EXCL, flags, flags & ~os.O_RDWR):
        try:
            fd = os.open(path, attempt, 0o666)
        except OSError:
            continue
        if attempt & os.O_EXCL:
            os.fchmod(fd, 0o666)
        return fd
    return -1
