"""`host monitor` without a device: recorded frames, sources of inputs, what is drawn and written."""

from __future__ import annotations

import json
import sys
import types
from dataclasses import replace
from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from host import compile as compiler
from host.data import digits
from host.errors import InputError, OutputError, ToolMissingError
from host.inputs import Samples
from host.link.client import Client, RunResult
from host.link.session import LinkCounts
from host.model import graph as g
from host.monitor import sources, view
from host.monitor.classes import Verdict, verdict
from host.monitor.show import shown
from host.monitor.state import RECENT_S, Frame, Layer, Setting, State
from host.monitor.watch import layers, watch
from host.oracle.run import run_graph
from host.report.result import Prediction
from tests.fake_device import FakeDevice

REAL = replace(
    Client(FakeDevice()).connect(), emulated=False, counter="cycles", board="disco", clock_hz=100_000_000
)
EMULATED = replace(REAL, emulated=True, counter="instructions", board="emu")
LAYERS = (Layer("CONV_2D", "conv2d_s8_hwc_winograd4_3x3"), Layer("SOFTMAX", "softmax_s8_flat_ref"))
MODELLED = Prediction("f405", 168_000_000, 1_680_000, 15, "flash not calibrated")


def state_of(hello=REAL, frames=(), **setting) -> State:
    state = State(Setting("net", hello, "/dev/ttyACM0", "a file", LAYERS, **setting))
    for frame in frames:
        state.add(frame)
    return state


def frame(number: int, **other) -> Frame:
    """Frame `number` of a recording with 4 frames a second."""
    fields = dict(
        name=f"img{number}.png", begin_s=10 + number / 4, at_s=10.25 + number / 4, count=2_000_000,
        layer_counts=(1_500_000, 500_000), verdict=Verdict(3, 0.75),
    )  # fmt: skip
    return Frame(**{**fields, **other})


def drawn(state: State, width: int = 100, ascii_only: bool = False) -> str:
    console = Console(width=width, record=True, file=open("/dev/null", "w"), force_terminal=True)  # noqa: SIM115
    console.print(view.render(state, width, ascii_only))
    return console.export_text()


# State


def test_a_boards_speed_is_clock_by_cycles():
    state = state_of(REAL, [frame(0)])
    assert (state.device_fps, state.fps, state.fps_source) == (50.0, 50.0, "device")
    state.add(frame(1, count=4_000_000))
    assert state.device_fps == 25.0


@pytest.mark.parametrize("hello", [EMULATED, replace(REAL, emulated=True), replace(EMULATED, emulated=False)])
def test_counted_instructions_are_never_a_speed(hello):
    """Also for a board's image on models of its chip, which reports what a board would."""
    state = state_of(hello, [frame(0)])
    assert (state.device_fps, state.fps, state.fps_source) == (None, None, None)
    modelled = state_of(hello, [frame(0)], prediction=MODELLED)
    assert (modelled.device_fps, modelled.fps, modelled.fps_source) == (None, 100.0, "model")
    for text in (drawn(modelled), view.plain_line(modelled)):
        assert "modelled, not measured: 100.00 FPS" in text and "on the device" not in text
    for text in (drawn(state), view.plain_line(state)):
        assert "speed not known" in text and "on the device" not in text
    if hello.emulated:
        assert "FPS, of emulator and computer, not of a board" in drawn(state)
        assert "FPS end to end, emulated" in view.plain_line(state)


def test_the_speed_end_to_end_is_a_mean_over_recent_frames():
    state = state_of(REAL, [frame(0, begin_s=10.15)])
    assert state.end_to_end_fps == pytest.approx(10)  # the first frame has only itself
    for number in range(1, 8):
        state.add(frame(number))
    assert state.end_to_end_fps == pytest.approx(4)
    late = frame(8, at_s=100.0)
    state.add(late)
    assert state.end_to_end_fps == pytest.approx(1 / (100.0 - frame(7).at_s))
    for number in range(60):
        state.add(replace(late, at_s=100 + (number + 1) / 20))
    assert state.end_to_end_fps == pytest.approx(20) and RECENT_S == 3.0
    state.add(replace(late, at_s=state.last.at_s))  # a clock that stands still divides nothing by zero
    assert state.end_to_end_fps is not None


def test_classes_are_compared_with_labels():
    state = state_of(
        REAL, [frame(0, label=3), frame(1, label=4), frame(2)], class_names=("a", "b", "c", "3", "four")
    )
    assert (state.labelled, state.correct) == (2, 1)
    wrong = state_of(REAL, [frame(1, label=4)], class_names=("a", "b", "c", "three", "four"))
    assert "class 3 three 75.0 % wrong, is 4 four" in view.plain_line(wrong)
    assert "3 three, is 4 four" in drawn(wrong) and "0.0 % (0 of 1)" in drawn(wrong)
    assert state.setting.class_name(3) == "3" and state.setting.class_name(9) == "9"


def test_what_is_not_exact_is_remembered():
    bad = frame(1, exact=False, difference="output 'y': 1 of 10 elements differ")
    state = state_of(REAL, [frame(0, exact=True), bad, frame(2, exact=True)])
    assert (state.compared, state.inexact) == (3, 1)
    assert state.first_difference == "img1.png: output 'y': 1 of 10 elements differ"
    assert "NO, 1 of 3 frames; img1.png: output 'y'" in drawn(state)
    assert "yes, 1 frames compared" in drawn(state_of(REAL, [frame(0, exact=True)]))
    assert "exact" not in drawn(state_of(REAL, [frame(0)]))


def test_heat():
    state = state_of(REAL, [frame(0)])
    assert state.heat == [0.75, 0.25] and state.hottest(1) == [(0, 0.75)]
    assert state_of().heat == [] and state_of(REAL, [frame(0, layer_counts=(0, 0))]).hottest(3) == []


# Drawing


def test_sparkline():
    assert view.sparkline([0, 1, 2, 4, 8], 10) == "▁▂▃▅█"
    assert view.sparkline([9] * 50 + [3, 9], 2) == "▃█"
    assert view.sparkline([0, 0], 5) == "▁▁" and view.sparkline([], 5) == "" and view.sparkline([1], 0) == ""
    assert view.sparkline([1, 8], 2, view.ASCII_SPARKS) == ".#"


def test_heat_strip_reads_with_and_without_colours():
    strip = view.heat_strip([0.0, 0.1, 0.2, 0.3, 0.4], 10)
    assert strip.plain == "··░░▒▒▓▓██"
    assert [str(span.style) for span in strip.spans] == list(view.HEAT_COLOURS)
    assert view.heat_strip([0.0, 0.4], 2, view.ASCII_HEAT_SIGNS).plain == ".#"
    crowded = view.heat_strip([0.001] * 99 + [0.9], 10)
    assert crowded.plain == "·" * 9 + "█"  # a hot layer among many stays visible
    assert view.heat_strip([], 10).plain == "" and view.heat_strip([0.0], 3).plain == "··"


def test_the_block_has_everything():
    link = LinkCounts(resent_frames=4, damaged_answers=1, damaged_requests=2, missing_answers=3)
    text = drawn(state_of(REAL, [frame(0), frame(1, link=link)]))
    for words in (
        "net", "disco at /dev/ttyACM0", "100 MHz (PLL from crystal)", "prefetch", "50.00 FPS on the device, 20.00 ms",
        "2,000,000 cycles", "4.00 FPS", "img1.png  frame 2", "75.0 %", "#0 CONV_2D winograd4_3x3",
        "6 errors: 2 damaged on the way there, 1 on the way back, 3 missing; 4 repeats",
    ):  # fmt: skip
        assert words in text, words
    assert "waiting for the first frame from a file" in drawn(state_of())


@pytest.mark.parametrize("width", [30, 60, 200])
def test_the_block_keeps_to_the_terminal(width):
    name = "a very long name [of a file] " * 10
    text = drawn(state_of(REAL, [frame(0, name=name, label=1, exact=True)]), width)
    assert all(len(line) <= width for line in text.splitlines())
    assert "[of a file]" in drawn(state_of(REAL, [frame(0, name="[of a file]")]))  # no markup of rich's


def test_a_terminal_without_unicode():
    text = drawn(state_of(REAL, [frame(0)]), ascii_only=True)
    assert text.isascii() and "###" in text


def test_networks_without_classes():
    text = drawn(state_of(REAL, [frame(0, verdict=Verdict())]))
    assert "class" not in text and "confidence" not in text
    restored = state_of(REAL, [frame(0, verdict=Verdict(error=0.125))])
    assert "0.125 mean squared difference" in drawn(restored) and "error 0.125" in view.plain_line(restored)
    no_scale = state_of(REAL, [frame(0, verdict=Verdict(7))])
    assert "class 7  " in view.plain_line(no_scale) and "confidence" not in drawn(no_scale)


# Classes


def one_output(size: int, op: type[g.Op], quant: g.Quant | None, in_size: int = 4) -> g.Graph:
    q = g.Quant(np.array([0.5], np.float32), 1)
    tensors = [
        g.Tensor("x", (1, in_size), np.dtype(np.int8), q),
        g.Tensor("y", (1, size), np.dtype(np.int8), quant),
    ]
    borders = [g.Border(i, n, np.dtype(np.int8)) for i, n in ((0, "x"), (1, "y"))]
    return g.Graph("one", tensors, [op((0,), (1,), 0)], borders[:1], borders[1:])


def test_confidence():
    x = [np.zeros((1, 4), np.int8)]
    y = [np.array([[-128, 64, -64]], np.int8)]
    probabilities = g.Quant(np.array([1 / 256], np.float32), -128)
    assert verdict(one_output(3, g.Softmax, probabilities), x, y) == Verdict(1, 192 / 256)
    logits = verdict(one_output(3, g.Add, g.Quant(np.array([0.01], np.float32), 0)), x, y)
    powers = np.exp(np.array([-1.28, 0.64, -0.64]))
    assert logits.index == 1 and logits.confidence == pytest.approx(powers[1] / powers.sum(), rel=1e-6)
    assert verdict(one_output(3, g.Add, None), x, y) == Verdict(1, None)


def test_a_network_that_restores_its_input():
    q = g.Quant(np.array([0.25], np.float32), 0)
    x, y = [np.array([[1, 3, 5, 7]], np.int8)], [np.array([[0, 4, 8, 8]], np.int8)]
    # inputs are (q - 1) / 2: 0 1 2 3; outputs q / 4: 0 1 2 2
    assert verdict(one_output(4, g.Add, q), x, y) == Verdict(error=0.25)
    assert verdict(one_output(4, g.Add, None), x, y) == Verdict()


# Sources


@pytest.fixture(scope="module")
def compiled():
    return compiler.compile_file(digits.model_path())


def take(source: sources.Source, count: int) -> list[sources.Sample]:
    return list(islice(source, count))


def test_samples_of_a_file_come_again(compiled, tmp_path):
    images, labels = digits.test_images()
    np.savez(tmp_path / "some.npz", x=images[:2], y=labels[:2])
    taken = take(sources.open_source(str(tmp_path / "some.npz"), compiled.original), 3)
    assert [(s.name, s.label, s.key) for s in taken] == [
        ("some.npz[0]", labels[0], "0"), ("some.npz[1]", labels[1], "1"), ("some.npz[0]", labels[0], "0"),
    ]  # fmt: skip
    np.save(tmp_path / "one.npy", digits.to_input(images[5]))
    (only,) = take(sources.open_source(str(tmp_path / "one.npy"), compiled.original), 1)
    assert only.name == "one.npy" and only.label is None
    assert np.array_equal(only.tensors[0][0], digits.to_input(images[5]))


def test_a_folder_of_images(compiled, tmp_path):
    images, _ = digits.test_images()
    for name, image in (("b.PNG", images[1]), ("a.jpg", images[0])):
        Image.fromarray(image[:, :, 0]).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    source = sources.open_source(str(tmp_path), compiled.original)
    taken = take(source, 4)
    assert [s.name for s in taken] == ["a.jpg", "b.PNG", "a.jpg", "b.PNG"]
    assert source.description == f"2 images of {tmp_path}"
    assert np.array_equal(taken[1].tensors[0][0], digits.to_input(images[1]))
    (tmp_path / "a.jpg").write_bytes(b"damaged")
    with pytest.raises(InputError, match=r"a\.jpg: not a readable image"):
        take(sources.open_source(str(tmp_path), compiled.original), 1)


def test_a_folder_without_images(compiled, tmp_path):
    with pytest.raises(InputError, match=r"no images in it; looked for names that end in \.png"):
        sources.open_source(str(tmp_path), compiled.original)
    with pytest.raises(InputError, match="no input file"):
        sources.open_source(str(tmp_path / "none"), compiled.original)


def test_random_inputs_differ_and_begin_as_those_of_run(compiled):
    from host import inputs

    taken = take(sources.open_source("random:7", compiled.original), 3)
    assert [s.name for s in taken] == ["random:7", "random:8", "random:9"]
    for seed, sample in enumerate(taken, 7):
        assert np.array_equal(
            sample.tensors[0], inputs.load(f"random:{seed}", compiled.original).tensors[0][0]
        )


@pytest.fixture
def opencv(monkeypatch):
    """A module cv2 with as much of a camera as we use; `pictures` is what it sees, in BGR."""
    module = types.ModuleType("cv2")
    module.pictures, module.opened, module.released = [], [], []
    module.CAP_PROP_BUFFERSIZE, module.COLOR_BGR2RGB = 38, 4

    class VideoCapture:
        def __init__(self, number: int):
            self.number = number
            module.opened.append(number)

        def isOpened(self) -> bool:
            return self.number != 9

        def set(self, what: int, value: int) -> None:
            assert (what, value) == (module.CAP_PROP_BUFFERSIZE, 1)

        def read(self):
            return (True, module.pictures.pop(0)) if module.pictures else (False, None)

        def release(self) -> None:
            module.released.append(self.number)

    module.VideoCapture = VideoCapture
    module.cvtColor = lambda picture, code: picture[:, :, ::-1]
    monkeypatch.setitem(sys.modules, "cv2", module)
    return module


def test_a_camera(compiled, opencv):
    picture = np.zeros((64, 100, 3), np.uint8)
    picture[:, :18] = picture[:, 82:] = 255  # what is cut off
    picture[:, 18:82, 2] = 255  # red, which is 76 of 255 in grey (ITU-R 601)
    opencv.pictures = [picture]
    source = sources.open_source("camera:1", compiled.original)
    sample = next(iter(source))
    assert opencv.opened == [1] and sample.name == "camera 1" and sample.key is None
    assert sample.tensors[0].shape == (1, 32, 32, 1)
    assert np.unique(sample.tensors[0]).tolist() == [76 - 128]
    with pytest.raises(InputError, match="camera 1 gives no more pictures; was it unplugged"):
        next(iter(source))
    source.close()
    assert opencv.released == [1]
    assert sources.open_source("camera", compiled.original).description == "camera 0"
    with pytest.raises(InputError, match="camera 9 cannot be opened"):
        sources.open_source("camera:9", compiled.original)


def test_a_camera_without_opencv(compiled, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ToolMissingError, match=r"a camera needs OpenCV.*pip install opencv-python-headless"):
        sources.open_source("camera", compiled.original)


# Frames from a device


class OracleClient:
    """A client whose device is the oracle; `spoil` changes an element of the output of every second frame."""

    def __init__(self, compiled, spoil: bool = False):
        self._compiled, self._spoil, self._runs = compiled, spoil, 0
        self.session = SimpleNamespace(counts=LinkCounts())

    def write_tensor(self, tensor: int, data: bytes) -> None:
        self._input = np.frombuffer(data, np.int8).reshape(1, 32, 32, 1)

    def run(self) -> RunResult:
        self._runs += 1
        self.session.counts.resent_frames += 1
        return RunResult(5000 + self._runs, 1, len(self._compiled.net.steps))

    def counts(self, first: int, steps: int) -> tuple[int, ...]:
        return tuple(range(first, first + steps))

    def read_tensor(self, tensor: int, count: int) -> bytes:
        graph = self._compiled.original
        output = run_graph(graph, [self._input])[graph.outputs[0].tensor].copy()
        assert output.size == count
        if self._spoil and self._runs % 2 == 0:
            output[0, 3] += 1
        return output.tobytes()


def test_frames_tell_what_the_device_said(compiled):
    images, labels = digits.test_images()
    samples = Samples([[digits.to_input(images[i : i + 1])] for i in range(3)], labels[:3], "x")
    clock = iter(range(100, 200))
    taken = islice(
        watch(
            OracleClient(compiled), compiled, sources.Fixed(samples), check=True, clock=lambda: next(clock)
        ),
        4,
    )
    frames = list(taken)
    steps = len(compiled.net.steps)
    assert len(layers(compiled)) == steps
    assert [f.count for f in frames] == [5001, 5002, 5003, 5004]
    assert [(f.begin_s, f.at_s) for f in frames] == [(100, 101), (102, 103), (104, 105), (106, 107)]
    assert all(f.layer_counts == tuple(range(steps)) and f.exact for f in frames)
    assert [f.verdict.index for f in frames] == [0, 1, 2, 0] and [f.label for f in frames] == [0, 1, 2, 0]
    assert [f.link.resent_frames for f in frames] == [1, 2, 3, 4]  # each its own copy
    assert 0.5 < frames[0].verdict.confidence <= 1


def test_a_wrong_output_is_found_and_named(compiled):
    source = sources.Random(compiled.original, 1)
    frames = list(islice(watch(OracleClient(compiled, spoil=True), compiled, source, check=True), 4))
    assert [f.exact for f in frames] == [True, False, True, False]
    assert "1 of 10 elements differ, first at [0, 3]: device" in frames[1].difference
    unchecked = next(watch(OracleClient(compiled, spoil=True), compiled, source))
    assert unchecked.exact is None and unchecked.difference == ""


# Where it goes


def play(frames: int, json_file: str | None, every: int | None, console: Console | None = None) -> State:
    state = state_of()
    with shown(json_file, every, console) as show:
        for number in range(frames):
            state.add(frame(number))
            show(state)
    return state


def test_a_pipe_gets_a_line_a_second_and_the_last_frame(capsys):
    play(10, None, None)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["frame 1", "frame 5", "frame 9", "frame 10"]
    assert lines[1] == (
        "frame 5  img4.png  class 3 75.0 %  50.00 FPS on the device, 20.00 ms, 2,000,000 cycles  "
        "4.00 FPS end to end  0 link errors, 0 repeats"
    )
    play(7, None, 3)
    assert [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()] == [
        "frame 3",
        "frame 6",
        "frame 7",
    ]
    play(0, None, None)
    assert capsys.readouterr().out == ""


def test_json_is_one_object_a_frame(capsys, tmp_path):
    play(3, "-", None)
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [r["frame"] for r in records] == [1, 2, 3]
    assert records[1] == {
        "schema": 1, "frame": 2, "input": "img1.png", "model": "net", "board": "disco", "emulated": False,
        "clock_hz": 100_000_000, "counter": "cycles", "count": 2_000_000, "fps": 50.0, "fps_source": "device",
        "end_to_end_fps": 4.0, "class": 3, "confidence": 0.75, "error": None, "label": None, "exact": None,
        "layers": [1_500_000, 500_000],
        "link": {"resent_frames": 0, "damaged_answers": 0, "damaged_requests": 0, "missing_answers": 0},
    }  # fmt: skip
    play(3, str(tmp_path / "frames.jsonl"), 1)
    assert len((tmp_path / "frames.jsonl").read_text().splitlines()) == 3
    assert len(capsys.readouterr().out.splitlines()) == 3  # the lines for people come as well
    with pytest.raises(OutputError, match="cannot write"):
        play(1, str(tmp_path / "none" / "x"), None)


def test_a_terminal_gets_a_block_with_the_last_frame(tmp_path):
    with (tmp_path / "screen").open("w+", encoding="utf-8") as file:
        play(9, None, None, Console(file=file, force_terminal=True, width=80, height=30, color_system=None))
        file.seek(0)
        text = file.read()
    assert "\x1b[?25l" in text and text.rstrip().endswith("\x1b[?25h")  # the cursor comes back
    blocks = text.split("\x1b[1A")
    assert "img8.png" in blocks[-1] and "frame 9" in blocks[-1]
    assert "link" in blocks[-1]
