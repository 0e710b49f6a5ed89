"""How many samples go into a board's flash, and which device `host demo` listens to."""

from __future__ import annotations

import dataclasses
import struct

import pytest
from click.testing import CliRunner

from host.boards import Region, load_board
from host.cli import cli
from host.demo.block import ALIGN, HEADER
from host.demo.place import EMULATE, find_place
from host.demo.region import demo_region
from host.errors import DeviceError, DoesNotFitError, HostError, PortError
from host.ports import SerialPort
from host.probes import Found, Probe
from host.selection import Surroundings

BOARD = load_board("emu_stm32f405")
REAL = "adafruit_feather_f405"


def with_flash(size: int):
    return dataclasses.replace(BOARD, plan_region=Region(BOARD.plan_region.address, size))


def sample_count(image: bytes) -> int:
    begin = -(-struct.unpack_from("<I", image, 8)[0] // ALIGN) * ALIGN
    return HEADER.unpack_from(image, begin)[7]


def test_samples_that_are_asked_for(compiled, samples):
    for most, kept in ((1, 1), (7, 7), (1000, len(samples.tensors))):
        region = demo_region(compiled, BOARD, samples, most)
        assert region.samples == kept == sample_count(region.image)


@pytest.mark.parametrize("room", [1400, 2500, 10_000])
def test_what_the_flash_holds(compiled, samples, room):
    board = with_flash(len(compiled.plan) + room)
    region = demo_region(compiled, board, samples)
    assert len(region.image) <= board.plan_region.bytes
    assert region.samples == sample_count(region.image) and 1 <= region.samples < len(samples.tensors)
    assert board.plan_region.bytes - len(region.image) < 1026 + 64  # no room for one more


def test_no_room_for_one(compiled, samples):
    with pytest.raises(DoesNotFitError, match="the plan and one input need"):
        demo_region(compiled, with_flash(len(compiled.plan) + 1000), samples)


def port(device: str, serial: str, stlink: bool = True) -> SerialPort:
    return SerialPort(device, "", "0483:374b" if stlink else "", serial, stlink)


def around(*found: SerialPort, probes: tuple[Probe, ...] = ()) -> Surroundings:
    """What is attached; asking a device fails the test."""

    def ask(port: str) -> None:
        raise AssertionError(f"{port} was asked, which ends a demo")

    return Surroundings(lambda: found, lambda: Found(probes), ask)


def test_the_place_is_found_without_asking_a_device():
    none = find_place(None, None, around(port("/dev/ttyS0", "", stlink=False)))
    assert none.board.id == "emu_stm32f405" and none.emulated
    one = find_place(None, None, around(port("/dev/ttyACM0", "A"), port("/dev/ttyACM1", "A")))
    assert (one.board, one.port, one.emulated) == (None, "/dev/ttyACM0", False) and one.baud == 921600
    assert find_place(REAL, None, around(port("/dev/ttyACM0", "A"))).board.id == REAL
    assert find_place("emu_cortex_m7", None, around(port("/dev/ttyACM0", "A"))).emulated
    assert find_place(REAL, EMULATE).emulated and not find_place(None, "/dev/ttyACM7").emulated
    two = port("COM3", "A"), port("COM4", "B")
    with pytest.raises(PortError, match=r"2 boards are attached: COM3 .*, COM4 .*; choose one with --port"):
        find_place(REAL, None, around(*two))
    assert find_place("nucleo_f446re", None, around(*two, probes=(Probe("B", "", "0777"),))).port == "COM4"
    with pytest.raises(
        DeviceError, match="the probe of COM3 is part of nucleo_f446re, not of a disco_f746ng"
    ):
        find_place("disco_f746ng", None, around(two[0], probes=(Probe("A", "", "0777"),)))
    with pytest.raises(PortError, match="is a real board, and no ST-Link"):
        find_place(REAL, None, around())
    with pytest.raises(PortError, match="an emulated board must be named"):
        find_place(None, EMULATE)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "COM3", "--emulate"], "give one of them"),
        (["digits.tflite", "--port", "/dev/null"], "a real board shows what is in its flash"),
        (["--port", "/dev/null", "--samples", "3"], "a real board shows what is in its flash"),
    ],
)
def test_choices_that_contradict_each_other(arguments, message):
    result = CliRunner().invoke(cli, ["demo", *arguments])
    assert result.exit_code == 2 and message in result.output


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--screenshot", "a.png"], 14, "only a board's display in the register-model emulator"),
        (["--board", "disco_f407vg", "--emulate", "--screenshot", "a.png"], 14, "only a board's display"),
        (
            ["--board", "disco_f746ng", "--emulate", "--screenshot", "a.jpg"],
            28,
            "a screenshot is a .png file",
        ),
        (["--board", "disco_f746ng", "--emulate", "--screenshot", "no/a.png"], 28, "there is no folder no"),
    ],
)
def test_screenshots_that_cannot_be(arguments, status, message):
    error = CliRunner().invoke(cli, ["demo", *arguments]).exception
    assert isinstance(error, HostError) and error.exit_status == status and message in str(error)
