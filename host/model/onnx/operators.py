"""One function an operator: from a file's node to the graph's operators, for the float and the quantised import.

Each takes (net, node) and returns the value of the node's first output. `OPERATORS` at the end is the list.
Attributes and inputs are those of operator sets 9 to 25: where a newer set turned an attribute into an input, both
are understood. Source: ONNX operator specification.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from host.model import graph as g
from host.model.onnx.affine import normalization, scaled, with_bias
from host.model.onnx.convolutions import conv, conv_transpose, deform_conv, gemm, matmul
from host.model.onnx.file import Node
from host.model.onnx.layout import Layout
from host.model.onnx.network import Const, Net, Value
from host.model.onnx.windows import average_pool, global_average_pool, max_pool, reduce_mean, resize


def add(net: Net, node: Node) -> Value:
    """Add and Sum of two activations of one shape, or of one and a constant that is broadcast to it."""
    if len(node.inputs) != 2:
        raise node.refuse(f"{len(node.inputs)} inputs: only 2 are supported")
    for place in (0, 1):
        other = net.values.get(node.inputs[1 - place])
        if isinstance(other, Const) and isinstance(net.values.get(node.inputs[place]), Value):
            return _add_constant(net, node, place, other)
    a, b = net.operand(node, 0), net.operand(node, 1)
    if a.shape != b.shape:
        raise node.refuse(f"shapes {list(a.shape)} and {list(b.shape)} differ (broadcasting)")
    if a.layout != b.layout:
        a, b = (net.arranged(node, v, _usual_order(v)) for v in (a, b))
    shape = net.shape(a)
    inputs = (a.tensor, net.reshaped(node, b, shape))
    return net.emit(node, g.Add, inputs, shape, a.layout)


def _add_constant(net: Net, node: Node, place: int, other: Const) -> Value:
    """An activation and a constant; one number a channel behind a convolution without bias becomes its bias."""
    if (biased := with_bias(net, node, place, other)) is not None:
        return biased
    value = net.operand(node, place)
    aligned = (1,) * (len(value.shape) - other.data.ndim) + other.data.shape
    if len(aligned) != len(value.shape) or any(
        a not in (1, n) for a, n in zip(aligned, value.shape, strict=True)
    ):
        raise node.refuse(f"constant {list(other.data.shape)} on {list(value.shape)}")
    if not net.floating and (other.quant is None or other.quant.per_channel or other.data.dtype != np.int8):
        raise node.refuse("its constant must be quantised to 8 bits with one scale")
    data = value.layout.arranged(np.broadcast_to(other.data, value.shape)).reshape(net.shape(value))
    constant = net.tensor(
        node.inputs[1 - place], data.shape, other.quant, data if other.quant else _float32(data)
    )
    return net.emit(node, g.Add, (value.tensor, constant), net.shape(value), value.layout)


def _float32(data: np.ndarray) -> np.ndarray:
    return data.astype(np.float32)


def _usual_order(value: Value) -> tuple[int, ...]:
    """Images as NHWC, all else as in the file."""
    return value.layout.order_of((0, 2, 3, 1)) if len(value.shape) == 4 else value.layout.logical


def activation(net: Net, node: Node) -> Value:
    """Relu and Clip: a range that the value's operator takes on, or its quantisation has anyway."""
    low, high = (
        (0.0, math.inf) if node.op == "Relu" else (_limit(net, node, 1, "min"), _limit(net, node, 2, "max"))
    )
    value = net.view(node)
    if value.clamp is not None:
        low, high = max(low, value.clamp[0]), min(high, value.clamp[1])
    if not low < high:
        raise node.refuse(f"clamps to [{low:g}, {high:g}]")
    clamped = net.seen(node, value, clamp=(low, high))
    if value.open and value.op is not None and not clamped.sole:
        raise node.refuse("its input has other readers and is not quantised", "put QuantizeLinear before it")
    return net.clamped(node, clamped) if net.floating else clamped


def _limit(net: Net, node: Node, place: int, name: str) -> float:
    """One end of Clip's range."""
    if node.has(place):
        return float(net.const(node, place, name).real.reshape(-1)[0])
    limit = float(node.attribute(name, -math.inf if name == "min" else math.inf))
    # Old exporters write the largest float32 for none.
    return limit if abs(limit) < 3.4e38 else math.copysign(math.inf, limit)


def same(net: Net, node: Node) -> Value | Const:
    """Identity, Dropout and a cast to float: the value itself."""
    if node.op == "Cast" and node.attribute("to", 1) != 1:
        raise node.refuse("only a cast to float32 is supported")
    value = net.values[node.inputs[0]]
    return net.seen(node, value) if isinstance(value, Value) else value


def flatten(net: Net, node: Node) -> Value:
    """Flatten: two axes, the second from `axis` on."""
    value = net.view(node)
    axis = node.attribute("axis", 1)
    if not -len(value.shape) <= axis <= len(value.shape):
        raise node.refuse(f"axis {axis} of {len(value.shape)} dimensions")
    axis = axis + len(value.shape) if axis < 0 else axis
    return reshaped(net, node, value, (math.prod(value.shape[:axis]), math.prod(value.shape[axis:])))


def reshape(net: Net, node: Node) -> Value:
    """Reshape: 0 copies a dimension, -1 is what remains."""
    value = net.view(node)
    wanted = net.integers(node, 1, "shape")
    if wanted is None or len(wanted) > 8 or wanted.count(-1) > 1 or any(n < -1 for n in wanted):
        raise node.refuse(f"shape {wanted}")
    if not node.attribute("allowzero", 0):
        if any(n == 0 and d >= len(value.shape) for d, n in enumerate(wanted)):
            raise node.refuse(f"shape {wanted}")
        wanted = [value.shape[d] if n == 0 else n for d, n in enumerate(wanted)]
    if -1 in wanted:
        known = math.prod(n for n in wanted if n != -1)
        wanted[wanted.index(-1)] = math.prod(value.shape) // max(known, 1)
    return reshaped(net, node, value, tuple(wanted))


def squeeze(net: Net, node: Node) -> Value:
    """Squeeze: without some axes of size 1, or all of them."""
    value = net.view(node)
    rank = len(value.shape)
    axes = net.integers(node, 1, "axes")
    axes = [d for d, n in enumerate(value.shape) if n == 1] if axes is None else _axes(node, axes, rank)
    return reshaped(net, node, value, tuple(n for d, n in enumerate(value.shape) if d not in axes))


def unsqueeze(net: Net, node: Node) -> Value:
    """Unsqueeze: with axes of size 1 added."""
    value = net.view(node)
    axes = net.integers(node, 1, "axes") or []
    rank = len(value.shape) + len(axes)
    axes = _axes(node, axes, rank)
    sizes = iter(value.shape)
    return reshaped(net, node, value, tuple(1 if d in axes else next(sizes) for d in range(rank)))


def _axes(node: Node, axes: list[int], rank: int) -> list[int]:
    """Axes counted from 0, sorted."""
    found = sorted({a % rank for a in axes}) if rank else []
    if any(not -rank <= a < rank for a in axes) or len(found) != len(axes):
        raise node.refuse(f"axes {axes} of {rank} dimensions")
    return found


def reshaped(net: Net, node: Node, value: Value, shape: tuple[int, ...]) -> Value:
    """The value in another shape: a view if its layout allows it."""
    if math.prod(shape) != math.prod(value.shape) or min(shape, default=1) < 1:
        raise node.refuse(f"{list(value.shape)} to {list(shape)}")
    layout = value.layout.reshaped(shape)
    if layout is None:
        value = net.operand(node)
        value = net.arranged(node, value, value.layout.logical)
        layout = Layout.of(shape)
    return net.seen(node, value, layout=layout)


def transpose(net: Net, node: Node) -> Value:
    """Transpose: another view; whoever needs the elements moved moves them."""
    value = net.view(node)
    rank = len(value.shape)
    perm = tuple(node.attribute("perm", tuple(reversed(range(rank)))))
    if sorted(perm) != list(range(rank)):
        raise node.refuse(f"permutation {list(perm)} of {rank} dimensions")
    return net.seen(node, value, layout=value.layout.transposed(perm))


def concat(net: Net, node: Node) -> Value:
    """Concat. Quantised, its inputs take on the output's scale when that is known."""
    values = [net.operand(node, i) for i in range(len(node.inputs))]
    rank = len(values[0].shape)
    axis = node.attribute("axis", 0)
    if not -rank <= axis < rank or any(len(v.shape) != rank for v in values):
        raise node.refuse(f"axis {axis} of inputs {[list(v.shape) for v in values]}")
    axis %= rank
    rest = {(*v.shape[:axis], *v.shape[axis + 1 :]) for v in values}
    if len(rest) != 1:
        raise node.refuse(f"inputs {[list(v.shape) for v in values]} differ beyond axis {axis}")
    order = (0, 2, 3, 1) if rank == 4 else tuple(range(rank))
    values = [net.arranged(node, v, v.layout.order_of(order)) for v in values]
    shape = tuple(sum(v.shape[d] for v in values) if d == axis else n for d, n in enumerate(values[0].shape))
    inputs = tuple(net.reshaped(node, v, tuple(v.shape[d] for d in order)) for v in values)
    quants = [net.quant(v) for v in values]
    common = quants[0] if quants[0] and all(same_quant(q, quants[0]) for q in quants) else None
    stored = tuple(shape[d] for d in order)
    made = net.emit(
        node, g.Concatenation, inputs, stored, Layout.of(shape, order), common, axis=order.index(axis)
    )
    return replace(made, dtype=values[0].dtype)


def same_quant(a: g.Quant | None, b: g.Quant | None) -> bool:
    """Whether two activations have one scale and zero point."""
    return a is not None and b is not None and a.zero_point == b.zero_point and a.scale[0] == b.scale[0]


def pad(net: Net, node: Node) -> Value:
    """Pad with zeros."""
    value = net.operand(node)
    rank = len(value.shape)
    numbers = net.integers(node, 1, "pads") or []
    axes = net.integers(node, 3, "axes") if node.has(3) else list(range(rank))
    axes = _axes(node, axes or [], rank) if axes == sorted(axes or []) else [a % rank for a in axes or []]
    if node.attribute("mode", "constant") != "constant":
        raise node.refuse(f"mode {node.attribute('mode', '')!r}: only constant is supported")
    if len(numbers) != 2 * len(axes) or any(not 0 <= n < 2**15 for n in numbers):
        raise node.refuse(f"pads {numbers[:16]}")
    fill = net.const(node, 2, "its value").real.reshape(-1) if node.has(2) else [node.attribute("value", 0.0)]
    quant = net.quant(value)
    zero = (
        quant.zero_point + (128 if value.dtype == np.uint8 else 0)
        if quant and value.dtype != np.float32
        else 0
    )
    if len(fill) and fill[0] != zero:
        raise node.refuse(f"pads with {fill[0]:g}: only {zero} is supported")
    pads = [(0, 0)] * rank
    for axis, before, after in zip(axes, numbers[: len(axes)], numbers[len(axes) :], strict=True):
        pads[axis] = (before, after)
    order = (0, 2, 3, 1) if rank == 4 else tuple(range(rank))
    value = net.arranged(node, value, value.layout.order_of(order))
    source = net.reshaped(node, value, tuple(value.shape[d] for d in order))
    shape = tuple(n + sum(p) for n, p in zip(value.shape, pads, strict=True))
    stored, stored_pads = tuple(shape[d] for d in order), tuple(pads[d] for d in order)
    made = net.emit(node, g.Pad, (source,), stored, Layout.of(shape, order), quant, pads=stored_pads)
    return replace(made, dtype=value.dtype)


def softmax(net: Net, node: Node) -> Value:
    """Softmax over one axis, or over all from `axis` on in operator sets before 13. Its scale is 1/256."""
    value = net.operand(node)
    rank = len(value.shape)
    opset = node.attribute("opset", net.model.opset)
    axis = node.attribute("axis", 1 if opset < 13 else -1)
    if not -rank <= axis < rank:
        raise node.refuse(f"axis {axis} of {rank} dimensions")
    axis %= rank
    reduced = tuple(range(axis, rank)) if opset < 13 else (axis,)
    summed = value.layout.order_of(reduced)
    # Within the sum any order will do: none of its factors moves unless another one lies behind it.
    order = (*(i for i in range(len(value.layout.memory)) if i not in summed), *sorted(summed))
    value = net.arranged(node, value, order)
    depth = math.prod(value.shape[d] for d in reduced)
    if depth > 2**11:
        # The sum of exponentials has 12 integer bits.
        raise node.refuse(f"{depth} classes: at most {2**11}")
    rows = math.prod(value.shape) // depth
    source = net.reshaped(node, value, (rows, depth))
    quant = None if net.floating else g.Quant(np.array([1 / 256], np.float32), -128)
    return net.emit(node, g.Softmax, (source,), (rows, depth), value.layout, quant)


OPERATORS: dict[str, Callable[[Net, Node], Value | Const]] = {
    "Add": add,
    "AveragePool": average_pool,
    "BatchNormalization": normalization,
    "Cast": same,
    "Clip": activation,
    "Concat": concat,
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "DeformConv": deform_conv,
    "Div": scaled,
    "Dropout": same,
    "Flatten": flatten,
    "Gemm": gemm,
    "GlobalAveragePool": global_average_pool,
    "Identity": same,
    "MatMul": matmul,
    "MaxPool": max_pool,
    "Mul": scaled,
    "Pad": pad,
    "ReduceMean": reduce_mean,
    "Relu": activation,
    "Reshape": reshape,
    "Resize": resize,
    "Softmax": softmax,
    "Squeeze": squeeze,
    "Sub": scaled,
    "Sum": add,
    "Transpose": transpose,
    "Unsqueeze": unsqueeze,
    "Upsample": resize,
}
