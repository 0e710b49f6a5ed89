"""Rules of the operators on bits."""

from __future__ import annotations

import numpy as np

from host.model import graph as g
from host.oracle import binary
from host.plan.lower.common import MAX_SHIFT, ROUNDING, append, refuse, sizes
from host.plan.network import Network


def _rows(graph: g.Graph, tensor: int) -> tuple[int, int]:
    """Rows and channels of a tensor, whatever its rank."""
    t = graph.tensors[tensor]
    return t.elems // t.shape[-1], t.shape[-1]


def _need_words(graph: g.Graph, op: g.Op, tensor: int, channels: int) -> None:
    """Refuse a tensor of bits that is not packed for so many channels."""
    t = graph.tensors[tensor]
    if t.dtype != np.int32 or t.shape[-1] != binary.words_of(channels):
        raise refuse(
            op,
            f"{channels} channels are {binary.words_of(channels)} int32 words, not {t.dtype} {list(t.shape)}",
        )


def binarise(graph: g.Graph, op: g.Binarise, net: Network) -> None:
    """int8 to bits."""
    rows, channels = _rows(graph, op.inputs[0])
    _need_words(graph, op, op.outputs[0], channels)
    zero = graph.tensors[op.inputs[0]].quant.zero_point
    append(graph, net, op, "binarise", op.inputs, dict(rows=rows, in_c=channels, input_zero=zero))


def unbinarise(graph: g.Graph, op: g.Unbinarise, net: Network) -> None:
    """Bits to int8."""
    rows, channels = _rows(graph, op.outputs[0])
    _need_words(graph, op, op.inputs[0], channels)
    clear, is_set = binary.unbinarise_values(graph, op)
    values = dict(rows=rows, out_c=channels, value_clear=clear, value_set=is_set)
    append(graph, net, op, "unbinarise", op.inputs, values)


def _window(op: g.BinaryConv2D | g.PlanesConv2D, kernel: tuple[int, ...]) -> dict[str, int]:
    return dict(
        kernel_h=kernel[0], kernel_w=kernel[1], stride_h=op.stride[0], stride_w=op.stride[1],
        dilation_h=op.dilation[0], dilation_w=op.dilation[1], pad_top=op.padding.top, pad_left=op.padding.left,
    )  # fmt: skip


def binary_conv2d(graph: g.Graph, op: g.BinaryConv2D, net: Network) -> None:
    """Binary convolution; the weights are words of bits, the records of either output."""
    _need_words(graph, op, op.inputs[0], op.channels_in)
    _need_words(graph, op, op.inputs[1], op.channels_in)
    w = graph.tensors[op.inputs[1]].data
    assert w is not None
    spare = op.channels_in % binary.WORD
    if spare and (w.view(np.uint32)[..., -1] >> spare).any():
        raise refuse(op, f"its weights have bits behind channel {op.channels_in}")
    output_bits = graph.tensors[op.outputs[0]].dtype == np.int32
    if output_bits:
        _need_words(graph, op, op.outputs[0], len(w))
        limits = binary.sum_limits(graph, op)
        channels = np.stack([binary.bounds(graph, op), np.zeros(len(w), np.int64)], axis=1)
        scale = dict(lift=0, down=0)
    else:
        r = binary.affine_records(graph, op)
        limits, channels = r.limits, np.stack([r.multiplier, r.offset], axis=1)
        scale = dict(lift=r.lift, down=r.down)
    values = sizes(graph, op) | _window(op, w.shape[1:3]) | scale
    values |= dict(
        in_c=op.channels_in, out_c=len(w), zero_padding=int(not op.one_padding), output_bits=int(output_bits),
        sum_min=limits[0], sum_max=limits[1],
    )  # fmt: skip
    append(
        graph, net, op, "binary_conv2d", op.inputs[:1], values,
        macs=graph.macs(op), weights=w, channels=channels.astype(np.int32),
    )  # fmt: skip


def binary_max_pool(graph: g.Graph, op: g.BinaryMaxPool2D, net: Network) -> None:
    """Max pool of bits."""
    values = sizes(graph, op) | dict(
        kernel_h=op.kernel[0], kernel_w=op.kernel[1], stride_h=op.stride[0], stride_w=op.stride[1],
        pad_top=op.padding.top, pad_left=op.padding.left,
    )  # fmt: skip
    del values["out_c"]
    values["in_c"] *= binary.WORD
    append(graph, net, op, "binary_max_pool", op.inputs, values)


def bit_planes(graph: g.Graph, op: g.BitPlanes, net: Network) -> None:
    """int8 to planes of bits."""
    rows, channels = _rows(graph, op.inputs[0])
    _need_planes(graph, op, op.outputs[0], channels)
    zero = graph.tensors[op.inputs[0]].quant.zero_point
    values = dict(rows=rows, in_c=channels, input_zero=zero, planes=op.planes)
    append(graph, net, op, "bit_planes", op.inputs, values)


def _need_planes(graph: g.Graph, op: g.BitPlanes | g.PlanesConv2D, tensor: int, channels: int) -> None:
    t = graph.tensors[tensor]
    if not 1 <= op.planes <= 4:
        raise refuse(op, f"{op.planes} planes: 1 to 4 are supported")
    if t.dtype != np.int32 or t.shape[-1] != op.planes * binary.words_of(channels):
        words = op.planes * binary.words_of(channels)
        raise refuse(
            op,
            f"{op.planes} planes of {channels} channels are {words} int32 words, not {t.dtype} {list(t.shape)}",
        )


def planes_conv2d(graph: g.Graph, op: g.PlanesConv2D, net: Network) -> None:
    """Convolution of planes; the weights are int32 [oc,kh,kw,planes,words]."""
    w = graph.tensors[op.inputs[1]].data
    assert w is not None
    _need_planes(graph, op, op.inputs[0], w.shape[3])
    if not 1 <= op.weight_planes <= 4:
        raise refuse(op, f"{op.weight_planes} bits of weights: 1 to 4 are supported")
    r = binary.planes_requant(graph, op)
    if (r.shift > MAX_SHIFT).any():
        raise refuse(op, f"rescales by more than 2**{MAX_SHIFT}")
    levels = (w.astype(np.int64) + (1 << op.weight_planes) - 1) // 2
    weights = np.stack([binary.pack_bits(levels >> j & 1) for j in range(op.weight_planes)], axis=3)
    values = sizes(graph, op) | _window(op, w.shape[1:3])
    values |= dict(
        in_c=w.shape[3], output_zero=r.output_zero, clamp_min=r.clamp_min, clamp_max=r.clamp_max,
        rounding=ROUNDING[r.rounding], planes=op.planes, weight_planes=op.weight_planes,
    )  # fmt: skip
    append(
        graph, net, op, "planes_conv2d", op.inputs[:1], values, macs=graph.macs(op), weights=weights,
        channels=np.stack([r.bias, r.multiplier, r.shift], axis=1).astype(np.int32),
    )  # fmt: skip


RULES = {
    g.Binarise: binarise,
    g.Unbinarise: unbinarise,
    g.BinaryConv2D: binary_conv2d,
    g.BinaryMaxPool2D: binary_max_pool,
    g.BitPlanes: bit_planes,
    g.PlanesConv2D: planes_conv2d,
}
