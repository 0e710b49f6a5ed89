"""Exact rewrites of a graph: each leaves all that remains of every tensor the same, bit for bit.

Operators and tensors that a rewrite makes unnecessary disappear from `graph.ops`; tensor indices stay, so
that a tensor can be named the same before and after. What slimming leaves of a tensor is in `Slimming`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from host.model.graph import Conv2D, DepthwiseConv2D, Graph, Op, Pad, Padding, TransposedConv2D
from host.model.slim import Slimming, slim


def rewrite(graph: Graph, *, slimmed: bool = True) -> tuple[Graph, Slimming]:
    """All exact rewrites, in order, on a copy of the graph, and what slimming removed; not `slimmed`: nothing."""
    graph = graph.copy()
    flip_transposed(graph)
    split_groups(graph)
    fold_pads(graph)
    return slim(graph) if slimmed else (graph, Slimming())


def flip_transposed(graph: Graph) -> None:
    """A transposed convolution of stride 1 becomes the convolution with its kernel in reverse.

    out[y] = sum over k of w[k] * x[y + top - k]: the same products, and the same rounding. The convolution has kernels
    that the transposed one lacks (Winograd). What would need padding beyond the kernel, or a crop, stays.
    """
    for at, op in enumerate(graph.ops):
        if not isinstance(op, TransposedConv2D) or op.stride != (1, 1):
            continue
        weights = graph.tensors[op.inputs[1]]
        x, y = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
        assert weights.data is not None
        sides = []
        for axis, before in ((1, op.padding.top), (2, op.padding.left)):
            reach = weights.shape[axis] - 1
            first = reach - before
            sides += [first, y.shape[axis] + reach - x.shape[axis] - first]
            if not all(0 <= side <= reach for side in sides[-2:]):
                break
        else:
            flipped = np.ascontiguousarray(weights.data[:, ::-1, ::-1])
            graph.tensors.append(replace(weights, name=f"{weights.name}/flipped", data=flipped))
            inputs = (op.inputs[0], len(graph.tensors) - 1, *op.inputs[2:])
            graph.ops[at] = Conv2D(
                inputs, op.outputs, op.index, padding=Padding(*sides), activation=op.activation
            )


def split_groups(graph: Graph) -> None:
    """A convolution with as many groups as input channels becomes a depthwise one.

    Both take the same products to the same sums and round them in the same way; only the weights' order differs.
    """
    for at, op in enumerate(graph.ops):
        if not isinstance(op, Conv2D) or op.groups == 1:
            continue
        weights = graph.tensors[op.inputs[1]]
        out_c, _, _, group_c = weights.shape
        if group_c != 1:
            continue
        assert weights.data is not None and weights.quant is not None
        data = np.ascontiguousarray(weights.data.transpose(3, 1, 2, 0))
        quant = replace(weights.quant, axis=3 if weights.quant.per_channel else 0)
        depthwise = replace(
            weights, name=f"{weights.name}/depthwise", shape=data.shape, data=data, quant=quant
        )
        graph.tensors.append(depthwise)
        inputs = (op.inputs[0], len(graph.tensors) - 1, *op.inputs[2:])
        graph.ops[at] = DepthwiseConv2D(
            inputs,
            op.outputs,
            op.index,
            op.stride,
            op.dilation,
            op.padding,
            out_c // op.groups,
            op.activation,
        )


def fold_pads(graph: Graph) -> None:
    """A PAD of rows and columns before convolutions becomes their own padding.

    Both fill with the zero point, so the sums are the same, and the padded copy (often the largest tensor of
    a network) is never made. The PAD stays if something else reads it.
    """
    for pad in [op for op in graph.ops if isinstance(op, Pad)]:
        (padded,) = pad.outputs
        readers = graph.consumers(padded)
        if not readers or any(b.tensor == padded for b in graph.outputs):
            continue
        folded = [_with_padding(graph, op, pad) for op in readers]
        if None in folded:
            continue
        for op, new in zip(readers, folded, strict=True):
            graph.ops[graph.ops.index(op)] = new
        graph.ops.remove(pad)


def _with_padding(graph: Graph, op: Op, pad: Pad) -> Op | None:
    """The operator reading the PAD's input with its own padding; None where that is not the same or not possible.

    Every window must still see a part of the image: kernels rely on it.
    """
    (padded,) = pad.outputs
    if not isinstance(op, Conv2D | DepthwiseConv2D) or op.inputs[0] != padded or padded in op.inputs[1:]:
        return None
    if len(pad.pads) != 4 or pad.pads[0] != (0, 0) or pad.pads[3] != (0, 0):
        return None
    (top, bottom), (left, right) = pad.pads[1], pad.pads[2]
    old = op.padding
    new = Padding(old.top + top, old.bottom + bottom, old.left + left, old.right + right)
    kernel = graph.tensors[op.inputs[1]].shape[1:3]
    reach_h, reach_w = ((k - 1) * d for k, d in zip(kernel, op.dilation, strict=True))
    if max(new.top, new.bottom) > reach_h or max(new.left, new.right) > reach_w:
        return None
    return replace(op, inputs=(pad.inputs[0], *op.inputs[1:]), padding=new)
