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
from host.errors import DoesNotFitError, PortError
from host.ports import SerialPort

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


def test_the_place_is_found_without_asking_a_device():
    none = find_place(None, None, lambda: [port("/dev/ttyS0", "", stlink=False)])
    assert none.board.id == "emu_stm32f405" and none.emulated
    one = find_place(None, None, lambda: [port("/dev/ttyACM0", "A"), port("/dev/ttyACM1", "A")])
    assert (one.board, one.port, one.emulated) == (None, "/dev/ttyACM0", False) and one.baud == 921600
    assert find_place(REAL, None, lambda: [port("/dev/ttyACM0", "A")]).board.id == REAL
    assert find_place("emu_cortex_m7", None, lambda: [port("/dev/ttyACM0", "A")]).emulated
    assert find_place(REAL, EMULATE).emulated and not find_place(None, "/dev/ttyACM7").emulated
    with pytest.raises(PortError, match=r"2 boards are attached: COM3, COM4; choose one with --port"):
        find_place(REAL, None, lambda: [port("COM4", "A"), port("COM3", "B")])
    with pytest.raises(PortError, match="is a real board, and no ST-Link"):
        find_place(REAL, None, lambda: [])
    with pytest.raises(PortError, match="which board's image"):
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
