"""Serial ports: device paths, and the URLs socket://HOST:PORT and rfc2217://HOST:PORT."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import time
from urllib.parse import urlsplit

import serial

from host import ports, udev
from host.errors import LinkError, PortBusyError, PortError, PortMissingError
from host.transport.base import Transport
from host.transport.holder import holders
from host.transport.lock import PortLock

_WRITE_TIMEOUT_S = 10.0
_CONNECT_TIMEOUT_S = 5.0
_POLL_S = 0.01


def open_port(port: str, baudrate: int = 115200) -> Transport:
    """The transport for a port, held exclusively until it is closed.

    Raises PortMissingError, PortBusyError, or PortError for lack of permission and bad URLs.
    """
    lock = PortLock(port)
    try:
        if port.startswith("socket://"):
            return SocketTransport(port, lock)
        return SerialTransport(port, baudrate, lock)
    except BaseException:
        lock.release()
        raise


class SocketTransport:
    """A TCP connection; pyserial's socket:// reads it byte by byte, which is slow."""

    def __init__(self, url: str, lock: PortLock):
        self.description = url
        self._lock = lock
        try:
            parts = urlsplit(url)
            host, number = parts.hostname, parts.port
        except ValueError:
            host = number = None
        if not host or number is None:
            raise PortError(f"{url} is no port", "write it as socket://HOST:PORT")
        try:
            self._socket = socket.create_connection((host, number), _CONNECT_TIMEOUT_S)
        except OSError as e:
            raise PortMissingError(f"nothing answers at {url}: {e.strerror or e}") from None
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def read(self, timeout: float) -> bytes:
        """See Transport."""
        try:
            self._socket.settimeout(max(timeout, 0))
            data = self._socket.recv(65536)
        except (TimeoutError, BlockingIOError):
            return b""
        except OSError as e:
            raise LinkError(f"{self.description}: {e.strerror or e}") from None
        if not data:
            raise LinkError(f"{self.description}: the other side closed the connection")
        return data

    def write(self, data: bytes) -> None:
        """See Transport."""
        try:
            self._socket.settimeout(_WRITE_TIMEOUT_S)
            self._socket.sendall(data)
        except OSError as e:
            raise LinkError(f"{self.description}: {e.strerror or e}") from None

    def close(self) -> None:
        """See Transport."""
        self._socket.close()
        self._lock.release()


class SerialTransport:
    """A serial port of the operating system, or an rfc2217:// URL."""

    def __init__(self, port: str, baudrate: int, lock: PortLock):
        self.description = port
        self._lock = lock
        is_url = "://" in port
        try:
            self._serial = serial.serial_for_url(
                port,
                baudrate=baudrate,
                timeout=_POLL_S,
                write_timeout=None if is_url else _WRITE_TIMEOUT_S,
                **({} if is_url else {"exclusive": True}),
            )
        except (serial.SerialException, OSError, ValueError) as e:
            raise _open_error(port, e) from None
        self._fd = None if is_url or os.name != "posix" else self._serial.fileno()

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
            self._serial.write(data)
        except (serial.SerialException, OSError) as e:
            raise self._lost(e) from None

    def close(self) -> None:
        """See Transport."""
        with contextlib.suppress(serial.SerialException, OSError):
            self._serial.close()
        self._lock.release()

    def _lost(self, e: Exception) -> LinkError:
        return LinkError(f"{self.description}: {e}", "is the board still plugged in?")


def _open_error(port: str, e: Exception) -> PortError:
    code = getattr(e, "errno", None)
    if code in (errno.EBUSY, errno.EAGAIN) or "exclusively lock" in str(e):
        who = ", ".join(holders(port))
        return PortBusyError(
            f"{port} is in use by another program" + (f" ({who})" if who else ""), "end it first"
        )
    if code in (errno.EACCES, errno.EPERM) or "PermissionError" in str(e):
        if os.name != "posix":  # Windows says so for a port that is open elsewhere
            return PortBusyError(f"{port} is in use by another program", "end it first")
        return PortError(f"no permission to open {port}", udev.hint())
    if "://" in port:
        return PortMissingError(f"cannot open {port}: {e}")
    if code == errno.ENOENT or not os.path.exists(port):
        found = ", ".join(p.device for p in ports.list_ports()) or "none"
        return PortMissingError(f"the port {port} does not exist", f"ports here: {found}")
    return PortError(f"cannot open {port}: {e}")
