"""A board that keeps its flash, behind a port: an emulator that the tests start with a plan in place."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time

import pytest

from host import boards, build
from host.data import digits
from host.devices import plan_file
from host.experiment import Options, compile_for

BOARD = "emu_stm32f405"


@pytest.fixture
def flashed():
    """Starts QEMU with a plan in its flash; returns the port's URL."""
    board = boards.load_board(BOARD)
    children = []

    def start(plan: bytes) -> str:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        command = ["qemu-system-arm", "-M", board.emulator.machine, "-nodefaults", "-display", "none"]
        command += ["-icount", "shift=0", "-serial", f"tcp:127.0.0.1:{port},server=on,wait=off,nodelay=on"]
        command += ["-device", f"loader,file={plan_file(board, plan)},addr={board.plan_region.address:#x}"]
        command += ["-kernel", str(build.build(board).elf)]
        children.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return f"socket://127.0.0.1:{port}"
            except ConnectionRefusedError:
                time.sleep(0.1)
        raise AssertionError("the emulator does not listen")

    yield start
    for child in children:
        child.kill()
        child.wait()


def run(port: str) -> dict:
    command = [sys.executable, "-m", "host.cli", "run", str(digits.model_path()), "--json", "-"]
    done = subprocess.run(
        [*command, "--board", BOARD, "--port", port, "--input", "random:1"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_plan_in_flash_is_run_from_there(flashed):
    plan = compile_for(digits.model_path(), boards.load_board(BOARD), Options(board=BOARD)).plan
    result = run(flashed(plan))
    assert result["bit_exact"] and result["plan_place"] == "flash"


def test_another_plan_in_flash_is_left_alone(flashed):
    plan = compile_for(
        digits.model_path(), boards.load_board(BOARD), Options(board=BOARD, kernels="ref")
    ).plan
    result = run(flashed(plan))
    assert result["bit_exact"] and result["plan_place"] == "ram"
