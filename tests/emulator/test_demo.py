"""Demo mode on emulated boards: it prints lines by itself, and after the first HELLO everything is as ever."""

from __future__ import annotations

import json
import os
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from host import inputs, runner
from host.boards import load_board
from host.cli import cli
from host.compile import compile_file
from host.data import digits
from host.demo.block import demo_block
from host.demo.lines import on_emulator
from host.demo.place import EMULATE
from host.demo.region import demo_region
from host.demo.screenshot import BAND_HEIGHT
from host.demo.watch import EMULATED_SILENCE_S, watch
from host.devices import open_device
from host.oracle.run import run_graph
from tests.demo.probe import CYCLES, Probe
from tests.serial_line import SerialLine

SAMPLES = 24


def small(compiled) -> inputs.Samples:
    images, labels = digits.test_images()
    tensors = inputs.from_arrays([images[:SAMPLES]], compiled.original, "test images")
    return inputs.Samples(tensors, labels[:SAMPLES], "test images")


@pytest.mark.parametrize("board_id", ["emu_stm32f405", "emu_cortex_m7"])
def test_lines_then_a_host(board_id):
    board, compiled = load_board(board_id), compile_file(digits.model_path())
    samples = small(compiled)
    region = demo_region(compiled, board, samples)
    client = open_device(board, plan=region.image)
    try:
        lines = list(islice(watch(client.transport, EMULATED_SILENCE_S), 3))
        client.connect()
        resent = client.session.resent_frames
        info = runner.load(client, compiled, in_flash=True)
        measured = runner.measure(client, compiled, info, samples)
    finally:
        client.close()
    assert resent == 0 and client.session.resent_frames == 0
    assert measured.mismatches == 0, measured.first_mismatch
    assert info.total_bytes == len(compiled.plan)
    first, *_, last = lines
    assert first.class_index == samples.labels[0] and (first.right, first.labelled) == (1, 1)
    # The counter's own calls are compiled into another function here: at most two instructions a step.
    steps = len(compiled.net.steps)
    assert abs(first.per_frame - measured.totals[0]) <= 2 * steps
    right = sum(
        c == y for c, y in zip(runner.classes(compiled.original, measured), samples.labels, strict=True)
    )
    assert (last.right, last.labelled) == (right, SAMPLES)
    for line in lines:
        assert line.emulated and line.fps is None and line.counter == "instructions"
        assert line.clock_mhz == board.clock.hz / 1e6
        assert line.fps_at_one_cycle == pytest.approx(board.clock.hz / line.per_frame, rel=0.006)


def test_a_network_of_the_catalogue():
    """A larger plan, one sample, names from the catalogue."""
    shared = os.environ.get("TINYCONV_SHARED")
    if not shared:
        pytest.skip("TINYCONV_SHARED is not set: no real network here")
    network, sample = Path(shared) / "models/kws_ref_model.tflite", Path(shared) / "samples/kws_1.npz"
    arguments = ["demo", str(network), "--input", str(sample), "--lines", "2", "--json", "-"]
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    answer = json.loads(result.stdout)
    assert result.exit_code == 0 and answer["samples"] == 1 and answer["board"] == "emu_stm32f405"
    for line in answer["lines"]:
        assert (line["network"], line["class_name"], line["right"]) == ("kws_ref_model", "on", 1)
        assert line["fps"] is None


def test_the_command_shows_lines():
    result = CliRunner().invoke(cli, ["demo", "--lines", "1", "--samples", "3"], catch_exceptions=False)
    assert result.exit_code == 0
    line = result.stdout.splitlines()
    assert len(line) == 1 and line[0].startswith("tinyconv demo digits: ") and "emulated" in line[0]


def test_a_board_s_own_image():
    """In the register-model emulator, whose line must flow though this firmware never sleeps; then a host."""
    board, compiled = load_board("disco_f407vg"), compile_file(digits.model_path())
    samples = small(compiled)
    client = open_device(board, EMULATE, plan=demo_region(compiled, board, samples).image)
    try:
        lines = list(islice(watch(client.transport, EMULATED_SILENCE_S), 2))
        client.connect()
        info = runner.load(client, compiled, in_flash=True)
        first = inputs.Samples(samples.tensors[:3], samples.labels[:3], "test images")
        measured = runner.measure(client, compiled, info, first)
    finally:
        client.close()
    assert measured.mismatches == 0 and client.session.counts.errors == 0
    assert (lines[1].right, lines[1].labelled) == (SAMPLES, SAMPLES)
    assert lines[0].counter == "cycles"  # the image cannot know; the command does:
    shown = on_emulator(lines[0], board.clock.hz)
    assert shown.fps is None and abs(shown.per_frame - measured.totals[0]) <= 2 * len(compiled.net.steps)


def test_the_display_of_a_board_s_own_image(tmp_path):
    """What the emulated display controller reads from the board's RAM is, pixel for pixel, what the drawing code draws
    here for the values of the first line.
    """
    file = tmp_path / "lcd.png"
    arguments = ["demo", "--board", "disco_f746ng", "--emulate", "--screenshot", str(file), "--lines", "1"]
    result = CliRunner().invoke(cli, [*arguments, "--samples", "5", "--json", "-"], catch_exceptions=False)
    assert result.exit_code == 0
    (line,) = json.loads(result.stdout)["lines"]
    assert line["fps"] is None and line["fps_with_display"] > 0 and line["counter"] == "instructions"
    with Image.open(file) as image:
        shown = np.asarray(image.convert("RGB"))
    compiled = compile_file(digits.model_path())
    images, labels = digits.test_images()
    tensors = inputs.from_arrays([images[:5]], compiled.original, "test images")
    block = demo_block(compiled, inputs.Samples(tensors, labels[:5], "test images"), digits.CLASS_NAMES)
    scores = run_graph(compiled.original, tensors[0])[compiled.original.outputs[0].tensor].astype(np.int8)
    probe = Probe()
    drawn = probe.draw(
        block, scores.tobytes(), counter_kind=CYCLES, clock_hz=216_000_000, frames=1, count=line["per_frame"],
        right=line["right"], labelled=line["labelled"],
    )  # fmt: skip
    probe.close()
    assert shown.shape == (272 + BAND_HEIGHT, 480, 3)
    different = np.argwhere((shown[:272] != drawn).any(axis=2))
    assert not len(different), f"{len(different)} pixels differ, the first at y, x = {different[0]}"
    assert (shown[272:] < 128).any()  # the words below: emulated


class Recorded:
    """A transport whose writes are kept."""

    def __init__(self, transport):
        self._transport, self.written = transport, bytearray()

    def read(self, timeout: float) -> bytes:
        return self._transport.read(timeout)

    def write(self, data: bytes) -> None:
        self.written += data
        self._transport.write(data)


def test_commands_at_a_port_whose_device_is_in_demo_mode():
    """Listening sends nothing; a run just works and leaves no damage behind; a restart brings the demo back."""
    board, compiled = load_board("emu_stm32f405"), compile_file(digits.model_path())
    client = open_device(board, plan=demo_region(compiled, board, small(compiled)).image)
    device = Recorded(client.transport)
    try:
        with SerialLine(device) as line:
            listen = ["demo", "--port", line.path, "--lines", "2"]
            shown = CliRunner().invoke(cli, listen, catch_exceptions=False)
            assert shown.exit_code == 0 and shown.stdout.count("tinyconv demo digits: 692,") == 2
            assert device.written == b""
            run = ["run", "--board", board.id, "--port", line.path, "--input", "random:1", "--json", "-"]
            for place in ("ram", "flash"):
                result = CliRunner().invoke(cli, [*run, "--place", place], catch_exceptions=False)
                assert json.loads(result.stdout)["bit_exact"] is True
            with open_device(board, line.path) as host:
                assert host.session.counts.errors == 0 and host.session.resent_frames == 0
                host.restart()
            sent = len(device.written)
            assert CliRunner().invoke(cli, listen, catch_exceptions=False).exit_code == 0
            assert len(device.written) == sent
    finally:
        client.close()
