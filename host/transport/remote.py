"""Ports of other machines: socket://HOST:PORT, plain bytes over TCP, and rfc2217://HOST:PORT, a shared serial port."""

from __future__ import annotations

import contextlib
import socket
import time
from urllib.parse import urlsplit

import serial
from serial import rfc2217

from host.errors import LinkError, PortError, PortMissingError
from host.transport.duplex import Duplex
from host.transport.lock import PortLock

WRITE_TIMEOUT_S = 10.0
_CONNECT_TIMEOUT_S = 5.0
_POLL_S = 0.01
_SERVE_HINT = "is `host serve` running there, and no other client at it?"


def address_of(url: str) -> tuple[str, int]:
    """Host and port of SCHEME://HOST:PORT. Raises PortError."""
    try:
        parts = urlsplit(url)
        host, number = parts.hostname, parts.port
    except ValueError:
        host = number = None
    if not host or number is None:
        raise PortError(f"{url} is no port", f"write it as {url.split(':')[0]}://HOST:PORT")
    return host, number


class SocketTransport:
    """A TCP connection; pyserial's socket:// reads it byte by byte, which is slow."""

    def __init__(self, url: str, lock: PortLock):
        self.description = url
        self._lock = lock
        try:
            connected = socket.create_connection(address_of(url), _CONNECT_TIMEOUT_S)
        except OSError as e:
            raise PortMissingError(f"nothing answers at {url}: {e.strerror or e}") from None
        with contextlib.suppress(OSError):
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._line = Duplex(connected)

    def read(self, timeout: float) -> bytes:
        """See Transport."""
        try:
            return self._line.read(timeout)
        except (OSError, ValueError) as e:  # ValueError: it is closed here
            raise self._lost(e) from None

    def write(self, data: bytes) -> None:
        """See Transport."""
        try:
            self._line.write(data, WRITE_TIMEOUT_S)
        except (OSError, ValueError) as e:
            raise self._lost(e) from None

    def close(self) -> None:
        """See Transport."""
        self._line.close()
        self._lock.release()

    def _lost(self, e: Exception) -> LinkError:
        what = (
            "no byte was taken for too long"
            if isinstance(e, TimeoutError)
            else getattr(e, "strerror", "") or e
        )
        return LinkError(f"{self.description}: {what}")


class Rfc2217Transport:
    """A serial port that an RFC 2217 server shares, by pyserial's client; the server sets the baud rate."""

    def __init__(self, url: str, baudrate: int, lock: PortLock):
        self.description = url
        self._lock = lock
        self._baudrate = baudrate
        address_of(url)
        try:
            # without a write_timeout, which this client lacks: its socket gives up after 5 s by itself
            self._serial = rfc2217.Serial(url, baudrate=baudrate, timeout=_POLL_S)
        except (serial.SerialException, OSError, ValueError) as e:
            raise _refusal(url, baudrate, e) from None

    def read(self, timeout: float) -> bytes:
        """See Transport."""
        end = time.monotonic() + timeout
        try:
            while not (data := self._serial.read(max(1, self._serial.in_waiting))):
                if time.monotonic() >= end:
                    return b""
        except (serial.SerialException, OSError) as e:
            raise self._lost(e) from None
        return data

    def write(self, data: bytes) -> None:
        """See Transport."""
        try:
            self._serial.write(data)
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
            self._serial.close()
        self._lock.release()

    def _lost(self, e: Exception) -> LinkError:
        if "reader thread died" in str(e) or isinstance(e.__context__, ConnectionError):
            return LinkError(
                f"{self.description}: the other side closed the connection",
                "is the board still plugged in there, and `host serve` running?",
            )
        return LinkError(f"{self.description}: {e}")


def _refusal(url: str, baudrate: int, e: Exception) -> PortError:
    """What it means when pyserial cannot open the URL; its own texts show objects of its inside."""
    cause, text = e.__context__, str(e)
    if "support RFC2217" in text or "waiting for option" in text:
        return PortError(
            f"no RFC 2217 server answers at {url}", f"{_SERVE_HINT} Plain TCP is socket://HOST:PORT"
        )
    if "parameter change" in text or "rejected value" in text:
        return PortError(f"the server at {url} cannot set its port to {baudrate} baud")
    if isinstance(cause, OSError) or (isinstance(e, OSError) and e.errno):
        reason = cause if isinstance(cause, OSError) else e
        return PortMissingError(f"nothing answers at {url}: {reason.strerror or reason}", _SERVE_HINT)
    return PortMissingError(f"cannot open {url}: {text}")
