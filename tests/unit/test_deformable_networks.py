"""Networks with deformable convolutions: in .tflite files, exported, with offsets of 16 bits in every role."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import host.data
from host import boards
from host.compile import compile_graph
from host.errors import HostError, UnsupportedError
from host.export import folder
from host.inputs import random_inputs
from host.model import graph as g
from host.model import tflite_write
from host.model.builder import Builder
from host.model.deformable import FILE_KIND
from host.model.load import load_graph
from host.model.onnx import import_onnx
from host.model.tflite_import import import_tflite
from host.model.tflite_write import write_tflite
from host.oracle.run import dequantize_output, quantize_input, run_graph
from tests import nets
from tests.onnx_nets import Maker, reference
from tests.unit.test_export import compile_and_run
from tests.unit.test_plan import check_natively

EXAMPLE = Path(host.data.__file__).parent / "examples" / "deformable.py"


def int16_network() -> g.Graph:
    """int16 offsets as an input, and as a constant; 12 channels, two offset groups."""
    rng = np.random.default_rng(2)
    net = Builder("int16")
    x = net.input((9, 7, 6), scale=0.05, zero_point=-3, name="x")
    moves = net.input((9, 7, 36), scale=1 / 512, dtype="int16", name="moves")
    w = rng.normal(0, 0.1, (12, 3, 3, 6))
    y = net.deformable_conv2d(x, moves, w, scale=0.05, offset_groups=2, activation="RELU")
    constant = net.input((4, 3, 18), scale=1 / 1024, dtype="int16", name="constant")
    w = rng.normal(0, 0.1, (5, 3, 3, 12))
    net.output(net.deformable_conv2d(y, constant, w, stride=2, padding=0, scale=0.05), "y")
    graph = net.graph()
    (border,) = [b for b in graph.inputs if b.name == "constant"]
    tensor = graph.tensors[border.tensor]
    tensor.data = rng.integers(-3000, 3000, tensor.shape).astype(np.int16)
    graph.inputs.remove(border)
    return graph


NETWORKS = {"example": lambda: load_graph(EXAMPLE), "int16": int16_network}


@given(st.data())
def test_a_file_holds_every_deformable_convolution(data):
    graph = data.draw(nets.STRATEGIES["deformable_conv2d"]())
    inputs = data.draw(nets.inputs_for(graph))
    try:
        expected = run_graph(graph, inputs)[graph.outputs[0].tensor]
    except UnsupportedError:
        return
    again = import_tflite(write_tflite(graph))
    (op,) = again.ops
    for name in ("stride", "dilation", "padding", "groups", "offset_groups", "activation", "inputs"):
        assert getattr(op, name) == getattr(graph.ops[0], name)
    got = run_graph(again, inputs)[again.outputs[0].tensor]
    assert np.array_equal(got, expected)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_are_exact_in_the_plan_runner_and_from_files(name):
    graph = NETWORKS[name]()
    inputs = random_inputs(graph, 5)
    check_natively(graph, inputs)
    again = import_tflite(write_tflite(graph))
    assert [b.dtype for b in again.inputs] == [b.dtype for b in graph.inputs]
    expected = run_graph(graph, inputs)[graph.outputs[0].tensor]
    assert np.array_equal(run_graph(again, inputs)[again.outputs[0].tensor], expected)
    assert len(np.unique(expected)) > 3


@pytest.mark.parametrize("name", NETWORKS)
def test_exported_networks_are_exact(name, tmp_path):
    export = folder.contents(compile_graph(NETWORKS[name]()), boards.load_board("emu_stm32f405"))
    folder.write(tmp_path / "net", export.files)
    done = compile_and_run(tmp_path / "net")
    assert (done.returncode, done.stdout) == (0, "exact: every output equals the reference\n")


def spoiled(monkeypatch: pytest.MonkeyPatch, **changes: object) -> bytes:
    """A file whose operator has other options; None takes one away."""
    graph = int16_network()
    genuine = tflite_write.deformable.options

    def options(op: g.DeformableConv2D) -> dict[str, object]:
        return {k: v for k, v in (genuine(op) | changes).items() if v is not None}

    monkeypatch.setattr(tflite_write.deformable, "options", options)
    content = write_tflite(graph)
    monkeypatch.undo()
    return content


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"stride_h": None}, "its option stride_h must be a number from 0 to 32768, not None"),
        ({"groups": 1.0}, "its option groups must be a number"),
        ({"pad_top": -1}, "its option pad_top must be a number"),
        ({"pad_left": 2**31}, "its option pad_left must be a number"),
        ({"activation": 9}, "activation 9"),
        ({"bilinear": True}, "unknown option 'bilinear'"),
        ({"offset_groups": 3}, "its offsets must have shape"),
        ({"groups": 4}, "4 groups do not divide 6 input channels"),
        ({"dilation_w": 0}, "dilation"),
        ({"stride_w": 3}, "its output must have shape"),
    ],
)
def test_options_of_a_file_that_do_not_fit_are_refused(monkeypatch, changes, reason):
    with pytest.raises(UnsupportedError, match=reason) as refused:
        import_tflite(spoiled(monkeypatch, **changes))
    assert f"{FILE_KIND} (operator 0)" in str(refused.value)


def test_other_operators_refuse_int16():
    graph = int16_network()
    moves = graph.inputs[1].tensor
    graph.tensors.append(
        g.Tensor("out", graph.tensors[moves].shape, np.dtype("int16"), nets.make_quant(1, 0))
    )
    graph.ops = [g.Reshape((moves,), (len(graph.tensors) - 1,), 0)]
    graph.outputs = [g.Border(len(graph.tensors) - 1, "out", np.dtype("int16"))]
    with pytest.raises(HostError, match="is int16, not 8 bits"):
        import_tflite(write_tflite(graph))


@pytest.mark.parametrize("masked", [False, True])
def test_a_quantised_onnx_network_is_within_a_step_of_onnxruntime(masked):
    """Offsets, and a mask, that convolutions of the same image find, all in int8."""
    maker = Maker((1, 4, 9, 8), opset=19)
    rng = np.random.default_rng(8)

    def conv(name: str, channels: int, scale: float, zero: int) -> str:
        data = rng.integers(-127, 128, (channels, 4, 3, 3)).astype(np.int8)
        w = maker.weights(f"{name}_w", data, 0.01)
        node = maker.node("Conv", [x, w], name, pads=[1, 1, 1, 1])
        return maker.requantized(node, scale, zero)

    x = maker.requantized("x", 1 / 32, 5)
    offsets = conv("offsets", 36, 1 / 16, 0)
    mask = conv("mask", 18, 1 / 64, -100)
    data = rng.integers(-127, 128, (6, 2, 3, 3)).astype(np.int8)
    w = maker.weights("w", data, np.linspace(0.002, 0.006, 6), axis=0)
    bias = maker.constant("bias", np.zeros(6, np.float32))
    inputs = [x, w, offsets, *([bias, mask] if masked else [])]
    y = maker.node("DeformConv", inputs, "y", pads=[1, 1, 1, 1], group=2, offset_group=2)
    content = maker.bytes(maker.requantized(y, 1 / 32, -20))
    graph = import_onnx(content)
    assert [type(op) for op in graph.ops] == [g.Conv2D, g.Conv2D, g.DeformableConv2D][not masked :]
    image = rng.normal(0, 1.5, (1, 4, 9, 8)).astype(np.float32)
    (expected,) = reference(content, image, optimised=False)
    values = run_graph(graph, [quantize_input(graph, graph.inputs[0], image)])
    got = dequantize_output(graph, graph.outputs[0], values[graph.outputs[0].tensor])
    steps = np.abs(got - expected) * 32
    assert steps.max() < 1.01 and (steps < 0.01).mean() > 0.97
