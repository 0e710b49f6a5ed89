"""Transposed convolution on the device: assembly through every entry of its loops, partial tiles, every code."""

from __future__ import annotations

import numpy as np
import pytest

from host import defs
from host.model import graph as g
from tests import nets
from tests.emulator.test_kernels import check_on_device

KERNELS = [name for name, k in defs.kernels().items() if k.op == "transposed_conv2d"]
WINOGRAD = [name for name in KERNELS if "winograd" in name]


def network(
    size: tuple[int, int],
    in_c: int,
    out_c: int,
    out: tuple[int, int],
    kernel: int = 3,
    stride: int = 2,
    top: int = 0,
) -> g.Graph:
    """Channels with multipliers of every kind, ReLU6; `top` is cut off at the top and the left."""
    rng = np.random.default_rng(in_c + 100 * out_c)
    scale = (0.05 * 2.0 ** rng.uniform(-9, 1, out_c)).astype(np.float32)
    shape = (out_c, kernel, kernel, in_c)
    tensors = [
        g.Tensor("x", (1, *size, in_c), nets.INT8, nets.make_quant(0.05, -20)),
        g.Tensor("w", shape, nets.INT8, nets.make_quant(scale, 0), nets.int8_data(rng, shape, "uniform")),
        g.Tensor("b", (out_c,), nets.INT32, nets.make_quant(scale, 0), rng.integers(-999, 999, out_c).astype(np.int32)),
        g.Tensor("y", (1, *out, out_c), nets.INT8, nets.make_quant(0.05, -100)),
    ]  # fmt: skip
    tensors[1].data[tensors[1].data == -128] = -127
    op = g.TransposedConv2D((0, 1, 2), (3,), 0, (stride, stride), g.Padding(top=top, left=top), "RELU6")
    return nets.one_operator("transposed", tensors, op)


def run(dut, kernel: str, graph: g.Graph) -> None:
    inputs = [nets.int8_data(np.random.default_rng(7), graph.tensors[0].shape, "uniform")]
    check_on_device(dut, graph, inputs, lambda name: name == kernel)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("in_c", [1, 4, 6, 8, 12, 16, 20, 24, 28, 32, 36])
def test_input_channels(dut, kernel: str, in_c: int) -> None:
    run(dut, kernel, network((4, 8), in_c, 5, (8, 16)))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    ("size", "out", "top"),
    [((7, 11), (15, 23), 0), ((4, 4), (7, 7), 1), ((13, 14), (24, 24), 5), ((1, 2), (8, 8), 0)],
)
def test_edges(dut, kernel: str, size: tuple[int, int], out: tuple[int, int], top: int) -> None:
    run(dut, kernel, network(size, 10, 7, out, top=top))


@pytest.mark.parametrize("kernel", [name for name in KERNELS if name not in WINOGRAD])
@pytest.mark.parametrize(("window", "stride"), [(2, 2), (4, 2), (5, 3), (1, 2), (2, 3)])
def test_windows(dut, kernel: str, window: int, stride: int) -> None:
    run(dut, kernel, network((5, 6), 9, 4, (5 * stride, 6 * stride - 1), window, stride, min(1, window - 1)))
