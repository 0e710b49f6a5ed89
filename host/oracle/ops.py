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
from host.oracle import fixedpoint as fx
from host.oracle import params as p
from host.oracle.softmax import softmax


def convolution_output(sums: np.ndarray, r: p.ConvRequant) -> np.ndarray:
    """int8 of sums with bias [..., oc], int64, by double rounding; the sum wraps like an int32.

    Never decreases in a sum that stays within int32.
    """
    multiplier, shift = r.multiplier.astype(np.int64), r.shift.astype(np.int64)
    rescaled = fx.multiply_double(fx.wrap_int32(sums), multiplier, shift)
    return np.clip(rescaled + r.output_zero, r.clamp_min, r.clamp_max).astype(np.int8)


def _padded(x: np.ndarray, zero: int, padding: g.Padding, dtype: type) -> np.ndarray:
    """x - zero with zeros around it, [n,h,w,c]."""
    pads = ((0, 0), (padding.top, padding.bottom), (padding.left, padding.right), (0, 0))
    return np.pad(x.astype(dtype) - dtype(zero), pads)


def _taps(kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int], out: tuple[int, int]):
    """(ky, kx, row slice, column slice) of a padded input, one for each kernel position."""
    for ky in range(kernel[0]):
        for kx in range(kernel[1]):
            y, x = ky * dilation[0], kx * dilation[1]
            rows = slice(y, y + (out[0] - 1) * stride[0] + 1, stride[0])
            columns = slice(x, x + (out[1] - 1) * stride[1] + 1, stride[1])
            yield ky, kx, rows, columns


def conv2d(
    graph: g.Graph, op: g.Conv2D, x: np.ndarray, w: np.ndarray, _bias: np.ndarray | None
) -> np.ndarray:
    """CONV_2D: out[y,x,oc] = requant(sum over ky,kx,ic of (x - xz) * (w[oc,ky,kx,ic] - wz))."""
    r = p.conv_requant(graph, op)
    n, oh, ow, oc = graph.tensors[op.outputs[0]].shape
    padded = _padded(x, r.input_zero, op.padding, np.float64)
    weights = w.astype(np.float64) - r.weights_zero
    sums = np.zeros((n * oh * ow, oc))
    for ky, kx, rows, columns in _taps(w.shape[1:3], op.stride, op.dilation, (oh, ow)):
        sums += padded[:, rows, columns].reshape(-1, x.shape[3]) @ weights[:, ky, kx].T
    return convolution_output(sums.astype(np.int64) + r.bias, r).reshape(n, oh, ow, oc)


def depthwise_conv2d(
    graph: g.Graph, op: g.DepthwiseConv2D, x: np.ndarray, w: np.ndarray, _bias: np.ndarray | None
) -> np.ndarray:
    """DEPTHWISE_CONV_2D: as CONV_2D with one input channel, c // multiplier, for output channel c."""
    r = p.conv_requant(graph, op)
    n, oh, ow, oc = graph.tensors[op.outputs[0]].shape
    padded = np.repeat(_padded(x, r.input_zero, op.padding, np.int64), op.multiplier, axis=3)
    weights = w.astype(np.int64) - r.weights_zero
    sums = np.zeros((n, oh, ow, oc), np.int64)
    for ky, kx, rows, columns in _taps(w.shape[1:3], op.stride, op.dilation, (oh, ow)):
        sums += padded[:, rows, columns] * weights[0, ky, kx]
    return convolution_output(sums + r.bias, r)


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
    values = _padded(x, 0, op.padding, np.int64)
    inside = _padded(np.ones((1, *x.shape[1:3], 1), np.int8), 0, op.padding, np.int64)
    taps = list(_taps(op.kernel, op.stride, (1, 1), (oh, ow)))
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
    taps = _taps(op.kernel, op.stride, (1, 1), (oh, ow))
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
}
