"""The graph while an ONNX network is imported: values by their names in the file, and the operators so far.

A value is a constant, or an activation: a tensor of the graph seen through a layout. One class serves the float and
the quantised import. Quantised, an operator's output has no scale until QuantizeLinear gives it one; until then the
value is `open`, and only an activation function, a view or QuantizeLinear may follow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from host.errors import FloatModelError
from host.model import graph as g
from host.model.onnx.file import MAX_ELEMS, MAX_RANK, Model, Node
from host.model.onnx.layout import Layout, merged
from host.oracle.params import INT8_MAX, INT8_MIN, activation_range

IMAGE = (0, 2, 3, 1)  # the axes of NCHW in the order of NHWC
SEQUENCE = (0, 2, 1)  # the same for [n,c,l]
FLOAT, INT8, UINT8, INT32 = (np.dtype(name) for name in ("float32", "int8", "uint8", "int32"))
_WHOLE_HINT = "quantise the whole network, each operator between DequantizeLinear and QuantizeLinear"
QUANTIZE_HINT = "quantise it with calibration samples: host quantize"


@dataclass(frozen=True)
class Const:
    """A constant as in the file. With `quant`, behind DequantizeLinear: int8 (shifted if it was uint8) or int32."""

    data: np.ndarray
    quant: g.Quant | None = None

    @property
    def real(self) -> np.ndarray:
        """What it stands for, float64 (or as it is, if it is no float)."""
        if self.quant is None:
            return self.data
        scale = self.quant.scale.astype(np.float64)
        if self.quant.per_channel:
            scale = scale.reshape([-1 if d == self.quant.axis else 1 for d in range(self.data.ndim)])
        return (self.data.astype(np.float64) - self.quant.zero_point) * scale

    @property
    def numbers(self) -> np.ndarray:
        """What it stands for, float64, one after the other."""
        with np.errstate(invalid="ignore"):  # some that are no numbers make numpy warn
            return self.real.reshape(-1).astype(np.float64)


@dataclass
class Value:
    """An activation. `tensor` is the graph's, seen through `layout`; `dtype` is the file's for this view of it.

    open: it has no scale yet (quantised import only). clamp: the range of an activation function that is not in the
    graph yet. op: the operator that writes the tensor, None for a network input. sole: whether this view is the
    tensor's only one, so that the operator may take on an activation. settled: what became of an open or clamped value.
    """

    tensor: int
    layout: Layout
    dtype: np.dtype
    open: bool = False
    clamp: tuple[float, float] | None = None
    op: g.Op | None = None
    sole: bool = True
    settled: Value | None = field(default=None, repr=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape in the file."""
        return self.layout.shape


class Net:
    """What has been imported so far. `floating` is the float import: every tensor is float32."""

    def __init__(self, model: Model, *, floating: bool):
        self.model = model
        self.floating = floating
        self.tensors: list[g.Tensor] = []
        self.ops: list[g.Op] = []
        self.inputs: list[g.Border] = []
        self.values: dict[str, Value | Const] = {name: Const(data) for name, data in model.constants.items()}
        # What a bias is in the file, in real numbers, by its tensor, where that was rounded.
        self.bias_real: dict[int, np.ndarray] = {}

    @property
    def activation_dtype(self) -> np.dtype:
        """The type of activations in the graph."""
        return FLOAT if self.floating else INT8

    def add_input(self, name: str, dtype: np.dtype, shape: tuple[int, ...], order: tuple[int, ...]) -> None:
        """A network input whose axes lie in memory in this order."""
        tensor = self.tensor(name, tuple(shape[d] for d in order))
        axes = tuple(order.index(d) for d in range(len(order)))
        self.inputs.append(g.Border(tensor, name, dtype, () if axes == tuple(range(len(axes))) else axes))
        self.values[name] = Value(tensor, Layout.of(shape, order), dtype, open=not self.floating)

    def tensor(
        self, name: str, shape: tuple[int, ...], quant: g.Quant | None = None, data: np.ndarray | None = None
    ) -> int:
        """A new tensor's index; constants keep their dtype."""
        if data is not None:
            data = np.ascontiguousarray(data)
            data.flags.writeable = False
        dtype = self.activation_dtype if data is None else data.dtype
        self.tensors.append(g.Tensor(name, tuple(int(n) for n in shape), dtype, quant, data))
        return len(self.tensors) - 1

    def shape(self, value: Value) -> tuple[int, ...]:
        """The shape of its tensor in the graph."""
        return self.tensors[value.tensor].shape

    def quant(self, value: Value) -> g.Quant | None:
        """The quantisation of its tensor."""
        return self.tensors[value.tensor].quant

    # What operators read.

    def const(self, node: Node, place: int, what: str) -> Const:
        """The constant at an input place; `what` names it in the refusal."""
        value = self.values.get(node.inputs[place]) if node.has(place) else None
        if not isinstance(value, Const):
            raise node.refuse(f"{what} must be a constant")
        return value

    def integers(self, node: Node, place: int, attribute: str) -> list[int] | None:
        """Numbers that newer operator sets have as an input and older ones as an attribute; None if absent."""
        if node.has(place):
            data = self.const(node, place, attribute).data
            if data.dtype.kind not in "iu":
                raise node.refuse(f"{attribute} must be integers")
            return [int(n) for n in data.reshape(-1)]
        numbers = node.attribute(attribute, None)
        return None if numbers is None else [int(n) for n in np.atleast_1d(numbers)]

    def view(self, node: Node, place: int = 0) -> Value:
        """The activation at an input place, whether it has a scale yet or not."""
        value = self.values.get(node.inputs[place]) if node.has(place) else None
        if not isinstance(value, Value):
            raise node.refuse("its input is a constant" if value else f"input {place} is missing")
        return value

    def operand(self, node: Node, place: int = 0) -> Value:
        """The activation that an operator computes with: it has a scale, unless this is the float import."""
        value = self.with_scale(self.view(node, place))
        if value.open or (not self.floating and self.quant(value) is None):
            raise FloatModelError(
                f"{node} computes in floating point: its input {node.inputs[place]!r} is not quantised",
                _WHOLE_HINT,
            )
        return self.clamped(node, value)

    def with_scale(self, value: Value) -> Value:
        """An open mean with its input's scale, which holds it; as integer kernels of means have it everywhere."""
        tensor = self.tensors[value.tensor]
        if value.open and tensor.quant is None and isinstance(value.op, g.Mean | g.AveragePool2D):
            tensor.quant = self.tensors[value.op.inputs[0]].quant
            return replace(value, open=False, settled=None)
        return value

    def seen(self, node: Node, value: Value, place: int = 0, **changes: object) -> Value:
        """Another view of the value that a node reads."""
        sole = value.sole and self.model.uses[node.inputs[place]] == 1
        return replace(value, sole=sole, settled=None, **changes)  # type: ignore[arg-type]

    def clamped(self, node: Node, value: Value) -> Value:
        """The value with its activation function in the graph: in its operator, or else as a MAX_POOL_2D of 1x1."""
        if value.clamp is None:
            return value
        if value.settled is None:
            tensor = self.tensors[value.tensor]
            name = activation_name(node, tensor, value.clamp)
            value.settled = replace(value, clamp=None, settled=None)
            if name == "NONE":
                pass
            elif value.sole and getattr(value.op, "activation", "") == "NONE":
                value.op.activation = name  # type: ignore[attr-defined]
            else:
                depth = tensor.shape[-1] if tensor.shape else 1
                is_image = len(tensor.shape) == 4 and tensor.shape[0] == 1
                shape = tensor.shape if is_image else (1, 1, tensor.elems // depth, depth)
                source = self.reshaped(node, value, shape)
                target = self.tensor(f"{node.outputs[0]}_clamped", shape, tensor.quant)
                op = g.MaxPool2D((source,), (target,), node.index, activation=name)
                self.ops.append(op)
                value.settled = Value(target, value.layout, value.dtype, op=op)
        return value.settled

    def rank(self, node: Node, value: Value, *ranks: int) -> int:
        """The number of its axes, which must be one of these, with a batch of 1."""
        if len(value.shape) not in ranks:
            raise node.refuse(
                f"input {list(value.shape)} must have {' or '.join(map(str, ranks))} dimensions"
            )
        if value.shape[0] != 1:
            raise node.refuse(
                f"batch {value.shape[0]}: only 1 is supported", "export the network with batch 1"
            )
        return len(value.shape)

    # How tensors come to lie as an operator needs them.

    def arranged(self, node: Node, value: Value, order: tuple[int, ...]) -> Value:
        """The value with its factors in this order in memory: moved by a TRANSPOSE if they lie otherwise."""
        if order == tuple(range(len(order))):
            return value
        shape, perm = merged(value.layout.memory, order)
        source = self.reshaped(node, value, shape)
        target = self.tensor(f"{node.outputs[0]}_in", tuple(shape[p] for p in perm), self.quant(value))
        self.ops.append(g.Transpose((source,), (target,), node.index, perm))
        return Value(target, value.layout.moved(order), value.dtype)

    def reshaped(self, node: Node, value: Value, shape: tuple[int, ...]) -> int:
        """The value's tensor seen in another shape of as many elements in the same order."""
        if self.shape(value) == tuple(shape):
            return value.tensor
        name = self.tensors[value.tensor].name
        target = self.tensor(f"{name}_view", shape, self.quant(value))
        self.ops.append(g.Reshape((value.tensor,), (target,), node.index))
        return target

    def image(self, node: Node, value: Value) -> tuple[int, tuple[int, int, int]]:
        """(tensor [1,h,w,c], (h, w, c)) of [1,c,h,w] or [1,c,l] in the file, which has h = 1."""
        rank = self.rank(node, value, 3, 4)
        value = self.arranged(node, value, value.layout.order_of(IMAGE if rank == 4 else SEQUENCE))
        c, *sides = value.shape[1:]
        h, w = sides if rank == 4 else (1, sides[0])
        return self.reshaped(node, value, (1, h, w, c)), (h, w, c)

    def in_file_order(self, node: Node, value: Value) -> int:
        """The tensor with the file's shape and order."""
        value = self.arranged(node, value, value.layout.logical)
        return self.reshaped(node, value, value.shape)

    # What operators write.

    def emit_image(self, node: Node, op: type[g.Op], inputs: tuple[int, ...], size: tuple[int, int, int], rank: int,
                   quant: g.Quant | None = None, **fields: object) -> Value:  # fmt: skip
        """An operator whose output is an image (h, w, c), which has `rank` axes in the file."""
        h, w, c = size
        shape, order = ((1, c, h, w), IMAGE) if rank == 4 else ((1, c, w), SEQUENCE)
        return self.emit(node, op, inputs, (1, h, w, c), Layout.of(shape, order), quant, **fields)

    def emit(self, node: Node, op: type[g.Op], inputs: tuple[int, ...], shape: tuple[int, ...], layout: Layout,
             quant: g.Quant | None = None, **fields: object) -> Value:  # fmt: skip
        """Appends an operator. Its output is open unless it has a quantisation or this is the float import."""
        if math.prod(shape) > MAX_ELEMS or min(shape, default=1) < 1 or len(shape) > MAX_RANK:
            raise node.refuse(f"its output {list(shape)} is empty or too large")
        target = self.tensor(node.outputs[0], shape, quant)
        made = op(inputs, (target,), node.index, **fields)  # type: ignore[arg-type]
        self.ops.append(made)
        is_open = not self.floating and quant is None
        return Value(target, layout, FLOAT, open=is_open, op=made)

    def graph(self, name: str) -> g.Graph:
        """The finished graph: with its outputs, and only operators whose results are read."""
        outputs = [self._output(o) for o in self.model.outputs]
        needed = {b.tensor for b in outputs}
        for op in reversed(self.ops):
            if op.outputs[0] in needed:
                needed.update(i for i in op.inputs if i >= 0)
        ops = [op for op in self.ops if op.outputs[0] in needed]
        return g.Graph(name, self.tensors, ops, self.inputs, outputs, self.model.sha256)

    def _output(self, name: str) -> g.Border:
        value = self.values.get(name)
        node = Node("output", name, len(self.model.nodes), (name,), (name,), {})
        if not isinstance(value, Value):
            raise node.refuse("is a constant" if value else "is written by no operator")
        value = self.with_scale(value)
        if value.open or (not self.floating and self.quant(value) is None):
            raise FloatModelError(f"output {name!r} is not quantised", _WHOLE_HINT)
        value = self.clamped(node, value)
        order = {4: IMAGE, 3: SEQUENCE}.get(len(value.shape), ())
        if order and value.layout.order_of(order) == tuple(range(len(value.layout.memory))):
            tensor = self.reshaped(node, value, tuple(value.shape[d] for d in order))
            return g.Border(tensor, name, value.dtype, tuple(order.index(d) for d in range(len(order))))
        return g.Border(self.in_file_order(node, value), name, value.dtype)


def activation_name(node: Node, tensor: g.Tensor, clamp: tuple[float, float]) -> str:
    """The fused activation that clamps a tensor to this range, NONE if its quantisation does already.

    Raises UnsupportedError for other ranges.
    """
    if tensor.quant is None:
        names = {
            (-math.inf, math.inf): "NONE",
            (0.0, math.inf): "RELU",
            (0.0, 6.0): "RELU6",
            (-1.0, 1.0): "RELU_N1_TO_1",
        }
        if clamp in names:
            return names[clamp]
    else:
        low, high = (
            tensor.quant.zero_point + np.rint(np.clip(np.float64(limit) / tensor.quant.scale[0], -1024, 1024))
            for limit in clamp
        )
        wanted = (max(INT8_MIN, low), min(INT8_MAX, high))
        for name in g.ACTIVATIONS:
            if activation_range(tensor, name) == wanted:
                return name
    low, high = clamp
    raise node.refuse(
        f"clamps to [{low:g}, {high:g}]",
        "supported are Relu, [0, 6], [-1, 1] and what the 8 bits of the output hold",
    )
