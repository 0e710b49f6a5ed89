"""The float import against onnxruntime: every operator and form, layouts, what is fused and folded."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from host.errors import UnsupportedError
from host.model import graph as g
from host.model.onnx import import_onnx_float
from tests.float_nets import run_float
from tests.onnx_nets import Maker, reference

Build = Callable[[Maker], str]


def check(maker: Maker, *outputs: str, shape: tuple[int, ...] | None = None) -> g.Graph:
    """Our graph gives what onnxruntime gives, in the file's axes."""
    content = maker.bytes(*outputs)
    graph = import_onnx_float(content)
    rng = np.random.default_rng(2)
    inputs = [
        rng.standard_normal(b.shown(graph.tensors[b.tensor].shape)).astype(np.float32) for b in graph.inputs
    ]
    wanted = reference(content, *inputs)
    for got, want in zip(run_float(graph, *inputs), wanted, strict=True):
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=2e-4, atol=2e-5)
    assert all(t.dtype == np.float32 and t.quant is None for t in graph.tensors)
    return graph


def kinds(graph: g.Graph) -> list[str]:
    return [op.kind for op in graph.ops]


def conv(**attributes) -> Build:
    group, kernel = attributes.get("group", 1), attributes.pop("kernel", (3, 3))
    out = attributes.pop("out", 8)

    def build(m: Maker) -> str:
        return m.node(
            "Conv", ["x", m.random("w", out, 4 // group, *kernel), m.random("b", out)], "y", **attributes
        )

    return build


CONVOLUTIONS = {
    "plain": conv(),
    "padded": conv(pads=[1, 2, 0, 1]),
    "strides": conv(strides=[2, 3], pads=[1, 1, 1, 1]),
    "dilated": conv(dilations=[2, 1], pads=[2, 1, 2, 1]),
    "groups": conv(group=2),
    "depthwise": conv(group=4, out=4, pads=[1, 1, 1, 1]),
    "depth_multiplier": conv(group=4, out=12),
    "same_upper": conv(auto_pad="SAME_UPPER", strides=[2, 2], kernel=(4, 3)),
    "same_lower": conv(auto_pad="SAME_LOWER", strides=[2, 2], kernel=(4, 3)),
    "valid": conv(auto_pad="VALID"),
    "wide_pads": conv(pads=[3, 0, 4, 5]),
    "pointwise_padded": conv(kernel=(1, 1), pads=[1, 1, 1, 1]),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions(name: str) -> None:
    m = Maker((1, 4, 9, 7))
    check(m, CONVOLUTIONS[name](m))


TRANSPOSED = {
    "plain": {},
    "strides": {"strides": [2, 3]},
    "pads": {"strides": [2, 2], "pads": [1, 0, 1, 1]},
    "output_padding": {"strides": [2, 3], "pads": [1, 1, 1, 1], "output_padding": [1, 2]},
    "output_shape": {"strides": [2, 2], "output_shape": [9, 8]},
    "same_upper": {"strides": [2, 2], "auto_pad": "SAME_UPPER"},
    "same_lower": {"strides": [2, 2], "auto_pad": "SAME_LOWER"},
}


@pytest.mark.parametrize("name", TRANSPOSED)
def test_transposed_convolutions(name: str) -> None:
    m = Maker((1, 4, 5, 4))
    inputs = ["x", m.random("w", 4, 6, 3, 3), m.random("b", 6)]
    check(m, m.node("ConvTranspose", inputs, "y", kernel_shape=[3, 3], **TRANSPOSED[name]))


POOLS = {
    "plain": {},
    "strides": {"strides": [2, 2]},
    "pads": {"strides": [2, 2], "pads": [1, 1, 1, 1]},
    "ceil": {"strides": [2, 2], "ceil_mode": 1},
    "ceil_pads": {"strides": [2, 2], "pads": [1, 0, 0, 1], "ceil_mode": 1},
    "same": {"strides": [2, 2], "auto_pad": "SAME_UPPER"},
}


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize("name", POOLS)
def test_pools(op: str, name: str) -> None:
    m = Maker((1, 4, 9, 8))
    check(m, m.node(op, ["x"], "y", kernel_shape=[3, 3], **POOLS[name]))


def test_an_average_pool_that_counts_its_padding_is_a_convolution() -> None:
    m = Maker((1, 4, 9, 8))
    y = m.node("AveragePool", ["x"], "y", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)
    assert kinds(check(m, y)) == ["DEPTHWISE_CONV_2D"]


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("axes", [[2, 3], [-1, -2], [1], [3], [1, 2], [1, 2, 3]])
@pytest.mark.parametrize("opset", [13, 18])
def test_means(axes: list[int], keepdims: int, opset: int) -> None:
    m = Maker((1, 4, 5, 6), opset)
    if opset >= 18:
        y = m.node("ReduceMean", ["x", m.constant("axes", np.array(axes))], "y", keepdims=keepdims)
    else:
        y = m.node("ReduceMean", ["x"], "y", axes=axes, keepdims=keepdims)
    check(m, y)


def test_global_average_pool() -> None:
    m = Maker((1, 4, 5, 6))
    assert kinds(check(m, m.node("GlobalAveragePool", ["x"], "y"))) == ["MEAN"]


RESIZES = {
    "asymmetric": {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    "half_pixel": {},
    "align_corners": {"coordinate_transformation_mode": "align_corners", "nearest_mode": "round_prefer_ceil"},
}


@pytest.mark.parametrize("name", RESIZES)
def test_resize(name: str) -> None:
    m = Maker((1, 4, 3, 5))
    scales = m.constant("scales", np.array([1, 1, 2, 3], np.float32))
    check(m, m.node("Resize", ["x", "", scales], "y", mode="nearest", **RESIZES[name]))
    m = Maker((1, 4, 3, 5))
    sizes = m.constant("sizes", np.array([1, 4, 9, 10]))
    check(m, m.node("Resize", ["x", "", "", sizes], "y", mode="nearest", **RESIZES[name]))


@pytest.mark.parametrize("transposed", [0, 1])
def test_fully_connected_behind_an_image_permutes_its_weights(transposed: int) -> None:
    m = Maker((1, 4, 3, 5))
    h = m.node("Relu", [CONVOLUTIONS["padded"](m)], "r")
    columns = 8 * 2 * 6
    h = m.node("Flatten", [h], "f")
    w = m.random("v", *((10, columns) if transposed else (columns, 10)))
    y = m.node("Gemm", [h, w, m.random("c", 10)], "z", transB=transposed, alpha=0.5, beta=2.0)
    assert kinds(check(m, y)) == ["CONV_2D", "RESHAPE", "FULLY_CONNECTED"]


def test_views_move_nothing_until_they_must() -> None:
    # A channel shuffle: reshape to groups, swap, reshape back; one TRANSPOSE before the convolution that reads it.
    m = Maker((1, 6, 4, 5))
    h = m.node("Reshape", ["x", m.constant("s", np.array([0, 2, 3, 4, 5]))], "a")
    h = m.node("Transpose", [h], "b", perm=[0, 2, 1, 3, 4])
    h = m.node("Reshape", [h, m.constant("t", np.array([1, -1, 4, 5]))], "c")
    y = m.node("Conv", [h, m.random("w", 3, 6, 1, 1)], "y")
    assert kinds(check(m, y)).count("TRANSPOSE") == 1


def test_a_file_that_is_nhwc_outside_needs_no_transposes() -> None:
    m = Maker((1, 5, 4, 3))
    h = m.node("Transpose", ["x"], "t", perm=[0, 3, 1, 2])
    h = m.node("Conv", [h, m.random("w", 2, 3, 3, 3)], "c")
    y = m.node("Transpose", [h], "y", perm=[0, 2, 3, 1])
    graph = check(m, y)
    assert kinds(graph) == ["CONV_2D"]
    assert graph.tensors[graph.inputs[0].tensor].shape == (1, 5, 4, 3)


@pytest.mark.parametrize("shape", [(1, 24, 5), (1, 4, 30), (4, 6, 5), (1, 8, 3, 5), (2, 60)])
def test_reshape_of_images(shape: tuple[int, ...]) -> None:
    m = Maker((1, 4, 6, 5))
    check(m, m.node("Reshape", ["x", m.constant("s", np.array(shape))], "y"))


@pytest.mark.parametrize("perm", [(0, 2, 3, 1), (0, 3, 1, 2), (0, 1, 3, 2), (3, 1, 0, 2)])
def test_transpose_to_the_output(perm: tuple[int, ...]) -> None:
    m = Maker((1, 4, 6, 5))
    check(m, m.node("Transpose", ["x"], "y", perm=perm))


def test_squeeze_and_unsqueeze() -> None:
    for opset in (11, 17):
        m = Maker((1, 4, 6, 5), opset)
        axes = {"axes": [2, 3]} if opset < 13 else {}
        more = [] if opset < 13 else [m.constant("axes", np.array([2, 3]))]
        h = m.node("GlobalAveragePool", ["x"], "p")
        h = m.node("Squeeze", [h, *more], "s", **axes)
        h = m.node("Unsqueeze", [h, *more], "u", **axes)
        check(m, m.node("Conv", [h, m.random("w", 3, 4, 1, 1)], "y"))


@pytest.mark.parametrize("axis", [1, 2, 3, -1])
def test_softmax(axis: int) -> None:
    m = Maker((1, 4, 6, 5))
    check(m, m.node("Softmax", ["x"], "y", axis=axis))


def test_softmax_of_old_files_covers_all_further_axes() -> None:
    m = Maker((1, 4, 6, 5), 11)
    check(m, m.node("Softmax", ["x"], "y"))


@pytest.mark.parametrize("axis", [1, 2, -1])
def test_concat(axis: int) -> None:
    m = Maker((1, 4, 6, 5))
    h = m.node("Relu", ["x"], "r")
    check(m, m.node("Concat", ["x", h, "x"], "y", axis=axis))


def test_pad() -> None:
    m = Maker((1, 4, 6, 5))
    check(m, m.node("Pad", ["x", m.constant("p", np.array([0, 1, 2, 0, 0, 0, 1, 3]))], "y"))
    m = Maker((1, 4, 6, 5), 9)
    check(m, m.node("Pad", ["x"], "y", pads=[0, 0, 2, 1, 0, 0, 1, 3]))


def test_activations_are_fused_where_nobody_else_reads() -> None:
    m = Maker((1, 4, 6, 5))
    h = m.node("Conv", ["x", m.random("w", 4, 4, 1, 1)], "c")
    r = m.node("Relu", [h], "r")
    low, high = m.constant("low", np.float32(0)), m.constant("high", np.float32(6))
    s = m.node("Clip", [m.node("Add", [r, h], "a"), low, high], "s")
    graph = check(m, s)
    assert kinds(graph) == ["CONV_2D", "MAX_POOL_2D", "ADD"]
    assert graph.ops[0].activation == "NONE" and graph.ops[-1].activation == "RELU6"


def test_clip_of_old_files() -> None:
    m = Maker((1, 4, 6, 5), 9)
    h = m.node("Conv", ["x", m.random("w", 4, 4, 1, 1)], "c")
    graph = check(m, m.node("Clip", [h], "y", min=-1.0, max=1.0))
    assert graph.ops[0].activation == "RELU_N1_TO_1"


@pytest.mark.parametrize("before", ["conv", "depthwise", "transposed", "gemm", "nothing"])
def test_batch_normalization(before: str) -> None:
    m = Maker((1, 4) if before == "gemm" else (1, 4, 6, 5))
    h = "x"
    if before in ("conv", "depthwise"):
        h = CONVOLUTIONS["padded" if before == "conv" else "depthwise"](m)
    elif before == "transposed":
        h = m.node("ConvTranspose", ["x", m.random("w", 4, 8, 2, 2)], "t")
    elif before == "gemm":
        h = m.node("Gemm", ["x", m.random("w", 4, 8)], "t")
    c = {"conv": 8, "transposed": 8, "gemm": 8}.get(before, 4)
    variance = m.constant("v", np.linspace(0.1, 2, c, dtype=np.float32))
    norm = m.node(
        "BatchNormalization", [h, m.random("g", c), m.random("o", c), m.random("u", c), variance], "n"
    )
    graph = check(m, m.node("Relu", [norm], "z"))
    assert len([o for o in graph.ops if o.kind != "RESHAPE"]) == 1
    assert graph.ops[-1].activation == "RELU" or graph.ops[0].activation == "RELU"


@pytest.mark.parametrize("shape", [(8,), (1, 8)])
def test_matmul_and_add_are_one_layer(shape: tuple[int, ...]) -> None:
    m = Maker((1, 3, 4))
    h = m.node("MatMul", ["x", m.random("w", 4, 8)], "h")
    graph = check(m, m.node("Add", [m.random("b", *shape), h], "y"))
    assert "ADD" not in kinds(graph)


def test_add_of_a_constant() -> None:
    for shape in ((1, 4, 6, 5), (4, 1, 1), (5,), ()):
        m = Maker((1, 4, 6, 5))
        assert kinds(check(m, m.node("Add", ["x", m.random("c", *shape)], "y"))) == ["ADD"]


@pytest.mark.parametrize("op", ["Mul", "Div", "Sub", "Add"])
@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("shape", [(), (1,), (4, 1, 1), (1, 4, 1, 1)])
def test_arithmetic_with_one_number_a_channel(op: str, behind: bool, shape: tuple[int, ...]) -> None:
    m = Maker((1, 4, 6, 5))
    h = m.node("Conv", ["x", m.random("w", 4, 4, 1, 1), m.random("b", 4)], "c") if behind else "x"
    constant = m.constant("k", (1 + m.rng.random(shape)).astype(np.float32))
    expected = "CONV_2D" if behind else "ADD" if op == "Add" else "DEPTHWISE_CONV_2D"
    assert kinds(check(m, m.node(op, [h, constant], "y"))) == [expected]


def test_one_dimensional_convolutions() -> None:
    m = Maker((1, 4, 20))
    h = m.node("Conv", ["x", m.random("w", 6, 4, 3), m.random("b", 6)], "c", strides=[2], pads=[1, 1])
    h = m.node("MaxPool", [h], "p", kernel_shape=[2], strides=[2])
    h = m.node("GlobalAveragePool", [m.node("Relu", [h], "r")], "m")
    check(m, m.node("Flatten", [h], "y"))


def test_shape_arithmetic_is_folded() -> None:
    # x.view(x.size(0), -1) as PyTorch's older exporter writes it.
    m = Maker(["batch", 4, 3, 2])
    h = m.node("Gather", [m.node("Shape", ["x"], "s"), m.constant("i", np.array(0))], "n")
    h = m.node("Unsqueeze", [h, m.constant("z", np.array([0]))], "u")
    h = m.node("Concat", [h, m.constant("o", np.array([-1]))], "t", axis=0)
    h = m.node("Reshape", ["x", h], "r")
    check(m, m.node("Gemm", [h, m.random("w", 24, 5)], "y"))


def test_several_inputs_and_outputs() -> None:
    m = Maker((1, 4, 6, 5))
    m.input("z", (1, 4, 6, 5))
    h = m.node("Add", ["x", "z"], "a")
    p = m.node("MaxPool", [h], "p", kernel_shape=[2, 2])
    check(m, h, p)


def test_a_quantised_network_is_refused() -> None:
    m = Maker((1, 4))
    y = m.node("Relu", [m.requantized("x", 0.1, 0)], "y")
    with pytest.raises(UnsupportedError, match="QuantizeLinear 'x_q_node': the network is quantised already"):
        import_onnx_float(m.bytes(y))
