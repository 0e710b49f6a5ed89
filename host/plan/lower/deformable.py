"""Rule of deformable convolutions."""

from __future__ import annotations

import numpy as np

from host.errors import UnsupportedError
from host.model import graph as g
from host.model.deformable import check_deformable, tensors_of
from host.oracle.deformable import deformable_params
from host.plan.lower.common import MAX_SHIFT, ROUNDING, append, folded_bias, refuse, sizes
from host.plan.network import Network


def deformable(graph: g.Graph, op: g.DeformableConv2D, net: Network) -> None:
    """DEFORM_CONV_2D; offsets and mask are inputs of the step."""
    try:
        check_deformable(graph.tensors, op)
        r = deformable_params(graph, op)
    except UnsupportedError as error:
        raise refuse(op, error.message) from error
    requant = r.requant
    if (requant.shift > MAX_SHIFT).any():
        raise refuse(op, f"rescales by more than 2**{MAX_SHIFT}")
    offsets, mask = tensors_of(op)
    w = graph.tensors[op.inputs[1]].data
    assert w is not None
    weights_sum = (w.astype(np.int64) - requant.weights_zero).sum(axis=(1, 2, 3))
    bias = folded_bias(requant, weights_sum) if r.mask_zero is None else requant.bias
    values = sizes(graph, op) | dict(
        kernel_h=w.shape[1], kernel_w=w.shape[2], stride_h=op.stride[0], stride_w=op.stride[1],
        dilation_h=op.dilation[0], dilation_w=op.dilation[1], pad_top=op.padding.top, pad_left=op.padding.left,
        input_zero=requant.input_zero, weights_zero=requant.weights_zero, output_zero=requant.output_zero,
        clamp_min=requant.clamp_min, clamp_max=requant.clamp_max, rounding=ROUNDING[requant.rounding],
        groups=op.groups, offset_groups=op.offset_groups,
        offset_bytes=np.dtype(graph.tensors[offsets].dtype).itemsize, offset_zero=r.offset_zero,
        offset_multiplier=r.offset_multiplier, masked=int(mask >= 0), mask_zero=r.mask_zero or 0,
    )  # fmt: skip
    append(
        graph, net, op, "deformable_conv2d", op.operands, values, macs=graph.macs(op), weights=w,
        channels=np.stack([bias, requant.multiplier, requant.shift], axis=1).astype(np.int32),
    )  # fmt: skip
