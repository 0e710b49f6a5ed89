"""Networks composed in Python on the device: the examples, several inputs, the library's front door, the command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import host.data
from host import errors
from host.api import run
from host.errors import InputError
from host.model import graph as g
from host.model.builder import Builder
from host.model.load import load_graph
from host.oracle.run import run_graph
from tests.emulator.test_cli import host as command
from tests.emulator.test_cli import refused

EXAMPLES = sorted((Path(host.data.__file__).parent / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_exact_in_every_layer(board, path: Path):
    report = run(path, check="layers", **board).report
    assert report.bit_exact is True and report.per_inference > 0


def two_inputs() -> g.Graph:
    rng = np.random.default_rng(4)
    net = Builder("two")
    a = net.input((6, 6, 3), scale=0.1, name="left")
    b = net.input((6, 6, 3), scale=0.2, zero_point=5, name="right")
    x = net.conv2d(net.add(a, b, scale=0.3), rng.normal(0, 0.3, (4, 3, 3, 3)), scale=0.1)
    net.output(x, "both")
    net.output(net.max_pool(x, 2), "pooled")
    return net.graph()


def test_arrays_go_in_and_outputs_come_out(board):
    graph = two_inputs()
    rng = np.random.default_rng(5)
    inputs = {n: rng.integers(-128, 128, (3, 6, 6, 3), dtype=np.int8) for n in ("right", "left")}
    done = run(graph, inputs, **board)
    assert [o.shape for o in done.outputs] == [(3, 1, 6, 6, 4), (3, 1, 3, 3, 4)]
    for i in range(3):
        values = run_graph(graph, [inputs["left"][i][None], inputs["right"][i][None]])
        for output, border in zip(done.outputs, graph.outputs, strict=True):
            np.testing.assert_array_equal(output[i], values[border.tensor])
    assert done.report.samples == 3 and done.report.prediction is None
    again = run(graph, [inputs["left"], inputs["right"]], **board)
    np.testing.assert_array_equal(again.outputs[0], done.outputs[0])
    with pytest.raises(InputError, match="the network has left, right"):
        run(graph, {"left": inputs["left"]}, **board)
    with pytest.raises(InputError, match="1 inputs; the network has 2"):
        run(graph, inputs["left"], **board)


SCRIPT = """
from tests.emulator.test_scripts import two_inputs
network = two_inputs
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    (tmp_path / "net.py").write_text(SCRIPT)
    return tmp_path / "net.py"


def test_every_command_takes_a_script_with_two_inputs(script: Path, tmp_path: Path):
    np.savez(
        tmp_path / "in.npz",
        left=np.zeros((2, 6, 6, 3), np.int8),
        right=np.full((2, 6, 6, 3), 3.0),
    )
    done = command("run", script, "--input", tmp_path / "in.npz", "--check", "layers", "--json", "-")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["bit_exact"] is True and result["input"]["samples"] == 2 and result["fps_source"] == "model"
    for arguments in (("inspect",), ("profile",), ("export", "--to", tmp_path / "c")):
        done = command(arguments[0], script, *arguments[1:], "--json", "-")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["model"] == "two"


def test_a_script_that_fails_is_one_line(tmp_path: Path):
    path = tmp_path / "net.py"
    path.write_text("network = 1 / 0\n")
    refused(errors.NetworkError, "run", path, saying=("net.py:1", "ZeroDivisionError"))
    shown = command("--traceback", "run", path)
    assert shown.returncode != 0 and "Traceback" in shown.stderr and "network = 1 / 0" in shown.stderr


def test_the_examples_load():
    assert {path.stem for path in EXAMPLES} and all(load_graph(path).ops for path in EXAMPLES)
