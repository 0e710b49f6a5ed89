"""Lowers a graph to steps: one rule an operator, which fills in a kernel's integer parameters and raw weights.

A rule is a function (graph, op, net) -> None that appends steps; `RULES` maps operator classes to rules. All numbers
come from host.oracle.params, so the device computes with the oracle's own integers.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from host.errors import UnsupportedError
from host.model import graph as g
from host.oracle import fixedpoint, params
from host.plan.network import NetTensor, Network, Step

ROUNDING = {"double": 0, "single": 1}  # enum rounding in kernel.h
MAX_SHIFT = 30  # of a channel record, to the left


def lower(graph: g.Graph) -> Network:
    """Steps and storage of the whole graph. Raises UnsupportedError for what no kernel could express."""
    net = Network(graph.name, graph.source_sha256, [], [], [], [])
    net.inputs = [_storage(graph, net, b.tensor) for b in graph.inputs]
    for op in graph.ops:
        RULES[type(op)](graph, op, net)
    if not net.steps:
        raise UnsupportedError("the network computes nothing: it has no operator that a device would run")
    written = set(net.inputs) | {s.output for s in net.steps}
    for border in graph.outputs:
        if net.storage.get(border.tensor) not in written:
            raise UnsupportedError(f"output {border.name!r} is a constant")
    net.outputs = [net.storage[b.tensor] for b in graph.outputs]
    return net


def _storage(graph: g.Graph, net: Network, index: int) -> int:
    """The NetTensor that holds a graph tensor, made at the first call."""
    if index not in net.storage:
        tensor = graph.tensors[index]
        net.storage[index] = len(net.tensors)
        net.tensors.append(NetTensor(tensor.name, _shape4(tensor.shape), index, tensor.data))
    return net.storage[index]


def _shape4(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    if len(shape) > 4:
        leading = int(np.prod(shape[:-3], dtype=np.int64))
        shape = (leading, *shape[-3:])
    return (*((1,) * (4 - len(shape))), *shape)  # type: ignore[return-value]


def _append(
    graph: g.Graph,
    net: Network,
    op: g.Op,
    name: str,
    inputs: tuple[int, ...],
    values: dict[str, int],
    *,
    macs: int = 0,
    weights: np.ndarray | None = None,
    channels: np.ndarray | None = None,
) -> None:
    output = op.outputs[0]
    net.steps.append(
        Step(
            op=name,
            inputs=tuple(_storage(graph, net, i) for i in inputs),
            output=_storage(graph, net, output),
            params=values,
            op_index=op.index,
            op_kind=op.kind,
            name=graph.tensors[output].name,
            graph_output=output,
            macs=macs,
            in_shape=graph.tensors[inputs[0]].shape,
            out_shape=graph.tensors[output].shape,
            weights=weights,
            channels=channels,
        )
    )


def _refuse(op: g.Op, reason: str) -> UnsupportedError:
    return UnsupportedError(f"operator {op.index} ({op.kind}): {reason}")


def _image(graph: g.Graph, op: g.Op, tensor: int) -> tuple[int, int, int]:
    """h, w, c of an image tensor."""
    shape = graph.tensors[tensor].shape
    if len(shape) != 4 or shape[0] != 1:
        raise _refuse(op, f"works on [1, h, w, c], not {list(shape)}; export the network with batch 1")
    return shape[1], shape[2], shape[3]


def _sizes(graph: g.Graph, op: g.Op) -> dict[str, int]:
    in_h, in_w, in_c = _image(graph, op, op.inputs[0])
    out_h, out_w, out_c = _image(graph, op, op.outputs[0])
    return dict(in_h=in_h, in_w=in_w, in_c=in_c, out_h=out_h, out_w=out_w, out_c=out_c)


def _folded_bias(r: params.ConvRequant, weights_sum: np.ndarray) -> np.ndarray:
    """int32 [oc]: bias - input_zero * sum(w - weights_zero), wrapping as the sums do."""
    return fixedpoint.wrap_int32(r.bias.astype(np.int64) - np.int64(r.input_zero) * weights_sum)


def _convolution(graph: g.Graph, op: g.Conv2D | g.DepthwiseConv2D, net: Network) -> None:
    r = params.conv_requant(graph, op)
    w = graph.tensors[op.inputs[1]].data
    assert w is not None
    if (r.shift > MAX_SHIFT).any():
        raise _refuse(op, f"rescales by more than 2**{MAX_SHIFT}")
    depthwise = isinstance(op, g.DepthwiseConv2D)
    kernel_h, kernel_w = w.shape[1:3]
    centred = w.astype(np.int64) - r.weights_zero
    weights_sum = centred.sum(axis=(0, 1, 2)) if depthwise else centred.sum(axis=(1, 2, 3))
    sizes = _sizes(graph, op)
    values = sizes | dict(
        kernel_h=kernel_h, kernel_w=kernel_w, stride_h=op.stride[0], stride_w=op.stride[1],
        dilation_h=op.dilation[0], dilation_w=op.dilation[1], pad_top=op.padding.top, pad_left=op.padding.left,
        input_zero=r.input_zero, weights_zero=r.weights_zero, output_zero=r.output_zero,
        clamp_min=r.clamp_min, clamp_max=r.clamp_max, rounding=ROUNDING[r.rounding],
    )  # fmt: skip
    if depthwise:
        values["depth_multiplier"] = op.multiplier
    _append(
        graph, net, op, "depthwise" if depthwise else "conv2d", op.inputs[:1], values,
        macs=graph.macs(op), weights=w,
        channels=np.stack([_folded_bias(r, weights_sum), r.multiplier, r.shift], axis=1).astype(np.int32),
    )  # fmt: skip


def _fully_connected(graph: g.Graph, op: g.FullyConnected, net: Network) -> None:
    r = params.fully_connected_requant(graph, op)
    w = graph.tensors[op.inputs[1]].data
    assert w is not None
    out_c, in_c = w.shape
    rows = graph.tensors[op.inputs[0]].elems // in_c
    bias = _folded_bias(r, (w.astype(np.int64) - r.weights_zero).sum(axis=1))
    nudge = r.nudge.astype("<i8").view("<i4").reshape(-1, 2)
    values = dict(
        rows=rows, in_c=in_c, out_c=out_c, weights_zero=r.weights_zero, output_zero=r.output_zero,
        clamp_min=r.clamp_min, clamp_max=r.clamp_max, rounding=ROUNDING[r.rounding],
    )  # fmt: skip
    _append(
        graph, net, op, "fully_connected", op.inputs[:1], values, macs=graph.macs(op), weights=w,
        channels=np.column_stack([bias, r.multiplier, r.shift, nudge]).astype(np.int32),
    )  # fmt: skip


def _add(graph: g.Graph, op: g.Add, net: Network) -> None:
    r = params.add_params(graph, op)
    values = dict(
        elems=graph.tensors[op.outputs[0]].elems, left_shift=r.left_shift,
        input0_zero=r.zero_a, input0_multiplier=r.multiplier_a, input0_shift=r.shift_a,
        input1_zero=r.zero_b, input1_multiplier=r.multiplier_b, input1_shift=r.shift_b,
        output_multiplier=r.multiplier_out, output_shift=r.shift_out, output_zero=r.output_zero,
        clamp_min=r.clamp_min, clamp_max=r.clamp_max,
    )  # fmt: skip
    _append(graph, net, op, "add", op.inputs[:2], values)


def _pool(graph: g.Graph, op: g.Pool2D, net: Network) -> None:
    r = params.pool_params(graph, op)
    sizes = _sizes(graph, op)
    del sizes["out_c"]
    values = sizes | dict(
        kernel_h=op.kernel[0], kernel_w=op.kernel[1], stride_h=op.stride[0], stride_w=op.stride[1],
        pad_top=op.padding.top, pad_left=op.padding.left, clamp_min=r.clamp_min, clamp_max=r.clamp_max,
    )  # fmt: skip
    if isinstance(op, g.AveragePool2D):
        values["half_up"] = int(r.half_up)
        _append(graph, net, op, "average_pool", op.inputs, values)
    else:
        _append(graph, net, op, "max_pool", op.inputs, values)


def _mean(graph: g.Graph, op: g.Mean, net: Network) -> None:
    r = params.mean_params(graph, op)
    shape = graph.tensors[op.inputs[0]].shape
    axes = [a for a in op.axes if shape[a] > 1] or [op.axes[0] if op.axes else 0]
    between = [a for a in range(axes[0], axes[-1]) if a not in axes and shape[a] > 1]
    if between:
        raise _refuse(op, f"axes {list(op.axes)} of {list(shape)} are not neighbours")
    outer, inner = int(np.prod(shape[: axes[0]])), int(np.prod(shape[axes[-1] + 1 :]))
    values = dict(
        outer=outer, reduce=r.count, inner=inner, input_zero=r.input_zero,
        multiplier=r.multiplier, shift=r.shift, output_zero=r.output_zero, rounding=ROUNDING["double"],
    )  # fmt: skip
    _append(graph, net, op, "mean", op.inputs[:1], values)


def _softmax(graph: g.Graph, op: g.Softmax, net: Network) -> None:
    table = params.softmax_params(graph, op).exp_table
    shape = graph.tensors[op.inputs[0]].shape
    values = dict(rows=int(np.prod(shape[:-1], dtype=np.int64)), depth=shape[-1])
    _append(graph, net, op, "softmax", op.inputs, values, weights=table)


def _pad(graph: g.Graph, op: g.Pad, net: Network) -> None:
    shape_in, shape_out = (graph.tensors[t].shape for t in (op.inputs[0], op.outputs[0]))
    if len(shape_in) > 4:
        raise _refuse(op, "has more than 4 dimensions")
    before = (0,) * (4 - len(op.pads)) + tuple(b for b, _ in op.pads)
    quant = graph.tensors[op.outputs[0]].quant
    assert quant is not None
    values = {f"in_{d}": n for d, n in zip("nhwc", _shape4(shape_in), strict=True)}
    values |= {f"out_{d}": n for d, n in zip("nhwc", _shape4(shape_out), strict=True)}
    values |= {f"before_{d}": n for d, n in zip("nhwc", before, strict=True)}
    _append(graph, net, op, "pad", op.inputs[:1], values | dict(value=quant.zero_point))


def _transpose(graph: g.Graph, op: g.Transpose, net: Network) -> None:
    shape = graph.tensors[op.inputs[0]].shape
    if len(shape) > 4:
        raise _refuse(op, "has more than 4 dimensions")
    lead = 4 - len(shape)
    perm = (*range(lead), *(p + lead for p in op.perm))
    values = {f"in_{d}": n for d, n in enumerate(_shape4(shape))}
    values |= {f"perm_{d}": p for d, p in enumerate(perm)}
    _append(graph, net, op, "transpose", op.inputs[:1], values)


def _concatenation(graph: g.Graph, op: g.Concatenation, net: Network) -> None:
    out = graph.tensors[op.outputs[0]].shape
    outer, out_inner = int(np.prod(out[: op.axis])), int(np.prod(out[op.axis :]))
    offset = 0
    for source in op.inputs:
        in_inner = int(np.prod(graph.tensors[source].shape[op.axis :]))
        values = dict(outer=outer, in_inner=in_inner, out_inner=out_inner, out_offset=offset)
        _append(graph, net, op, "copy_slice", (source,), values)
        offset += in_inner


def _resize_nearest(graph: g.Graph, op: g.ResizeNearest, net: Network) -> None:
    rows, columns = params.resize_indices(graph, op)
    sizes = _sizes(graph, op)
    del sizes["out_c"]
    if max(sizes["in_h"], sizes["in_w"]) > 0xFFFF:
        raise _refuse(op, "is larger than 65535 pixels in one direction")
    table = np.concatenate([rows, columns]).astype("<u2")
    _append(graph, net, op, "resize_nearest", op.inputs[:1], sizes, weights=table)


def _quantize(graph: g.Graph, op: g.Quantize, net: Network) -> None:
    r = params.requantize_params(graph, op)
    values = dict(
        elems=graph.tensors[op.outputs[0]].elems, input_zero=r.input_zero, multiplier=r.multiplier,
        shift=r.shift, output_zero=r.output_zero, rounding=ROUNDING["double"],
    )  # fmt: skip
    _append(graph, net, op, "requantize", op.inputs, values)


def _reshape(graph: g.Graph, op: g.Reshape, net: Network) -> None:
    """No step: the output is stored where the input is."""
    net.storage[op.outputs[0]] = _storage(graph, net, op.inputs[0])


RULES: dict[type[g.Op], Callable[..., None]] = {
    g.Conv2D: _convolution,
    g.DepthwiseConv2D: _convolution,
    g.FullyConnected: _fully_connected,
    g.Add: _add,
    g.AveragePool2D: _pool,
    g.MaxPool2D: _pool,
    g.Mean: _mean,
    g.Pad: _pad,
    g.Reshape: _reshape,
    g.Softmax: _softmax,
    g.Transpose: _transpose,
    g.Concatenation: _concatenation,
    g.ResizeNearest: _resize_nearest,
    g.Quantize: _quantize,
}
