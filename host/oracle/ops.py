"""What each operator computes, on int8 arrays in numpy: the definition of right.

Every function takes (graph, op, *input arrays) and returns the output array; absent inputs are None.
`OPS` maps the operator's class to its function. Integer parameters come from `host.oracle.params`, where
the rounding of each operator is described. Sums of products run through float64 matrix products, which
are exact: a sum of 2**20 products of two 9-bit numbers stays below 2**38, far from 2**53.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from host.model import graph as g
from host.oracle import binary
from host.oracle import fixedpoint as fx
from host.oracle import params as p
from host.oracle.convolution import conv2d, depthwise_conv2d, padded_input, taps_of, transposed_conv2d
from host.oracle.deformable import deformable_conv2d, deformable_params
from host.oracle.softmax import softmax


def fully_connected(
    graph: g.Graph, op: g.FullyConnected, x: np.ndarray, w: np.ndarray, bias: np.ndarray | None
) -> np.ndarray:
    """FULLY_CONNECTED: out[row,oc] = clamp(round(double(sum) * real[oc]) + oz), half away from zero.

    The float64 form is the reference's own; `params.fully_connected_requant` has integers equal to it.
    """
    weights_zero = graph.tensors[op.inputs[1]].quant.zero_point
    rows = x.reshape(-1, w.shape[1]).astype(np.float64) - graph.tensors[op.inputs[0]].quant.zero_point
    sums = rows @ (w.astype(np.float64) - weights_zero).T + (0 if bias is None else bias)
    return fully_connected_output(graph, op, sums).reshape(graph.tensors[op.outputs[0]].shape)


def fully_connected_output(graph: g.Graph, op: g.FullyConnected, sums: np.ndarray) -> np.ndarray:
    """int8 of sums with bias [..., oc]; never decreases in a sum."""
    y = graph.tensors[op.outputs[0]]
    rescaled = fx.round_half_away(sums * p.fully_connected_real(graph, op))
    out = np.clip(rescaled + y.quant.zero_point, *p.activation_range(y, op.activation))
    return out.astype(np.int8)


def add(graph: g.Graph, op: g.Add, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """ADD: both inputs on a common scale, shifted left by 20, summed, rescaled; see `AddParams`."""
    r = p.add_params(graph, op)
    scaled_a = fx.multiply_double((a.astype(np.int64) - r.zero_a) << r.left_shift, r.multiplier_a, r.shift_a)
    scaled_b = fx.multiply_double((b.astype(np.int64) - r.zero_b) << r.left_shift, r.multiplier_b, r.shift_b)
    total = fx.multiply_double(scaled_a + scaled_b, r.multiplier_out, r.shift_out)
    total = total.reshape(graph.tensors[op.outputs[0]].shape)
    return np.clip(total + r.output_zero, r.clamp_min, r.clamp_max).astype(np.int8)


def average_pool_2d(graph: g.Graph, op: g.AveragePool2D, x: np.ndarray) -> np.ndarray:
    """AVERAGE_POOL_2D: the mean over the n positions of a window that lie inside the input.

    int8 (C division truncates): s > 0 ? (s + n/2) / n : (s - n/2) / n. uint8: floor((s + n/2) / n).
    """
    r = p.pool_params(graph, op)
    _, oh, ow, _ = graph.tensors[op.outputs[0]].shape
    values = padded_input(x, 0, op.padding, np.int64)
    inside = padded_input(np.ones((1, *x.shape[1:3], 1), np.int8), 0, op.padding, np.int64)
    taps = list(taps_of(op.kernel, op.stride, (1, 1), (oh, ow)))
    sums = sum(values[:, rows, columns] for _, _, rows, columns in taps)
    count = sum(inside[:, rows, columns] for _, _, rows, columns in taps)
    if r.half_up:
        mean = (sums + count // 2) // count
    else:
        mean = np.sign(sums) * ((np.abs(sums) + count // 2) // count)
    return np.clip(mean, r.clamp_min, r.clamp_max).astype(np.int8)


def max_pool_2d(graph: g.Graph, op: g.MaxPool2D, x: np.ndarray) -> np.ndarray:
    """MAX_POOL_2D: the largest of a window's positions inside the input, clamped."""
    r = p.pool_params(graph, op)
    _, oh, ow, _ = graph.tensors[op.outputs[0]].shape
    pads = ((0, 0), (op.padding.top, op.padding.bottom), (op.padding.left, op.padding.right), (0, 0))
    values = np.pad(x, pads, constant_values=-128)
    taps = taps_of(op.kernel, op.stride, (1, 1), (oh, ow))
    largest = np.maximum.reduce([values[:, rows, columns] for _, _, rows, columns in taps])
    return np.clip(largest, r.clamp_min, r.clamp_max).astype(np.int8)


def mean(graph: g.Graph, op: g.Mean, x: np.ndarray) -> np.ndarray:
    """MEAN: see `MeanParams`; the sum is an int32."""
    r = p.mean_params(graph, op)
    sums = fx.wrap_int32(x.astype(np.int64).sum(axis=op.axes) - r.input_zero * r.count)
    out = fx.multiply_double(sums, r.multiplier, r.shift) + r.output_zero
    return np.clip(out, -128, 127).astype(np.int8).reshape(graph.tensors[op.outputs[0]].shape)


def pad(graph: g.Graph, op: g.Pad, x: np.ndarray) -> np.ndarray:
    """PAD: with the output's zero point, which is the input's."""
    return np.pad(x, op.pads, constant_values=graph.tensors[op.outputs[0]].quant.zero_point)


def reshape(graph: g.Graph, op: g.Reshape, x: np.ndarray) -> np.ndarray:
    """RESHAPE: the same bytes."""
    return x.reshape(graph.tensors[op.outputs[0]].shape)


def softmax_op(graph: g.Graph, op: g.Softmax, x: np.ndarray) -> np.ndarray:
    """SOFTMAX: see `host.oracle.softmax`."""
    return softmax(x, p.softmax_params(graph, op).exp_table)


def transpose(graph: g.Graph, op: g.Transpose, x: np.ndarray) -> np.ndarray:
    """TRANSPOSE: out.shape[d] = x.shape[perm[d]]."""
    return np.ascontiguousarray(x.transpose(op.perm))


def quantize(graph: g.Graph, op: g.Quantize, x: np.ndarray) -> np.ndarray:
    """QUANTIZE from 8 bits to 8 bits: see `RequantizeParams`."""
    r = p.requantize_params(graph, op)
    out = fx.multiply_double(x.astype(np.int64) - r.input_zero, r.multiplier, r.shift) + r.output_zero
    return np.clip(out, -128, 127).astype(np.int8)


def concatenation(graph: g.Graph, op: g.Concatenation, *xs: np.ndarray) -> np.ndarray:
    """CONCATENATION: bytes side by side."""
    return np.concatenate(xs, axis=op.axis)


def resize_nearest(graph: g.Graph, op: g.ResizeNearest, x: np.ndarray) -> np.ndarray:
    """RESIZE_NEAREST_NEIGHBOR: out[y,x] = in[rows[y], columns[x]]; see `params.resize_indices`."""
    rows, columns = p.resize_indices(graph, op)
    return x[:, rows][:, :, columns]


OPS: dict[type[g.Op], Callable[..., np.ndarray]] = {
    g.Conv2D: conv2d,
    g.DepthwiseConv2D: depthwise_conv2d,
    g.TransposedConv2D: transposed_conv2d,
    g.DeformableConv2D: deformable_conv2d,
    g.FullyConnected: fully_connected,
    g.Add: add,
    g.AveragePool2D: average_pool_2d,
    g.MaxPool2D: max_pool_2d,
    g.Mean: mean,
    g.Pad: pad,
    g.Reshape: reshape,
    g.Softmax: softmax_op,
    g.Transpose: transpose,
    g.Quantize: quantize,
    g.Concatenation: concatenation,
    g.ResizeNearest: resize_nearest,
    **binary.OPS,
}

# What raises UnsupportedError for scales out of range; the importer calls each once.
PARAMS: dict[type[g.Op], Callable[..., object]] = {
    g.Conv2D: p.conv_requant,
    g.DepthwiseConv2D: p.conv_requant,
    g.TransposedConv2D: p.conv_requant,
    g.DeformableConv2D: deformable_params,
    g.FullyConnected: p.fully_connected_requant,
    g.Add: p.add_params,
    g.AveragePool2D: p.pool_params,
    g.MaxPool2D: p.pool_params,
    g.Mean: p.mean_params,
    g.Softmax: p.softmax_params,
    g.Quantize: p.requantize_params,
    **binary.PARAMS,
}
