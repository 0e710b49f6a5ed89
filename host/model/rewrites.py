"""Exact rewrites of a graph: each leaves all that remains of every tensor the same, bit for bit.

Operators and tensors that a rewrite makes unnecessary disappear from `graph.ops`; tensor indices stay, so
that a tensor can be named the same before and after. What slimming leaves of a tensor is in `Slimming`.
"""

from __future__ import annotations

from dataclasses import replace

from host.model.graph import Conv2D, DepthwiseConv2D, Graph, Op, Pad, Padding
from host.model.slim import Slimming, slim


def rewrite(graph: Graph, *, slimmed: bool = True) -> tuple[Graph, Slimming]:
    """All exact rewrites, in order, on a copy of the graph, and what slimming removed; not `slimmed`: nothing."""
    graph = graph.copy()
    fold_pads(graph)
    return slim(graph) if slimmed else (graph, Slimming())


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
