"""Rules of all other operators of common networks."""

from __future__ import annotations

import numpy as np

from host.model import graph as g
from host.oracle import params
from host.plan.lower.common import ROUNDING, append, refuse, shape4, sizes, storage
from host.plan.network import Network


def add(graph: g.Graph, op: g.Add, net: Network) -> None:
    """ADD."""
    r = params.add_params(graph, op)
    values = dict(
        elems=graph.tensors[op.outputs[0]].elems, left_shift=r.left_shift,
        input0_zero=r.zero_a, input0_multiplier=r.multiplier_a, input0_shift=r.shift_a,
        input1_zero=r.zero_b, input1_multiplier=r.multiplier_b, input1_shift=r.shift_b,
        output_multiplier=r.multiplier_out, output_shift=r.shift_out, output_zero=r.output_zero,
        clamp_min=r.clamp_min, clamp_max=r.clamp_max,
    )  # fmt: skip
    append(graph, net, op, "add", op.inputs[:2], values)


def pool(graph: g.Graph, op: g.Pool2D, net: Network) -> None:
    """AVERAGE_POOL_2D and MAX_POOL_2D."""
    r = params.pool_params(graph, op)
    image_sizes = sizes(graph, op)
    del image_sizes["out_c"]
    values = image_sizes | dict(
        kernel_h=op.kernel[0], kernel_w=op.kernel[1], stride_h=op.stride[0], stride_w=op.stride[1],
        pad_top=op.padding.top, pad_left=op.padding.left, clamp_min=r.clamp_min, clamp_max=r.clamp_max,
    )  # fmt: skip
    if isinstance(op, g.AveragePool2D):
        values["half_up"] = int(r.half_up)
        append(graph, net, op, "average_pool", op.inputs, values)
    else:
        append(graph, net, op, "max_pool", op.inputs, values)


def mean(graph: g.Graph, op: g.Mean, net: Network) -> None:
    """MEAN over neighbouring axes."""
    r = params.mean_params(graph, op)
    shape = graph.tensors[op.inputs[0]].shape
    axes = [a for a in op.axes if shape[a] > 1] or [op.axes[0] if op.axes else 0]
    between = [a for a in range(axes[0], axes[-1]) if a not in axes and shape[a] > 1]
    if between:
        raise refuse(op, f"axes {list(op.axes)} of {list(shape)} are not neighbours")
    outer, inner = int(np.prod(shape[: axes[0]])), int(np.prod(shape[axes[-1] + 1 :]))
    values = dict(
        outer=outer, reduce=r.count, inner=inner, input_zero=r.input_zero,
        multiplier=r.multiplier, shift=r.shift, output_zero=r.output_zero, rounding=ROUNDING["double"],
    )  # fmt: skip
    append(graph, net, op, "mean", op.inputs[:1], values)


def softmax(graph: g.Graph, op: g.Softmax, net: Network) -> None:
    """SOFTMAX; the weights are its table of exponentials."""
    table = params.softmax_params(graph, op).exp_table
    shape = graph.tensors[op.inputs[0]].shape
    values = dict(rows=int(np.prod(shape[:-1], dtype=np.int64)), depth=shape[-1])
    append(graph, net, op, "softmax", op.inputs, values, weights=table)


def pad(graph: g.Graph, op: g.Pad, net: Network) -> None:
    """PAD of up to four dimensions."""
    shape_in, shape_out = (graph.tensors[t].shape for t in (op.inputs[0], op.outputs[0]))
    if len(shape_in) > 4:
        raise refuse(op, "has more than 4 dimensions")
    before = (0,) * (4 - len(op.pads)) + tuple(b for b, _ in op.pads)
    quant = graph.tensors[op.outputs[0]].quant
    assert quant is not None
    values = {f"in_{d}": n for d, n in zip("nhwc", shape4(shape_in), strict=True)}
    values |= {f"out_{d}": n for d, n in zip("nhwc", shape4(shape_out), strict=True)}
    values |= {f"before_{d}": n for d, n in zip("nhwc", before, strict=True)}
    append(graph, net, op, "pad", op.inputs[:1], values | dict(value=quant.zero_point))


def transpose(graph: g.Graph, op: g.Transpose, net: Network) -> None:
    """TRANSPOSE of up to four dimensions."""
    shape = graph.tensors[op.inputs[0]].shape
    if len(shape) > 4:
        raise refuse(op, "has more than 4 dimensions")
    lead = 4 - len(shape)
    perm = (*range(lead), *(p + lead for p in op.perm))
    values = {f"in_{d}": n for d, n in enumerate(shape4(shape))}
    values |= {f"perm_{d}": p for d, p in enumerate(perm)}
    append(graph, net, op, "transpose", op.inputs[:1], values)


def concatenation(graph: g.Graph, op: g.Concatenation, net: Network) -> None:
    """CONCATENATION: a step for each input."""
    out = graph.tensors[op.outputs[0]].shape
    outer, out_inner = int(np.prod(out[: op.axis])), int(np.prod(out[op.axis :]))
    offset = 0
    for source in op.inputs:
        in_inner = int(np.prod(graph.tensors[source].shape[op.axis :]))
        values = dict(outer=outer, in_inner=in_inner, out_inner=out_inner, out_offset=offset)
        append(graph, net, op, "copy_slice", (source,), values)
        offset += in_inner


def resize_nearest(graph: g.Graph, op: g.ResizeNearest, net: Network) -> None:
    """RESIZE_NEAREST_NEIGHBOR; the weights are source rows and columns."""
    rows, columns = params.resize_indices(graph, op)
    image_sizes = sizes(graph, op)
    del image_sizes["out_c"]
    if max(image_sizes["in_h"], image_sizes["in_w"]) > 0xFFFF:
        raise refuse(op, "is larger than 65535 pixels in one direction")
    table = np.concatenate([rows, columns]).astype("<u2")
    append(graph, net, op, "resize_nearest", op.inputs[:1], image_sizes, weights=table)


def quantize(graph: g.Graph, op: g.Quantize, net: Network) -> None:
    """QUANTIZE from 8 bits to 8 bits."""
    r = params.requantize_params(graph, op)
    values = dict(
        elems=graph.tensors[op.outputs[0]].elems, input_zero=r.input_zero, multiplier=r.multiplier,
        shift=r.shift, output_zero=r.output_zero, rounding=ROUNDING["double"],
    )  # fmt: skip
    append(graph, net, op, "requantize", op.inputs, values)


def reshape(graph: g.Graph, op: g.Reshape, net: Network) -> None:
    """No step: the output is stored where the input is."""
    net.storage[op.outputs[0]] = storage(graph, net, op.inputs[0])
