"""Serial ports, URLs, locks and child processes: what they report, and that nothing is left behind."""

import contextlib
import errno
import fcntl
import os
import pty
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
import textwrap
import threading
import time
import tty

import pytest
import serial

from host import ports
from host.errors import (
    EmulatorError,
    LinkError,
    PortBusyError,
    PortError,
    PortMissingError,
    ToolMissingError,
)
from host.link.client import Client
from host.project import root
from host.transport import fake, lock
from host.transport import serial as serial_transport
from host.transport.duplex import Duplex
from host.transport.emulator import EmulatorTransport
from host.transport.process import ChildProcess
from host.transport.serial import open_port
from tests.fake_device import FakeDevice

# Stack pointer, reset vector, and `b .`: a firmware that does nothing. QEMU takes it as a raw image.
IDLE_FIRMWARE = bytes.fromhex("00000120 09000008 fee7 0000")
MACHINE = "netduinoplus2"
TIOCGEXCL = 0x80045440  # Linux's asm-generic/ioctls.h

needs_qemu = pytest.mark.skipif(
    shutil.which("qemu-system-arm") is None, reason="qemu-system-arm is not installed"
)


@pytest.fixture
def idle(tmp_path):
    path = tmp_path / "idle, with a comma.bin"
    path.write_bytes(IDLE_FIRMWARE)
    return path


def living(group: int) -> list[str]:
    """Processes of a group that are no zombies."""
    lines = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pgid=,stat=,args="], capture_output=True, text=True
    ).stdout
    rows = [line.split(None, 2) for line in lines.splitlines()]
    return [row[2] for row in rows if row[0] == str(group) and not row[1].startswith("Z")]


def wait_until_gone(group: int, seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while (left := living(group)) and time.monotonic() < end:
        time.sleep(0.02)
    assert not left


def echo(descriptor: int) -> None:
    with contextlib.suppress(OSError):
        while data := os.read(descriptor, 1000):
            os.write(descriptor, data)


@pytest.fixture
def terminal():
    """Path of a pseudo terminal that sends everything back."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    threading.Thread(target=echo, args=(ours,), daemon=True).start()
    yield os.ttyname(theirs)
    os.close(theirs)
    os.close(ours)


@pytest.fixture
def served_device():
    """URL of a fake device behind TCP."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                device = FakeDevice(latency_s=0)
                while data := connection.recv(1000):
                    device.write(data)
                    while answer := device.read(0.01):
                        connection.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    yield f"socket://127.0.0.1:{listener.getsockname()[1]}"
    listener.close()


def read_all(transport, count: int) -> bytes:
    data, end = b"", time.monotonic() + 5
    while len(data) < count and time.monotonic() < end:
        data += transport.read(1)
    return data


# Serial ports


def test_a_serial_port_carries_every_byte(terminal):
    port = open_port(terminal)
    port.write(bytes(range(256)))
    assert read_all(port, 256) == bytes(range(256))
    start = time.monotonic()
    assert port.read(0.05) == b""
    assert 0.04 < time.monotonic() - start < 2
    port.close()
    port.close()


def test_the_rate_of_a_serial_port_changes_and_goes_back(terminal):
    port = open_port(terminal, 115200)
    fd = os.open(terminal, os.O_RDWR | os.O_NOCTTY)
    try:
        rates = []
        for baud in (None, 9600, None):
            port.set_baud(baud)
            rates.append(termios.tcgetattr(fd)[4:6])
        assert rates == [[termios.B115200] * 2, [termios.B9600] * 2, [termios.B115200] * 2]
    finally:
        os.close(fd)
        port.close()


def test_a_client_over_tcp(served_device):
    with Client(open_port(served_device)) as client:
        assert client.ping(b"abc") == b"abc"
        assert client.hello.board == "fake"
    with Client(open_port(served_device)) as again:
        assert again.ping() == b""


def test_a_missing_port_lists_those_that_exist(monkeypatch):
    monkeypatch.setattr(
        ports, "list_ports", lambda: [ports.SerialPort("/dev/ttyACM7", "STLink", "0483:374b", "1", True)]
    )
    with pytest.raises(PortMissingError) as e:
        open_port("/dev/ttyNOPE")
    assert str(e.value) == "the port /dev/ttyNOPE does not exist; ports here: /dev/ttyACM7"


def test_nothing_listens_at_a_url():
    with socket.create_server(("127.0.0.1", 0)) as s:
        free = s.getsockname()[1]
    with pytest.raises(PortMissingError, match=f"nothing answers at socket://127.0.0.1:{free}"):
        open_port(f"socket://127.0.0.1:{free}")
    with pytest.raises(PortMissingError):
        open_port(f"rfc2217://127.0.0.1:{free}")


@pytest.mark.parametrize(
    "port", ["socket://nowhere", "socket://:1", "socket://127.0.0.1:x", "nonsense://x", ""]
)
def test_a_port_that_is_none(port):
    with pytest.raises(PortError):
        open_port(port)


def test_no_permission_names_the_group():
    error = serial_transport.open_error("/dev/ttyACM0", serial.SerialException(errno.EACCES, "denied"))
    assert "dialout" in str(error)
    assert not isinstance(error, PortMissingError | PortBusyError)


def test_a_port_held_by_another_program(terminal):
    other = serial.Serial(terminal, exclusive=True)
    with pytest.raises(PortBusyError, match="in use by another program"):
        open_port(terminal)
    other.close()
    open_port(terminal).close()


@pytest.mark.skipif(sys.platform != "linux", reason="TIOCGEXCL is Linux's")
def test_others_are_kept_out_while_a_port_is_open(terminal):
    watcher = os.open(terminal, os.O_RDWR | os.O_NOCTTY)  # who was there before can still look

    def marked() -> bool:
        return bool(struct.unpack("i", fcntl.ioctl(watcher, TIOCGEXCL, bytes(4)))[0])

    port = open_port(terminal)
    assert marked()
    port.close()
    assert not marked()
    os.close(watcher)


def test_a_port_that_another_program_reads_is_refused_with_its_name(terminal, monkeypatch):
    monkeypatch.setattr(lock, "is_pseudo_terminal", lambda port: False)
    monkeypatch.setattr(lock, "holders", lambda port: ["process 812, ModemManager"])
    with pytest.raises(PortBusyError) as e:
        open_port(terminal)
    assert str(e.value) == (
        f"{terminal} is in use by another program (process 812, ModemManager); end it first"
    )
    monkeypatch.setattr(lock, "holders", lambda port: [])
    open_port(terminal).close()  # nothing of the refusal stays


def test_two_hosts_on_one_port(terminal, served_device, tmp_path):
    for port in (terminal, served_device):
        first = open_port(port)
        with pytest.raises(PortBusyError, match=rf"in use by another host \(process {os.getpid()}, .+\)"):
            open_port(port)
        code = f"from host.transport.serial import open_port; open_port({port!r})"
        other = subprocess.run([sys.executable, "-c", code], cwd=root(), capture_output=True, text=True)
        assert f"PortBusyError: {port} is in use by another host (process {os.getpid()}, " in other.stderr
        first.close()
        open_port(port).close()
    link = tmp_path / "by-id"
    link.symlink_to(terminal)
    first = open_port(terminal)
    with pytest.raises(PortBusyError):
        open_port(str(link))
    first.close()


def test_a_port_that_disappears():
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    port = open_port(os.ttyname(theirs))
    os.close(theirs)
    os.close(ours)
    with pytest.raises(LinkError, match="plugged in"):
        while True:
            port.read(0.1)
    port.close()


def test_list_ports_marks_the_probe(monkeypatch):
    class Info:
        location = "1-2:1.2"

        def __init__(self, device, vid=None, pid=None, serial_number=None):
            self.device, self.vid, self.pid, self.serial_number = device, vid, pid, serial_number
            self.description = "n/a" if vid is None else "STM32 STLink"

    found = [
        Info("/dev/ttyS0"),
        Info("/dev/ttyUSB0", 0x0403, 0x6001),
        Info("/dev/ttyACM0", 0x0483, 0x374B, "066F"),
    ]
    monkeypatch.setattr(ports._pyserial, "comports", lambda: found)
    assert ports.list_ports() == [
        ports.SerialPort("/dev/ttyACM0", "STM32 STLink", "0483:374b", "066F", True, "V2-1", "1-2:1.2"),
        ports.SerialPort("/dev/ttyUSB0", "STM32 STLink", "0403:6001", "", False, "", "1-2:1.2"),
        ports.SerialPort("/dev/ttyS0", "", "", "", False, "", "1-2:1.2"),
    ]


def test_the_pair_in_memory():
    host, device = fake.pair()
    host.write(b"one")
    host.write(b"two")
    assert device.read(1) == b"onetwo"
    assert host.read(0) == b""
    host.close()
    with pytest.raises(LinkError):
        device.read(1)
    with pytest.raises(LinkError):
        device.read(1)


# Child processes


def test_a_device_that_takes_nothing_until_it_is_heard_is_served():
    """QEMU waits when some hundred of its bytes wait for a reader: who only writes waits for ever."""
    ours, theirs = socket.socketpair()
    line, size, heard = Duplex(ours), 1 << 20, bytearray()

    def device() -> None:
        theirs.sendall(bytes(size))
        while len(heard) < size:
            heard.extend(theirs.recv(65536))
        theirs.close()

    thread = threading.Thread(target=device)
    thread.start()
    line.write(b"x" * size, 10)
    got = bytearray()
    while len(got) < size:
        got += line.read(10)
    thread.join()
    assert got == bytes(size) and heard == b"x" * size
    with pytest.raises(ConnectionError):
        line.read(10)
    line.close()


def test_nobody_takes_a_byte():
    ours, theirs = socket.socketpair()
    with theirs, pytest.raises(TimeoutError):
        Duplex(ours).write(bytes(1 << 22), 0.1)


def test_a_child_that_ends_says_how():
    for script, message in (
        ("echo first >&2; echo oops >&2; exit 7", "it ended with status 7: oops"),
        ("kill -SEGV $$", "it ended by SIGSEGV"),
        ("exit 0", "it ended with status 0"),
    ):
        with ChildProcess(["sh", "-c", script], "it", EmulatorError) as child:
            with pytest.raises(EmulatorError) as e:
                child.read(5)
            assert str(e.value).startswith(message)
            with pytest.raises(EmulatorError):
                child.write(bytes(1_000_000))
    with pytest.raises(EmulatorError, match="closed"):
        child.read(1)


def test_a_child_that_does_not_read_is_noticed(monkeypatch):
    monkeypatch.setattr("host.transport.process._WRITE_TIMEOUT_S", 0.1)
    with (
        ChildProcess(["sleep", "100"], "it", LinkError) as child,
        pytest.raises(LinkError, match="no more bytes"),
    ):
        child.write(bytes(10_000_000))


@needs_qemu
def test_a_missing_or_unwilling_emulator(idle, monkeypatch):
    with EmulatorTransport(idle, machine="nonsense") as qemu, pytest.raises(EmulatorError) as e:
        qemu.read(10)
    assert "emulator (nonsense) ended with status 1: " in str(e.value)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolMissingError, match=r"qemu-system-arm is not installed.*apt-get.*brew"):
        EmulatorTransport(idle, machine=MACHINE)


@needs_qemu
def test_the_emulator_ends_with_close_and_says_so_when_killed(idle):
    qemu = EmulatorTransport(idle, machine=MACHINE)
    group = qemu._shell.pid
    assert qemu.read(0.3) == b""
    assert any("qemu" in args.split()[0] for args in living(group))
    qemu.close()
    assert not living(group)
    qemu.close()

    qemu = EmulatorTransport(idle, machine=MACHINE)
    time.sleep(0.2)
    subprocess.run(["pkill", "-KILL", "-g", str(qemu._shell.pid), "qemu"], check=True)
    with pytest.raises(EmulatorError, match="ended by SIGKILL"):
        qemu.read(5)
    qemu.close()


ENDS = {
    "killed": ("time.sleep(60)", signal.SIGKILL),
    "terminated": ("time.sleep(60)", signal.SIGTERM),
    "Ctrl-C": ("time.sleep(60)", signal.SIGINT),
    "crash": ("os.abort()", None),
    "exception": ("raise RuntimeError", None),
    "exit": ("sys.exit(0)", None),
    "_exit": ("os._exit(0)", None),
    "from a thread": ("import threading; threading.Thread(target=sys.exit).start()", None),
}


@needs_qemu
@pytest.mark.parametrize("end", ENDS)
def test_the_emulator_never_outlives_its_host(end, idle):
    statement, number = ENDS[end]
    code = textwrap.dedent(f"""
        import os, sys, time
        from pathlib import Path
        from host.transport.emulator import EmulatorTransport
        qemu = EmulatorTransport(Path({str(idle)!r}), machine={MACHINE!r})
        print(qemu._shell.pid, flush=True)
        sys.stdin.readline()
        {statement}
    """)
    # In a group of its own, so that the signal can go to the whole group, as from a terminal.
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=root(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as host:
        group = int(host.stdout.readline())
        assert living(group)
        host.stdin.write(b"\n")
        host.stdin.flush()
        if number:
            time.sleep(0.05)
            os.killpg(host.pid, number)
        host.wait(10)
    wait_until_gone(group)


@needs_qemu
def test_the_emulator_survives_the_thread_that_started_it(idle):
    started = []
    thread = threading.Thread(target=lambda: started.append(EmulatorTransport(idle, machine=MACHINE)))
    thread.start()
    thread.join()
    assert started[0].read(0.3) == b""
    started[0].close()
