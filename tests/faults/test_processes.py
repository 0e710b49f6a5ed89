"""`host run` and an emulator as real processes, and what happens to them: killed, stopped, reset, unplugged.

The device outlives the hosts behind a pseudo terminal, as a board does behind its probe. Whatever happens, a run ends
with exact data or with one line that says what is wrong, and the next one is exact without a power cycle.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from host import errors
from host.boards import load_board
from host.build import build
from host.cli import INTERRUPTED, TERMINATED
from host.data import digits
from host.devices import open_device
from host.experiment import Options, run
from host.model.load import load_graph
from host.oracle.run import run_graph
from host.transport.base import Transport
from tests.faults.processes import children, interruptible, living, wait_for
from tests.faults.proxy import FaultyTransport, Noise, Rates
from tests.serial_line import SerialLine

QEMU, MODEL = "emu_stm32f405", "nucleo_f446re"
HOST = Path(sys.executable).with_name("host")
SAMPLES = 6
CASES = int(os.environ.get("TINYCONV_PROCESS_CASES", "5"))  # of each kind; more by hand
OUTPUTS = "outputs.npy"
BOUND_S = 60  # nothing takes so long; what does has hung
LEAVES = {
    error.exit_status: error.__name__
    for error in vars(errors).values()
    if isinstance(error, type) and issubclass(error, errors.HostError)
}


@dataclass(frozen=True)
class Ended:
    """How a host ended. `exact`: all outputs are there and right; else `error` is what its one line says."""

    status: int
    exact: bool
    error: str


class Counter:
    """Before a device: calls `action` once, in the line's thread, when so many bytes have passed in both directions."""

    def __init__(self, inner: Transport):
        self.description, self._inner = inner.description, inner
        self.passed = 0
        self.fired = threading.Event()
        self._at: int | None = None
        self._action: Callable[[], None] = lambda: None

    def arm(self, after: int, action: Callable[[], None]) -> None:
        self.fired.clear()
        self._action, self._at = action, self.passed + after

    def _pass(self, data: bytes) -> None:
        self.passed += len(data)
        if self._at is not None and self.passed >= self._at:
            self._at = None
            self._action()
            self.fired.set()

    def read(self, timeout: float) -> bytes:
        data = self._inner.read(timeout)
        self._pass(data)
        return data

    def write(self, data: bytes) -> None:
        """The action comes between the bytes before it and those behind it."""
        cut = len(data) if self._at is None else max(0, min(self._at - self.passed, len(data)))
        for part in filter(None, (data[:cut], data[cut:])):
            self._inner.write(part)
            self._pass(part)

    def close(self) -> None:
        self._inner.close()


def start_host(folder: Path, *more: str) -> subprocess.Popen[str]:
    """`host run` over the built-in network's first images, in a process group of its own."""
    np.save(folder / "images.npy", images())
    (folder / OUTPUTS).unlink(missing_ok=True)
    command = [str(HOST), "run", str(digits.model_path()), "--input", str(folder / "images.npy")]
    command += ["--output", str(folder / OUTPUTS), "--no-model", "--json", "-", *more]
    return subprocess.Popen(
        command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        preexec_fn=interruptible,
    )  # fmt: skip


def verdict(host: subprocess.Popen[str], folder: Path) -> Ended:
    """Waits for the end, and asserts what holds for every end."""
    try:
        out, err = host.communicate(timeout=BOUND_S)
    except subprocess.TimeoutExpired:
        host.kill()
        raise AssertionError("the host hangs") from None
    assert not living(host.pid), "something is left of it"
    if out:  # whole, whatever came after
        assert json.loads(out)["bit_exact"] is True and np.array_equal(np.load(folder / OUTPUTS), oracle())
        assert host.returncode in (0, -signal.SIGINT, -signal.SIGTERM, INTERRUPTED, TERMINATED)
        return Ended(host.returncode, True, "")
    assert host.returncode != 0
    lines = [line for line in err.splitlines() if line]
    if host.returncode in (-signal.SIGKILL, INTERRUPTED, TERMINATED):
        assert lines == (["interrupted"] if host.returncode == INTERRUPTED else []), err
        return Ended(host.returncode, False, "")
    assert len(lines) == 1 and lines[0].startswith("error: "), err
    assert LEAVES[host.returncode] != "NotExactError"
    return Ended(host.returncode, False, lines[0])


class Device:
    """An emulated board behind a pseudo terminal."""

    def __init__(self, board: str, folder: Path, faults: Callable[[Transport], Transport] = lambda t: t):
        self.board, self.folder = board, folder
        self._monitor = folder / "monitor"
        extra = ("-monitor", f"unix:{self._monitor},server=on,wait=off") if board == QEMU else ()
        port = None if board == QEMU else "emulate://"
        self.client = open_device(board, port, extra=extra)
        self.counter = Counter(self.client.transport)
        self._faults = faults
        self.plug_in()

    def plug_in(self) -> None:
        """Gives it a new port."""
        self.line = SerialLine(self._faults(self.counter))

    def close(self) -> None:
        self.line.unplug()
        self.client.close()

    @property
    def process(self) -> int:
        """QEMU's pid."""
        return next(iter(children(self.client.transport._shell.pid, "qemu")))

    def reset(self) -> None:
        """As the button does; returns when it is done."""
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(str(self._monitor))
            for command in (b"", b"system_reset\n"):
                monitor.sendall(command)
                heard = b""
                while b"(qemu) " not in heard[-8:]:
                    heard += monitor.recv(4096)

    def start_host(self, *more: str) -> subprocess.Popen[str]:
        """`host run` at the board's port."""
        return start_host(self.folder, "--board", self.board, "--port", self.line.path, *more)

    def verdict(self, host: subprocess.Popen[str]) -> Ended:
        """See verdict()."""
        return verdict(host, self.folder)

    def works(self) -> None:
        """The next run is exact, whatever happened before. In this process, since starting Python takes a second."""
        options = Options(
            board=self.board, port=self.line.path, source=str(self.folder / "images.npy"), predict=False
        )
        done = run(digits.model_path(), options)
        assert done.result.bit_exact is True
        assert np.array_equal(np.stack([output for (output,) in done.outputs]), oracle())


@cache
def images() -> np.ndarray:
    """The built-in network's first test images."""
    return (digits.test_images()[0][:SAMPLES].astype(np.int16) - 128).astype(np.int8)


@cache
def oracle() -> np.ndarray:
    """Their outputs, by the reference kernels."""
    graph = load_graph(digits.model_path())
    return np.stack([run_graph(graph, [image[None]])[graph.outputs[0].tensor] for image in images()])


@pytest.fixture(scope="module")
def device(tmp_path_factory) -> Iterator[Device]:
    """One for all tests that leave it alive."""
    with closing(Device(QEMU, tmp_path_factory.mktemp("device"))) as found:
        yield found


@pytest.fixture(scope="module")
def traffic(device) -> int:
    """Bytes of a run in both directions."""
    begin = device.counter.passed
    ended = device.verdict(device.start_host())
    assert (ended.status, ended.exact) == (0, True)
    return device.counter.passed - begin


def test_a_run_that_nothing_disturbs(device, traffic):
    assert traffic > 5000
    device.works()


def alive(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    return subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout[
        :1
    ] not in (
        "",
        "Z",
    )


def disturbed(device: Device, after: int, action: Callable[[], None] | int, *more: str) -> Ended:
    """A run during which something happens after so many bytes; a number is the signal that the host gets."""
    host = device.start_host(*more)
    device.counter.arm(after, (lambda: host.send_signal(action)) if isinstance(action, int) else action)
    ended = device.verdict(host)
    assert device.counter.fired.is_set(), "nothing happened"
    return ended


@pytest.mark.parametrize("seed", range(CASES))
def test_a_killed_host_leaves_the_device_to_the_next(device, traffic, seed):
    rng = random.Random(seed)
    ended = disturbed(device, rng.randrange(traffic), signal.SIGKILL, *rng.choice(([], ["--pipeline"])))
    assert ended.exact or ended.status == -signal.SIGKILL
    device.works()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, INTERRUPTED), (signal.SIGTERM, TERMINATED)])
@pytest.mark.parametrize("seed", range(CASES // 2))
def test_a_signal_ends_it_as_it_should(device, traffic, number, status, seed):
    ended = disturbed(device, random.Random(seed).randrange(traffic), number)
    assert ended.exact or ended.status == status
    device.works()


@pytest.mark.parametrize("seed", range(CASES))
def test_a_reset_is_told_in_a_line_or_repaired(device, traffic, seed):
    ended = disturbed(device, random.Random(seed).randrange(traffic), device.reset)
    assert ended.exact or LEAVES[ended.status] in ("DeviceError", "LinkError"), ended
    device.works()


@pytest.mark.parametrize("seed", range(CASES // 2))
def test_a_device_that_pauses_is_waited_for(device, traffic, seed):
    process = device.process

    def pause() -> None:
        os.kill(process, signal.SIGSTOP)
        threading.Timer(1.0, os.kill, (process, signal.SIGCONT)).start()

    assert disturbed(device, random.Random(seed).randrange(traffic), pause).exact


def test_a_device_that_stands_still_is_told_and_forgiven(device, traffic):
    process = device.process
    ended = disturbed(device, traffic // 2, lambda: os.kill(process, signal.SIGSTOP))
    assert LEAVES[ended.status] == "LinkError"
    os.kill(process, signal.SIGCONT)
    device.works()


@pytest.mark.parametrize("more", [[], ["--pipeline"]], ids=str)
def test_a_host_that_sleeps_goes_on_where_it_was(device, traffic, more):
    """As a laptop that is closed for a while: its clock has gone on."""
    host = device.start_host(*more)

    def sleep() -> None:
        host.send_signal(signal.SIGSTOP)
        threading.Timer(4.0, host.send_signal, (signal.SIGCONT,)).start()

    device.counter.arm(traffic // 2, sleep)
    assert device.verdict(host).exact and device.counter.fired.is_set()


@pytest.mark.parametrize("seed", range(CASES // 2))
def test_a_port_that_vanishes_is_told(device, traffic, seed):
    unplug = threading.Timer(0, device.line.unplug)  # not in the line's own thread
    ended = disturbed(device, random.Random(seed).randrange(traffic), unplug.start)
    assert ended.exact or LEAVES[ended.status] == "LinkError" or "port" in ended.error, ended
    unplug.join()
    device.plug_in()
    device.works()


@pytest.mark.parametrize("board", [*[QEMU] * CASES, MODEL])
def test_a_bad_line_gives_exact_data_or_a_line(board, tmp_path, request):
    """Up to some tens of faults a run; in real time, so delays are short.

    Half of the runs read every layer, so that what arrives is mostly data: a host that does not check it is found out.
    """
    rng = random.Random(request.node.name)
    kinds = rng.sample(
        ("drop_byte", "repeat_byte", "flip_bit", "insert_byte", "delay", "overtaken", "echo"), 2
    )
    chances = {kind: 10 ** rng.uniform(-4.5, -3) for kind in kinds}
    rates = Rates(**chances, piece_bytes=1, max_delay_s=0.2, overtaken_s=0.05)
    noises = [Noise(rates, random.Random(rng.random())) for _ in range(2)]
    with closing(Device(board, tmp_path, lambda inner: FaultyTransport(inner, *noises))) as device:
        ended = device.verdict(device.start_host(*rng.choice((["--check", "layers"], ["--pipeline"]))))
        assert ended.exact or LEAVES[ended.status] in ("DeviceError", "LinkError"), (rates, ended)
        for noise in noises:
            noise.on = False
        device.works()


class Served:
    """QEMU by hand, its serial line a TCP port that stays the same when it is started again."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._address = f"127.0.0.1:{free.getsockname()[1]}"
        self.url = f"socket://{self._address}"
        board = load_board(QEMU)
        emulator = board.emulator
        self._command = ["qemu-system-arm", "-machine", emulator.machine, "-nodefaults", "-display", "none"]
        self._command += ["-icount", f"shift={emulator.icount_shift}", "-kernel", str(build(board).elf)]
        self._command += ["-monitor", "stdio", "-serial", f"tcp:{self._address},server=on,wait=off"]
        self.start()

    def start(self) -> None:
        """Gives it power; returns when the port is there."""
        self._qemu = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        wait_for(lambda: "tcp:" in self._line())

    def has_host(self) -> bool:
        """Whether a host is connected."""
        return "<->" in self._line()

    def _line(self) -> str:
        self._qemu.stdin.write("info chardev\n")
        return next(line for line in self._qemu.stdout if "serial0: " in line)

    def close(self) -> None:
        """Takes its power away."""
        with self._qemu:
            self._qemu.kill()


def test_a_device_that_dies_is_told_and_another_takes_its_place(tmp_path):
    """At moments of a connection, of which some must be in the middle of a run."""
    rng = random.Random(1)
    at_device = ("--board", QEMU, "--port")
    with closing(Served()) as served:
        ended = []
        for _ in range(CASES):
            host = start_host(tmp_path, *at_device, served.url)
            wait_for(served.has_host)
            time.sleep(after := rng.random() * 0.2)
            served.close()
            ended.append(verdict(host, tmp_path))
            assert ended[-1].exact or LEAVES[ended[-1].status] == "LinkError", (after, ended)
            served.start()
        assert not all(end.exact for end in ended), "all came too late"
        assert verdict(start_host(tmp_path, *at_device, served.url), tmp_path).exact


def test_a_killed_host_leaves_a_board_on_models_to_the_next(tmp_path):
    with closing(Device(MODEL, tmp_path)) as device:
        ended = disturbed(device, 9000, signal.SIGKILL)
        assert ended.status == -signal.SIGKILL
        device.works()


@pytest.mark.parametrize(
    ("number", "whom"), [(signal.SIGINT, "host"), (signal.SIGTERM, "host"), (signal.SIGKILL, "host"),
                         (signal.SIGKILL, "emulator")],
)  # fmt: skip
def test_an_emulator_of_its_own_ends_with_it(number, whom, tmp_path):
    host = start_host(tmp_path, "--board", QEMU)
    wait_for(lambda: children(host.pid, "qemu"))
    (emulator,) = children(host.pid, "qemu")
    time.sleep(random.Random(number).random() * 0.3)
    os.kill(emulator if whom == "emulator" else host.pid, number)
    ended = verdict(host, tmp_path)
    of_whom = {
        "host": (-signal.SIGKILL, INTERRUPTED, TERMINATED),
        "emulator": (errors.EmulatorError.exit_status,),
    }
    assert ended.exact or ended.status in of_whom[whom]
    wait_for(lambda: not alive(emulator))
