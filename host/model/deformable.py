"""Shapes of a deformable convolution, for everything that makes one, and its form in a .tflite file.

Importers and builders call `check_deformable`; lowering does again, so that no kernel meets another shape.

In a file it is a custom operator of ours, TinyconvDeformConv2D: inputs as the graph's (bias may be -1), and a
FlexBuffer map of the integers that `options` lists, all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from host.errors import UnsupportedError
from host.model import graph as g

FILE_KIND = "CUSTOM TinyconvDeformConv2D"
MAX_OPTION = 2**15


def tensors_of(op: g.DeformableConv2D) -> tuple[int, int]:
    """Indices of the offsets and of the mask; -1 without a mask."""
    return op.inputs[3], op.inputs[4] if len(op.inputs) > 4 else -1


def output_size(op: g.DeformableConv2D, size: tuple[int, int], kernel: tuple[int, int]) -> tuple[int, int]:
    """Height and width of the output on an image of that size: those of the plain convolution."""
    p = op.padding
    pads, axes = (p.top + p.bottom, p.left + p.right), zip(size, kernel, op.stride, op.dilation, strict=True)
    out = [(n + pad - (k - 1) * d - 1) // s + 1 for pad, (n, k, s, d) in zip(pads, axes, strict=True)]
    return out[0], out[1]


def offsets_shape(op: g.DeformableConv2D, out: tuple[int, int], kernel: tuple[int, int]) -> tuple[int, ...]:
    """[1, oh, ow, offset groups * taps * 2]: for each offset group and tap dy, then dx."""
    return (1, *out, op.offset_groups * kernel[0] * kernel[1] * 2)


def mask_shape(op: g.DeformableConv2D, out: tuple[int, int], kernel: tuple[int, int]) -> tuple[int, ...]:
    """[1, oh, ow, offset groups * taps]."""
    return (1, *out, op.offset_groups * kernel[0] * kernel[1])


def options(op: g.DeformableConv2D) -> dict[str, int]:
    """What a file holds of the operator besides its tensors. activation: its place in `graph.ACTIVATIONS`."""
    p = op.padding
    return dict(
        stride_h=op.stride[0], stride_w=op.stride[1], dilation_h=op.dilation[0], dilation_w=op.dilation[1],
        pad_top=p.top, pad_bottom=p.bottom, pad_left=p.left, pad_right=p.right,
        groups=op.groups, offset_groups=op.offset_groups, activation=g.ACTIVATIONS.index(op.activation),
    )  # fmt: skip


def from_options(
    values: Mapping[str, object], inputs: tuple[int, ...], outputs: tuple[int, ...], index: int
) -> g.DeformableConv2D:
    """The operator that a file's options describe. Raises UnsupportedError, with the reason alone."""
    names = list(options(g.DeformableConv2D((), (), 0)))
    numbers: list[int] = []
    for name in names:
        value = values.get(name)
        if not isinstance(value, int) or not 0 <= value <= MAX_OPTION:
            raise UnsupportedError(
                f"its option {name} must be a number from 0 to {MAX_OPTION}, not {value!r:.40}"
            )
        numbers.append(value)
    if unknown := sorted(str(name) for name in set(values) - set(names)):
        raise UnsupportedError(f"unknown option {unknown[0]!r:.40}")
    sh, sw, dh, dw, top, bottom, left, right, groups, offset_groups, activation = numbers
    if activation >= len(g.ACTIVATIONS):
        raise UnsupportedError(f"activation {activation}")
    padding = g.Padding(top, bottom, left, right)
    return g.DeformableConv2D(
        inputs, outputs, index, (sh, sw), (dh, dw), padding, groups, offset_groups, g.ACTIVATIONS[activation]
    )


def check_deformable(tensors: Sequence[g.Tensor] | Mapping[int, g.Tensor], op: g.DeformableConv2D) -> None:
    """Raises UnsupportedError, with the reason alone, if the operator's tensors do not suit each other."""
    if len(op.inputs) not in (4, 5) or min(op.inputs[0], op.inputs[1], op.inputs[3]) < 0:
        raise UnsupportedError("needs input, weights, bias or -1, offsets, and may have a mask")
    x, w, y = tensors[op.inputs[0]], tensors[op.inputs[1]], tensors[op.outputs[0]]
    if len(x.shape) != 4 or len(y.shape) != 4 or x.shape[0] != 1 or y.shape[0] != 1:
        raise UnsupportedError(f"works on [1, h, w, c], not {list(x.shape)} to {list(y.shape)}")
    if w.data is None or w.dtype != np.int8 or len(w.shape) != 4:
        raise UnsupportedError(f"weights {list(w.shape)} must be an int8 constant [oc, kh, kw, ic / groups]")
    in_c, out_c, kernel = x.shape[3], w.shape[0], (w.shape[1], w.shape[2])
    for count, what in ((op.groups, "groups"), (op.offset_groups, "offset groups")):
        if count < 1 or in_c % count:
            raise UnsupportedError(f"{count} {what} do not divide {in_c} input channels")
    if out_c % op.groups:
        raise UnsupportedError(f"{op.groups} groups do not divide {out_c} output channels")
    if w.shape[3] * op.groups != in_c:
        raise UnsupportedError(
            f"weights for {w.shape[3]} input channels in {op.groups} groups, but {in_c} come"
        )
    if min(*op.stride, *op.dilation) < 1:
        raise UnsupportedError(f"stride {op.stride}, dilation {op.dilation}")
    p = op.padding
    if min(p.top, p.bottom, p.left, p.right) < 0:
        raise UnsupportedError(f"padding {p}")
    out = output_size(op, (x.shape[1], x.shape[2]), kernel)
    if min(out) < 1 or y.shape != (1, *out, out_c):
        raise UnsupportedError(f"its output must have shape {[1, *out, out_c]}, not {list(y.shape)}")
    offsets, mask = tensors_of(op)
    _check_operand("offsets", tensors[offsets], offsets_shape(op, out, kernel), ("int8", "int16"))
    if mask >= 0:
        _check_operand("mask", tensors[mask], mask_shape(op, out, kernel), ("int8",))
    for tensor in (x, y):
        if tensor.dtype != np.int8:
            raise UnsupportedError(f"{tensor.name} is {tensor.dtype}, not int8")


def _check_operand(what: str, tensor: g.Tensor, shape: tuple[int, ...], dtypes: tuple[str, ...]) -> None:
    if tensor.shape != shape:
        raise UnsupportedError(f"its {what} must have shape {list(shape)}, not {list(tensor.shape)}")
    if str(np.dtype(tensor.dtype)) not in dtypes:
        raise UnsupportedError(f"its {what} must be {' or '.join(dtypes)}, not {tensor.dtype}")
    if tensor.quant is None or tensor.quant.per_channel:
        raise UnsupportedError(f"its {what} must have one scale and zero point")
