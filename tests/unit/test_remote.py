"""Boards of other machines: the server of `host serve` and the rfc2217:// and socket:// clients, in trouble too."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import termios
import threading
import time

import pytest

from host import serve
from host.errors import LinkError, PortBusyError, PortError, PortMissingError
from host.link.client import Client
from host.serve import PortServer, is_local, parse_address
from host.transport.serial import open_port
from tests.fake_device import FakeDevice
from tests.serial_line import SerialLine

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:serial")  # setDaemon in its rfc2217
LOCAL = ("127.0.0.1", 0)


class Told(list):
    """What a server said, with a way to wait for it: it speaks from threads of its own."""

    def until(self, pattern: str) -> str:
        end = time.monotonic() + 10
        while time.monotonic() < end:
            for line in list(self):
                if re.search(pattern, line):
                    return line
            time.sleep(0.01)
        raise AssertionError(f"{pattern!r} was not said: {list(self)}")


@contextlib.contextmanager
def served(path: str):
    """The URL of a shared port, and what the server says."""
    told = Told()
    server = PortServer(path, 9600, LOCAL, told.append)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield f"rfc2217://127.0.0.1:{server.address[1]}", told
    finally:
        server.close()
        thread.join(10)
        assert not thread.is_alive()


def fake(**options) -> FakeDevice:
    return FakeDevice(latency_s=0, **options)


def speed_of(path: str) -> int:
    with open(path, "rb", buffering=0, opener=lambda p, flags: os.open(p, flags | os.O_NOCTTY)) as port:
        return termios.tcgetattr(port)[5]


def test_a_shared_port_carries_every_byte_at_the_clients_baud_rate():
    with SerialLine(fake()) as line, served(line.path) as (url, told):
        for _ in range(2):
            with Client(open_port(url, 921600)) as client:
                assert client.hello.board == "fake"
                for payload in (bytes(range(256)), b"\xff" * 255, b"\xff\xf0\x00\xff\xfa" * 40):
                    assert client.ping(payload) == payload
                assert speed_of(line.path) == termios.B921600
        told.until("disconnected$")
        assert open_port(line.path, 115200).close() is None  # between clients it is free


def test_only_one_client_at_a_time(monkeypatch):
    monkeypatch.setattr(serve, "_HANDOVER_S", 0.1)
    with (
        SerialLine(fake()) as line,
        served(line.path) as (url, told),
        Client(open_port(url, 921600)) as first,
    ):
        number = int(url.rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", number), 10) as second:
            assert second.recv(100) == b""
        told.until(r"turned away: 127.0.0.1:\d+ uses the port")
        assert first.ping(b"still here") == b"still here"
        with pytest.raises(PortBusyError, match="in use by another host"):
            open_port(line.path)
        with pytest.raises(PortBusyError, match="in use by another host"):
            open_port(url)  # told without asking the server: both are on this machine


def test_a_port_that_is_in_use_there():
    with SerialLine(fake()) as line, served(line.path) as (url, told):
        local = open_port(line.path)
        with pytest.raises(PortError, match=r"host serve"):
            open_port(f"{url}?timeout=0.2")
        told.until("turned away: .* in use by another host")
        local.close()
        with Client(open_port(url)) as client:
            assert client.ping(b"x") == b"x"


def test_a_board_that_is_unplugged_there_and_comes_back(tmp_path):
    path = tmp_path / "board"
    line = SerialLine(fake())
    path.symlink_to(line.path)
    with served(str(path)) as (url, told):
        port = open_port(url)
        with contextlib.closing(port):
            line.unplug()
            with pytest.raises(
                LinkError, match=r"closed the connection; is the board still plugged in there"
            ):
                for _ in range(100):
                    port.read(0.1)
                    port.write(b"\0")
        told.until("disconnected")
        path.unlink()
        with pytest.raises(PortError):
            open_port(f"{url}?timeout=0.2")
        told.until("turned away: the port .* does not exist")
        with SerialLine(fake()) as other:
            path.symlink_to(other.path)
            with Client(open_port(url)) as client:
                assert client.ping(b"again") == b"again"


def test_a_server_that_ends():
    with SerialLine(fake()) as line:
        with served(line.path) as (url, told):
            port = open_port(url)
            told.until("connected")
        with pytest.raises(LinkError, match="closed the connection"):
            for _ in range(100):
                port.read(0.1)
                port.write(b"\0")
        port.close()
        with pytest.raises(PortMissingError, match=f"nothing answers at {url}: .*refused.*host serve"):
            open_port(url)
        open_port(line.path).close()


def test_a_server_of_something_else():
    with socket.create_server(LOCAL) as silent:
        url = f"rfc2217://127.0.0.1:{silent.getsockname()[1]}?timeout=0.2"
        with pytest.raises(PortError) as e:
            open_port(url)
    assert str(e.value).startswith(f"no RFC 2217 server answers at {url}; is `host serve` running there")


@pytest.mark.parametrize("url", ["rfc2217://lab", "rfc2217://:7", "rfc2217://lab:x", "socket://lab"])
def test_an_address_without_a_number(url):
    with pytest.raises(PortError, match=r"is no port; write it as (rfc2217|socket)://HOST:PORT"):
        open_port(url)


def test_a_tcp_connection_that_ends():
    with socket.create_server(LOCAL) as listener:
        port = open_port(f"socket://127.0.0.1:{listener.getsockname()[1]}")
        connection, _ = listener.accept()
        connection.sendall(b"abc")
        assert port.read(5) == b"abc" and port.read(0.01) == b""
        connection.close()
        with pytest.raises(LinkError, match="closed the connection"):
            port.read(5)
        with pytest.raises(LinkError):
            for _ in range(100):
                port.write(bytes(100_000))
        port.close()


def test_what_a_server_refuses_to_start_with(tmp_path):
    with pytest.raises(PortError, match="rfc2217://lab:1 is no serial port of this computer"):
        PortServer("rfc2217://lab:1", 9600, LOCAL)
    with pytest.raises(PortMissingError, match="does not exist"):
        PortServer(str(tmp_path / "none"), 9600, LOCAL)
    with SerialLine(fake()) as line, socket.create_server(LOCAL) as other:
        with pytest.raises(PortBusyError, match=r"another program listens at 127\.0\.0\.1:"):
            PortServer(line.path, 9600, other.getsockname()[:2])
        with pytest.raises(PortError, match=r"cannot listen at 192\.0\.2\.1:0"):
            PortServer(line.path, 9600, ("192.0.2.1", 0))
        open_port(line.path).close()


def test_addresses():
    assert parse_address("0.0.0.0:2217") == ("0.0.0.0", 2217)
    assert parse_address("lab") == ("lab", 2217)
    assert parse_address("[::1]:5") == ("::1", 5) and parse_address("[::1]") == ("::1", 2217)
    for wrong in ("", ":1", "lab:", "lab:x", "lab:70000"):
        with pytest.raises(PortError, match="is no address"):
            parse_address(wrong)
    assert [is_local(h) for h in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "::", "lab")] == [
        True, True, True, False, False, False,
    ]  # fmt: skip
