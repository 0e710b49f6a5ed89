"""What only an emulated board has: a plan that is in its flash from the start, and an end that we can cause."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from host.boards import load_board
from host.build import build
from host.compile import compile_file
from host.data import digits
from host.devices import open_device
from host.errors import DeviceError, EmulatorError, PortBusyError


@pytest.fixture
def board(station) -> str:
    """QEMU's board, which this test starts by itself."""
    if station.entry.port or not load_board(station.entry.board).emulated:
        pytest.skip(f"{station.entry.name} is not QEMU")
    return station.entry.board


def test_a_plan_in_flash_outlives_a_reset(board):
    network = compile_file(digits.model_path())
    with open_device(board, plan=network.plan) as client:
        infos, outputs = [], []
        for _ in range(3):
            infos.append(client.select_flash_plan())
            client.write_tensor(network.net.inputs[0], bytes(range(256)) * 4)
            client.run()
            outputs.append(client.read_tensor(network.net.outputs[0], 10))
            client.reset()
        assert infos[0].total_bytes == len(network.plan)
        assert infos == [infos[0]] * 3
        assert outputs == [outputs[0]] * 3


def test_no_plan_in_flash(board):
    with open_device(board) as client, pytest.raises(DeviceError) as e:
        client.select_flash_plan()
    assert e.value.status == "NO_FLASH_PLAN"


def test_the_emulator_dies_during_a_conversation(board):
    with open_device(board) as client:
        group = client.transport._shell.pid
        found = subprocess.run(
            ["pgrep", "-g", str(group), "qemu"], capture_output=True, text=True, check=True
        )
        os.kill(int(found.stdout.split()[0]), signal.SIGKILL)
        with pytest.raises(EmulatorError, match="ended by SIGKILL"):
            client.ping()


def test_an_emulator_that_somebody_else_started(board):
    """QEMU by hand, with its serial line on TCP: like a board on a port, also in that it serves one host."""
    elf = str(build(load_board(board)).elf)
    emulator = load_board(board).emulator
    options = f"-machine {emulator.machine} -icount shift={emulator.icount_shift} -nodefaults -display none"
    line = "-monitor stdio -serial tcp:127.0.0.1:0,server=on,wait=off"
    with subprocess.Popen(
        ["qemu-system-arm", *options.split(), *line.split(), "-kernel", elf],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as qemu:
        try:
            qemu.stdin.write("info chardev\n")
            qemu.stdin.flush()
            line = next(x for x in qemu.stdout if "127.0.0.1:" in x)
            url = "socket://127.0.0.1:" + line.split("127.0.0.1:")[1].split(",")[0]
            for _ in range(2):
                with open_device(board, url) as client:
                    assert client.hello.board == board
                    assert client.reset().board == board
                    with pytest.raises(PortBusyError):
                        open_device(board, url)
        finally:
            qemu.kill()
