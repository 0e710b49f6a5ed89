"""The ladder on the emulated board: every rung exact, and as far apart as promised on te_vww's topology."""

from __future__ import annotations

import json

import pytest

from host import errors
from host.data import digits
from host.experiment import Options
from host.ladder.climb import climb
from host.ladder.rungs import all_rungs, select
from host.model.tflite_write import write_tflite
from tests.emulator.test_cli import host, refused
from tests.slim_nets import Builder

BOARD = "emu_stm32f405"
LEAST_GAIN = 25  # times fewer instructions on the last rung than on the first
# Inverted bottlenecks of te_vww: expanded channels, kernel, stride, output channels, whether there is a shortcut.
TE_VWW_BLOCKS = (
    (48, 3, 2, 16, False), (48, 3, 1, 16, True), (48, 3, 1, 16, True), (48, 7, 2, 24, False), (144, 3, 1, 24, True),
    (120, 5, 1, 24, True), (144, 7, 2, 40, False), (240, 7, 1, 40, True), (240, 3, 1, 48, False), (192, 3, 1, 48, True),
    (240, 3, 2, 96, False), (480, 3, 1, 96, True), (384, 3, 1, 96, True), (288, 7, 1, 160, False),
)  # fmt: skip
TE_VWW_MACS = 11_580_000


def like_te_vww():
    """A network of te_vww's topology with random weights, a few channels of which slimming can remove."""
    b = Builder(seed=4, zero_point=-128, dead=0.05)
    x = b.conv(b.input((1, 80, 80, 3)), 16, 3, 2)
    x = b.conv(b.depthwise(x, 3, 1), 8, 1, 1)
    for expanded, kernel, stride, out_c, shortcut in TE_VWW_BLOCKS:
        y = b.conv(b.depthwise(b.conv(x, expanded, 1, 1), kernel, stride), out_c, 1, 1)
        x = b.add(x, y) if shortcut else y
    return b.graph(b.dense(b.mean(x, (1, 2), False), 2))


@pytest.fixture
def te_vww(tmp_path):
    graph = like_te_vww()
    assert graph.total_macs == pytest.approx(TE_VWW_MACS, rel=0.02)
    file = tmp_path / "like_te_vww.tflite"
    file.write_bytes(write_tflite(graph))
    return file


def test_first_and_last_rung_are_far_apart(te_vww):
    ladder = climb(te_vww, select("naive,tuned"), Options(BOARD, source="random:1", predict=False))
    first, last = ladder.rungs
    assert first.exact is True and last.exact is True
    assert first.count > LEAST_GAIN * last.count
    assert last.arena_bytes < first.arena_bytes


def test_every_rung_is_exact_and_none_is_slower():
    options = Options(BOARD, source="random:2", check="layers", predict=False)
    ladder = climb(digits.model_path(), all_rungs(), options)
    assert [r.exact for r in ladder.rungs] == [True] * len(all_rungs()), ladder.wrong
    counts = [r.count for r in ladder.rungs]
    assert sorted(counts, reverse=True) == counts
    assert counts[0] > LEAST_GAIN * counts[-1]
    in_place = [r.rung.name for r in ladder.rungs].index("in-place")
    assert ladder.rungs[in_place].arena_bytes < ladder.rungs[in_place - 1].arena_bytes


def test_the_command_prints_writes_and_draws(tmp_path):
    out, figure = tmp_path / "ladder.json", tmp_path / "ladder.svg"
    done = host("ladder", "--rungs", "reorder,simd", "--explain", "--json", out, "--plot", figure)
    assert done.returncode == 0, done.stderr
    for words in ("f746-itcm cycles", "1 reorder", "2 simd", "SMLAD", "modelled, not measured", "216 MHz"):
        assert words in done.stdout
    value = json.loads(out.read_text())
    assert [r["name"] for r in value["rungs"]] == ["reorder", "simd"]
    for r in value["rungs"]:
        (p,) = r["predictions"]
        assert r["exact"] is True and p["fps"] == pytest.approx(216e6 / p["cycles"])
    assert figure.read_text().startswith("<?xml")


def test_what_does_not_fit_is_a_row(tmp_path):
    b = Builder(seed=1, zero_point=-128, dead=0)
    x = b.conv(b.input((1, 56, 56, 16)), 32, 3, 1)
    file = tmp_path / "wide.tflite"
    file.write_bytes(write_tflite(b.graph(x)))
    done = host("ladder", file, "--rungs", "naive,tuned", "--no-model", "--json", "-")
    assert done.returncode == 0, done.stderr
    naive = json.loads(done.stdout)["rungs"][0]
    assert naive["count"] is None and "are allowed" in naive["trouble"]


def test_wrong_arguments_are_one_line():
    refused(errors.InputError, "ladder", "--rungs", "quick", saying=("no rung 'quick'", "naive"))
    refused(errors.InputError, "ladder", "--plot", "l.pdf", saying=("l.pdf", ".svg"))
