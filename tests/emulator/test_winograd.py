"""Winograd on the device: every path of the assembly, which channel counts and tiles decide, against the oracle."""

from __future__ import annotations

import numpy as np
import pytest

from host.model import graph as g
from tests.emulator.test_kernels import check_on_device

INT8, INT32 = np.dtype("int8"), np.dtype("int32")
N4, N2 = "conv2d_s8_hwc_winograd4_3x3", "conv2d_s8_hwc_winograd2_3x3"
S2 = "conv2d_s8_hwc_winograd2_3x3_stride2"


def convolution(
    size: tuple[int, int],
    in_c: int,
    out_c: int,
    stride: int,
    centre: float,
    activation: str,
    dilation: int = 1,
    groups: int = 1,
) -> g.Graph:
    """A 3x3 convolution with padding; `centre` is the logarithm of its multipliers."""
    rng = np.random.default_rng(in_c * 100 + out_c)
    weights = rng.integers(-127, 128, (out_c, 3, 3, in_c // groups)).astype(np.int8)
    scale = (2.0 ** rng.uniform(centre - 0.5, centre + 0.5, out_c)).astype(np.float32)

    def quant(scales: np.ndarray | float, zero: int) -> g.Quant:
        return g.Quant(np.atleast_1d(np.asarray(scales, np.float32)), zero, 0)

    out = tuple(-(-n // stride) for n in size)
    tensors = [
        g.Tensor("x", (1, *size, in_c), INT8, quant(1.0, -7), None, False),
        g.Tensor("w", weights.shape, INT8, quant(scale, 0), weights, False),
        g.Tensor("y", (1, *out, out_c), INT8, quant(1.0, -5), None, False),
        g.Tensor("b", (out_c,), INT32, quant(scale, 0), rng.integers(-9999, 9999, out_c).astype(np.int32)),
    ]
    padding = g.Padding(dilation, dilation, dilation, dilation)
    dilations = (dilation, dilation)
    op = g.Conv2D((0, 1, 3), (2,), 0, (stride, stride), dilations, padding, activation, groups)
    borders = [g.Border(i, tensors[i].name, INT8) for i in (0, 2)]
    return g.Graph("convolution", tensors, [op], borders[:1], borders[1:])


@pytest.mark.parametrize(
    ("kernel", "size", "in_c", "out_c"),
    [
        (N4, (8, 9), 3, 5),  # two channel pairs
        (N4, (9, 20), 16, 6),  # eight: four output channels at a time, then two
        (N4, (12, 8), 20, 3),
        (N4, (13, 12), 32, 4),  # sixteen
        (N4, (5, 4), 37, 2),  # more than one turn of the loop
        (N4, (40, 5), 4, 4),  # blocks of many rows
        (N4, (4, 70), 13, 4),  # blocks of part rows
        (N2, (7, 6), 3, 5),
        (N2, (9, 20), 16, 6),
        (N2, (6, 8), 32, 3),
        (N2, (5, 4), 37, 2),
        (S2, (9, 12), 3, 5),
        (S2, (16, 15), 16, 6),  # multiples of eight pairs: U held in registers
        (S2, (11, 10), 32, 4),
        (S2, (7, 6), 48, 3),
        (S2, (5, 9), 37, 2),
    ],
)
def test_every_path_is_exact(dut, kernel, size, in_c, out_c):
    inputs = np.random.default_rng(1).integers(-128, 128, (1, *size, in_c)).astype(np.int8)
    stride = 2 if kernel == S2 else 1
    # Multipliers for requantisation in assembly, with a clamp after it, and for the plain one.
    for centre, activation in ((-9.0, g.ACTIVATIONS[0]), (-9.5, g.ACTIVATIONS[1]), (-13.5, g.ACTIVATIONS[0])):
        graph = convolution(size, in_c, out_c, stride, centre, activation)
        check_on_device(dut, graph, [inputs], lambda name: name == kernel)


@pytest.mark.parametrize(
    ("kernel", "size", "in_c", "out_c", "dilation", "groups"),
    [
        (N4, (16, 19), 16, 6, 2, 1),
        (N4, (14, 40), 5, 3, 3, 1),  # phases of unequal size
        (N4, (12, 12), 12, 8, 1, 4),
        (N4, (16, 16), 8, 6, 2, 2),
        (N2, (13, 18), 16, 5, 3, 1),
        (N2, (9, 11), 6, 9, 2, 3),
        (S2, (31, 30), 16, 4, 2, 1),
        (S2, (25, 27), 6, 4, 3, 2),
    ],
)
def test_dilation_and_groups_are_exact(dut, kernel, size, in_c, out_c, dilation, groups):
    inputs = np.random.default_rng(2).integers(-128, 128, (1, *size, in_c)).astype(np.int8)
    stride = 2 if kernel == S2 else 1
    for centre, activation in ((-9.0, g.ACTIVATIONS[0]), (-9.5, g.ACTIVATIONS[1]), (-13.5, g.ACTIVATIONS[0])):
        graph = convolution(size, in_c, out_c, stride, centre, activation, dilation, groups)
        check_on_device(dut, graph, [inputs], lambda name: name == kernel)
