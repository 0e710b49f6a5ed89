"""Convolutions of all kinds, Gemm and MatMul."""

from __future__ import annotations

import math

import numpy as np

from host.model import graph as g
from host.model.onnx.file import Node
from host.model.onnx.network import IMAGE, Const, Net, Value
from host.model.onnx.weights import bias_of, weights_of, weights_tensor
from host.model.onnx.windows import outputs_of, padding, pads_of, pair, spatial


def conv(net: Net, node: Node) -> Value:
    """Conv over one or two spatial axes, with groups, dilations and any padding."""
    value = net.operand(node)
    w = weights_of(net, node, (3, 4), axis=0)
    x, (_, _, ic) = net.image(node, value)
    rank = len(value.shape)
    if w.data.ndim != rank:
        raise node.refuse(f"weights {list(w.data.shape)} on input {list(value.shape)}")
    group, oc = node.attribute("group", 1), w.data.shape[0]
    if group < 1 or ic % group or oc % group or w.data.shape[1] * group != ic:
        raise node.refuse(f"weights {list(w.data.shape)} in {group} groups on {ic} channels")
    sizes, kernel = list(value.shape[2:]), list(w.data.shape[2:])
    stride, dilation = spatial(node, "strides", rank - 2), spatial(node, "dilations", rank - 2)
    pads = pads_of(node, sizes, kernel, stride, dilation)
    out = outputs_of(node, sizes, kernel, stride, dilation, pads)
    # Padding that a whole window could lie in is made by an operator of its own: kernels rely on seeing the image.
    if any(max(p) > (k - 1) * d for p, k, d in zip(pads, kernel, dilation, strict=True)):
        x = _padded(net, node, x, padding(pads))
        pads = [(0, 0)] * len(pads)
    fields = {"stride": pair(stride), "dilation": pair(dilation), "padding": padding(pads)}
    kernels = w.data.reshape(oc, -1, *pair(kernel))
    bias = bias_of(net, node, 2, x, w, oc)
    size = (*pair(out), oc)
    if group == ic and group > 1:
        weights = weights_tensor(net, node, w, kernels.transpose(1, 2, 3, 0), axis=3)
        fields["multiplier"] = oc // ic
        return net.emit_image(node, g.DepthwiseConv2D, (x, weights, bias), size, rank, **fields)
    weights = weights_tensor(net, node, w, kernels.transpose(IMAGE), axis=0)
    return net.emit_image(node, g.Conv2D, (x, weights, bias), size, rank, **fields, groups=group)


def _padded(net: Net, node: Node, x: int, by: g.Padding) -> int:
    """The image with zeros around it."""
    _, h, w, c = net.tensors[x].shape
    shape = (1, h + by.top + by.bottom, w + by.left + by.right, c)
    target = net.tensor(f"{node.outputs[0]}_padded", shape, net.tensors[x].quant)
    pads = ((0, 0), (by.top, by.bottom), (by.left, by.right), (0, 0))
    net.ops.append(g.Pad((x,), (target,), node.index, pads))
    return target


def conv_transpose(net: Net, node: Node) -> Value:
    """ConvTranspose, with output_padding or output_shape; one group, not dilated."""
    value = net.operand(node)
    w = weights_of(net, node, (3, 4), axis=1)
    x, (_, _, ic) = net.image(node, value)
    axes = len(value.shape) - 2
    if node.attribute("group", 1) != 1 or spatial(node, "dilations", axes) != [1] * axes:
        raise node.refuse("groups and dilations are not supported")
    if w.data.ndim != len(value.shape) or w.data.shape[0] != ic:
        raise node.refuse(f"weights {list(w.data.shape)} on input {list(value.shape)}")
    out, pads = _transposed_window(node, list(value.shape[2:]), list(w.data.shape[2:]), axes)
    oc = w.data.shape[1]
    kernels = w.data.reshape(ic, oc, *pair(list(w.data.shape[2:])))
    weights = weights_tensor(net, node, w, kernels.transpose(1, 2, 3, 0), axis=0)
    bias = bias_of(net, node, 2, x, w, oc)
    fields = {"stride": pair(spatial(node, "strides", axes)), "padding": padding(pads)}
    return net.emit_image(
        node, g.TransposedConv2D, (x, weights, bias), (*pair(out), oc), len(value.shape), **fields
    )


def _transposed_window(
    node: Node, sizes: list[int], kernel: list[int], axes: int
) -> tuple[list[int], list[tuple[int, int]]]:
    """(output sizes, pads) of a transposed convolution: either may follow from the other."""
    stride = spatial(node, "strides", axes)
    extra = [int(n) for n in node.attribute("output_padding", [0] * axes)]
    shape = node.attribute("output_shape", None)
    scheme = node.attribute("auto_pad", "NOTSET")
    if len(extra) != axes or any(not 0 <= e < s for e, s in zip(extra, stride, strict=True)):
        raise node.refuse(f"output_padding {extra[:4]} must be below the strides {stride}")
    full = [s * (n - 1) + k + e for n, k, s, e in zip(sizes, kernel, stride, extra, strict=True)]
    if shape is None and scheme not in ("SAME_UPPER", "SAME_LOWER"):
        pads = pads_of(node, sizes, kernel, stride, [1] * axes)
        out = [f - sum(p) for f, p in zip(full, pads, strict=True)]
    else:
        out = (
            [n * s for n, s in zip(sizes, stride, strict=True)]
            if shape is None
            else [int(n) for n in shape[-axes:]]
        )
        if len(out) != axes:
            raise node.refuse(f"output_shape {out}")
        pads = []
        for f, o in zip(full, out, strict=True):
            small, large = (f - o) // 2, (f - o) - (f - o) // 2
            pads.append((small, large) if scheme == "SAME_UPPER" else (large, small))
    # Beyond the full output there is nothing to crop: an output that is larger would have rows without any product.
    if min(out) < 1 or any(min(p) < 0 for p in pads):
        raise node.refuse(f"an output of {out} from {sizes} with strides {stride}")
    return out, pads


def deform_conv(net: Net, node: Node) -> Value:
    """DeformConv: offsets, and a mask that is optional, are activations."""
    value = net.operand(node)
    w = weights_of(net, node, (4,), axis=0)
    net.rank(node, value, 4)
    x, (_, _, ic) = net.image(node, value)
    group, parts, oc = node.attribute("group", 1), node.attribute("offset_group", 1), w.data.shape[0]
    if min(group, parts) < 1 or ic % group or oc % group or ic % parts or w.data.shape[1] * group != ic:
        raise node.refuse(
            f"weights {list(w.data.shape)} in {group} groups, {parts} offset groups on {ic} channels"
        )
    sizes, kernel = list(value.shape[2:]), list(w.data.shape[2:])
    stride, dilation = spatial(node, "strides", 2), spatial(node, "dilations", 2)
    pads = pads_of(node, sizes, kernel, stride, dilation)
    out = outputs_of(node, sizes, kernel, stride, dilation, pads)
    taps = parts * math.prod(kernel)
    offsets = _moves(net, node, 2, "offsets", (2 * taps, *out))
    mask = _moves(net, node, 4, "mask", (taps, *out)) if node.has(4) else -1
    weights = weights_tensor(net, node, w, w.data.transpose(IMAGE), axis=0)
    bias = bias_of(net, node, 3, x, w, oc)
    return net.emit_image(
        node, g.DeformableConv2D, (x, weights, bias, offsets, mask), (*pair(out), oc), 4, stride=pair(stride),
        dilation=pair(dilation), padding=padding(pads), groups=group, offset_groups=parts,
    )  # fmt: skip


def _moves(net: Net, node: Node, place: int, what: str, shape: tuple[int, ...]) -> int:
    """Offsets or mask [1,h,w,c] of a deformable convolution, given [1,c,h,w] in the file."""
    value = net.operand(node, place)
    if value.shape[1:] != shape:
        raise node.refuse(f"{what} {list(value.shape)} must be {[1, *shape]}")
    return net.image(node, value)[0]


def gemm(net: Net, node: Node) -> Value:
    """Gemm: a fully connected layer; alpha and beta are folded into scales or weights."""
    if node.attribute("transA", 0):
        raise node.refuse("transA is not supported")
    transposed = bool(node.attribute("transB", 0))
    return _fully_connected(
        net, node, transposed, float(node.attribute("alpha", 1.0)), float(node.attribute("beta", 1.0)), (2,)
    )


def matmul(net: Net, node: Node) -> Value:
    """MatMul of an activation and constant weights [in, out]."""
    return _fully_connected(net, node, False, 1.0, 1.0, tuple(range(2, 7)))


def _fully_connected(
    net: Net, node: Node, transposed: bool, alpha: float, beta: float, ranks: tuple[int, ...]
) -> Value:
    value = net.operand(node)
    if len(value.shape) not in ranks:
        raise node.refuse(f"input {list(value.shape)} must have {ranks[0]} dimensions")
    w = weights_of(net, node, (2,), axis=0 if transposed else 1)
    data = w.data if transposed else w.data.T
    oc, ic = data.shape
    if value.shape[-1] != ic:
        raise node.refuse(f"weights for {ic} inputs on input {list(value.shape)}")
    if not (0 < alpha < math.inf and math.isfinite(beta)):
        raise node.refuse(f"alpha {alpha}, beta {beta}")
    value, columns = _columns_last(net, node, value)
    data = data.reshape(oc, *columns[0]).transpose(0, *(1 + p for p in columns[1])).reshape(oc, ic)
    if net.floating:
        w = Const(np.float32(alpha) * data)
    else:
        assert w.quant is not None
        scale = w.quant.scale * np.float32(alpha)
        if not np.all(np.isfinite(scale) & (scale >= np.finfo(np.float32).tiny)):
            raise node.refuse(f"alpha {alpha} leaves no scale of its weights")
        w = Const(data, g.Quant(scale, w.quant.zero_point, 0))
    rows = math.prod(value.shape[:-1])
    x = net.reshaped(node, value, (rows, ic))
    weights = weights_tensor(net, node, w, w.data, axis=0)
    bias = bias_of(net, node, 2, x, w, oc, beta)
    outer = [i for i in range(len(value.layout.memory)) if i not in value.layout.axes[-1]]
    memory = (*(value.layout.memory[i] for i in outer), *((oc,) if oc > 1 else ()))
    axes = (*value.layout.axes[:-1], (len(outer),) if oc > 1 else ())
    return net.emit(node, g.FullyConnected, (x, weights, bias), (rows, oc), type(value.layout)(memory, axes))


def _columns_last(
    net: Net, node: Node, value: Value
) -> tuple[Value, tuple[tuple[int, ...], tuple[int, ...]]]:
    """The value with the last axis innermost in memory, and (sizes, permutation) of the columns of its weights.

    An axis of several factors, a flattened image, stays as it lies: its weights are put in its order instead.
    """
    last, count = value.layout.axes[-1], len(value.layout.memory)
    if sorted(last) != list(range(count - len(last), count)):
        rest = tuple(i for i in range(count) if i not in last)
        value = net.arranged(node, value, (*rest, *last))
        last = value.layout.axes[-1]
    sizes = tuple(value.layout.memory[i] for i in last) or (1,)
    return value, (sizes, tuple(int(p) for p in np.argsort(last)) or (0,))
