"""Shares a serial port with other machines: an RFC 2217 server for one client at a time.

The port is opened when a client comes and closed when it leaves, so that a board may be unplugged and used locally in
between. pyserial's PortManager speaks the protocol; this module moves the bytes.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
import threading
from collections.abc import Callable

import serial
from serial.rfc2217 import PortManager

from host.errors import HostError, PortBusyError, PortError
from host.transport.lock import PortLock, keep_others_out, let_others_in
from host.transport.serial import open_error

DEFAULT_ADDRESS = ("127.0.0.1", 2217)
_POLL_S = 0.05
_WRITE_TIMEOUT_S = 10.0
# A client that reconnects at once must find the port free: its earlier connection may take so long to end.
_HANDOVER_S = 2.0
# A client whose machine vanished is noticed after about idle + interval * count seconds.
_KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}

Say = Callable[[str], None]


def parse_address(text: str) -> tuple[str, int]:
    """HOST:PORT, [IPV6]:PORT, or HOST alone. Raises PortError."""
    host, colon, number = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, number = text, str(DEFAULT_ADDRESS[1])
    host = host.removeprefix("[").removesuffix("]")
    if not host or not number.isdigit() or int(number) > 65535:
        raise PortError(f"{text!r} is no address to listen at", "write it as HOST:PORT, as in 0.0.0.0:2217")
    return host, int(number)


def is_local(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class PortServer:
    """Listens from here to close(). Raises PortBusyError or PortError if it cannot, or if the port cannot be opened."""

    def __init__(
        self, port: str, baudrate: int, address: tuple[str, int] = DEFAULT_ADDRESS, say: Say = print
    ):
        self._port, self._baudrate, self._say = port, baudrate, say
        if "://" in port:
            raise PortError(f"{port} is no serial port of this computer", "`host ports` lists those")
        _Shared(port, baudrate).close()  # what is wrong with it is better said now than to the first client
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        try:
            self._listener = socket.create_server(address, family=family)
        except OSError as e:
            where = f"{address[0]}:{address[1]}"
            if e.errno == errno.EADDRINUSE:
                raise PortBusyError(
                    f"another program listens at {where}", "choose another with --listen"
                ) from None
            raise PortError(
                f"cannot listen at {where}: {e.strerror or e}", "choose another with --listen"
            ) from None
        self._client: _Client | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens; the system chose the number if 0 was asked for."""
        return self._listener.getsockname()[:2]

    def serve(self) -> None:
        """Serves clients, one after another, until close() or an exception such as KeyboardInterrupt."""
        try:
            while True:
                try:
                    connection, peer = self._listener.accept()
                except OSError:
                    return  # closed
                self._welcome(connection, f"{peer[0]}:{peer[1]}")
        finally:
            self.close()

    def close(self) -> None:
        """Ends the listening and the client; safe to call again."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self._listener.close()
        if self._client:
            self._client.close()

    def _welcome(self, connection: socket.socket, peer: str) -> None:
        if self._client:
            self._client.join(_HANDOVER_S)
            if self._client.is_alive():
                self._say(f"{peer} was turned away: {self._client.peer} uses the port")
                connection.close()
                return
        try:
            shared = _Shared(self._port, self._baudrate)
        except HostError as error:
            self._say(f"{peer} was turned away: {error}")
            connection.close()
            return
        self._client = _Client(shared, connection, peer, self._say)
        self._client.start()


class _Shared(serial.Serial):
    """The port, locked for us. Ports without modem lines, as pseudo terminals are, show them as off."""

    def __init__(self, port: str, baudrate: int):
        self._lock = PortLock(port)
        try:
            super().__init__(port, baudrate, timeout=_POLL_S, write_timeout=_WRITE_TIMEOUT_S, exclusive=True)
        except (serial.SerialException, OSError, ValueError) as e:
            self._lock.release()
            raise open_error(port, e) from None
        try:
            if os.name == "posix":
                keep_others_out(self.fileno(), port)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self.is_open and os.name == "posix":
            let_others_in(self.fileno())
        super().close()
        self._lock.release()

    def _update_dtr_state(self) -> None:
        with contextlib.suppress(OSError):
            super()._update_dtr_state()

    def _update_rts_state(self) -> None:
        with contextlib.suppress(OSError):
            super()._update_rts_state()

    @property
    def cts(self) -> bool:
        return self._line("cts")

    @property
    def dsr(self) -> bool:
        return self._line("dsr")

    @property
    def ri(self) -> bool:
        return self._line("ri")

    @property
    def cd(self) -> bool:
        return self._line("cd")

    def _line(self, name: str) -> bool:
        try:
            return getattr(super(), name)
        except OSError:
            return False


class _Client(threading.Thread):
    """One connection: this thread moves bytes to the port, another one from it. Both end when either side is gone."""

    def __init__(self, shared: _Shared, connection: socket.socket, peer: str, say: Say):
        super().__init__(daemon=True, name=f"client {peer}")
        self.peer, self._shared, self._connection, self._say = peer, shared, connection, say
        self._writing = threading.Lock()  # what PortManager answers must not fall into the middle of data
        self._ending = False
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in _KEEPALIVE.items():
                if hasattr(socket, option):
                    connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)

    def write(self, data: bytes) -> None:
        """To the client; PortManager calls it too."""
        with self._writing:
            self._connection.sendall(data)

    def run(self) -> None:
        self._say(f"{self.peer} connected")
        trouble = ""
        from_port = threading.Thread(target=self._from_port, daemon=True)
        try:
            self._manager = PortManager(self._shared, self)
            from_port.start()
            while data := self._connection.recv(4096):
                self._shared.write(b"".join(self._manager.filter(data)))
        except ConnectionError:
            pass
        except (serial.SerialException, OSError, ValueError) as e:
            trouble = "" if self._ending else f": {e}"
        finally:
            self.close()
            if from_port.ident:
                from_port.join()
            self._shared.close()
            self._say(f"{self.peer} disconnected{trouble}")

    def close(self) -> None:
        """Makes both threads end."""
        self._ending = True
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        if threading.current_thread() is self:
            self._connection.close()
        elif self.is_alive():
            self.join(_HANDOVER_S)

    def _from_port(self) -> None:
        try:
            while not self._ending:
                data = self._shared.read(max(1, self._shared.in_waiting))
                if data:
                    self.write(b"".join(self._manager.escape(data)))
        except (
            serial.SerialException,
            OSError,
            TypeError,
        ) as e:  # TypeError: pyserial, of a port closed meanwhile
            if not self._ending and not isinstance(e, ConnectionError):
                self._say(f"the port is gone: {e}")
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)  # wakes the other thread
