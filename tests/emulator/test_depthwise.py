"""Depthwise kernels of channel planes on the device: several strips, every micro-kernel, both forms, all tails."""

from __future__ import annotations

import numpy as np
import pytest

from host.model import graph as g
from tests import nets
from tests.emulator.test_kernels import check_on_device

SHAPES = [  # h, w, channels, kernel, stride, padding before
    (25, 5, 9, 3, 1, 1), (31, 16, 6, 3, 1, 1), (9, 8, 4, 3, 1, 0), (1, 2, 5, 3, 1, 1), (14, 3, 7, 3, 1, 2),
    (3, 3, 21, 3, 1, 1), (24, 24, 5, 3, 2, 0), (17, 15, 6, 3, 2, 1), (5, 1, 3, 3, 2, 1),
    (10, 10, 6, 5, 1, 2), (26, 7, 5, 5, 1, 2), (5, 9, 7, 5, 1, 2), (4, 3, 4, 5, 1, 2), (3, 1, 2, 5, 1, 2),
    (5, 5, 7, 7, 1, 3), (43, 11, 5, 7, 1, 3), (3, 3, 6, 7, 1, 3), (7, 6, 4, 7, 1, 3),
    (20, 20, 5, 7, 2, 3), (10, 10, 6, 7, 2, 3), (9, 15, 3, 7, 2, 2), (6, 4, 4, 7, 2, 3),
    (5, 5, 9, 5, 2, 2), (47, 19, 4, 5, 2, 1), (8, 8, 4, 5, 2, 2), (3, 3, 5, 5, 2, 2),
]  # fmt: skip


PHASES = [  # h, w, channels, kernel, stride, padding before; dilation, multiplier
    ((24, 24, 5, 3, 1, 2), 2, 1), ((9, 13, 6, 3, 1, 1), 3, 1), ((40, 8, 4, 3, 1, 4), 4, 2),
    ((17, 11, 3, 3, 1, 0), 2, 3), ((12, 12, 9, 3, 1, 1), 1, 2), ((31, 7, 2, 3, 1, 1), 1, 5), ((6, 5, 1, 3, 1, 1), 1, 8),
]  # fmt: skip


def layer(
    shape: tuple[int, int, int, int, int, int], relu: bool, seed: int, dilation: int = 1, multiplier: int = 1
) -> tuple[g.Graph, list[np.ndarray]]:
    """A layer whose outputs spread over int8, after a ReLU or around a zero point."""
    h, w, in_c, kernel, stride, before = shape
    rng = np.random.default_rng(seed)
    span, c = (kernel - 1) * dilation + 1, in_c * multiplier
    after = min(before, span - 1 - before)
    out = [(n + before + after - span) // stride + 1 for n in (h, w)]
    weights = nets.int8_data(rng, (1, kernel, kernel, c), "uniform")
    scale = 2.0 ** (-np.log2(40.0 * kernel) + rng.uniform(-1, 1, c))
    bias = rng.integers(-3000, 3000, c).astype(np.int32)
    activation = "RELU" if relu else "NONE"
    zero = -128 if relu else int(rng.integers(-40, 40))
    tensors = [
        nets.make_tensor("x", (1, h, w, in_c), nets.make_quant(1.0, int(rng.integers(-128, 128))), False),
        g.Tensor(
            "w",
            weights.shape,
            nets.INT8,
            nets.make_quant(scale.astype(np.float32), 0, 3 if c > 1 else 0),
            weights,
            False,
        ),
        nets.make_tensor("y", (1, *out, c), nets.make_quant(1.0, zero), False),
        g.Tensor("b", (c,), nets.INT32, nets.make_quant(scale.astype(np.float32), 0), bias),
    ]
    padding = g.Padding(before, after, before, after)
    dilations = (dilation, dilation)
    op = g.DepthwiseConv2D((0, 1, 3), (2,), 0, (stride, stride), dilations, padding, multiplier, activation)
    return nets.one_operator("depthwise", tensors, op), [nets.int8_data(rng, (1, h, w, in_c), "uniform")]


@pytest.mark.parametrize("relu", [True, False], ids=["relu", "plain"])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: "x".join(map(str, s)))
def test_layers_on_device(dut, shape, relu):
    graph, inputs = layer(shape, relu, sum(shape))
    check_on_device(dut, graph, inputs, lambda name: "planes" in name or "registers" in name)


@pytest.mark.parametrize("relu", [True, False], ids=["relu", "plain"])
@pytest.mark.parametrize(
    "shape", [s for s in SHAPES if s[3] > 3 and s[4] == 1], ids=lambda s: "x".join(map(str, s))
)
def test_outer_products_on_device(dut, shape, relu):
    graph, inputs = layer(shape, relu, sum(shape))
    weights = graph.tensors[1]
    rng, kernel = np.random.default_rng(sum(shape)), shape[3]
    u, v = rng.integers(-11, 12, (2, kernel, shape[2]))
    weights.data = (u[None, :, None] * v).astype(np.int8)
    check_on_device(dut, graph, inputs, lambda name: "separable" in name)


@pytest.mark.parametrize("relu", [True, False], ids=["relu", "plain"])
@pytest.mark.parametrize(("shape", "dilation", "multiplier"), PHASES, ids=str)
def test_dilated_and_multiplied_layers_on_device(dut, shape, dilation, multiplier, relu):
    graph, inputs = layer(shape, relu, sum(shape), dilation, multiplier)
    check_on_device(dut, graph, inputs, lambda name: "phases" in name)
