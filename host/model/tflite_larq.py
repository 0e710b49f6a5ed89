"""Larq Compute Engine's operators in .tflite files: LceQuantize, LceDequantize, LceBconv2d, LceBMaxPool2d.

They are custom operators, their options FlexBuffer maps. Tensors of bits are int32, packed along the channels; a
convolution's inputs are x, weights, multiplier and bias (float32), thresholds (int32), where the last three may be
absent: int8 outputs need multiplier and bias, outputs of bits need thresholds. What they compute is in
host.oracle.binary. float32 activations are for `host quantize`, an int8 network's are refused; so are groups.

Source: LCE 0.16, `tflite/kernels/{bconv2d,bmaxpool,quantization}.cc` and `mlir/ir/lce_ops.cc`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from host.errors import FloatModelError
from host.model import graph as g
from host.model.tflite_file import FileOp
from host.model.tflite_operators import _expect_shape, _fused, _window, activation, refuse
from host.oracle.binary import WORD, words_of

if TYPE_CHECKING:
    from host.model.tflite_import import Net

_FLOAT_HINT = "quantise it with `host quantize`"


def _refuse_floats(net: Net, op: FileOp, tensors: tuple[int, ...]) -> None:
    """Refuses float activations of an int8 network."""
    if net.real:
        return
    for index in tensors:
        if net.file.tensors[index].type == "FLOAT32":
            name = net.file.tensors[index].name
            raise FloatModelError(f"{op.name} (operator {op.index}): tensor {name} is float32", _FLOAT_HINT)


def _options(op: FileOp, *names: str) -> list[int]:
    """Whole numbers of the operator's options; pad_values may be absent."""
    values = op.custom()
    result = []
    for name in names:
        value = values.get(name, 0 if name == "pad_values" else None)
        if not isinstance(value, int) or not -(2**31) <= value < 2**31:
            raise refuse(op, f"its options lack {name}" if value is None else f"option {name} is {value!r}")
        result.append(int(value))
    return result


def _bits(net: Net, op: FileOp, index: int, channels: int | None = None, rank: int = 4) -> g.Tensor:
    """A tensor of bits, constant or not, packed for so many channels."""
    t = net.tensor(index)
    if t.dtype != np.int32 or (rank and len(t.shape) != rank):
        raise refuse(op, f"tensor {index} ({t.name}) is {t.dtype} {t.shape}, not bits in int32 words")
    if channels is not None and t.shape[-1] != words_of(channels):
        raise refuse(
            op,
            f"{channels} channels are {words_of(channels)} words, not {t.shape[-1]}: tensor {index} ({t.name})",
        )
    return t


def _image(op: FileOp, x: g.Tensor) -> None:
    if x.shape[0] != 1 or x.data is not None:
        raise refuse(op, f"input {x.shape}: needs an activation of batch 1")


def _quantize(net: Net, op: FileOp) -> g.Op:
    _refuse_floats(net, op, (op.inputs[0],))
    x = activation(net, op, op.inputs[0])
    if x.data is not None or not x.shape:
        raise refuse(op, "its input is a constant")
    if x.unsigned:
        raise refuse(op, "uint8 activations")
    y = _bits(net, op, op.outputs[0], x.shape[-1], rank=0)
    _expect_shape(op, y, (*x.shape[:-1], words_of(x.shape[-1])))
    return g.Binarise(op.inputs, op.outputs, op.index)


def _dequantize(net: Net, op: FileOp) -> g.Op:
    _refuse_floats(net, op, op.outputs)
    y = activation(net, op, op.outputs[0])
    if y.unsigned or not y.shape:
        raise refuse(op, "uint8 activations")
    x = _bits(net, op, op.inputs[0], y.shape[-1], rank=0)
    if x.data is not None:
        raise refuse(op, "its input is a constant")
    _expect_shape(op, y, (*x.shape[:-1], y.shape[-1]))
    return g.Unbinarise(op.inputs, op.outputs, op.index)


def _vector(net: Net, op: FileOp, place: int, dtype: str, count: int) -> int:
    """Index of a constant input with a value a channel."""
    index = op.inputs[place]
    t = net.tensor(index) if index >= 0 else None
    if t is None or t.data is None or t.dtype != np.dtype(dtype) or t.shape != (count,):
        what = "is absent" if t is None else f"is {t.dtype} {t.shape}"
        raise refuse(op, f"input {place} {what}, must be a constant {dtype} ({count},)")
    if dtype == "float32" and not np.isfinite(t.data).all():
        raise refuse(op, f"input {place} holds values that are not numbers")
    return index


def _bconv2d(net: Net, op: FileOp) -> g.Op:
    _refuse_floats(net, op, (op.inputs[0], *op.outputs))
    channels, sh, sw, dh, dw, scheme, pad_values, act = _options(
        op, "channels_in", "stride_height", "stride_width", "dilation_height_factor", "dilation_width_factor",
        "padding", "pad_values", "fused_activation_function",
    )  # fmt: skip
    if not 1 <= channels <= 2**16 or pad_values not in (0, 1):
        raise refuse(op, f"channels_in {channels}, pad_values {pad_values}")
    x = _bits(net, op, op.inputs[0], channels)
    _image(op, x)
    w = net.tensor(op.inputs[1])
    if w.data is None or w.dtype != np.int32 or len(w.shape) != 4:
        raise refuse(
            op, f"weights are {w.dtype} {w.shape}: binary weights are a constant of int32 words, OHWI"
        )
    if w.shape[3] != words_of(channels):
        groups = " (grouped convolution)" if words_of(channels) % w.shape[3] == 0 else ""
        raise refuse(op, f"weights {w.shape} for {channels} input channels{groups}")
    if channels % WORD and (w.data.view(np.uint32)[..., -1] >> channels % WORD).any():
        raise refuse(op, f"weights have bits behind channel {channels}")
    count = w.shape[0]
    padding, out = _window(op, x, scheme, w.shape[1:3], (sh, sw), (dh, dw))
    operands = [*op.inputs[:2], -1, -1, -1]
    if net.file.tensors[op.outputs[0]].type == "INT32":
        y = _bits(net, op, op.outputs[0], count)
        operands[4] = _vector(net, op, 4, "int32", count)
        if act != 0:
            raise refuse(op, "a fused activation with an output of bits: thresholds contain it")
        _expect_shape(op, y, (1, *out, words_of(count)))
    else:
        y = activation(net, op, op.outputs[0])
        if y.unsigned:
            raise refuse(op, "uint8 output")
        operands[2:4] = (_vector(net, op, place, "float32", count) for place in (2, 3))
        _expect_shape(op, y, (1, *out, count))
    options = (channels, (sh, sw), (dh, dw), padding, pad_values == 1, _fused(op, act))
    return g.BinaryConv2D(tuple(operands), op.outputs, op.index, *options)


def _bmax_pool2d(net: Net, op: FileOp) -> g.Op:
    _refuse_floats(net, op, (op.inputs[0], *op.outputs))
    kh, kw, sh, sw, scheme = _options(
        op, "filter_height", "filter_width", "stride_height", "stride_width", "padding"
    )
    x, y = _bits(net, op, op.inputs[0]), _bits(net, op, op.outputs[0])
    _image(op, x)
    padding, out = _window(op, x, scheme, (kh, kw), (sh, sw))
    _expect_shape(op, y, (1, *out, x.shape[3]))
    return g.BinaryMaxPool2D(op.inputs, op.outputs, op.index, (kh, kw), (sh, sw), padding)


# As `tflite_operators.IMPORTERS`.
IMPORTERS = {
    "CUSTOM LceQuantize": (1, 1, _quantize),
    "CUSTOM LceDequantize": (1, 1, _dequantize),
    "CUSTOM LceBconv2d": (2, 5, _bconv2d),
    "CUSTOM LceBMaxPool2d": (1, 1, _bmax_pool2d),
}
