"""Our own runner: what it reads, what it counts, and what it does when the device is silent or refuses."""

from __future__ import annotations

import numpy as np
import pytest

from host.errors import DeviceError, InputError, LinkError
from host.mlperf.dataset import read_dataset
from host.mlperf.dut import Dut
from host.mlperf.measure import accuracy, area_under_curve, performance
from host.mlperf.models import MODELS, random_raw
from tests.mlperf.conftest import DIGITS
from tests.mlperf.runner import expected_results


def quiet(stage: str, done: int, total: int) -> None:
    """No progress."""


class Scripted:
    """A device that gives these answers, one a command, in pieces of any size."""

    description = "scripted"

    def __init__(self, *answers: bytes, piece: int = 7):
        self._answers, self._piece, self._out = list(answers), piece, b""
        self.heard = b""

    def write(self, data: bytes) -> None:
        self.heard += data
        if self._answers:
            self._out += self._answers.pop(0)

    def read(self, timeout: float) -> bytes:
        piece, self._out = self._out[: self._piece], self._out[self._piece :]
        return piece

    def close(self) -> None:
        pass


def dut(*answers: bytes, piece: int = 7) -> Dut:
    now = [0.0]

    def clock() -> float:
        now[0] += 0.05
        return now[0]

    return Dut(Scripted(*answers, piece=piece), clock)


INFER = (
    b"m-warmup-start-1\r\nm-warmup-done\r\nm-infer-start-2\r\nm-lap-us-7\r\nm-lap-us-4007\r\nm-infer-done\r\n"
    b"m-results-[0.25,0.75]\r\nm-ready\r\n"
)


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_replies_are_read_whatever_the_pieces(piece):
    device = dut(b"m-profile-[x]\r\nm-model-[ic01]\r\nm-ready\r\n", INFER, piece=piece)
    assert device.profile() == "ic01"
    found = device.infer(2, 1)
    assert (found.runs, found.us, found.results) == (2, 4000, (0.25, 0.75))
    assert device.transcript[:3] == ["> profile%", "< m-profile-[x]", "< m-model-[ic01]"]


def test_trouble_is_said():
    with pytest.raises(LinkError, match=r"nothing came.*does a network"):
        dut(b"").name()
    with pytest.raises(LinkError, match="only b'm-na' came"):
        dut(b"m-na").name()
    with pytest.raises(DeviceError, match=r"infer 1 0: the device says: No whole input"):
        dut(b"e-[No whole input is loaded]\r\nm-ready\r\n").infer(1, 0)
    with pytest.raises(LinkError, match="not two times"):
        dut(INFER.replace(b"m-lap-us-7\r\n", b"")).infer(2, 1)
    with pytest.raises(LinkError, match="bytes were lost on the way at 31 of 40"):
        dut(b"m-[Expecting 40 bytes]\r\nm-ready\r\n", *[b"m-ready\r\n"] * 2).load(bytes(40))
    assert dut(b"").hear_banner() == []


def test_the_real_firmware_and_the_runner_agree(start, region, compiled):
    device = Dut(start(region).transport)
    raws = [random_raw(DIGITS, seed) for seed in range(3)]
    timed = performance(device, [raw.tobytes() for raw in raws], quiet, runs=2, warm_ups=1)
    assert timed.runs == 2 and len(timed.rates) == 3 and min(timed.rates) <= timed.median <= max(timed.rates)
    device.load(raws[0].tobytes())
    device.infer(1, 0)
    assert device.transcript[-2] == f"< {expected_results(compiled.original, DIGITS, raws[0])}"


def write(folder, labels: str, **files: bytes):
    for name, data in files.items():
        (folder / f"{name}.bin").write_bytes(data)
    (folder / "y_labels.csv").write_text(labels)
    return folder


def test_a_dataset_is_read(tmp_path):
    a, b = bytes(490), bytes(range(245)) * 2
    write(tmp_path, "a.bin, 12, 7\r\nb.bin,12,0\r\n\r\n", a=a, b=b)
    found = read_dataset(tmp_path, MODELS["kws01"])
    assert [(e.file, e.label, e.inputs) for e in found] == [("a.bin", 7, (a,)), ("b.bin", 0, (b,))]
    assert len(read_dataset(tmp_path, MODELS["kws01"], 1)) == 1


def test_windows_of_a_file_overlap(tmp_path):
    folder = tmp_path / "ad01"
    folder.mkdir()
    data = np.arange(640 + 3 * 128, dtype="<f4").tobytes()
    write(folder, "a.bin, 2, 1, 2560, 512\n", a=data)
    (entry,) = read_dataset(tmp_path, MODELS["ad01"])  # the folder of all models, or the model's
    assert entry.label == 1 and [len(x) for x in entry.inputs] == [2560] * 4
    assert entry.inputs[3] == data[3 * 512 :]


@pytest.mark.parametrize(
    ("model", "labels", "message"),
    [
        ("kws01", "", "names no files"),
        ("kws01", "a.bin, 12\n", "line 1: kws01 needs 3 columns"),
        ("kws01", "a.bin, 12, on\n", "line 1: kws01 needs 3 columns"),
        ("kws01", "c.bin, 12, 1\n", "line 1: cannot read c.bin"),
        ("kws01", "a.bin, 12, 1\nb.bin, 12, 1\n", "line 2: b.bin has 5 bytes, kws01 takes 490"),
        ("ad01", "a.bin, 2, 0\n", "line 1: ad01 needs 5 columns"),
        ("ad01", "a.bin, 2, 0, 2560, 512\n", "line 1: a.bin has 490 bytes for windows of 2,560, 512 apart"),
        ("ad01", "w.bin, 2, 0, 2560, 0\n", "line 1: w.bin has 2,560 bytes for windows of 2,560, 0 apart"),
        ("ad01", "w.bin, 2, 0, 100, 4\n", "line 1: w.bin has 2,560 bytes for windows of 100, 4 apart"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, model, labels, message):
    write(tmp_path, labels, a=bytes(490), b=bytes(5), w=bytes(2560))
    with pytest.raises(InputError, match=message):
        read_dataset(tmp_path, MODELS[model])


def test_no_labels_at_all(tmp_path):
    with pytest.raises(InputError, match="cannot read"):
        read_dataset(tmp_path, MODELS["kws01"])


def test_the_area_under_the_curve():
    assert area_under_curve([1, 2, 3, 4], [0, 0, 1, 1]) == 1
    assert area_under_curve([4, 3, 2, 1], [0, 0, 1, 1]) == 0
    assert area_under_curve([1, 1, 1], [0, 1, 1]) == 0.5
    assert area_under_curve([1, 3, 2, 4], [0, 0, 1, 1]) == 0.75
    assert np.isnan(area_under_curve([1, 2], [0, 0]))


def test_accuracy_counts_right_answers(tmp_path):
    write(tmp_path, "".join(f"a.bin, 12, {label}\n" for label in (1, 0, 1)), a=bytes(490))
    entries = read_dataset(tmp_path, MODELS["kws01"])
    load = [b"m-[Expecting 490 bytes]\r\nm-ready\r\n", *[b"m-ready\r\n"] * 15, b"m-load-done\r\nm-ready\r\n"]
    found = accuracy(dut(*[*load, INFER] * 3, piece=99), MODELS["kws01"], entries, quiet)
    assert (found.metric, found.value, found.answers) == ("top-1", 2 / 3, (1, 1, 1))
