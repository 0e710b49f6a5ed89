"""Operators with weights: convolutions of all kinds, Gemm and MatMul, and the normalisation that folds into them."""

from __future__ import annotations

import math

import numpy as np

from host.model import graph as g
from host.model.onnx.file import Node
from host.model.onnx.network import IMAGE, Const, Net, Value
from host.model.onnx.windows import HELD, outputs_of, padding, pads_of, pair, spatial

_MAX_BIAS = 2**31 - 1


def _weights(net: Net, node: Node, ranks: tuple[int, ...], axis: int) -> Const:
    """The constant weights: float, or 8 bits with scales along this axis or one for all."""
    w = net.const(node, 1, "the weights")
    if w.data.ndim not in ranks or w.data.size == 0:
        raise node.refuse(f"weights {list(w.data.shape)} must have {' or '.join(map(str, ranks))} dimensions")
    if net.floating:
        if w.quant is not None or w.data.dtype.kind != "f":
            raise node.refuse("its weights are not float")
        if not np.isfinite(w.data).all():
            raise node.refuse("its weights are not finite")
    elif w.quant is None or w.data.dtype != np.int8:
        raise node.refuse("its weights are not quantised to 8 bits")
    elif w.quant.per_channel and w.quant.axis != axis:
        raise node.refuse(
            f"its weights have a scale for each index of axis {w.quant.axis}: only axis {axis} is supported"
        )
    return w


def _weights_tensor(net: Net, node: Node, w: Const, data: np.ndarray, axis: int) -> int:
    """The weights as the graph has them: `data` in our order, channels along `axis`."""
    if net.floating:
        return net.tensor(node.inputs[1], data.shape, None, data.astype(np.float32))
    assert w.quant is not None
    return net.tensor(node.inputs[1], data.shape, g.Quant(w.quant.scale, w.quant.zero_point, axis), data)


def _bias(net: Net, node: Node, place: int, x: int, w: Const, channels: int, factor: float = 1.0) -> int:
    """The bias tensor, or -1."""
    if not node.has(place):
        return -1
    bias = net.const(node, place, "the bias")
    if bias.data.size not in (1, channels):
        raise node.refuse(f"bias {list(bias.data.shape)} for {channels} channels")
    if not net.floating and bias.quant is not None and bias.data.dtype == np.int32 and factor == 1.0:
        # Sums as they are: scales that differ in float32's last bits are one scale.
        given, step = bias.quant.scale.astype(np.float64), _step(net, x, w)
        if bias.quant.zero_point == 0 and np.allclose(given, step, rtol=1e-6, atol=0):
            data = np.broadcast_to(bias.data.reshape(-1), channels)
            return net.tensor(node.inputs[place], (channels,), g.Quant(step.astype(np.float32), 0), data)
    with np.errstate(invalid="ignore"):
        real = np.broadcast_to(bias.real.reshape(-1).astype(np.float64) * factor, channels)
    return bias_tensor(net, node, node.inputs[place], x, w.quant, real)


def _step(net: Net, x: int, w: Const | None, quant: g.Quant | None = None) -> np.ndarray:
    """What 1 in the sum stands for, float64 [1] or [channels]."""
    scale_x, scale_w = net.tensors[x].quant, quant or (w.quant if w else None)
    assert scale_x is not None and scale_w is not None
    return np.float64(scale_x.scale[0]) * scale_w.scale.astype(np.float64)


def bias_tensor(net: Net, node: Node, name: str, x: int, quant: g.Quant | None, real: np.ndarray) -> int:
    """A bias of real numbers: float32, or rounded to whole sums; the error is remembered until the scale is known."""
    if not np.isfinite(real).all():
        raise node.refuse("its bias is not finite")
    if net.floating:
        return net.tensor(name, real.shape, None, real.astype(np.float32))
    step = _step(net, x, None, quant)
    whole = np.rint(real / step)
    if not np.all(np.abs(whole) <= _MAX_BIAS):
        raise node.refuse("its bias overflows an int32 at the scale of its sums")
    tensor = net.tensor(name, real.shape, g.Quant(step.astype(np.float32), 0), whole.astype(np.int32))
    net.bias_error[tensor] = np.abs(whole * step - real)
    return tensor


def conv(net: Net, node: Node) -> Value:
    """Conv over one or two spatial axes, with groups, dilations and any padding."""
    value = net.operand(node)
    w = _weights(net, node, (3, 4), axis=0)
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
    bias = _bias(net, node, 2, x, w, oc)
    size = (*pair(out), oc)
    if group == ic and group > 1:
        weights = _weights_tensor(net, node, w, kernels.transpose(1, 2, 3, 0), axis=3)
        fields["multiplier"] = oc // ic
        return net.emit_image(node, g.DepthwiseConv2D, (x, weights, bias), size, rank, **fields)
    weights = _weights_tensor(net, node, w, kernels.transpose(IMAGE), axis=0)
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
    w = _weights(net, node, (3, 4), axis=1)
    x, (_, _, ic) = net.image(node, value)
    axes = len(value.shape) - 2
    if node.attribute("group", 1) != 1 or spatial(node, "dilations", axes) != [1] * axes:
        raise node.refuse("groups and dilations are not supported")
    if w.data.ndim != len(value.shape) or w.data.shape[0] != ic:
        raise node.refuse(f"weights {list(w.data.shape)} on input {list(value.shape)}")
    out, pads = _transposed_window(node, list(value.shape[2:]), list(w.data.shape[2:]), axes)
    oc = w.data.shape[1]
    kernels = w.data.reshape(ic, oc, *pair(list(w.data.shape[2:])))
    weights = _weights_tensor(net, node, w, kernels.transpose(1, 2, 3, 0), axis=0)
    bias = _bias(net, node, 2, x, w, oc)
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
    w = _weights(net, node, (4,), axis=0)
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
    weights = _weights_tensor(net, node, w, w.data.transpose(IMAGE), axis=0)
    bias = _bias(net, node, 3, x, w, oc)
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
    w = _weights(net, node, (2,), axis=0 if transposed else 1)
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
    weights = _weights_tensor(net, node, w, w.data, axis=0)
    bias = _bias(net, node, 2, x, w, oc, beta)
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


def with_bias(net: Net, node: Node, place: int, other: Const) -> Value | None:
    """A convolution or fully connected layer without bias, and one number a channel added to it: its bias.

    None where the value is something else, so that it is an addition of its own.
    """
    value = net.view(node, place)
    op, layout = value.op, value.layout
    sole = net.seen(node, value, place).sole
    if not isinstance(op, g.Weighted) or op.inputs[2] >= 0 or not sole or value.clamp is not None:
        return None
    if not (net.floating or value.open) or op.activation != "NONE":  # type: ignore[attr-defined]
        return None
    channels, last = net.shape(value)[-1], len(layout.memory) - 1
    axis = layout.axes.index((last,)) if (last,) in layout.axes else -1
    shape = (1,) * (len(value.shape) - other.data.ndim) + other.data.shape
    along = tuple(channels if d == axis else 1 for d in range(len(value.shape)))
    if (channels > 1 and (axis < 0 or layout.memory[last] != channels)) or shape not in (
        along,
        (1,) * len(shape),
    ):
        return None
    x, weights, _ = op.inputs[:3]
    real = np.broadcast_to(other.real.reshape(-1).astype(np.float64), channels)
    bias = bias_tensor(net, node, node.inputs[1 - place], x, net.tensors[weights].quant, real)
    op.inputs = (x, weights, bias, *op.inputs[3:])
    return net.seen(node, value, place)


def normalization(net: Net, node: Node) -> Value:
    """BatchNormalization in inference: folded into the weights before it, or a depthwise convolution of 1x1."""
    value = net.view(node)
    gamma, beta, mean, variance = (
        net.const(node, i, what).real.reshape(-1).astype(np.float64)
        for i, what in ((1, "scale"), (2, "bias"), (3, "mean"), (4, "variance"))
    )
    if node.attribute("training_mode", 0) or any(node.outputs[1:]):
        raise node.refuse("is in training mode", "export the network in evaluation mode")
    channels = value.shape[1] if len(value.shape) > 1 else 0
    if {len(gamma), len(beta), len(mean), len(variance)} != {channels}:
        raise node.refuse(f"its constants are not for {channels} channels")
    with np.errstate(invalid="ignore", divide="ignore"):
        factor = gamma / np.sqrt(variance + float(node.attribute("epsilon", 1e-5)))
        offset = beta - mean * factor
    too_small = (np.abs(factor) < HELD * np.finfo(np.float32).tiny) & (factor != 0)
    if not (np.isfinite(factor).all() and np.isfinite(offset).all()) or too_small.any():
        raise node.refuse("its constants are not finite, or too small")
    if net.floating and (folded := _folded(net, node, value, factor, offset)) is not None:
        return folded
    if value.open:
        raise node.refuse(
            "its input is not quantised",
            "fold it before quantising: onnxruntime.quantization.shape_inference.quant_pre_process",
        )
    return _affine(net, node, net.operand(node), factor, offset)


def _folded(net: Net, node: Node, value: Value, factor: np.ndarray, offset: np.ndarray) -> Value | None:
    """y = factor * (w * x + b) + offset with factor and offset in the float weights and bias; None if not possible."""
    op = value.op
    sole = net.seen(node, value).sole
    if not isinstance(op, g.Weighted) or not sole or value.clamp or op.activation != "NONE":  # type: ignore[attr-defined]
        return None
    if len(value.layout.axes[1]) > 1 or value.layout.axes[1:2] != ((len(value.layout.memory) - 1,),) * (
        len(factor) > 1
    ):
        return None
    x, weights, bias = op.inputs[:3]
    old = net.tensors[weights].data
    assert old is not None
    axis = 3 if isinstance(op, g.DepthwiseConv2D) else 0
    along = factor.reshape([-1 if d == axis else 1 for d in range(old.ndim)])
    name = net.tensors[weights].name
    scaled = net.tensor(name, old.shape, None, (old.astype(np.float64) * along).astype(np.float32))
    before = net.tensors[bias].data.astype(np.float64) if bias >= 0 else 0.0  # type: ignore[union-attr]
    moved = bias_tensor(net, node, node.inputs[2], x, None, before * factor + offset)
    op.inputs = (x, scaled, moved, *op.inputs[3:])
    return net.seen(node, value)


def _affine(net: Net, node: Node, value: Value, factor: np.ndarray, offset: np.ndarray) -> Value:
    """y = factor * x + offset, one pair a channel: a depthwise convolution of 1x1."""
    rank = len(value.shape)
    if rank == 2:
        x, c = net.reshaped(node, value, (1, 1, 1, value.shape[1])), value.shape[1]
        h = w = 1
    else:
        x, (h, w, c) = net.image(node, value)
    shape = (1, 1, 1, c)
    if net.floating:
        quant, data = None, factor.reshape(shape).astype(np.float32)
    else:
        held = np.sign(factor) * HELD
        scale = np.where(factor == 0, 1.0, np.abs(factor) / HELD).astype(np.float32)
        quant, data = g.Quant(scale, 0, 3 if c > 1 else 0), held.reshape(shape).astype(np.int8)
    weights = net.tensor(node.inputs[1], shape, quant, data)
    bias = bias_tensor(net, node, node.inputs[2], x, quant, offset)
    if rank == 2:
        return net.emit(node, g.DepthwiseConv2D, (x, weights, bias), shape, value.layout)
    return net.emit_image(node, g.DepthwiseConv2D, (x, weights, bias), (h, w, c), rank)
