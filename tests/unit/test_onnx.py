"""Importing quantised .onnx files: what becomes of them, what is refused and how, damaged files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from host import inputs
from host.errors import FloatModelError, HostError, InputError, ModelError, NotAnOnnxError, UnsupportedError
from host.model import graph as g
from host.model.load import load_graph
from host.model.onnx import import_onnx, import_onnx_float
from host.oracle.run import dequantize_output, quantize_input, run_graph
from host.plan.lower import lower
from tests.onnx_nets import MICROSOFT, Maker, quantised, reference

DATA = Path(__file__).parents[1] / "data"
FILES = {name: (DATA / f"{name}.onnx").read_bytes() for name in ("digits_qdq", "digits_qoperator")}
IN, OUT = 0.031, 0.047

damage = settings(
    max_examples=300, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)


def weights(m: Maker, *shape: int) -> np.ndarray:
    return m.rng.integers(-64, 64, shape).astype(np.int8)


def one_conv(m: Maker, *, zero: int = 3, **attributes) -> str:
    """QDQ form of a 3x3 convolution from four channels to eight, before its own QuantizeLinear."""
    x = m.requantized("x", IN, zero)
    w = m.weights(
        "w", weights(m, 8, 4 // attributes.get("group", 1), 3, 3), np.linspace(0.002, 0.004, 8), axis=0
    )
    return m.node("Conv", [x, w], "c", **attributes)


def kinds(graph: g.Graph) -> list[str]:
    return [op.kind for op in graph.ops]


# What becomes of the files.


@pytest.mark.parametrize("name", FILES)
def test_the_files_of_the_public_tools(name: str) -> None:
    graph = import_onnx(DATA / f"{name}.onnx")
    pool = "AVERAGE_POOL_2D" if name == "digits_qdq" else "DEPTHWISE_CONV_2D"
    expected = ["CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D", "ADD", "MAX_POOL_2D", "CONV_2D", pool]
    assert kinds(graph) == [*expected, "RESHAPE", "FULLY_CONNECTED"]
    assert graph.name == name and len(graph.source_sha256) == 64
    (image,), (scores,) = graph.inputs, graph.outputs
    assert (image.name, image.dtype, image.axes) == ("image", np.float32, (0, 3, 1, 2))
    assert (scores.name, scores.dtype) == ("scores", np.float32)
    assert graph.tensors[image.tensor].shape == (1, 32, 32, 1)
    assert not any(t.unsigned for t in graph.tensors)
    written = {o for n in onnx.load(DATA / f"{name}.onnx").graph.node for o in n.output}
    assert all(graph.tensors[op.outputs[0]].name in written for op in graph.ops if op.kind != "RESHAPE")
    lower(graph)


@pytest.mark.parametrize("unsigned", [False, True])
@pytest.mark.parametrize("qdq", [False, True])
def test_a_network_that_onnxruntime_quantises_now(tmp_path: Path, qdq: bool, unsigned: bool) -> None:
    """quantize_static of the installed version, its outputs near onnxruntime's.

    Seven layers round, and pass on what they rounded: a few steps in the worst of 160 outputs, none in most.
    """
    m = Maker((1, 3, 12, 10))
    h = m.node(
        "Conv", ["x", m.random("w1", 8, 3, 3, 3), m.random("b1", 8)], "c1", pads=[1, 1, 1, 1], strides=[2, 2]
    )
    skip = h = m.node("Relu", [h], "r1")
    h = m.node("Conv", [h, m.random("w2", 8, 1, 3, 3), m.random("b2", 8)], "c2", pads=[1, 1, 1, 1], group=8)
    h = m.node("Clip", [h, m.constant("low", np.float32(0)), m.constant("high", np.float32(6))], "r2")
    h = m.node("Conv", [h, m.random("w3", 8, 8, 1, 1), m.random("b3", 8)], "c3")
    h = m.node("Add", [h, skip], "a1")
    half = {"kernel_shape": [2, 2], "strides": [2, 2]}
    pools = [m.node(op, [h], op, **half) for op in ("MaxPool", "AveragePool")]
    h = m.node("Concat", pools, "j", axis=1)
    h = m.node("Conv", [h, m.random("w5", 8, 16, 1, 1), m.random("b5", 8)], "c5")
    h = m.node("GlobalAveragePool", [h], "g1")
    y = m.node("Flatten", [h], "y")
    samples = m.rng.standard_normal((20, 1, 3, 12, 10)).astype(np.float32)
    file = quantised(m.model(y), tmp_path, samples, qdq=qdq, unsigned=unsigned)
    graph = import_onnx(file)
    lower(graph)
    border = graph.outputs[0]
    step = graph.tensors[border.tensor].quant.scale[0]
    steps = []
    for x in samples:
        values = run_graph(graph, [quantize_input(graph, graph.inputs[0], x)])
        (want,) = reference(file, x)
        steps.append(np.rint((dequantize_output(graph, border, values[border.tensor]) - want) / step))
    assert np.abs(steps).max() <= 4 and np.abs(steps).mean() < 0.75


def test_float_weights_behind_quantize_linear_are_quantised() -> None:
    """What quantisation-aware training exports: weights as floats, with their QuantizeLinear."""
    m = Maker((1, 4, 5, 5))
    x = m.requantized("x", IN, 3)
    real = m.random("w", 6, 4, 1, 1)
    y = m.requantized(m.node("Conv", [x, m.requantized(real, 0.01, 0)], "c"), OUT, 3)
    graph = import_onnx(m.bytes(y))
    w = graph.tensors[graph.ops[0].inputs[1]].data
    float_weights = onnx.numpy_helper.to_array(m.constants[2])
    np.testing.assert_array_equal(w, np.rint(float_weights / np.float32(0.01)).transpose(0, 2, 3, 1))


def test_transposed_weights_keep_their_channels() -> None:
    m = Maker((1, 12))
    x = m.requantized("x", IN, 3)
    w = m.weights("w", weights(m, 6, 12), np.linspace(0.002, 0.004, 6), axis=0)
    y = m.requantized(m.node("MatMul", [x, m.node("Transpose", [w], "t")], "c"), OUT, 3)
    (op,) = import_onnx(m.bytes(y)).ops
    assert isinstance(op, g.FullyConnected)


def test_a_relu_is_fused_into_the_convolution() -> None:
    m = Maker((1, 4, 6, 5))
    y = m.requantized(m.node("Relu", [one_conv(m)], "r"), OUT, -20)
    (op,) = import_onnx(m.bytes(y)).ops
    assert op.activation == "RELU"


def test_a_relu_that_the_scale_implies_is_none() -> None:
    m = Maker((1, 4, 6, 5))
    y = m.requantized(m.node("Relu", [one_conv(m)], "r"), OUT, -128)
    (op,) = import_onnx(m.bytes(y)).ops
    assert op.activation == "NONE"


def test_a_relu_behind_a_quantised_convolution_of_that_scale_is_fused() -> None:
    m = Maker((1, 4, 6, 5))
    c = m.requantized(one_conv(m), OUT, -20)
    y = m.requantized(m.node("Relu", [c], "r"), OUT, -20)
    (op,) = import_onnx(m.bytes(y)).ops
    assert op.activation == "RELU"


def test_a_clip_to_what_eight_bits_hold_is_none() -> None:
    m = Maker((1, 4, 6, 5))
    limits = [m.constant("low", np.float32(-130 * OUT)), m.constant("high", np.float32(200 * OUT))]
    y = m.requantized(m.node("Clip", [one_conv(m), *limits], "r"), OUT, 0)
    (op,) = import_onnx(m.bytes(y)).ops
    assert op.activation == "NONE"


def test_a_float_bias_is_rounded_to_whole_sums() -> None:
    m = Maker((1, 4, 6, 5))
    x = m.requantized("x", IN, 3)
    w = m.weights("w", weights(m, 8, 4, 1, 1), 0.003)
    y = m.requantized(m.node("Conv", [x, w, m.random("b", 8)], "c"), OUT, 3)
    graph = import_onnx(m.bytes(y))
    bias = graph.tensors[graph.ops[0].inputs[2]]
    np.testing.assert_allclose(
        bias.data * bias.quant.scale[0], onnx.numpy_helper.to_array(m.constants[-3]), atol=IN * 0.003
    )


def test_a_softmax_without_quantisation_has_its_own() -> None:
    m = Maker((1, 12))
    y = m.node("Softmax", [m.requantized("x", IN, 3)], "y")
    content = m.bytes(y)
    graph = import_onnx(content)
    assert graph.outputs[0].dtype == np.float32
    x = m.rng.standard_normal((1, 12)).astype(np.float32)
    values = run_graph(graph, [quantize_input(graph, graph.inputs[0], x)])
    got = dequantize_output(graph, graph.outputs[0], values[graph.outputs[0].tensor])
    assert np.abs(got - reference(content, x)[0]).max() < 1 / 256


@pytest.mark.parametrize("op", ["GlobalAveragePool", "ReduceMean"])
@pytest.mark.parametrize("last", [False, True])
def test_a_mean_without_quantisation_has_its_inputs(op: str, last: bool) -> None:
    """onnxruntime does not quantise ReduceMean; PyTorch's QAT has no observer behind a mean."""
    m = Maker((1, 4, 6, 5))
    axes = {} if op == "GlobalAveragePool" else {"axes": [2, 3]}
    y = m.node("Flatten", [m.node(op, [m.requantized("x", IN, 3)], "p", **axes)], "f")
    if not last:
        y = m.requantized(m.node("Gemm", [y, m.weights("w", weights(m, 4, 8), 0.01)], "g"), OUT, 3)
    content = m.bytes(y)
    graph = import_onnx(content)
    assert graph.tensors[graph.ops[0].outputs[0]].quant.scale[0] == np.float32(IN)
    x = m.rng.standard_normal((1, 4, 6, 5)).astype(np.float32)
    values = run_graph(graph, [quantize_input(graph, graph.inputs[0], x)])
    got = dequantize_output(graph, graph.outputs[0], values[graph.outputs[0].tensor])
    # half a step of the input, through weights of up to 0.64 where they follow
    assert np.abs(got - reference(content, x)[0]).max() < (0.51 * IN if last else 4 * 0.64 * IN / 2 + OUT)


def test_deformable_convolutions() -> None:
    m = Maker((1, 4, 6, 5), 19)
    x = m.requantized("x", IN, 3)
    offsets = m.requantized(m.input("o", (1, 36, 4, 3)), 0.02, 0)
    mask = m.requantized(m.input("m", (1, 18, 4, 3)), 1 / 128, -128)
    w = m.weights("w", weights(m, 8, 2, 3, 3), 0.003)
    inputs = [x, w, offsets, "", mask]
    y = m.requantized(m.node("DeformConv", inputs, "d", kernel_shape=[3, 3], group=2, offset_group=2), OUT, 3)
    graph = import_onnx(m.bytes(y))
    (op,) = graph.ops
    assert isinstance(op, g.DeformableConv2D) and (op.groups, op.offset_groups) == (2, 2)
    shapes = [graph.tensors[i].shape for i in op.operands]
    assert shapes == [(1, 6, 5, 4), (1, 4, 3, 36), (1, 4, 3, 18)]


# Borders.


def test_outputs_have_the_files_axes() -> None:
    m = Maker((1, 4, 6, 5))
    content = m.bytes(m.requantized(one_conv(m), OUT, 3))
    graph = import_onnx(content)
    x = m.rng.standard_normal((1, 4, 6, 5)).astype(np.float32)
    border = graph.outputs[0]
    assert graph.tensors[border.tensor].shape == (1, 4, 3, 8)
    values = run_graph(graph, [quantize_input(graph, graph.inputs[0], x)])
    got = dequantize_output(graph, border, values[border.tensor])
    (want,) = reference(content, x)
    assert got.shape == want.shape == (1, 8, 4, 3)
    assert np.abs(got - want).max() < 1.01 * OUT


def test_inputs_have_the_files_axes_or_an_images() -> None:
    m = Maker((1, 3, 6, 5))
    y = m.requantized(m.node("MaxPool", [m.requantized("x", IN, 3)], "p", kernel_shape=[2, 2]), IN, 3)
    graph = import_onnx(m.bytes(y))
    x = m.rng.standard_normal((2, 3, 6, 5)).astype(np.float32)
    seen = x.transpose(0, 2, 3, 1)
    wanted = inputs.from_array(seen, graph, graph.inputs[0], "images")
    for array in (x, seen):
        for form in (array, array[:, None]):
            for got, want in zip(inputs.from_array(form, graph, graph.inputs[0], "x"), wanted, strict=True):
                np.testing.assert_array_equal(got, want)
    (one,) = inputs.from_array(x[0], graph, graph.inputs[0], "x")
    np.testing.assert_array_equal(one, wanted[0])
    with pytest.raises(
        InputError, match=r"shape \[2, 6, 3, 5\] does not fit the network's input \[1, 3, 6, 5\]"
    ):
        inputs.from_array(x.transpose(0, 2, 1, 3), graph, graph.inputs[0], "x")


def test_the_batch_may_be_open() -> None:
    m = Maker(["batch", 4, 6, 5])
    graph = import_onnx(m.bytes(m.requantized(one_conv(m), OUT, 3)))
    assert graph.tensors[graph.inputs[0].tensor].shape == (1, 6, 5, 4)


def test_external_weights(tmp_path: Path) -> None:
    m = Maker((1, 4, 6, 5))
    model = m.model(m.requantized(one_conv(m), OUT, 3))
    whole, split = tmp_path / "whole.onnx", tmp_path / "split.onnx"
    onnx.save(model, whole)
    onnx.save(model, split, save_as_external_data=True, location="split.data", size_threshold=64)
    a, b = import_onnx(whole), import_onnx(split)
    np.testing.assert_array_equal(a.tensors[a.ops[0].inputs[1]].data, b.tensors[b.ops[0].inputs[1]].data)
    (tmp_path / "split.data").write_bytes(bytes(10))
    with pytest.raises(NotAnOnnxError, match=r"external file 'split\.data'"):
        import_onnx(split)
    (tmp_path / "split.data").unlink()
    with pytest.raises(
        UnsupportedError, match=r"weights are in the external file 'split\.data', which is missing"
    ):
        import_onnx(split)


# Refusals.

Build = Callable[[Maker], str]


def finish(m: Maker, value: str) -> str:
    return m.requantized(value, OUT, 3)


def with_weights(data: Callable[[Maker], np.ndarray], scale, **options) -> Build:
    def build(m: Maker) -> str:
        w = m.weights("w", data(m), scale, **options)
        return finish(m, m.node("Conv", [m.requantized("x", IN, 3), w], "c"))

    return build


def unary(op: str, **attributes) -> Build:
    return lambda m: finish(m, m.node(op, [m.requantized("x", IN, 3)], "c", **attributes))


def coarse_bias(m: Maker) -> str:
    w = m.weights("w", weights(m, 8, 4, 1, 1), 2.0)
    return finish(m, m.node("Conv", [m.requantized("x", IN, 3), w, m.random("b", 8)], "c"))


def two_ways(m: Maker) -> str:
    c = one_conv(m)
    m.node("QuantizeLinear", [c, m.constant("s", np.float32(0.1)), m.constant("z", np.int8(0))], "other")
    return finish(m, c)


def other_scale(m: Maker) -> str:
    q = m.quantize("x", IN, 3)
    x = m.node("DequantizeLinear", [q, m.constant("s", np.float32(0.1)), "x_zero"], "d")
    return finish(m, m.node("MaxPool", [x], "c", kernel_shape=[2, 2]))


def deformed(m: Maker) -> str:
    x = m.requantized("x", IN, 3)
    offsets = m.requantized(m.input("o", (1, 10, 4, 3)), 0.02, 0)
    w = m.weights("w", weights(m, 8, 4, 3, 3), 0.003)
    return finish(m, m.node("DeformConv", [x, w, offsets], "c", kernel_shape=[3, 3]))


def broadcast(m: Maker) -> str:
    z = m.requantized(m.input("z", (1, 4, 1, 1)), IN, 3)
    return finish(m, m.node("Add", [m.requantized("x", IN, 3), z], "c"))


def of_activations(m: Maker) -> str:
    z = m.requantized(m.input("z", (1, 4, 5, 6)), IN, 3)
    return finish(m, m.node("MatMul", [m.requantized("x", IN, 3), z], "c"))


def clip(m: Maker) -> str:
    limits = [m.constant("low", np.float32(-0.5)), m.constant("high", np.float32(2))]
    return finish(m, m.node("Clip", [one_conv(m), *limits], "r"))


def pad_with_ones(m: Maker) -> str:
    pads = m.constant("p", np.array([0, 0, 1, 1, 0, 0, 1, 1]))
    return finish(m, m.node("Pad", [m.requantized("x", IN, 3), pads, m.constant("v", np.float32(1))], "c"))


def grown(m: Maker) -> str:
    sizes = m.constant("s", np.array([1, 4, 9, 7]))
    kind = {"coordinate_transformation_mode": "half_pixel", "nearest_mode": "ceil"}
    return finish(
        m, m.node("Resize", [m.requantized("x", IN, 3), "", "", sizes], "c", mode="nearest", **kind)
    )


def float_convolution(m: Maker) -> str:
    return finish(m, m.node("Conv", ["x", m.random("w", 8, 4, 3, 3)], "c"))


def float_between(m: Maker) -> str:
    return finish(m, m.node("Conv", [one_conv(m), m.random("v", 8, 8, 1, 1)], "d"))


def open_output(m: Maker) -> str:
    return one_conv(m)


def from_a_constant(m: Maker) -> str:
    return finish(m, m.node("Sub", [m.constant("one", np.float32(1)), m.requantized("x", IN, 3)], "c"))


def negated_extremes(m: Maker) -> str:
    w = m.weights("w", np.full((8, 4, 3, 3), -128, np.int8), 0.003)
    h = m.node("Conv", [m.requantized("x", IN, 3), w], "c")
    return finish(m, m.node("Mul", [h, m.constant("f", np.float32(-2))], "d"))


def wide(m: Maker) -> str:
    return m.requantized("x", IN, 3, np.int16)


REFUSED: dict[str, tuple[Build, type[ModelError], str]] = {
    "operator": (unary("Sigmoid"), UnsupportedError, "Sigmoid 'c_node': not supported"),
    "leaky": (unary("LeakyRelu"), UnsupportedError, "LeakyRelu 'c_node': not supported"),
    "dilated_pool": (
        unary("MaxPool", kernel_shape=[2, 2], dilations=[2, 2]),
        UnsupportedError,
        "MaxPool 'c_node': dilations",
    ),
    "groups": (
        lambda m: finish(m, one_conv(m, group=3)),
        ModelError,
        "Conv 'c_node': weights .* in 3 groups on 4",
    ),
    "negative_pads": (lambda m: finish(m, one_conv(m, pads=[-1, 0, 0, 0])), UnsupportedError, "pads"),
    "zero_points": (
        with_weights(lambda m: weights(m, 8, 4, 3, 3), np.full(8, 0.1), zero=range(8), axis=0),
        UnsupportedError,
        "DequantizeLinear 'w_node': zero points differ between channels",
    ),
    "axis": (
        with_weights(lambda m: weights(m, 8, 4, 3, 3), np.full(4, 0.1), axis=1),
        UnsupportedError,
        "Conv 'c_node': its weights have a scale for each index of axis 1",
    ),
    "scale": (
        with_weights(lambda m: weights(m, 8, 4, 3, 3), 0.0),
        UnsupportedError,
        "DequantizeLinear 'w_node': a scale is not a positive normal number",
    ),
    "int16_weights": (
        with_weights(lambda m: np.ones((8, 4, 3, 3), np.int16), 0.1),
        UnsupportedError,
        "'w_node': int16 is not supported",
    ),
    "int16": (wide, UnsupportedError, "QuantizeLinear 'x_q_node': int16 is not supported"),
    "overflow": (
        with_weights(lambda m: weights(m, 8, 4, 3, 3), 1e6),
        UnsupportedError,
        "Conv 'c_node': its sums overflow",
    ),
    "bias": (coarse_bias, UnsupportedError, "Conv 'c_node': its bias is .* steps of the output"),
    "two_ways": (two_ways, UnsupportedError, "is quantised in two ways"),
    "other_scale": (other_scale, UnsupportedError, "DequantizeLinear 'd_node': its scale or zero point"),
    "offsets": (
        deformed,
        UnsupportedError,
        r"DeformConv 'c_node': offsets \[1, 10, 4, 3\] must be \[1, 18, 4, 3\]",
    ),
    "broadcasting": (broadcast, UnsupportedError, "Add 'c_node': shapes .* differ"),
    "matmul": (of_activations, UnsupportedError, "MatMul 'c_node': the weights must be a constant"),
    "clip": (clip, UnsupportedError, r"clamps to \[-0.5, 2\]"),
    "pad": (pad_with_ones, UnsupportedError, "Pad 'c_node': pads with 1: only 0"),
    "resize": (grown, UnsupportedError, "Resize 'c_node': half_pixel with nearest_mode ceil"),
    "float_convolution": (float_convolution, FloatModelError, "Conv 'c_node' computes in floating point"),
    "float_between": (
        float_between,
        FloatModelError,
        "Conv 'd_node' computes in floating point: its input 'c'",
    ),
    "open_output": (open_output, FloatModelError, "output 'c' is not quantised"),
    "left": (from_a_constant, UnsupportedError, "Sub 'c_node': a constant on its left"),
    "negated": (negated_extremes, UnsupportedError, "Mul 'd_node': negates weights of -128"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_name_the_node_and_the_reason(name: str) -> None:
    build, error, reason = REFUSED[name]
    m = Maker((1, 4, 6, 5), 21 if name in ("offsets", "int16") else 17)
    content = m.bytes(build(m))
    with pytest.raises(error, match=reason) as caught:
        import_onnx(content)
    assert "\n" not in str(caught.value)


def test_a_batch_above_one_is_refused() -> None:
    m = Maker((2, 4, 6, 5))
    with pytest.raises(
        UnsupportedError, match="batch 2: only 1 is supported; export the network with batch 1"
    ):
        import_onnx(m.bytes(finish(m, one_conv(m))))


def test_dynamic_quantisation_is_refused() -> None:
    m = Maker((1, 4), dtype=TensorProto.INT8)
    y = m.node("MatMulInteger", ["x", m.constant("w", np.ones((4, 2), np.int8))], "y")
    y = m.node("Cast", [y], "f", to=1)
    y = m.requantized(y, 0.1, 0)
    with pytest.raises(
        UnsupportedError, match=r"MatMulInteger 'y_node': .*dynamic quantisation.*quantize_static"
    ):
        import_onnx(m.bytes(y))


def test_contributed_operators_are_refused_by_name() -> None:
    m = Maker((1, 4), dtype=TensorProto.INT8)
    scale = [m.constant("s", np.float32(0.1)), m.constant("z", np.int8(0))]
    y = m.node("QLinearSigmoid", ["x", *scale, *scale], "y", domain=MICROSOFT)
    y = m.node("DequantizeLinear", [y, *scale], "d")
    with pytest.raises(
        UnsupportedError, match=r"QLinearSigmoid 'y_node': not supported; supported: .*QLinearConv"
    ):
        import_onnx(m.bytes(y))


def test_operators_of_other_domains_are_refused_by_name() -> None:
    m = Maker((1, 4))
    y = m.node("Thing", ["x"], "y", domain="org.example")
    model = m.model(y)
    model.opset_import.append(helper.make_opsetid("org.example", 1))
    with pytest.raises(UnsupportedError, match=r"Thing 'y_node': operators of org.example are not supported"):
        import_onnx(model.SerializeToString())


@pytest.mark.parametrize("shape", [["n", 4, "h", 5], [1, 4, 0, 5], [1, None, 6, 5]])
def test_dynamic_shapes_are_refused(shape: list) -> None:
    m = Maker(shape)
    with pytest.raises(
        UnsupportedError, match=r"input 'x' has the dynamic shape .*export the network with fixed sizes"
    ):
        import_onnx(m.bytes(finish(m, one_conv(m))))


def test_old_operator_sets_are_refused() -> None:
    m = Maker((1, 4), 6)
    m.node("Relu", ["x"], "y")
    model = m.model("y")
    for load in (import_onnx, import_onnx_float):
        with pytest.raises(UnsupportedError, match="operator set 6 is too old: 9 is the least; export"):
            load(model.SerializeToString())


@pytest.mark.parametrize("content", [b"", b"hello, world", bytes(100), b"\x1c\x00\x00\x00TFL3" + bytes(40)])
def test_what_is_not_onnx_is_refused(content: bytes) -> None:
    with pytest.raises(NotAnOnnxError, match="not an ONNX file"):
        import_onnx(content)


def test_a_truncated_file_is_refused() -> None:
    for content in FILES.values():
        for length in (1, 100, len(content) // 2, len(content) - 1):
            with pytest.raises(NotAnOnnxError):
                import_onnx(content[:length])


def test_an_invalid_network_is_refused() -> None:
    m = Maker((1, 4))
    m.node("Relu", ["nothing"], "y")
    with pytest.raises(NotAnOnnxError, match=r"not a valid ONNX network: .*nothing"):
        import_onnx(m.bytes("y"))


def test_files_are_loaded_by_their_suffix(tmp_path: Path) -> None:
    """Errors begin with the file's name; a float network is sent to host quantize."""
    m = Maker((1, 4))
    file = tmp_path / "net.ONNX"
    file.write_bytes(m.bytes(m.node("Relu", ["x"], "y")))
    with pytest.raises(
        FloatModelError, match=r"^net.ONNX: the network computes in floating point.*host quantize"
    ):
        load_graph(file)
    file.write_bytes(b"nothing of that kind")
    with pytest.raises(NotAnOnnxError, match=r"^net.ONNX: not an ONNX file") as caught:
        load_graph(file)
    assert caught.value.exit_status == 30
    with pytest.raises(InputError, match="No such file"):
        import_onnx(tmp_path / "missing.onnx")


@damage
@given(st.data())
def test_damaged_files_are_refused_or_read(data: st.DataObject) -> None:
    content = bytearray(FILES[data.draw(st.sampled_from(sorted(FILES)))])
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    load = data.draw(st.sampled_from([import_onnx, import_onnx_float]))
    try:
        load(bytes(content))
    except HostError as error:
        assert "\n" not in str(error)
