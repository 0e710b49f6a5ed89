"""Rules of convolutions and fully connected layers."""

from __future__ import annotations

import numpy as np

from host.model import graph as g
from host.oracle import params
from host.plan.lower.common import MAX_SHIFT, ROUNDING, append, folded_bias, refuse, sizes
from host.plan.network import Network


def convolution(graph: g.Graph, op: g.Conv2D | g.DepthwiseConv2D, net: Network) -> None:
    """CONV_2D and DEPTHWISE_CONV_2D; the latter as groups of one channel where those have the faster kernels."""
    r = params.conv_requant(graph, op)
    w = graph.tensors[op.inputs[1]].data
    assert w is not None
    if (r.shift > MAX_SHIFT).any():
        raise refuse(op, f"rescales by more than 2**{MAX_SHIFT}")
    depthwise = isinstance(op, g.DepthwiseConv2D)
    groups = 1 if depthwise else op.groups
    if depthwise and op.multiplier > 1 and (w.shape[1:3], op.stride) != ((3, 3), (1, 1)):
        # Depthwise kernels with a multiplier are 3x3 with stride 1.
        depthwise, groups, w = False, w.shape[3] // op.multiplier, w.transpose(3, 1, 2, 0)
    kernel_h, kernel_w = w.shape[1:3]
    centred = w.astype(np.int64) - r.weights_zero
    weights_sum = centred.sum(axis=(0, 1, 2)) if depthwise else centred.sum(axis=(1, 2, 3))
    image_sizes = sizes(graph, op)
    values = image_sizes | dict(
        kernel_h=kernel_h, kernel_w=kernel_w, stride_h=op.stride[0], stride_w=op.stride[1],
        dilation_h=op.dilation[0], dilation_w=op.dilation[1], pad_top=op.padding.top, pad_left=op.padding.left,
        input_zero=r.input_zero, weights_zero=r.weights_zero, output_zero=r.output_zero,
        clamp_min=r.clamp_min, clamp_max=r.clamp_max, rounding=ROUNDING[r.rounding],
    )  # fmt: skip
    if depthwise:
        values["depth_multiplier"] = op.multiplier
    else:
        values["groups"] = groups
    append(
        graph, net, op, "depthwise" if depthwise else "conv2d", op.inputs[:1], values,
        macs=graph.macs(op), weights=w,
        channels=np.stack([folded_bias(r, weights_sum), r.multiplier, r.shift], axis=1).astype(np.int32),
    )  # fmt: skip


def transposed_convolution(graph: g.Graph, op: g.TransposedConv2D, net: Network) -> None:
    """TRANSPOSE_CONV; the bias is not folded, for every phase of the output has its own weights."""
    r = params.conv_requant(graph, op)
    w = graph.tensors[op.inputs[1]].data
    assert w is not None
    if (r.shift > MAX_SHIFT).any():
        raise refuse(op, f"rescales by more than 2**{MAX_SHIFT}")
    if min(op.padding.top, op.padding.left) < 0:
        raise refuse(op, "has negative padding, which would move the input away from the output's border")
    values = sizes(graph, op) | dict(
        kernel_h=w.shape[1], kernel_w=w.shape[2], stride_h=op.stride[0], stride_w=op.stride[1],
        pad_top=op.padding.top, pad_left=op.padding.left,
        input_zero=r.input_zero, weights_zero=r.weights_zero, output_zero=r.output_zero,
        clamp_min=r.clamp_min, clamp_max=r.clamp_max, rounding=ROUNDING[r.rounding],
    )  # fmt: skip
    append(
        graph, net, op, "transposed_conv2d", op.inputs[:1], values, macs=graph.macs(op), weights=w,
        channels=np.stack([r.bias, r.multiplier, r.shift], axis=1).astype(np.int32),
    )  # fmt: skip


def fully_connected(graph: g.Graph, op: g.FullyConnected, net: Network) -> None:
    """FULLY_CONNECTED, with a nudge for each channel."""
    r = params.fully_connected_requant(graph, op)
    w = graph.tensors[op.inputs[1]].data
    assert w is not None
    out_c, in_c = w.shape
    rows = graph.tensors[op.inputs[0]].elems // in_c
    bias = folded_bias(r, (w.astype(np.int64) - r.weights_zero).sum(axis=1))
    nudge = r.nudge.astype("<i8").view("<i4").reshape(-1, 2)
    values = dict(
        rows=rows, in_c=in_c, out_c=out_c, weights_zero=r.weights_zero, output_zero=r.output_zero,
        clamp_min=r.clamp_min, clamp_max=r.clamp_max, rounding=ROUNDING[r.rounding],
    )  # fmt: skip
    append(
        graph, net, op, "fully_connected", op.inputs[:1], values, macs=graph.macs(op), weights=w,
        channels=np.column_stack([bias, r.multiplier, r.shift, nudge]).astype(np.int32),
    )  # fmt: skip
