"""CONV_2D, DEPTHWISE_CONV_2D and TRANSPOSE_CONV on int8 arrays, and what other windows share with them."""

from __future__ import annotations

import numpy as np

from host.model import graph as g
from host.oracle import fixedpoint as fx
from host.oracle import params as p


def convolution_output(sums: np.ndarray, r: p.ConvRequant) -> np.ndarray:
    """int8 of sums with bias [..., oc], int64, by double rounding; the sum wraps like an int32.

    Never decreases in a sum that stays within int32.
    """
    multiplier, shift = r.multiplier.astype(np.int64), r.shift.astype(np.int64)
    rescaled = fx.multiply_double(fx.wrap_int32(sums), multiplier, shift)
    return np.clip(rescaled + r.output_zero, r.clamp_min, r.clamp_max).astype(np.int8)


def padded_input(x: np.ndarray, zero: int, padding: g.Padding, dtype: type) -> np.ndarray:
    """x - zero with zeros around it, [n,h,w,c]."""
    pads = ((0, 0), (padding.top, padding.bottom), (padding.left, padding.right), (0, 0))
    return np.pad(x.astype(dtype) - dtype(zero), pads)


def taps_of(
    kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int], out: tuple[int, int]
):
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
    """CONV_2D: out[y,x,oc] = requant(sum over ky,kx,ic of (x - xz) * (w[oc,ky,kx,ic] - wz)).

    ic runs over the input channels of the group of oc: each group is a convolution of its own.
    """
    r = p.conv_requant(graph, op)
    n, oh, ow, oc = graph.tensors[op.outputs[0]].shape
    padded = padded_input(x, r.input_zero, op.padding, np.float64)
    weights = w.astype(np.float64) - r.weights_zero
    weights = weights.reshape(op.groups, oc // op.groups, *w.shape[1:]).transpose(2, 3, 0, 4, 1)
    sums = np.zeros((op.groups, n * oh * ow, oc // op.groups))
    for ky, kx, rows, columns in taps_of(w.shape[1:3], op.stride, op.dilation, (oh, ow)):
        inputs = padded[:, rows, columns].reshape(-1, op.groups, w.shape[3]).transpose(1, 0, 2)
        sums += inputs @ weights[ky, kx]
    sums = sums.transpose(1, 0, 2).reshape(-1, oc)
    return convolution_output(sums.astype(np.int64) + r.bias, r).reshape(n, oh, ow, oc)


def depthwise_conv2d(
    graph: g.Graph, op: g.DepthwiseConv2D, x: np.ndarray, w: np.ndarray, _bias: np.ndarray | None
) -> np.ndarray:
    """DEPTHWISE_CONV_2D: as CONV_2D with one input channel, c // multiplier, for output channel c."""
    r = p.conv_requant(graph, op)
    n, oh, ow, oc = graph.tensors[op.outputs[0]].shape
    padded = np.repeat(padded_input(x, r.input_zero, op.padding, np.int64), op.multiplier, axis=3)
    weights = w.astype(np.int64) - r.weights_zero
    sums = np.zeros((n, oh, ow, oc), np.int64)
    for ky, kx, rows, columns in taps_of(w.shape[1:3], op.stride, op.dilation, (oh, ow)):
        sums += padded[:, rows, columns] * weights[0, ky, kx]
    return convolution_output(sums + r.bias, r)


def transposed_conv2d(
    graph: g.Graph, op: g.TransposedConv2D, x: np.ndarray, w: np.ndarray, _bias: np.ndarray | None
) -> np.ndarray:
    """TRANSPOSE_CONV: out[iy*sh+ky-top,ix*sw+kx-left,oc] += sum over ic of (x[iy,ix] - xz) * (w[oc,ky,kx] - wz).

    Then requant(), bias included, of every output, whether a product reached it or not.
    """
    r = p.conv_requant(graph, op)
    n, oh, ow, oc = graph.tensors[op.outputs[0]].shape
    (_, h, width, ic), (_, kh, kw, _) = x.shape, w.shape
    (sh, sw), (top, left) = op.stride, (op.padding.top, op.padding.left)
    inputs = x.reshape(-1, ic).astype(np.float64) - r.input_zero
    weights = w.astype(np.float64) - r.weights_zero
    reach_h, reach_w = (h - 1) * sh + 1, (width - 1) * sw + 1
    sums = np.zeros((n, max(reach_h + kh - 1, top + oh), max(reach_w + kw - 1, left + ow), oc))
    for ky in range(kh):
        for kx in range(kw):
            products = (inputs @ weights[:, ky, kx].T).reshape(n, h, width, oc)
            sums[:, ky : ky + reach_h : sh, kx : kx + reach_w : sw] += products
    sums = sums[:, top : top + oh, left : left + ow]
    return convolution_output(sums.astype(np.int64) + r.bias, r)
