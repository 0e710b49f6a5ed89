"""Strategies of the operators that common networks have."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st

from host.model import graph as g
from tests.nets.common import (
    MAX_CHANNELS,
    activations,
    channels,
    int8_data,
    kinds,
    log2_uniform,
    make_quant,
    make_tensor,
    one_operator,
    seeds,
    sides,
    weights_and_bias,
    windows,
    zero_points,
)


@st.composite
def conv2d_graphs(draw: st.DrawFn, unsigned: bool | None = None, groups: int = 1) -> g.Graph:
    """CONV_2D of any kernel up to 5x5, stride, padding and dilation, per tensor or per channel.

    `channels` are those of each of the `groups`.
    """
    unsigned = draw(st.booleans()) if unsigned is None else unsigned
    size, kernel, stride, dilation, padding, out = draw(windows(dilated=True, free=True, common=(1, 1, 3, 3)))
    ic, oc = draw(channels), draw(channels)
    if kernel == (1, 1):
        ic = draw(st.one_of(channels, st.integers(17, 24)))  # kernels for many inputs start at 17
    per_channel = not unsigned and draw(st.booleans())
    products = kernel[0] * kernel[1] * ic
    w, bias, scale_in, scale_out = draw(
        weights_and_bias((groups * oc, *kernel, ic), 0, products, unsigned=unsigned, per_channel=per_channel)
    )
    tensors = [
        make_tensor("x", (1, *size, groups * ic), make_quant(scale_in, draw(zero_points)), unsigned),
        w,
        make_tensor("y", (1, *out, groups * oc), make_quant(scale_out, draw(zero_points)), unsigned),
        *([bias] if bias else []),
    ]
    op = g.Conv2D((0, 1, 3 if bias else -1), (2,), 0, stride, dilation, padding, draw(activations), groups)
    return one_operator("conv2d", tensors, op)


def grouped_graphs(unsigned: bool | None = None) -> st.SearchStrategy[g.Graph]:
    """CONV_2D of 2 to 5 groups; with one input channel each it is a depthwise convolution in disguise."""
    return st.integers(2, 5).flatmap(lambda groups: conv2d_graphs(unsigned, groups))


@st.composite
def depthwise_graphs(
    draw: st.DrawFn, unsigned: bool | None = None, depth: st.SearchStrategy[int] = channels
) -> g.Graph:
    """DEPTHWISE_CONV_2D with multipliers 1 .. 3, or 1 for more channels than usual."""
    unsigned = draw(st.booleans()) if unsigned is None else unsigned
    window = windows(dilated=True, free=True, common=(3, 3, 3, 5, 5, 7))
    size, kernel, stride, dilation, padding, out = draw(window)
    ic, multiplier = draw(depth), draw(st.sampled_from([1, 1, 1, 2, 3]))
    if ic > MAX_CHANNELS:
        multiplier = 1
    per_channel = not unsigned and draw(st.booleans())
    w, bias, scale_in, scale_out = draw(
        weights_and_bias(
            (1, *kernel, ic * multiplier),
            3,
            kernel[0] * kernel[1],
            unsigned=unsigned,
            per_channel=per_channel,
        )
    )
    tensors = [
        make_tensor("x", (1, *size, ic), make_quant(scale_in, draw(zero_points)), unsigned),
        w,
        make_tensor("y", (1, *out, ic * multiplier), make_quant(scale_out, draw(zero_points)), unsigned),
        *([bias] if bias else []),
    ]
    operands = (0, 1, 3 if bias else -1)
    op = g.DepthwiseConv2D(operands, (2,), 0, stride, dilation, padding, multiplier, draw(activations))
    return one_operator("depthwise", tensors, op)


@st.composite
def fully_connected_graphs(draw: st.DrawFn, unsigned: bool | None = None) -> g.Graph:
    """FULLY_CONNECTED with inputs of 2 to 4 dimensions, outputs of 2 or as many."""
    unsigned = draw(st.booleans()) if unsigned is None else unsigned
    ic, oc = draw(st.integers(1, 40)), draw(st.integers(1, 20))
    lead = tuple(draw(st.lists(st.integers(1, 3), min_size=1, max_size=3)))
    shape_out = (*lead, oc) if draw(st.booleans()) else (math.prod(lead), oc)
    per_channel = not unsigned and draw(st.booleans())
    w, bias, scale_in, scale_out = draw(
        weights_and_bias((oc, ic), 0, ic, unsigned=unsigned, per_channel=per_channel)
    )
    tensors = [
        make_tensor("x", (*lead, ic), make_quant(scale_in, draw(zero_points)), unsigned),
        w,
        make_tensor("y", shape_out, make_quant(scale_out, draw(zero_points)), unsigned),
        *([bias] if bias else []),
    ]
    return one_operator(
        "fully_connected",
        tensors,
        g.FullyConnected((0, 1, 3 if bias else -1), (2,), 0, draw(activations)),
    )


@st.composite
def add_graphs(draw: st.DrawFn, unsigned: bool | None = None) -> g.Graph:
    """ADD; one operand may be a constant, scales may differ until one operand flushes to zero."""
    unsigned = draw(st.booleans()) if unsigned is None else unsigned
    shape = tuple(draw(st.lists(st.integers(1, 7), min_size=1, max_size=4)))
    larger, ratio = draw(log2_uniform(-6, 3)), draw(st.one_of(log2_uniform(-3, 0), log2_uniform(-40, 0)))
    scales = [larger, float(np.float32(larger * ratio))]
    if draw(st.booleans()):
        scales.reverse()
    scale_out = larger * draw(st.one_of(log2_uniform(-2, 3), log2_uniform(-18, 6)))
    tensors = [
        make_tensor(n, shape, make_quant(s, draw(zero_points)), unsigned)
        for n, s in zip("ab", scales, strict=True)
    ]
    tensors.append(make_tensor("y", shape, make_quant(scale_out, draw(zero_points)), unsigned))
    constant = draw(st.sampled_from([None, None, 0, 1]))
    if constant is not None:
        tensors[constant].data = int8_data(np.random.default_rng(draw(seeds)), shape, draw(kinds))
    return one_operator("add", tensors, g.Add((0, 1), (2,), 0, draw(activations)))


@st.composite
def _pool_graphs(draw: st.DrawFn, cls: type[g.Pool2D], unsigned: bool | None) -> g.Graph:
    unsigned = draw(st.booleans()) if unsigned is None else unsigned
    size, kernel, stride, _, padding, out = draw(windows(dilated=False, free=False))
    depth, quant = draw(channels), make_quant(draw(log2_uniform(-8, 1)), draw(zero_points))
    tensors = [
        make_tensor("x", (1, *size, depth), quant, unsigned),
        make_tensor("y", (1, *out, depth), quant, unsigned),
    ]
    return one_operator("pool", tensors, cls((0,), (1,), 0, kernel, stride, padding, draw(activations)))


def average_pool_graphs(unsigned: bool | None = None) -> st.SearchStrategy[g.Graph]:
    """AVERAGE_POOL_2D."""
    return _pool_graphs(g.AveragePool2D, unsigned)


def max_pool_graphs(unsigned: bool | None = None) -> st.SearchStrategy[g.Graph]:
    """MAX_POOL_2D."""
    return _pool_graphs(g.MaxPool2D, unsigned)


@st.composite
def mean_graphs(draw: st.DrawFn, unsigned: bool | None = None) -> g.Graph:
    """MEAN over any axes, kept or not, with equal or different scales."""
    unsigned = draw(st.booleans()) if unsigned is None else unsigned
    shape = tuple(draw(st.lists(st.integers(1, 7), min_size=2, max_size=4)))
    axes = tuple(sorted(draw(st.sets(st.integers(0, len(shape) - 1), min_size=1))))
    keep = draw(st.booleans()) or len(axes) == len(shape)
    shape_out = tuple(1 if d in axes else n for d, n in enumerate(shape) if keep or d not in axes)
    quant = make_quant(draw(log2_uniform(-8, 1)), draw(zero_points))
    ratio = draw(st.one_of(log2_uniform(-3, 3), log2_uniform(-8, 6), log2_uniform(-40, -20)))
    quant_out = quant if draw(st.booleans()) else make_quant(float(quant.scale[0]) / ratio, draw(zero_points))
    tensors = [make_tensor("x", shape, quant, unsigned), make_tensor("y", shape_out, quant_out, unsigned)]
    return one_operator("mean", tensors, g.Mean((0,), (1,), 0, axes))


@st.composite
def pad_graphs(draw: st.DrawFn, unsigned: bool | None = None) -> g.Graph:
    """PAD of 1 to 4 dimensions."""
    unsigned = draw(st.booleans()) if unsigned is None else unsigned
    shape = tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)))
    pads = tuple((draw(st.integers(0, 3)), draw(st.integers(0, 3))) for _ in shape)
    quant = make_quant(draw(log2_uniform(-8, 1)), draw(zero_points))
    shape_out = tuple(n + a + b for n, (a, b) in zip(shape, pads, strict=True))
    tensors = [make_tensor("x", shape, quant, unsigned), make_tensor("y", shape_out, quant, unsigned)]
    return one_operator("pad", tensors, g.Pad((0,), (1,), 0, pads))


@st.composite
def reshape_graphs(draw: st.DrawFn, unsigned: bool | None = None) -> g.Graph:
    """RESHAPE between two orders and groupings of the same factors."""
    unsigned = draw(st.booleans()) if unsigned is None else unsigned
    shape = tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)))
    shape_out = tuple(draw(st.permutations(shape)))
    if draw(st.booleans()):
        shape_out = (math.prod(shape_out[:2]), *shape_out[2:])
    quant = make_quant(draw(log2_uniform(-8, 1)), draw(zero_points))
    tensors = [make_tensor("x", shape, quant, unsigned), make_tensor("y", shape_out, quant, unsigned)]
    return one_operator("reshape", tensors, g.Reshape((0,), (1,), 0))


@st.composite
def softmax_graphs(draw: st.DrawFn, unsigned: bool | None = None) -> g.Graph:
    """SOFTMAX of 1 to 4 dimensions, from nearly flat to nearly one-hot."""
    unsigned = draw(st.booleans()) if unsigned is None else unsigned
    lead = tuple(draw(st.lists(st.integers(1, 3), max_size=3)))
    shape = (*lead, draw(st.integers(1, 20)))
    scale = draw(st.one_of(log2_uniform(-6, -1), log2_uniform(-24, 8)))
    tensors = [
        make_tensor("x", shape, make_quant(scale, draw(zero_points)), unsigned),
        make_tensor("y", shape, make_quant(1 / 256, -128), unsigned),
    ]
    beta = draw(st.sampled_from([1.0, 1.0, 0.5, float(np.float32(1.7))]))
    return one_operator("softmax", tensors, g.Softmax((0,), (1,), 0, beta))


@st.composite
def transpose_graphs(draw: st.DrawFn, unsigned: bool | None = None) -> g.Graph:
    """TRANSPOSE of 1 to 4 dimensions."""
    unsigned = draw(st.booleans()) if unsigned is None else unsigned
    shape = tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)))
    perm = tuple(draw(st.permutations(range(len(shape)))))
    quant = make_quant(draw(log2_uniform(-8, 1)), draw(zero_points))
    tensors = [
        make_tensor("x", shape, quant, unsigned),
        make_tensor("y", tuple(shape[p] for p in perm), quant, unsigned),
    ]
    return one_operator("transpose", tensors, g.Transpose((0,), (1,), 0, perm))


@st.composite
def quantize_graphs(draw: st.DrawFn, unsigned: bool | None = None) -> g.Graph:
    """QUANTIZE between any two 8-bit tensors, int8 and uint8 mixed unless `unsigned` says otherwise."""
    unsigned_in = draw(st.booleans()) if unsigned is None else unsigned
    unsigned_out = draw(st.booleans()) if unsigned is None else unsigned
    shape = tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)))
    scale = draw(log2_uniform(-8, 1))
    # Powers of two have ties, which double rounding breaks in a way of its own.
    powers = st.integers(-6, 2).map(lambda e: 2.0**e)
    ratio = draw(st.one_of(st.just(1.0), powers, log2_uniform(-3, 3), log2_uniform(-40, 20)))
    tensors = [
        make_tensor("x", shape, make_quant(scale, draw(zero_points)), unsigned_in),
        make_tensor("y", shape, make_quant(scale / ratio, draw(zero_points)), unsigned_out),
    ]
    return one_operator("quantize", tensors, g.Quantize((0,), (1,), 0))


@st.composite
def concatenation_graphs(draw: st.DrawFn, unsigned: bool | None = None) -> g.Graph:
    """CONCATENATION of 1 to 4 tensors along any axis."""
    unsigned = draw(st.booleans()) if unsigned is None else unsigned
    shape = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    axis = draw(st.integers(0, len(shape) - 1))
    parts = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    quant = make_quant(draw(log2_uniform(-8, 1)), draw(zero_points))

    def part(size: int) -> tuple[int, ...]:
        return (*shape[:axis], size, *shape[axis + 1 :])

    tensors = [make_tensor(f"x{i}", part(n), quant, unsigned) for i, n in enumerate(parts)]
    tensors.append(make_tensor("y", part(sum(parts)), quant, unsigned))
    return one_operator(
        "concatenation", tensors, g.Concatenation(tuple(range(len(parts))), (len(parts),), 0, axis)
    )


@st.composite
def resize_graphs(draw: st.DrawFn, unsigned: bool | None = None) -> g.Graph:
    """RESIZE_NEAREST_NEIGHBOR up and down, in all coordinate conventions."""
    unsigned = draw(st.booleans()) if unsigned is None else unsigned
    depth, quant = draw(channels), make_quant(draw(log2_uniform(-8, 1)), draw(zero_points))
    out = (draw(st.integers(1, 20)), draw(st.integers(1, 20)))
    align, half = draw(st.booleans()), draw(st.booleans())
    tensors = [
        make_tensor("x", (1, draw(sides), draw(sides), depth), quant, unsigned),
        make_tensor("y", (1, *out, depth), quant, unsigned),
    ]
    return one_operator("resize", tensors, g.ResizeNearest((0,), (1,), 0, align, half))
