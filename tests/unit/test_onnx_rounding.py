"""Quantised operators against onnxruntime: never more than one step apart, and how often that is.

The oracle defines our result; host/model/onnx/quantised.py says where the roundings differ. Each network is one
operator between QuantizeLinear and DequantizeLinear, or its QOperator form, over thousands of random elements.
Both of onnxruntime's ways are compared: its fused integer operators, and floats as the file literally says.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from host.model.onnx import import_onnx
from host.oracle.run import dequantize_output, quantize_input, run_graph
from tests.onnx_nets import MICROSOFT, Maker, evaluated, reference

SAMPLES = 8
IN, OUT = 0.031, 0.047  # scales of inputs and outputs, of no simple ratio


def apart(
    content: bytes, *, optimised: bool = True, samples: int = SAMPLES, evaluate: Callable = reference
) -> np.ndarray:
    """Steps between our outputs and onnxruntime's or another's, all samples and elements."""
    graph = import_onnx(content)
    rng = np.random.default_rng(3)
    steps = []
    for _ in range(samples):
        inputs = [
            (1.5 * rng.standard_normal(b.shown(graph.tensors[b.tensor].shape))).astype(np.float32)
            for b in graph.inputs
        ]
        values = run_graph(
            graph, [quantize_input(graph, b, x) for b, x in zip(graph.inputs, inputs, strict=True)]
        )
        for border, want in zip(graph.outputs, evaluate(content, *inputs, optimised=optimised), strict=True):
            got = dequantize_output(graph, border, values[border.tensor])
            assert got.shape == want.shape and got.dtype == want.dtype
            scale = graph.tensors[border.tensor].quant.scale[0] if want.dtype == np.float32 else 1
            steps.append(np.rint((got.astype(np.float64) - want) / scale).ravel())
    return np.concatenate(steps)


def small(m: Maker, *shape: int) -> np.ndarray:
    """Weights of 7 bits: beyond, onnxruntime's sums of pairs saturate on processors without VNNI."""
    return m.rng.integers(-64, 64, shape).astype(np.int8)


def conv_qdq(m: Maker, *, dtype=np.int8, per_channel: bool = True, **attributes) -> str:
    x = m.requantized("x", IN, 3 if dtype == np.int8 else 131, dtype)
    group = attributes.get("group", 1)
    scale = np.linspace(0.002, 0.004, 8) if per_channel else 0.003
    w = m.weights("w", small(m, 8, 4 // group, 3, 3), scale, axis=0 if per_channel else None)
    bias = m.rng.integers(-2000, 2000, 8).astype(np.int32)
    b = m.weights("b", bias, np.float32(IN) * np.float32(scale), axis=0 if per_channel else None)
    return m.requantized(
        m.node("Conv", [x, w, b], "c", **attributes), OUT, -5 if dtype == np.int8 else 123, dtype
    )


def conv_unsigned_weights(m: Maker) -> str:
    x = m.requantized("x", IN, 120, np.uint8)
    w = m.weights("w", m.rng.integers(0, 256, (8, 4, 3, 3)).astype(np.uint8), 0.003, 110)
    return m.requantized(m.node("Conv", [x, w], "c"), OUT, 128, np.uint8)


def conv_relu(m: Maker) -> str:
    x = m.requantized("x", IN, 3)
    w = m.weights("w", small(m, 8, 4, 3, 3), 0.003)
    return m.requantized(m.node("Relu", [m.node("Conv", [x, w], "c")], "r"), OUT, -20)


def conv_then_relu(m: Maker) -> str:
    x = m.requantized("x", IN, 3)
    w = m.weights("w", small(m, 8, 4, 3, 3), 0.003)
    c = m.requantized(m.node("Conv", [x, w], "c"), OUT, 10)
    return m.requantized(m.node("Relu", [c], "r"), OUT * 1.9, -128)


def gemm(m: Maker) -> str:
    x = m.requantized("x", IN, 3)
    x = m.node("Flatten", [x], "f")
    w = m.weights("w", small(m, 16, 4 * 12 * 10), 0.001)
    b = m.weights("b", m.rng.integers(-2000, 2000, 16).astype(np.int32), np.float32(IN) * np.float32(0.001))
    return m.requantized(m.node("Gemm", [x, w, b], "g", transB=1), OUT, 7)


def matmul(m: Maker) -> str:
    x = m.requantized("x", IN, 3)
    w = m.weights("w", small(m, 10, 16), 0.003)
    return m.requantized(m.node("MatMul", [x, w], "g"), OUT, 7)


def add(m: Maker) -> str:
    x = m.requantized("x", IN, 3)
    z = m.requantized(m.input("z", (1, 4, 12, 10)), 1.7 * IN, -9)
    return m.requantized(m.node("Add", [x, z], "a"), 1.3 * OUT, 7)


def add_constant(m: Maker) -> str:
    x = m.requantized("x", IN, 3)
    c = m.weights("c", small(m, 4, 1, 1), 0.01, 5)
    return m.requantized(m.node("Add", [x, c], "a"), 1.3 * OUT, 7)


def normalization(m: Maker) -> str:
    x = m.requantized("x", IN, 3)
    spread = m.constant("v", np.array([0.5, 1, 2, 3], np.float32))
    constants = [
        m.constant("g", np.array([1, -0.8, 0.7, 0], np.float32)),
        *(m.random(n, 4) for n in "om"),
        spread,
    ]
    return m.requantized(m.node("BatchNormalization", [x, *constants], "n"), OUT, 7)


def conv_normalization(m: Maker) -> str:
    """What quantisation-aware training in PyTorch exports: scaled weights, Div, bias, BatchNormalization, Relu."""
    x = m.requantized("x", IN, 3)
    w = m.weights("w", small(m, 8, 4, 3, 3), 0.003)
    divisor = m.constant("d", np.linspace(-1, 2, 8, dtype=np.float32)[:, None, None])
    h = m.node("Div", [m.node("Conv", [x, w], "c"), divisor], "e")
    h = m.node("Add", [h, m.random("b", 8, 1, 1)], "f")
    constants = [*(m.random(n, 8) for n in "gom"), m.constant("v", np.linspace(0.5, 2, 8, dtype=np.float32))]
    h = m.node("BatchNormalization", [h, *constants], "n")
    return m.requantized(m.node("Relu", [h], "r"), OUT, -128)


def arithmetic(op: str) -> Callable[[Maker], str]:
    """Pixels made ready by the network itself: a mean or a deviation for each channel."""

    def build(m: Maker) -> str:
        numbers = m.constant("k", np.array([0.5, 0.4, 0.3, 1], np.float32)[:, None, None])
        return m.requantized(m.node(op, [m.requantized("x", IN, 3), numbers], "y"), 2.3 * IN, 9)

    return build


def deformable(m: Maker) -> str:
    x = m.requantized("x", IN, 3)
    offsets = m.requantized(m.input("o", (1, 18, 5, 4)), 0.02, 0)
    mask = m.requantized(m.input("m", (1, 9, 5, 4)), 1 / 64, -5)
    w = m.weights("w", small(m, 8, 4, 3, 3), np.linspace(0.002, 0.004, 8), axis=0)
    b = m.random("b", 8)
    h = m.node("DeformConv", [x, w, offsets, b, mask], "d", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    return m.requantized(h, OUT, 7)


def one_input(op: str, scale: float, zero: int, **attributes) -> Callable[[Maker], str]:
    def build(m: Maker) -> str:
        return m.requantized(m.node(op, [m.requantized("x", IN, 3)], "y", **attributes), scale, zero)

    return build


def concat(m: Maker) -> str:
    x = m.requantized("x", IN, 3)
    z = m.requantized(m.input("z", (1, 4, 12, 10)), 1.7 * IN, -9)
    return m.requantized(m.node("Concat", [x, z], "a", axis=1), 1.9 * IN, 7)


def resize(m: Maker) -> str:
    scales = m.constant("scales", np.array([1, 1, 2, 2], np.float32))
    x = m.requantized("x", IN, 3)
    return m.requantized(m.node("Resize", [x, "", scales], "y", mode="nearest"), IN, 3)


def pad(m: Maker) -> str:
    x = m.requantized("x", IN, 3)
    return m.requantized(m.node("Pad", [x, m.constant("p", np.array([0, 0, 1, 2, 0, 1, 0, 0]))], "y"), IN, 3)


def transposed(m: Maker) -> str:
    x = m.requantized("x", IN, 3)
    w = m.weights("w", small(m, 4, 6, 3, 3), np.linspace(0.003, 0.005, 6), axis=1)
    c = m.node("ConvTranspose", [x, w], "c", strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1])
    return m.requantized(c, OUT, 7)


def shuffled(m: Maker) -> str:
    x = m.requantized("x", IN, 3)
    h = m.node("Reshape", [x, m.constant("s", np.array([1, 2, 2, 12, 10]))], "s1")
    h = m.requantized(m.node("Transpose", [h], "t", perm=[0, 2, 1, 3, 4]), IN, 3)
    return m.requantized(m.node("Reshape", [h, m.constant("u", np.array([1, 4, 12, 10]))], "s2"), IN, 3)


_POOL = {"kernel_shape": [2, 2], "strides": [2, 2]}
# Network, and how many of a thousand elements may differ by one step. The middle between two integers is frequent only
# among means of few integers, and rounding twice by a small shift errs more often than by a large one.
QDQ: dict[str, tuple[Callable[[Maker], str], int]] = {
    "add": (add, 1),
    "add_constant": (add_constant, 1),
    "average_pool": (one_input("AveragePool", IN, 3, **_POOL), 150),
    "average_pool_rescaled": (one_input("AveragePool", OUT, 7, **_POOL), 20),
    "average_pool_counts_pads": (
        one_input("AveragePool", OUT, 7, kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1),
        20,
    ),
    "average_pool_pads": (one_input("AveragePool", OUT, 7, kernel_shape=[3, 3], pads=[1, 1, 1, 1]), 200),
    "clip": (one_input("Clip", OUT, -128), 10),
    "concat": (concat, 1),
    "conv": (conv_qdq, 10),
    "conv_depthwise": (lambda m: conv_qdq(m, group=4, pads=[1, 1, 1, 1]), 10),
    "conv_dilated": (lambda m: conv_qdq(m, dilations=[2, 1], pads=[2, 1, 2, 1]), 10),
    "conv_groups": (lambda m: conv_qdq(m, group=2), 10),
    "conv_normalization": (conv_normalization, 10),
    "conv_per_tensor": (lambda m: conv_qdq(m, per_channel=False, strides=[2, 2]), 10),
    "conv_relu": (conv_relu, 10),
    "conv_then_relu": (conv_then_relu, 10),
    "conv_uint8": (lambda m: conv_qdq(m, dtype=np.uint8), 10),
    "conv_uint8_weights": (conv_unsigned_weights, 10),
    "conv_wide_pads": (lambda m: conv_qdq(m, pads=[3, 3, 3, 3]), 10),
    "div": (arithmetic("Div"), 10),
    "flatten_gemm": (gemm, 1),
    "global_average_pool": (one_input("GlobalAveragePool", OUT / 8, 7), 100),
    "matmul": (matmul, 1),
    "max_pool": (one_input("MaxPool", IN, 3, **_POOL), 0),
    "max_pool_rescaled": (one_input("MaxPool", OUT, 7, **_POOL), 10),
    "mul": (arithmetic("Mul"), 10),
    "normalization": (normalization, 10),
    "pad": (pad, 0),
    "reduce_mean": (one_input("ReduceMean", OUT / 4, 7, axes=[1], keepdims=1), 60),
    "relu": (one_input("Relu", IN, 3), 0),
    "relu_rescaled": (one_input("Relu", OUT, -128), 10),
    "resize": (resize, 0),
    "shuffle": (shuffled, 0),
    "softmax": (one_input("Softmax", 1 / 256, -128, axis=-1), 1),
    "softmax_rescaled": (one_input("Softmax", 1 / 255, -128, axis=1), 400),
    "sub": (arithmetic("Sub"), 10),
    "transposed": (transposed, 10),
}


@pytest.mark.parametrize("optimised", [False, True], ids=["float", "integer"])
@pytest.mark.parametrize("name", QDQ)
def test_qdq_operators_are_within_a_step(name: str, optimised: bool) -> None:
    build, share = QDQ[name]
    m = Maker((1, 4, 12, 10))
    steps = apart(m.bytes(build(m)), optimised=optimised)
    assert np.abs(steps).max() <= 1
    assert 1000 * np.mean(steps != 0) <= share


def test_deformable_convolutions_are_within_a_step() -> None:
    """Against the onnx package's evaluator, which is slow: many versions of onnxruntime do not have the operator."""
    m = Maker((1, 4, 5, 4), 19)
    steps = apart(m.bytes(deformable(m)), samples=2, evaluate=evaluated)
    assert np.abs(steps).max() <= 1
    assert 1000 * np.mean(steps != 0) <= 30


class Integers(Maker):
    """A network of the QOperator form: everything between QuantizeLinear and DequantizeLinear is integers."""

    def scale(self, name: str, scale, zero: int = 0, dtype=np.int8) -> list[str]:
        return [
            self.constant(f"{name}_scale", np.asarray(scale, np.float32)),
            self.constant(f"{name}_zero", np.full(np.shape(scale), zero, dtype)),
        ]

    def q(self, name: str, scale: float, zero: int) -> list[str]:
        parts = self.scale(name, scale, zero)
        return [self.node("QuantizeLinear", [name, *parts], f"{name}_q"), *parts]

    def finish(self, value: str, parts: list[str]) -> str:
        return self.node("DequantizeLinear", [value, *parts], f"{value}_real")

    def weights_q(self, name: str, data: np.ndarray, scale, zero: int = 0) -> list[str]:
        return [self.constant(name, data), *self.scale(name, scale, zero, data.dtype)]


def q_conv(m: Integers) -> str:
    y = m.scale("y", OUT, 7)
    bias = m.constant("b", m.rng.integers(-2000, 2000, 8).astype(np.int32))
    w = m.weights_q("w", small(m, 8, 4, 3, 3), np.linspace(0.002, 0.004, 8))
    return m.finish(m.node("QLinearConv", [*m.q("x", IN, 3), *w, *y, bias], "y", pads=[1, 1, 1, 1]), y)


def q_binary(m: Integers) -> str:
    y = m.scale("y", 1.3 * OUT, 7)
    m.input("z", (1, 4, 12, 10))
    return m.finish(
        m.node("QLinearAdd", [*m.q("x", IN, 3), *m.q("z", 1.7 * IN, -9), *y], "y", domain=MICROSOFT), y
    )


def q_unary(op: str, scale: float, zero: int, **attributes) -> Callable[[Integers], str]:
    def build(m: Integers) -> str:
        y = m.scale("y", scale, zero)
        return m.finish(m.node(op, [*m.q("x", IN, 3), *y], "y", domain=MICROSOFT, **attributes), y)

    return build


def q_matmul(m: Integers) -> str:
    y = m.scale("y", OUT, 7)
    w = m.weights_q("w", small(m, 10, 16), 0.003)
    return m.finish(m.node("QLinearMatMul", [*m.q("x", IN, 3), *w, *y], "y"), y)


def q_gemm(m: Integers) -> str:
    y = m.scale("y", OUT, 7)
    x, *parts = m.q("x", IN, 3)
    x = m.node("Flatten", [x], "f")
    w = m.weights_q("w", small(m, 480, 16), 0.001)
    bias = m.constant("b", m.rng.integers(-2000, 2000, 16).astype(np.int32))
    return m.finish(m.node("QGemm", [x, *parts, *w, bias, *y], "y", domain=MICROSOFT, alpha=1.0), y)


def q_concat(m: Integers) -> str:
    y = m.scale("y", 1.9 * IN, 7)
    m.input("z", (1, 4, 12, 10))
    inputs = [*y, *m.q("x", IN, 3), *m.q("z", 1.7 * IN, -9)]
    return m.finish(m.node("QLinearConcat", inputs, "y", domain=MICROSOFT, axis=1), y)


def q_moves(m: Integers) -> str:
    x, *parts = m.q("x", IN, 3)
    h = m.node("MaxPool", [x], "p", **_POOL)
    h = m.node(
        "Pad",
        [h, m.constant("pads", np.array([0, 0, 1, 1, 0, 0, 1, 1])), m.constant("fill", np.int8(3))],
        "d",
    )
    h = m.node("Transpose", [h], "t", perm=[0, 2, 3, 1])
    return m.finish(m.node("Reshape", [h, m.constant("s", np.array([1, 8, 28]))], "r"), parts)


QOPERATOR: dict[str, tuple[Callable[[Integers], str], int]] = {
    "QGemm": (q_gemm, 1),
    "QLinearAdd": (q_binary, 1),
    "QLinearAveragePool": (q_unary("QLinearAveragePool", OUT, 7, **_POOL), 20),
    "QLinearConcat": (q_concat, 1),
    "QLinearConv": (q_conv, 10),
    "QLinearGlobalAveragePool": (q_unary("QLinearGlobalAveragePool", OUT / 8, 7), 100),
    "QLinearMatMul": (q_matmul, 1),
    "QLinearSoftmax": (q_unary("QLinearSoftmax", 1 / 256, -128, axis=-1, opset=13), 60),
    "moves": (q_moves, 0),
}


@pytest.mark.parametrize("name", QOPERATOR)
def test_qoperators_are_within_a_step(name: str) -> None:
    build, share = QOPERATOR[name]
    m = Integers((1, 4, 12, 10))
    steps = apart(m.bytes(build(m)), optimised=True)
    assert np.abs(steps).max() <= 1
    assert 1000 * np.mean(steps != 0) <= share


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_integer_borders(dtype: type) -> None:
    """A network whose borders are integers, as QuantizeLinear-free files have them."""
    from onnx import TensorProto

    kind = TensorProto.INT8 if dtype == np.int8 else TensorProto.UINT8
    m = Integers((1, 4, 12, 10), dtype=kind)
    zero = 3 if dtype == np.int8 else 131
    y = m.scale("y", OUT, zero, dtype)
    x = ["x", *m.scale("x", IN, zero, dtype)]
    w = m.weights_q("w", small(m, 8, 4, 3, 3), 0.003)
    content = m.bytes(m.node("QLinearConv", [*x, *w, *y], "y"), dtype=kind)
    graph = import_onnx(content)
    assert graph.inputs[0].dtype == graph.outputs[0].dtype == np.dtype(dtype)
    limits = np.iinfo(dtype)
    given = m.rng.integers(limits.min, limits.max + 1, (1, 4, 12, 10)).astype(dtype)
    values = run_graph(graph, [quantize_input(graph, graph.inputs[0], given)])
    got = dequantize_output(graph, graph.outputs[0], values[graph.outputs[0].tensor])
    (want,) = reference(content, given)
    assert np.abs(got.astype(int) - want.astype(int)).max() <= 1
    assert np.mean(got != want) < 0.01
