"""The oracle against LiteRT's reference kernels: real networks tensor by tensor, and random operators."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host.model import graph as g
from host.model.tflite_import import import_tflite
from host.model.tflite_write import write_tflite
from host.oracle import fixedpoint, params
from host.oracle.run import dequantize_output, quantize_input, run_graph
from tests import nets
from tests.litert import Reference

SHARED = os.environ.get("TINYCONV_SHARED")
needs_shared = pytest.mark.skipif(
    not SHARED, reason="TINYCONV_SHARED is unset: the real networks are elsewhere"
)

MODELS = ["ad01_int8", "kws_ref_model", "pretrainedResnet_quant", "te_vww", "vww_96_int8"]
SAMPLES = {
    "ad01_int8": "ad_8windows",
    "kws_ref_model": "kws_1",
    "pretrainedResnet_quant": "cifar10_24",
    "vww_96_int8": "vww_24",
}

operators = settings(
    max_examples=150,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def compare(graph: g.Graph, values: dict[int, np.ndarray], reference: Reference) -> None:
    """Fails with operator, tensor, first bad index, got and expected."""
    for op in graph.ops:
        index = op.outputs[0]
        got, expected = values[index], reference.tensor(index)
        assert got.shape == expected.shape, f"{op.kind} {op.index}: {got.shape}, LiteRT {expected.shape}"
        if not np.array_equal(got, expected):
            bad = np.argwhere(got != expected)
            first = tuple(int(i) for i in bad[0])
            pytest.fail(
                f"{op.kind} {op.index}, tensor {index}: {len(bad)} of {got.size} differ, first at {first}: "
                f"oracle {got[first]}, LiteRT {expected[first]}"
            )


@pytest.mark.parametrize("name", [n for n in nets.STRATEGIES if n not in nets.NOT_IN_LITERT])
@operators
@given(data=st.data())
def test_operator(name: str, data: st.DataObject) -> None:
    graph = data.draw(nets.STRATEGIES[name](), label="graph")
    content = write_tflite(graph)
    reference = Reference(content)
    again = import_tflite(content)
    for _ in range(2):
        inputs = data.draw(nets.inputs_for(graph), label="inputs")
        reference.run(nets.file_inputs(graph, inputs))
        values = run_graph(graph, inputs)
        compare(graph, values, reference)
        output = graph.outputs[0].tensor
        np.testing.assert_array_equal(run_graph(again, inputs)[output], values[output])


def steps_network(kind: str, unsigned: bool, rng: np.random.Generator) -> g.Graph:
    """Zero weights and one sum a channel, in its bias: each at, or next to, a step of the requantisation.

    Random sums all but never tell one rounding, or one way of multiplying scales, from another.
    """
    scale_in, scale_w = rng.uniform(0.001, 0.1, 2).astype(np.float32)
    scale_out = np.float32(float(scale_in) * float(scale_w) / 2.0 ** rng.uniform(-20, -8))
    real = float(scale_in) * float(scale_w) / float(scale_out)
    steps = np.floor((np.arange(-128, 128) - 0.5) / real).astype(np.int64)
    # Double rounding moves a step by up to half a unit of 2**shift; single rounding by one sum.
    reach = int(0.5 / real * 2.0**-6)
    sums = np.concatenate([steps + d for d in (-1, 0, 1, 2, -reach, reach)]).astype(np.int32)
    n, depthwise = len(sums), kind == "depthwise"
    shape = {"depthwise": (1, 1, 1, n), "fully_connected": (n, 1)}.get(kind, (n, 1, 1, 1))
    edge = (1,) * (1 if kind == "fully_connected" else 3)

    def scale(value: np.float32) -> g.Quant:
        return g.Quant(np.array([value], np.float32), 0)

    int8, int32 = np.dtype("int8"), np.dtype("int32")
    tensors = [
        g.Tensor("x", (*edge, 1), int8, scale(scale_in), None, unsigned),
        g.Tensor("w", shape, int8, scale(scale_w), np.zeros(shape, np.int8), unsigned),
        g.Tensor("b", (n,), int32, scale(scale_in * scale_w), sums),
        g.Tensor("y", (*edge, n), int8, scale(scale_out), None, unsigned),
    ]
    if kind == "fully_connected":
        op = g.FullyConnected((0, 1, 2), (3,), 0)
    elif depthwise:
        op = g.DepthwiseConv2D((0, 1, 2), (3,), 0, multiplier=n)
    else:
        op = (g.Conv2D if kind == "conv2d" else g.TransposedConv2D)((0, 1, 2), (3,), 0)
    dtype = np.dtype("uint8") if unsigned else int8
    return g.Graph(kind, tensors, [op], [g.Border(0, "x", dtype)], [g.Border(3, "y", dtype)])


@pytest.mark.parametrize("unsigned", [False, True])
@pytest.mark.parametrize("kind", ["conv2d", "depthwise", "transposed_conv2d", "fully_connected"])
@settings(operators, max_examples=15)
@given(seed=nets.seeds)
def test_requantisation_steps(kind: str, unsigned: bool, seed: int) -> None:
    graph = steps_network(kind, unsigned, np.random.default_rng(seed))
    reference = Reference(write_tflite(graph))
    x = np.zeros(graph.tensors[0].shape, np.int8)
    reference.run(nets.file_inputs(graph, [x]))
    compare(graph, run_graph(graph, [x]), reference)


@operators
@given(data=st.data())
def test_integers_of_fully_connected(data: st.DataObject) -> None:
    """What a device computes, against the oracle, whose fully connected layer is float64."""
    graph = data.draw(nets.fully_connected_graphs(), label="graph")
    (x,) = data.draw(nets.inputs_for(graph), label="inputs")
    op = graph.ops[0]
    r = params.fully_connected_requant(graph, op)
    weights = graph.tensors[op.inputs[1]].data.astype(np.int64) - r.weights_zero
    sums = (x.reshape(-1, weights.shape[1]).astype(np.int64) - r.input_zero) @ weights.T + r.bias
    assert np.all((sums >= r.sum_low) & (sums <= r.sum_high))
    rescaled = fixedpoint.multiply_single(sums, r.multiplier.astype(np.int64), r.shift, r.nudge)
    got = np.clip(rescaled + r.output_zero, r.clamp_min, r.clamp_max)
    np.testing.assert_array_equal(got.ravel(), run_graph(graph, [x])[op.outputs[0]].ravel())


@operators
@given(
    scale=st.floats(2.0**-12, 16, width=32), zero=nets.zero_points, unsigned=st.booleans(), seed=nets.seeds
)
def test_float_borders(scale: float, zero: int, unsigned: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    quant = g.Quant(np.array([scale], np.float32), zero)
    int8, float32 = np.dtype("int8"), np.dtype("float32")
    tensors = [g.Tensor(n, s, int8, quant, None, unsigned) for n, s in (("x", (1, 800)), ("y", (800, 1)))]
    borders = [g.Border(0, "in", float32)], [g.Border(1, "out", float32)]
    graph = g.Graph("borders", tensors, [g.Reshape((0,), (1,), 0)], *borders)
    halves = np.arange(-200, 200) / 2
    steps = np.concatenate([rng.uniform(-300, 300, 400), halves])[None]
    # Beyond 2**31 steps LiteRT's cast is undefined; `quantize_input` saturates there.
    values = (steps * scale).astype(np.float32)
    reference = Reference(write_tflite(graph))
    (out,) = reference.run([values])
    q = quantize_input(graph, graph.inputs[0], values)
    np.testing.assert_array_equal(q, reference.tensor(0))
    np.testing.assert_array_equal(dequantize_output(graph, graph.outputs[0], q.reshape(800, 1)), out)


def real_samples(name: str, graph: g.Graph) -> list[np.ndarray]:
    """Up to four real inputs as int8 tensors."""
    if name not in SAMPLES:
        return []
    x = np.load(Path(SHARED, "samples", f"{SAMPLES[name]}.npz"))["x"][:4]
    tensor = graph.tensors[graph.inputs[0].tensor]
    x = x.reshape(-1, *tensor.shape)
    if x.dtype == np.float32:
        floats = g.Border(graph.inputs[0].tensor, "x", np.dtype("float32"))
        return [quantize_input(graph, floats, sample) for sample in x]
    return [(s.astype(np.int16) - 128).astype(np.int8) if s.dtype == np.uint8 else s for s in x]


def litert_input(graph: g.Graph, x: np.ndarray) -> np.ndarray:
    """The int8 tensor as the file's input dtype; floats that quantise to exactly this tensor."""
    border = graph.inputs[0]
    if border.dtype != np.float32:
        return x
    floats = dequantize_output(graph, border, x)
    np.testing.assert_array_equal(quantize_input(graph, border, floats), x)
    return floats


@needs_shared
@pytest.mark.parametrize("name", MODELS)
def test_network(name: str) -> None:
    content = Path(SHARED, "models", f"{name}.tflite").read_bytes()
    graph, reference = import_tflite(content), Reference(content)
    shape = graph.tensors[graph.inputs[0].tensor].shape
    rng = np.random.default_rng(0)
    inputs = [
        nets.int8_data(rng, shape, kind) for kind in ("uniform", "uniform", "extremes", "lowest", "highest")
    ]
    for x in inputs + real_samples(name, graph):
        outputs = reference.run([litert_input(graph, x)])
        values = run_graph(graph, [x])
        compare(graph, values, reference)
        border = graph.outputs[0]
        np.testing.assert_array_equal(dequantize_output(graph, border, values[border.tensor]), outputs[0])


@needs_shared
@pytest.mark.parametrize("name", MODELS)
def test_network_written_again(name: str) -> None:
    graph = import_tflite(Path(SHARED, "models", f"{name}.tflite"))
    content = write_tflite(graph)
    again, reference = import_tflite(content), Reference(content)
    x = nets.int8_data(np.random.default_rng(1), graph.tensors[graph.inputs[0].tensor].shape, "uniform")
    values = run_graph(again, [x])
    outputs = reference.run([litert_input(again, x)])
    border = again.outputs[0]
    np.testing.assert_array_equal(dequantize_output(again, border, values[border.tensor]), outputs[0])
    first = run_graph(graph, [x])
    np.testing.assert_array_equal(values[border.tensor], first[graph.outputs[0].tensor])
