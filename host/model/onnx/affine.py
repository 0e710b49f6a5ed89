"""y = factor * x + offset with a pair for each channel: BatchNormalization, and Add, Sub, Mul, Div of constants.

Behind a convolution or fully connected layer that nobody else reads, it folds into weights and bias: of a quantised one
into the weights' scales, exactly, and into the bias, which is rounded to whole sums again. Elsewhere it is a depthwise
convolution of 1x1, whose weights are +-64 and whose scales do the rest.
"""

from __future__ import annotations

import numpy as np

from host.model import graph as g
from host.model.onnx.file import Node
from host.model.onnx.network import Const, Net, Value
from host.model.onnx.weights import bias_tensor, real_bias
from host.model.onnx.windows import HELD


def normalization(net: Net, node: Node) -> Value:
    """BatchNormalization in inference."""
    value = net.view(node)
    gamma, beta, mean, variance = (
        net.const(node, i, what).numbers
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
    return _affine(net, node, 0, 1, factor, offset)


def scaled(net: Net, node: Node) -> Value:
    """Mul, Div and Sub of an activation and a constant: one number, or one a channel."""
    place = next((i for i, name in enumerate(node.inputs) if isinstance(net.values.get(name), Value)), 0)
    value = net.view(node, place)
    other = net.const(node, 1 - place, "one of its inputs")
    if node.op in ("Div", "Sub") and place == 1:
        raise node.refuse("a constant on its left is not supported")
    found = _by_channel(value, other)
    if found is None:
        shapes = f"constant {list(other.data.shape)} on {list(value.shape)}"
        raise node.refuse(f"{shapes}: one number a channel is supported")
    axis, numbers = found
    ones, zeros = np.ones_like(numbers), np.zeros_like(numbers)
    with np.errstate(divide="ignore"):
        factor, offset = {
            "Mul": lambda: (numbers, zeros), "Div": lambda: (1 / numbers, zeros), "Sub": lambda: (ones, -numbers)
        }[node.op]()  # fmt: skip
    return _affine(net, node, place, axis, factor, offset)


def with_bias(net: Net, node: Node, place: int, other: Const) -> Value | None:
    """A convolution or fully connected layer, and one number a channel added to it: a bias.

    None where the value is something else, so that it is an addition of its own.
    """
    value = net.view(node, place)
    found = _by_channel(value, other)
    if found is None:
        return None
    axis, numbers = found
    return _folded(net, node, place, axis, np.ones_like(numbers), numbers)


def _by_channel(value: Value, other: Const) -> tuple[int, np.ndarray] | None:
    """(axis, numbers along it) of a constant that is broadcast along all axes but one; None for others.

    A single number is repeated along the axis that is innermost in memory, or else along the second.
    """
    shape = (1,) * (len(value.shape) - other.data.ndim) + other.data.shape
    if len(shape) != len(value.shape) or len(shape) < 2 or other.real.dtype.kind not in "fiu":
        return None
    axes = [d for d, n in enumerate(shape) if n != 1]
    if len(axes) > 1 or any(shape[d] != value.shape[d] for d in axes):
        return None
    last = (len(value.layout.memory) - 1,)
    axis = axes[0] if axes else value.layout.axes.index(last) if last in value.layout.axes else 1
    numbers = np.broadcast_to(other.numbers, value.shape[axis])
    return axis, numbers


def _affine(net: Net, node: Node, place: int, axis: int, factor: np.ndarray, offset: np.ndarray) -> Value:
    """factor * x + offset along an axis, folded where that is possible."""
    too_small = (np.abs(factor) < HELD * np.finfo(np.float32).tiny) & (factor != 0)
    if not (np.isfinite(factor).all() and np.isfinite(offset).all()) or too_small.any():
        raise node.refuse("its constants are not finite, or too small")
    folded = _folded(net, node, place, axis, factor, offset)
    if folded is not None:
        return folded
    return _depthwise(net, node, net.operand(node, place), axis, factor, offset)


def _folded(
    net: Net, node: Node, place: int, axis: int, factor: np.ndarray, offset: np.ndarray
) -> Value | None:
    """factor * (w * x + b) + offset in the weights and the bias; None if that is not possible."""
    value = net.view(node, place)
    op, layout = value.op, value.layout
    seen = net.seen(node, value, place)
    if not isinstance(op, g.Weighted) or not (net.floating or value.open) or not seen.sole or value.clamp:
        return None
    last, channels = len(layout.memory) - 1, net.shape(value)[-1]
    innermost = (
        layout.axes[axis] == (last,) and layout.memory[last] == channels if channels > 1 else len(factor) == 1
    )
    if op.activation != "NONE" or not innermost:  # type: ignore[attr-defined]
        return None
    x, weights, bias = op.inputs[:3]
    weights = _rescaled(net, node, op, weights, factor)
    before = real_bias(net, bias) if bias >= 0 else 0.0
    after = before * factor + offset
    name = node.inputs[1 - place] if len(node.inputs) == 2 else node.inputs[2]
    if bias >= 0 or after.any():
        bias = bias_tensor(net, node, name, x, net.tensors[weights].quant, after)
    op.inputs = (x, weights, bias, *op.inputs[3:])
    return seen


def _rescaled(net: Net, node: Node, op: g.Weighted, weights: int, factor: np.ndarray) -> int:
    """The weights times a factor a channel: their numbers if they are float, else their scales and signs."""
    if (factor == 1).all():
        return weights
    old = net.tensors[weights]
    assert old.data is not None
    axis = 3 if isinstance(op, g.DepthwiseConv2D) else 0
    along = [-1 if d == axis else 1 for d in range(old.data.ndim)]
    if old.quant is None:
        data = (old.data.astype(np.float64) * factor.reshape(along)).astype(np.float32)
        return net.tensor(old.name, old.shape, None, data)
    sign = np.sign(factor).astype(np.int64).reshape(along)
    data = (old.data.astype(np.int64) - old.quant.zero_point) * sign + old.quant.zero_point
    if data.min() < -128 or data.max() > 127:
        raise node.refuse("negates weights of -128, which have no 8-bit counterpart")
    scale = (old.quant.scale * np.where(factor == 0, 1.0, np.abs(factor))).astype(np.float32)
    if not np.all(np.isfinite(scale) & (scale >= np.finfo(np.float32).tiny)):
        raise node.refuse("leaves no scale of the weights before it")
    quant = g.Quant(scale, old.quant.zero_point, axis if len(scale) > 1 else 0)
    return net.tensor(old.name, old.shape, quant, data.astype(np.int8))


def _depthwise(
    net: Net, node: Node, value: Value, axis: int, factor: np.ndarray, offset: np.ndarray
) -> Value:
    """factor * x + offset as a depthwise convolution of 1x1; channels are the second axis."""
    rank = len(value.shape)
    if axis != 1 or rank > 4:
        raise node.refuse(f"constants along axis {axis} of {list(value.shape)}")
    if rank == 2:
        value = net.arranged(node, value, value.layout.logical)
        x, (h, w, c) = net.reshaped(node, value, (1, 1, *value.shape)), (1, *value.shape)
    else:
        x, (h, w, c) = net.image(node, value)
    shape = (1, 1, 1, c)
    if net.floating:
        quant, data = None, factor.reshape(shape).astype(np.float32)
    else:
        held = np.sign(factor) * HELD
        scale = np.where(factor == 0, 1.0, np.abs(factor) / HELD).astype(np.float32)
        quant, data = g.Quant(scale, 0, 3 if c > 1 else 0), held.reshape(shape).astype(np.int8)
    weights = net.tensor(f"{node.outputs[0]}_factor", shape, quant, data)
    bias = bias_tensor(net, node, f"{node.outputs[0]}_offset", x, quant, offset)
    if rank == 2:
        return net.emit(node, g.DepthwiseConv2D, (x, weights, bias), (1, h, w, c), value.layout)
    return net.emit_image(node, g.DepthwiseConv2D, (x, weights, bias), (h, w, c), rank)
