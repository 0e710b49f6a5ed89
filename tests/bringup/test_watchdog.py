"""The independent watchdog of each family's image, on the register models: it bites a hang and nothing else."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from unicorn import arm_const as arm

from host.boards import load_board
from host.build import FLAGS_VARIABLE
from host.emulate.bringup import Line
from host.emulate.machine import Machine
from host.errors import DeviceError
from host.link.client import Client

WATCHDOG_MS = 2000
BOARDS = ("nucleo_f446re", "nucleo_f746zg", "nucleo_l4r5zi", "nucleo_u575zi_q", "nucleo_h743zi")
HANG = 0xE7FE  # a branch to itself


class TickingLine(Line):
    """To a firmware that wakes up again and again. Time is the emulated one."""

    def clock(self) -> float:
        return self._machine.chip.time_us() / 1e6

    def read(self, timeout: float) -> bytes:
        machine, end = self._machine, self.clock() + max(timeout, 0.0)
        if not machine.line.outgoing:
            machine.run(until=lambda: bool(machine.line.outgoing) or self.clock() >= end)
        return machine.line.sent()


def connect(machine: Machine) -> Client:
    line = TickingLine(machine, 0)
    client = Client(line, line.clock)
    client.connect()
    return client


@pytest.fixture(scope="module", params=BOARDS)
def image(request, tmp_path_factory) -> tuple[str, Path]:
    """A board and its firmware with the watchdog on."""
    folder = tmp_path_factory.mktemp("build")
    variables = {FLAGS_VARIABLE: f"-DBOARD_WATCHDOG_MS={WATCHDOG_MS}", "PLATFORMIO_BUILD_DIR": str(folder)}
    code = f"from host import boards, build; print(build.build(boards.load_board('{request.param}')).elf)"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **variables}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return request.param, Path(done.stdout.strip())


@pytest.fixture
def machine(image) -> Machine:
    board, elf = image
    machine = Machine(load_board(board), elf)
    assert connect(machine).hello.watchdog_ms == WATCHDOG_MS
    assert machine.watchdog.running
    return machine


def hasten(machine: Machine) -> None:
    """The watchdog's clock runs a hundred times too fast, so that its time takes few instructions."""
    machine.watchdog.timeout_us = lambda: 1000 * WATCHDOG_MS / 100


def test_its_time_is_the_manifest_s(machine):
    assert machine.watchdog.timeout_us() == pytest.approx(1000 * WATCHDOG_MS, rel=0.01)
    assert machine.chip.violations == []


def test_a_hang_ends_in_a_reset_that_is_told(machine):
    hasten(machine)
    client = connect(machine)
    address = machine.board.pools[0].end - 64
    machine.uc.mem_write(address, struct.pack("<H", HANG))
    machine.uc.reg_write(arm.UC_ARM_REG_PC, address)
    with pytest.raises(DeviceError, match="its watchdog ended a hang") as e:
        client.ping(b"x")
    assert e.value.status == "WATCHDOG" and machine.resets == 1
    assert client.connect().reset_cause == "watchdog"


def test_an_idle_device_is_left_alone(machine):
    hasten(machine)
    client = connect(machine)
    assert client.transport.read(5 * WATCHDOG_MS / 1000 / 100) == b""
    assert machine.resets == 0
    assert connect(machine).ping(b"there") == b"there"


def test_a_reset_by_software_is_told_as_one(machine):
    client = connect(machine)
    assert client.hello.reset_cause == "power"
    assert client.reset().reset_cause == "software"


def test_without_its_wake_up_an_idle_device_is_bitten(image):
    board, elf = image
    machine = Machine(load_board(board), elf)
    machine.chip.intercept = lambda peripheral, register, value: (
        None if register.name == "SYST_CSR" else value
    )
    hasten(machine)
    connect(machine).transport.read(5 * WATCHDOG_MS / 1000 / 100)
    assert machine.resets > 0
