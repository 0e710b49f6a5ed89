"""One function an operator: from a file's operator to the graph's, or a refusal that says why.

Each takes (net, op), makes the tensors it needs through the net (which checks them), checks what the 8-bit
specification and the reference's Prepare function demand, and compares the output's shape with what the
operator yields. `IMPORTERS` at the end is the list of supported operators.

Source: TensorFlow Lite's 8-bit quantization specification, `tflite/schema/schema.fbs`, and the Prepare
functions of LiteRT's kernels for what they refuse.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import tflite

from host.errors import UnsupportedError
from host.model import deformable
from host.model import graph as g
from host.model.tflite_file import FileOp
from host.model.tflite_write import same_padding

if TYPE_CHECKING:
    from host.model.tflite_import import Net

_ACTIVATIONS = {getattr(tflite.ActivationFunctionType, name): name for name in g.ACTIVATIONS}


def refuse(op: FileOp, reason: str) -> UnsupportedError:
    """The one form of a refusal: operator, place, reason, what is supported."""
    return UnsupportedError(f"{op.name} (operator {op.index}): {reason}", supported_hint())


def supported_hint() -> str:
    """The list that ends every refusal."""
    return f"supported: {', '.join(sorted(IMPORTERS))}"


def activation(net: Net, op: FileOp, index: int) -> g.Tensor:
    """An 8-bit tensor with one scale, constant or not; of a float network a float32 one."""
    t = net.tensor(index)
    if net.real:
        if t.dtype != np.float32:
            raise refuse(op, f"tensor {index} ({t.name}) is {t.dtype}, not float32")
        return t
    if t.dtype != np.int8:
        raise refuse(op, f"tensor {index} ({t.name}) is {t.dtype}, not 8 bits")
    if t.quant is None or t.quant.per_channel:
        raise refuse(op, f"tensor {index} ({t.name}) needs one scale")
    return t


def _in_out(net: Net, op: FileOp, rank: int = 0) -> tuple[g.Tensor, g.Tensor]:
    """First input and output, both 8 bits of one signedness; `rank` 4 means images of batch 1."""
    x, y = activation(net, op, op.inputs[0]), activation(net, op, op.outputs[0])
    if x.unsigned != y.unsigned:
        raise refuse(op, "int8 and uint8 are mixed")
    if rank and (len(x.shape) != rank or len(y.shape) != rank):
        raise refuse(op, f"input {x.shape} and output {y.shape} must have {rank} dimensions")
    if rank == 4 and x.shape[0] != 1:
        raise refuse(op, f"batch {x.shape[0]}: only 1 is supported")
    if x.data is not None:
        raise refuse(op, "its input is a constant")
    return x, y


def _constant(net: Net, op: FileOp, place: int) -> np.ndarray:
    """The int32 constant at an input place."""
    t = net.tensor(op.inputs[place])
    if t.data is None or t.dtype != np.int32:
        raise refuse(op, f"input {place} must be an int32 constant")
    return t.data


def _expect_shape(op: FileOp, y: g.Tensor, shape: tuple[int, ...]) -> None:
    if y.shape != tuple(shape):
        raise refuse(op, f"its output must have shape {tuple(shape)}, not {y.shape}")


def _same_quant(op: FileOp, x: g.Tensor, y: g.Tensor) -> None:
    if x.quant is None or y.quant is None:
        return  # both are float32
    if x.quant.zero_point != y.quant.zero_point or x.quant.scale[0] != y.quant.scale[0]:
        raise refuse(op, "input and output must have one scale and zero point")


def _fused(op: FileOp, code: int) -> str:
    if code not in _ACTIVATIONS:
        raise refuse(op, f"fused activation {code}")
    return _ACTIVATIONS[code]


def _window(
    op: FileOp,
    x: g.Tensor,
    scheme: int,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int] = (1, 1),
) -> tuple[g.Padding, tuple[int, int]]:
    """(padding, output height and width) of a sliding window over x [1,h,w,c]."""
    if min(*kernel, *stride, *dilation) < 1 or max(*kernel, *stride, *dilation) > 2**15:
        raise refuse(op, f"kernel {kernel}, stride {stride}, dilation {dilation}")
    sides, out = [], []
    for size, k, s, d in zip(x.shape[1:3], kernel, stride, dilation, strict=True):
        pads = same_padding(size, k, s, d) if scheme == tflite.Padding.SAME else (0, 0)
        extent = (k - 1) * d + 1
        sides.extend(pads)
        out.append((size + sum(pads) - extent) // s + 1)
    if scheme not in (tflite.Padding.SAME, tflite.Padding.VALID) or min(out) < 1:
        raise refuse(op, f"kernel {kernel} on input {x.shape} leaves no output")
    return g.Padding(*sides), (out[0], out[1])


def _weights(net: Net, op: FileOp, x: g.Tensor, rank: int, axis: int) -> g.Tensor:
    """The constant weights, quantised as the 8-bit specification demands."""
    w = net.tensor(op.inputs[1])
    if net.real:
        if w.data is None or w.dtype != np.float32 or len(w.shape) != rank:
            raise refuse(op, f"weights {w.dtype} {w.shape} must be a float32 constant with {rank} dimensions")
        return w
    if w.data is None or w.dtype != np.int8 or w.quant is None or len(w.shape) != rank:
        raise refuse(op, f"weights {w.shape} must be an 8-bit constant with scales and {rank} dimensions")
    if w.unsigned != x.unsigned:
        raise refuse(op, "int8 and uint8 are mixed")
    if w.quant.per_channel and (w.quant.axis != axis or w.unsigned):
        raise refuse(op, "scales per channel are for the output channels of int8 weights")
    if not w.unsigned and w.quant.zero_point != 0:
        raise refuse(op, f"int8 weights with zero point {w.quant.zero_point}")
    return w


def _operands(net: Net, op: FileOp, channels: int) -> tuple[int, int, int]:
    """(x, weights, bias or -1), the bias checked."""
    bias = op.inputs[2] if len(op.inputs) > 2 else -1
    if bias >= 0:
        b = net.tensor(bias)
        dtype = np.dtype("float32" if net.real else "int32")
        if b.data is None or b.dtype != dtype or b.shape != (channels,):
            raise refuse(op, f"bias {b.dtype} {b.shape} must be a constant {dtype} ({channels},)")
        if np.any(net.file.tensors[bias].zero_point != 0):
            raise refuse(op, "bias with a zero point")
    return op.inputs[0], op.inputs[1], bias


def _conv2d(net: Net, op: FileOp) -> g.Op:
    x, y = _in_out(net, op, rank=4)
    w = _weights(net, op, x, 4, axis=0)
    scheme, sh, sw, dh, dw, act = op.option(
        "Conv2DOptions",
        "Padding",
        "StrideH",
        "StrideW",
        "DilationHFactor",
        "DilationWFactor",
        "FusedActivationFunction",
    )
    groups = _groups(op, x.shape[3], w)
    padding, (oh, ow) = _window(op, x, scheme, w.shape[1:3], (sh, sw), (dh, dw))
    _expect_shape(op, y, (1, oh, ow, w.shape[0]))
    operands = _operands(net, op, w.shape[0])
    return g.Conv2D(operands, op.outputs, op.index, (sh, sw), (dh, dw), padding, _fused(op, act), groups)


def _groups(op: FileOp, in_c: int, w: g.Tensor) -> int:
    """How many groups the weights [oc,kh,kw,ic/groups] make of the input's channels: the format has no field for it."""
    out_c, group_c = w.shape[0], w.shape[3]
    groups, rest = divmod(in_c, group_c) if group_c else (0, in_c)
    if rest or not groups:
        raise refuse(
            op, f"{in_c} input channels do not divide into groups of {group_c}, which the weights are for"
        )
    if out_c % groups:
        raise refuse(op, f"{out_c} output channels do not divide into {groups} groups of input channels")
    return groups


def _depthwise_conv2d(net: Net, op: FileOp) -> g.Op:
    x, y = _in_out(net, op, rank=4)
    w = _weights(net, op, x, 4, axis=3)
    scheme, sh, sw, dh, dw, act = op.option(
        "DepthwiseConv2DOptions",
        "Padding",
        "StrideH",
        "StrideW",
        "DilationHFactor",
        "DilationWFactor",
        "FusedActivationFunction",
    )
    multiplier, rest = divmod(w.shape[3], x.shape[3])
    # The depth multiplier of the options is redundant, and some converters write 0.
    if w.shape[0] != 1 or rest or multiplier < 1:
        raise refuse(op, f"weights {w.shape} for {x.shape[3]} input channels")
    padding, (oh, ow) = _window(op, x, scheme, w.shape[1:3], (sh, sw), (dh, dw))
    _expect_shape(op, y, (1, oh, ow, w.shape[3]))
    operands = _operands(net, op, w.shape[3])
    return g.DepthwiseConv2D(
        operands, op.outputs, op.index, (sh, sw), (dh, dw), padding, multiplier, _fused(op, act)
    )


def _transposed_conv2d(net: Net, op: FileOp) -> g.Op:
    size = _constant(net, op, 0)
    op = replace(op, inputs=(op.inputs[2], op.inputs[1], *op.inputs[3:]))
    x, y = _in_out(net, op, rank=4)
    w = _weights(net, op, x, 4, axis=0)
    scheme, sh, sw, act = op.option(
        "TransposeConvOptions", "Padding", "StrideH", "StrideW", "FusedActivationFunction"
    )
    if w.shape[3] != x.shape[3]:
        raise refuse(op, f"{x.shape[3]} input channels, weights for {w.shape[3]}")
    if size.shape != (4,):
        raise refuse(op, f"the output's shape must be 4 numbers, not {size.shape}")
    _expect_shape(op, y, tuple(int(n) for n in size))
    _expect_shape(op, y, (1, *y.shape[1:3], w.shape[0]))
    # The convolution that this is the adjoint of reads y and yields an image of x's size.
    padding, adjoint = _window(op, y, scheme, w.shape[1:3], (sh, sw))
    if adjoint != x.shape[1:3]:
        raise refuse(op, f"an output of {y.shape[1:3]} belongs to an input of {adjoint}, not {x.shape[1:3]}")
    operands = _operands(net, op, w.shape[0])
    return g.TransposedConv2D(operands, op.outputs, op.index, (sh, sw), padding, _fused(op, act))


def _fully_connected(net: Net, op: FileOp) -> g.Op:
    x, y = _in_out(net, op)
    w = _weights(net, op, x, 2, axis=0)
    act, weights_format = op.option("FullyConnectedOptions", "FusedActivationFunction", "WeightsFormat")
    oc, ic = w.shape
    if weights_format != 0:
        raise refuse(op, "shuffled weights")
    if x.elems % ic or y.elems != x.elems // ic * oc or not y.shape or y.shape[-1] != oc:
        raise refuse(op, f"weights {w.shape} on input {x.shape} to output {y.shape}")
    return g.FullyConnected(_operands(net, op, oc), op.outputs, op.index, _fused(op, act))


def _add(net: Net, op: FileOp) -> g.Op:
    a, b = activation(net, op, op.inputs[0]), activation(net, op, op.inputs[1])
    y = activation(net, op, op.outputs[0])
    if not a.unsigned == b.unsigned == y.unsigned:
        raise refuse(op, "int8 and uint8 are mixed")
    if a.data is not None and b.data is not None:
        raise refuse(op, "both inputs are constants")
    if a.shape != b.shape:
        raise refuse(op, f"shapes {a.shape} and {b.shape} (broadcasting)")
    _expect_shape(op, y, a.shape)
    (act,) = op.option("AddOptions", "FusedActivationFunction")
    return g.Add(op.inputs, op.outputs, op.index, _fused(op, act))


def _pool(net: Net, op: FileOp) -> g.Op:
    x, y = _in_out(net, op, rank=4)
    scheme, sh, sw, kh, kw, act = op.option(
        "Pool2DOptions",
        "Padding",
        "StrideH",
        "StrideW",
        "FilterHeight",
        "FilterWidth",
        "FusedActivationFunction",
    )
    if not net.real and (
        x.quant.zero_point != y.quant.zero_point or abs(x.quant.scale[0] - y.quant.scale[0]) > 1e-6
    ):
        raise refuse(op, "input and output must have one scale and zero point")
    padding, (oh, ow) = _window(op, x, scheme, (kh, kw), (sh, sw))
    _expect_shape(op, y, (1, oh, ow, x.shape[3]))
    cls = g.AveragePool2D if op.name == "AVERAGE_POOL_2D" else g.MaxPool2D
    return cls(op.inputs, op.outputs, op.index, (kh, kw), (sh, sw), padding, _fused(op, act))


def _mean(net: Net, op: FileOp) -> g.Op:
    x, y = _in_out(net, op)
    rank = len(x.shape)
    axes = [int(a) for a in _constant(net, op, 1).reshape(-1)]
    if not axes or any(not -rank <= a < rank for a in axes):
        raise refuse(op, f"axes {axes} of {rank} dimensions")
    reduced = sorted({a % rank for a in axes})
    (keep,) = op.option("ReducerOptions", "KeepDims")
    kept = tuple(1 if d in reduced else n for d, n in enumerate(x.shape))
    dropped = tuple(n for d, n in enumerate(x.shape) if d not in reduced)
    _expect_shape(op, y, kept if keep else dropped)
    return g.Mean(op.inputs[:1], op.outputs, op.index, tuple(reduced))


def _pad(net: Net, op: FileOp) -> g.Op:
    x, y = _in_out(net, op)
    _same_quant(op, x, y)
    pads = _constant(net, op, 1)
    if pads.shape != (len(x.shape), 2) or pads.min() < 0 or pads.max() > 2**15:
        raise refuse(op, f"paddings {pads.tolist() if pads.size < 20 else pads.shape}")
    if len(op.inputs) > 2:
        fill = activation(net, op, op.inputs[2])
        zero = 0 if net.real else y.quant.zero_point
        if fill.data is None or fill.elems != 1 or fill.data.item() != zero:
            raise refuse(op, "pad value other than the zero point")
    pairs = tuple((int(a), int(b)) for a, b in pads)
    _expect_shape(op, y, tuple(n + a + b for n, (a, b) in zip(x.shape, pairs, strict=True)))
    return g.Pad(op.inputs[:1], op.outputs, op.index, pairs)


def _reshape(net: Net, op: FileOp) -> g.Op:
    x, y = _in_out(net, op)
    # The new shape, constant or options, has to agree with the output tensor's; LiteRT checks it.
    if x.elems != y.elems:
        raise refuse(op, f"{x.shape} to {y.shape}")
    return g.Reshape(op.inputs[:1], op.outputs, op.index)


def _softmax(net: Net, op: FileOp) -> g.Op:
    x, y = _in_out(net, op)
    (beta,) = op.option("SoftmaxOptions", "Beta")
    if not 0 < beta < math.inf or not x.shape:
        raise refuse(op, f"beta {beta} on input {x.shape}")
    if not net.real and (y.quant.zero_point != -128 or abs(y.quant.scale[0] - 1 / 256) > 1e-6):
        raise refuse(op, "output must have scale 1/256 and the lowest zero point")
    if x.shape[-1] > 2**11:
        # The sum of exponentials has 12 integer bits.
        raise refuse(op, f"{x.shape[-1]} classes: at most {2**11}")
    _expect_shape(op, y, x.shape)
    return g.Softmax(op.inputs, op.outputs, op.index, float(beta))


def _transpose(net: Net, op: FileOp) -> g.Op:
    x, y = _in_out(net, op)
    perm = tuple(int(p) for p in _constant(net, op, 1).reshape(-1))
    if sorted(perm) != list(range(len(x.shape))):
        raise refuse(op, f"permutation {perm} of {len(x.shape)} dimensions")
    _expect_shape(op, y, tuple(x.shape[p] for p in perm))
    return g.Transpose(op.inputs[:1], op.outputs, op.index, perm)


def _quantize(net: Net, op: FileOp) -> g.Op:
    x, y = activation(net, op, op.inputs[0]), activation(net, op, op.outputs[0])
    if x.data is not None:
        raise refuse(op, "its input is a constant")
    _expect_shape(op, y, x.shape)
    return g.Quantize(op.inputs, op.outputs, op.index)


def _concatenation(net: Net, op: FileOp) -> g.Op:
    y = activation(net, op, op.outputs[0])
    axis, act = op.option("ConcatenationOptions", "Axis", "FusedActivationFunction")
    rank = len(y.shape)
    if act != 0 or not -rank <= axis < rank:
        raise refuse(op, f"axis {axis} of {rank} dimensions, fused activation {act}")
    axis %= rank
    total = 0
    for index in op.inputs:
        x = activation(net, op, index)
        if x.unsigned != y.unsigned:
            raise refuse(op, "int8 and uint8 are mixed")
        _same_quant(op, x, y)
        if len(x.shape) != rank or any(x.shape[d] != y.shape[d] for d in range(rank) if d != axis):
            raise refuse(op, f"input {x.shape} into output {y.shape} along {axis}")
        total += x.shape[axis]
    _expect_shape(op, y, (*y.shape[:axis], total, *y.shape[axis + 1 :]))
    return g.Concatenation(op.inputs, op.outputs, op.index, axis)


def _resize_nearest(net: Net, op: FileOp) -> g.Op:
    x, y = _in_out(net, op, rank=4)
    align, half = op.option("ResizeNearestNeighborOptions", "AlignCorners", "HalfPixelCenters")
    size = _constant(net, op, 1)
    if size.shape != (2,) or size.min() < 1:
        raise refuse(op, "size must be two positive numbers")
    _expect_shape(op, y, (1, int(size[0]), int(size[1]), x.shape[3]))
    return g.ResizeNearest(op.inputs[:1], op.outputs, op.index, bool(align), bool(half))


def _deformable_conv2d(net: Net, op: FileOp) -> g.Op:
    x, _ = _in_out(net, op, rank=4)
    if x.unsigned:
        raise refuse(op, "uint8 tensors")
    w = _weights(net, op, x, 4, axis=0)
    _operands(net, op, w.shape[0])
    result = deformable.from_options(op.custom(), op.inputs, op.outputs, op.index)
    tensors = {i: net.tensor(i) for i in (*op.inputs, *op.outputs) if i >= 0}
    deformable.check_deformable(tensors, result)
    return result


# Name: fewest inputs, most inputs, function.
IMPORTERS: dict[str, tuple[int, int, Callable[[Net, FileOp], g.Op]]] = {
    "ADD": (2, 2, _add),
    "AVERAGE_POOL_2D": (1, 1, _pool),
    "CONCATENATION": (1, 64, _concatenation),
    "CONV_2D": (2, 3, _conv2d),
    deformable.FILE_KIND: (2, 5, _deformable_conv2d),
    "DEPTHWISE_CONV_2D": (2, 3, _depthwise_conv2d),
    "FULLY_CONNECTED": (2, 3, _fully_connected),
    "MAX_POOL_2D": (1, 1, _pool),
    "MEAN": (2, 2, _mean),
    "PAD": (2, 2, _pad),
    "PADV2": (3, 3, _pad),
    "QUANTIZE": (1, 1, _quantize),
    "RESHAPE": (1, 2, _reshape),
    "RESIZE_NEAREST_NEIGHBOR": (2, 2, _resize_nearest),
    "SOFTMAX": (1, 1, _softmax),
    "TRANSPOSE": (2, 2, _transpose),
    "TRANSPOSE_CONV": (3, 4, _transposed_conv2d),
}
