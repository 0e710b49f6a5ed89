"""Weights as plain numbers, and the sums that the windows of a convolution see.

Padding contributes nothing to a sum: x - zero_point is 0 there. So a window at the border sums over fewer
taps. Rows and columns of windows are independent, hence a layer has few distinct windows: the distinct sets
of kernel rows inside the image, times the distinct sets of kernel columns.

All sums are float64 and exact: integers far below 2**53.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from host.model import graph as g
from host.model.slim.channels import channel_ids


@dataclass(frozen=True)
class Filter:
    """weights less their zero point, float64 [kh, kw, oc, ic]; ic is 1 for a depthwise convolution.

    inside_y [windows, kh] and inside_x [windows, kw] are 1 where a tap of a distinct window lies in the image.
    sources [ic] (depthwise: [oc]) is the operand's channel behind each column; None if a column mixes channels.
    """

    weights: np.ndarray
    inside_y: np.ndarray
    inside_x: np.ndarray
    sources: np.ndarray | None

    def window_sums(self, taps: np.ndarray) -> np.ndarray:
        """Sums over the taps [kh, kw, n] inside each distinct window: [windows, n]."""
        sums = np.einsum("yk,klm,xl->yxm", self.inside_y, taps, self.inside_x, optimize=True)
        return sums.reshape(-1, taps.shape[2])


def make_filter(graph: g.Graph, op: g.Op, axes: dict[int, int]) -> Filter:
    """The filter of a convolution, depthwise convolution or fully connected layer."""
    x, w = graph.tensors[op.inputs[0]], graph.tensors[op.inputs[1]]
    assert w.data is not None and w.quant is not None
    axis = axes[op.inputs[0]]
    weights = w.data.astype(np.float64) - w.quant.zero_point
    if isinstance(op, g.FullyConnected):
        one = np.ones((1, 1))
        return Filter(weights[None, None], one, one, _columns(x, axis, w.shape[1]))
    assert isinstance(op, (g.Conv2D, g.DepthwiseConv2D))
    size, out, kernel = x.shape[1:3], graph.tensors[op.outputs[0]].shape[1:3], w.shape[1:3]
    before = (op.padding.top, op.padding.left)
    inside_y, inside_x = (
        _inside(size[d], out[d], kernel[d], op.stride[d], op.dilation[d], before[d]) for d in (0, 1)
    )
    sources = np.arange(x.shape[3]) if axis == 3 else None
    if isinstance(op, g.DepthwiseConv2D):
        sources = None if sources is None else np.repeat(sources, op.multiplier)
        return Filter(weights[0][..., None], inside_y, inside_x, sources)
    return Filter(weights.transpose(1, 2, 0, 3), inside_y, inside_x, sources)


def _inside(size: int, out: int, kernel: int, stride: int, dilation: int, before: int) -> np.ndarray:
    """Distinct rows of 1 and 0 [windows, kernel]: which taps of a window lie in the image, along one axis."""
    at = np.arange(out)[:, None] * stride + np.arange(kernel) * dilation - before
    return np.unique((at >= 0) & (at < size), axis=0).astype(np.float64)


def _columns(x: g.Tensor, axis: int, columns: int) -> np.ndarray | None:
    """The channel of each column of x seen as [rows, columns]; None if one column holds several."""
    ids = channel_ids(x, axis).reshape(-1, columns)
    return ids[0].copy() if (ids == ids[0]).all() else None
