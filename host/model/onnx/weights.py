"""Weights and biases from the file to tensors of the graph: float ones, or integers with their scales."""

from __future__ import annotations

import numpy as np

from host.model import graph as g
from host.model.onnx.file import Node
from host.model.onnx.network import Const, Net

_MAX_BIAS = 2**31 - 1


def weights_of(net: Net, node: Node, ranks: tuple[int, ...], axis: int) -> Const:
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


def weights_tensor(net: Net, node: Node, w: Const, data: np.ndarray, axis: int) -> int:
    """The weights as the graph has them: `data` in our order, channels along `axis`."""
    if net.floating:
        return net.tensor(node.inputs[1], data.shape, None, data.astype(np.float32))
    assert w.quant is not None
    return net.tensor(node.inputs[1], data.shape, g.Quant(w.quant.scale, w.quant.zero_point, axis), data)


def bias_of(net: Net, node: Node, place: int, x: int, w: Const, channels: int, factor: float = 1.0) -> int:
    """The bias tensor, or -1."""
    if not node.has(place):
        return -1
    bias = net.const(node, place, "the bias")
    if bias.data.size not in (1, channels):
        raise node.refuse(f"bias {list(bias.data.shape)} for {channels} channels")
    if w.quant is not None and bias.quant is not None and bias.data.dtype == np.int32 and factor == 1.0:
        # Sums as they are: scales that differ in float32's last bits are one scale.
        given, step = bias.quant.scale.astype(np.float64), sum_step(net, x, w.quant)
        if bias.quant.zero_point == 0 and np.allclose(given, step, rtol=1e-6, atol=0):
            data = np.broadcast_to(bias.data.reshape(-1), channels)
            return net.tensor(node.inputs[place], (channels,), g.Quant(step.astype(np.float32), 0), data)
    real = np.broadcast_to(bias.numbers * factor, channels)
    return bias_tensor(net, node, node.inputs[place], x, w.quant, real)


def sum_step(net: Net, x: int, quant: g.Quant) -> np.ndarray:
    """What 1 in the sums of this input and weights stands for, float64 [1] or [channels]."""
    scale = net.tensors[x].quant
    assert scale is not None
    return np.float64(scale.scale[0]) * quant.scale.astype(np.float64)


def bias_tensor(net: Net, node: Node, name: str, x: int, quant: g.Quant | None, real: np.ndarray) -> int:
    """A bias of real numbers: float32, or rounded to whole sums; the error is remembered until the scale is known."""
    if not np.isfinite(real).all():
        raise node.refuse("its bias is not finite")
    if net.floating:
        return net.tensor(name, real.shape, None, real.astype(np.float32))
    assert quant is not None
    step = sum_step(net, x, quant)
    whole = np.rint(real / step)
    if not np.all(np.abs(whole) <= _MAX_BIAS):
        raise node.refuse("its bias overflows an int32 at the scale of its sums")
    tensor = net.tensor(name, real.shape, g.Quant(step.astype(np.float32), 0), whole.astype(np.int32))
    net.bias_real[tensor] = real
    return tensor


def real_bias(net: Net, tensor: int) -> np.ndarray:
    """A bias in real numbers, float64 [channels]: as the file says, not as it was rounded."""
    t = net.tensors[tensor]
    assert t.data is not None
    scale = 1.0 if t.quant is None else t.quant.scale.astype(np.float64)
    return net.bias_real.get(tensor, t.data * scale)


def bias_error(net: Net, tensor: int) -> float:
    """How far a bias is from what the file says, in real units."""
    t = net.tensors[tensor]
    if tensor not in net.bias_real:
        return 0.0
    return float(np.abs(t.data * t.quant.scale.astype(np.float64) - net.bias_real[tensor]).max())
