"""Least and largest int8 value of every channel, over all inputs of the network.

Inputs range over all of int8. Sums of products are bounded with the real weights: the least sum takes each
operand at its least where the weight is positive, at its largest where it is negative. All other operators
but SOFTMAX never decrease when an input increases, so the oracle itself gives the bounds of their outputs
from those of their inputs. Bounds of a channel hold at every position of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from host.model import graph as g
from host.model.slim.channels import channel_ids, dims, is_filter, is_opaque
from host.model.slim.filters import Filter, make_filter
from host.oracle import params
from host.oracle.convolution import convolution_output
from host.oracle.ops import OPS, fully_connected_output

INT8_MIN, INT8_MAX = -128, 127


@dataclass(frozen=True)
class Bounds:
    """Least and largest value of each channel, int64 [channels]."""

    low: np.ndarray
    high: np.ndarray

    @property
    def constant(self) -> np.ndarray:
        """Whether a channel has one value only, bool [channels]."""
        return self.low == self.high


@dataclass(frozen=True)
class Intervals:
    """Bounds of tensors by index; by an operator's output tensor: its filter, and bounds of its sums with bias."""

    bounds: dict[int, Bounds]
    filters: dict[int, Filter]
    sums: dict[int, Bounds]


def analyse(graph: g.Graph, axes: dict[int, int]) -> Intervals:
    """The bounds of every tensor in `axes`."""
    result = Intervals({}, {}, {})
    for index, axis in axes.items():
        tensor = graph.tensors[index]
        if tensor.data is not None:
            result.bounds[index] = _hull(tensor.data, tensor.data, axis)
    for border in graph.inputs:
        result.bounds[border.tensor] = _everything(dims(graph.tensors[border.tensor])[axes[border.tensor]])
    for op in graph.ops:
        y = op.outputs[0]
        if is_filter(graph, op):
            result.filters[y] = make_filter(graph, op, axes)
            result.sums[y] = _sums(graph, op, result.filters[y], result.bounds[op.inputs[0]])
            result.bounds[y] = _rescaled(graph, op, result.sums[y])
        elif is_opaque(graph, op) or isinstance(op, g.Softmax):
            result.bounds[y] = _everything(dims(graph.tensors[y])[axes[y]])
        else:
            result.bounds[y] = _through_oracle(graph, op, axes, result.bounds)
    return result


def _everything(channels: int) -> Bounds:
    return Bounds(np.full(channels, INT8_MIN), np.full(channels, INT8_MAX))


def _hull(low: np.ndarray, high: np.ndarray, axis: int) -> Bounds:
    """Per channel from per element."""
    low, high = (np.moveaxis(np.atleast_1d(v), axis, 0).astype(np.int64) for v in (low, high))
    return Bounds(low.reshape(len(low), -1).min(1), high.reshape(len(high), -1).max(1))


def _through_oracle(graph: g.Graph, op: g.Op, axes: dict[int, int], bounds: dict[int, Bounds]) -> Bounds:
    """Bounds of a non-decreasing operator's output."""

    def spread(index: int, values: np.ndarray) -> np.ndarray:
        tensor = graph.tensors[index]
        return values.astype(np.int8)[channel_ids(tensor, axes[index])].reshape(tensor.shape)

    low = OPS[type(op)](graph, op, *(spread(i, bounds[i].low) for i in op.operands))
    high = OPS[type(op)](graph, op, *(spread(i, bounds[i].high) for i in op.operands))
    return _hull(low, high, axes[op.outputs[0]])


def _sums(graph: g.Graph, op: g.Op, filter: Filter, x: Bounds) -> Bounds:
    """Bounds of sum((x - zero) * w) + bias over every window, int64 [oc]."""
    zero = graph.tensors[op.inputs[0]].quant.zero_point
    low, high = x.low - zero, x.high - zero
    if filter.sources is None:
        low, high = low.min(), high.max()
    else:
        low, high = low[filter.sources], high[filter.sources]
    if isinstance(op, g.DepthwiseConv2D):
        low, high = low[..., None], high[..., None]
    positive, negative = np.maximum(filter.weights, 0), np.minimum(filter.weights, 0)
    least = filter.window_sums((positive * low + negative * high).sum(-1)).min(0)
    largest = filter.window_sums((positive * high + negative * low).sum(-1)).max(0)
    bias = params.bias_of(graph, op, len(least)).astype(np.int64)
    return Bounds(least.astype(np.int64) + bias, largest.astype(np.int64) + bias)


def _rescaled(graph: g.Graph, op: g.Op, sums: Bounds) -> Bounds:
    """int8 bounds from bounds of sums: rescaling and clamping never decrease either."""
    if isinstance(op, g.FullyConnected):
        low, high = (fully_connected_output(graph, op, s) for s in (sums.low, sums.high))
    else:
        r = params.conv_requant(graph, op)
        low, high = (convolution_output(s, r) for s in (sums.low, sums.high))
    return Bounds(low.astype(np.int64), high.astype(np.int64))
