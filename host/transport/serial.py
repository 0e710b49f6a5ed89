"""Serial ports: device paths, and the URLs socket://HOST:PORT and rfc2217://HOST:PORT."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import time

import serial

from host import ports, udev
from host.errors import LinkError, PortDeniedError, PortError, PortMissingError
from host.transport.base import Transport
from host.transport.holder import holders
from host.transport.lock import PortLock, busy, keep_others_out, let_others_in
from host.transport.remote import WRITE_TIMEOUT_S, Rfc2217Transport, SocketTransport

DEFAULT_BAUD = 115200
_POLL_S = 0.01
_PIECE_BYTES = 4096


def open_port(port: str, baudrate: int = DEFAULT_BAUD) -> Transport:
    """The transport for a port, held exclusively until it is closed.

    Raises PortMissingError, PortBusyError, or PortError for lack of permission and bad URLs.
    """
    lock = PortLock(port)
    try:
        if port.startswith("socket://"):
            return SocketTransport(port, lock)
        if port.startswith("rfc2217://"):
            return Rfc2217Transport(port, baudrate, lock)
        return SerialTransport(port, baudrate, lock)
    except BaseException:
        lock.release()
        raise


class SerialTransport:
    """A serial port of the operating system, or a URL that only pyserial knows."""

    def __init__(self, port: str, baudrate: int, lock: PortLock):
        self.description = port
        self._lock = lock
        self._baudrate = baudrate
        is_url = "://" in port
        try:
            self._serial = serial.serial_for_url(
                port,
                baudrate=baudrate,
                timeout=_POLL_S,
                write_timeout=None if is_url else WRITE_TIMEOUT_S,
                **({} if is_url else {"exclusive": True}),
            )
        except (serial.SerialException, OSError, ValueError) as e:
            raise open_error(port, e) from None
        self._fd = None if is_url or os.name != "posix" else self._serial.fileno()
        if self._fd is not None:
            try:
                keep_others_out(self._fd, port)
            except BaseException:
                self._serial.close()
                raise

    def read(self, timeout: float) -> bytes:
        """See Transport."""
        try:
            if self._fd is not None:
                # Setting pyserial's timeout costs a tcsetattr() each time.
                if not select.select([self._fd], [], [], max(timeout, 0))[0]:
                    return b""
                data = os.read(self._fd, 65536)
                if not data:
                    raise OSError(errno.EIO, "the port is gone")
                return data
            end = time.monotonic() + timeout
            while not (data := self._serial.read(max(1, self._serial.in_waiting))):
                if time.monotonic() >= end:
                    return b""
            return data
        except (serial.SerialException, OSError) as e:
            raise self._lost(e) from None

    def write(self, data: bytes) -> None:
        """See Transport."""
        try:
            for at in range(0, len(data), _PIECE_BYTES):  # WRITE_TIMEOUT_S is for each
                self._serial.write(data[at : at + _PIECE_BYTES])
        except (serial.SerialException, OSError) as e:
            raise self._lost(e) from None

    def set_baud(self, baud: int | None = None) -> None:
        """See Transport."""
        try:
            self._serial.baudrate = baud or self._baudrate
        except (serial.SerialException, OSError, ValueError) as e:
            raise self._lost(e) from None

    def close(self) -> None:
        """See Transport."""
        with contextlib.suppress(serial.SerialException, OSError):
            if self._fd is not None and self._serial.is_open:
                let_others_in(self._fd)
            self._serial.close()
        self._lock.release()

    def _lost(self, e: Exception) -> LinkError:
        return LinkError(f"{self.description}: {e}", "is the board still plugged in?")


def open_error(port: str, e: Exception) -> PortError:
    """What it means when pyserial cannot open a port."""
    code = getattr(e, "errno", None)
    if code in (errno.EBUSY, errno.EAGAIN) or "exclusively lock" in str(e):
        return busy(port, holders(port))
    if code in (errno.EACCES, errno.EPERM) or "PermissionError" in str(e):
        if os.name != "posix":  # Windows says so for a port that is open elsewhere
            return busy(port, [])
        return PortDeniedError(f"no permission to open {port}", udev.hint())
    if "://" in port:
        return PortMissingError(f"cannot open {port}: {e}")
    if code == errno.ENOENT or not os.path.exists(port):
        found = ", ".join(p.device for p in ports.list_ports()) or "none"
        return PortMissingError(f"the port {port} does not exist", f"ports here: {found}")
    return PortError(f"cannot open {port}: {e}")
