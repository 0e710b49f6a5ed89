"""What every operator of a network under construction shares: tensors, parameters, checks, borders."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from host.errors import NetworkError, UnsupportedError
from host.model import graph as g
from host.model import scales
from host.oracle.ops import PARAMS

INPUT_DTYPES = ("int8", "int16")
FLOAT_HINT = "`host quantize` finds the scales of a float network"


@dataclass(frozen=True)
class Value:
    """A tensor of a network under construction: what a method returns and the next one takes."""

    builder: Core
    index: int

    @property
    def tensor(self) -> g.Tensor:
        """The graph's tensor."""
        return self.builder._graph.tensors[self.index]

    @property
    def shape(self) -> tuple[int, ...]:
        """With the batch of one in front."""
        return self.tensor.shape

    @property
    def real(self) -> bool:
        """Whether it is float32."""
        return self.tensor.dtype == np.float32

    def __repr__(self) -> str:
        return f"Value({self.tensor.name!r}, {self.shape})"


class Core:
    """A graph that grows operator by operator; inputs, outputs and the finished network."""

    def __init__(self, name: str = "network"):
        self._graph = g.Graph(name, [], [], [], [])
        # Channels, and planes or 0, of the tensors that hold bits, by index.
        self._bits: dict[int, tuple[int, int]] = {}

    def input(
        self,
        shape: Sequence[int],
        *,
        scale: float | None = None,
        zero_point: int = 0,
        dtype: str = "int8",
        name: str | None = None,
    ) -> Value:
        """An input of `shape`, without the batch; float32 if it has no scale. int16 is for offsets."""
        shape = (1, *(int(n) for n in shape))
        if min(shape) < 1:
            raise NetworkError(f"an input of shape {shape[1:]} holds nothing")
        if dtype not in INPUT_DTYPES or (scale is None and dtype != "int8"):
            raise NetworkError(
                f"an input is {' or '.join(INPUT_DTYPES)} with a scale, or float without, not {dtype}"
            )
        count = len(self._graph.inputs)
        name = name or (f"input{count}" if count else "input")
        if name in (border.name for border in self._graph.inputs):
            raise NetworkError(f"two inputs are named {name!r}")
        quant = None if scale is None else make_quant(scale, zero_point, np.dtype(dtype))
        value = self._add(name, shape, quant, np.dtype("float32" if quant is None else dtype))
        self._graph.inputs.append(g.Border(value.index, name, value.tensor.dtype))
        return value

    def output(self, x: Value, name: str | None = None) -> None:
        """Makes x an output of the network."""
        tensor = self._own(x).tensor
        self._graph.outputs.append(g.Border(x.index, name or tensor.name, tensor.dtype))

    def graph(self) -> g.Graph:
        """The network, once it is complete; its hash is that of all that it holds."""
        graph = self._graph.copy()
        if not graph.inputs or not graph.outputs or not graph.ops:
            raise NetworkError(f"network {graph.name!r} has no input, no operator or no output")
        for op in graph.ops:
            self._check_arithmetic(op)
        graph.source_sha256 = _hash(graph)
        return graph

    def _own(self, x: Value) -> Value:
        if not isinstance(x, Value) or x.builder is not self:
            raise NetworkError(f"{x!r} is no value of this network")
        return x

    def _plain(self, *values: Value) -> None:
        """Checks that the values are this network's, int8 all or float all."""
        for x in values:
            if self._own(x).tensor.dtype not in (np.dtype("int8"), np.dtype("float32")):
                raise NetworkError(f"{x!r} is {x.tensor.dtype}: int8 is needed here")
        if len({x.real for x in values}) > 1:
            raise NetworkError("int8 and float tensors are mixed")

    def _image(self, x: Value) -> int:
        """Channels of an image."""
        self._plain(x)
        if len(x.shape) != 4:
            raise NetworkError(f"{x!r} is no image [1, h, w, c]", "reshape() makes it one")
        return x.shape[3]

    def _check_side(
        self, x: Value, side: Value, what: str, shape: tuple[int, ...], dtypes: tuple[str, ...]
    ) -> None:
        """Checks a second tensor of a deformable convolution."""
        self._own(side)
        if side.shape != shape:
            raise NetworkError(f"{what} have shape {list(side.shape)[1:]}, {list(shape)[1:]} is needed")
        if side.real != x.real or not (side.real or str(side.tensor.dtype) in dtypes):
            wanted = "float" if x.real else " or ".join(dtypes)
            raise NetworkError(f"{what} are {side.tensor.dtype}, {wanted} is needed")

    def _add(
        self,
        name: str,
        shape: tuple[int, ...],
        quant: g.Quant | None,
        dtype: np.dtype,
        data: np.ndarray | None = None,
    ) -> Value:
        self._graph.tensors.append(g.Tensor(name, shape, dtype, quant, data))
        return Value(self, len(self._graph.tensors) - 1)

    def _parameters(
        self, x: Value, weights: np.ndarray, bias: ArrayLike | None, weight_scale: ArrayLike | None, axis: int
    ) -> tuple[int, int, int]:
        """(x, weights, bias or -1) of an operator, its parameters quantised as x is."""
        channels = weights.shape[axis]
        bias = None if bias is None else np.asarray(bias)
        if bias is not None and bias.shape != (channels,):
            raise NetworkError(f"a bias of shape {list(bias.shape)} for {channels} output channels")
        for what, array in (("weights", weights), ("a bias", bias)):
            if array is not None and not np.isfinite(array).all():
                raise NetworkError(f"{what} with values that are no finite numbers")
        if x.real:
            if weight_scale is not None or weights.dtype == np.int8:
                raise NetworkError("int8 weights on a float tensor", "give the network's input a scale")
            w = self._add("weights", weights.shape, None, np.dtype("float32"), weights.astype(np.float32))
            if bias is None:
                return x.index, w.index, -1
            bias = bias.astype(np.float32)
            return x.index, w.index, self._add("bias", bias.shape, None, bias.dtype, bias).index
        assert x.tensor.quant is not None
        input_scale = float(x.tensor.quant.scale[0])
        if weights.dtype == np.int8:
            if weight_scale is None:
                raise NetworkError("int8 weights need a weight_scale", "or give them as real numbers")
            scale = np.atleast_1d(np.asarray(weight_scale, np.float32))
        elif weight_scale is not None:
            raise NetworkError(f"a weight_scale goes with int8 weights, these are {weights.dtype}")
        else:
            real_bias = bias if bias is not None and bias.dtype.kind == "f" else None
            scale = scales.weight_scales(weights, real_bias, input_scale, axis, per_channel=True)
            weights = scales.quantise_weights(weights, scale, axis)
        if scale.shape not in ((1,), (channels,)) or not (np.isfinite(scale) & (scale > 0)).all():
            raise NetworkError(f"weight_scale: needs one positive number, or {channels}")
        quant = g.Quant(scale, 0, axis if len(scale) > 1 else 0)
        w = self._add("weights", weights.shape, quant, weights.dtype, weights)
        if bias is None:
            return x.index, w.index, -1
        bias_scale = np.float32(input_scale) * scale
        if bias.dtype.kind == "f":
            bias = scales.quantise_bias(bias, bias_scale)
        elif bias.dtype != np.int32:
            raise NetworkError(f"a bias of {bias.dtype}: give int32, or real numbers")
        b = self._add("bias", bias.shape, g.Quant(bias_scale, 0), bias.dtype, bias)
        return x.index, w.index, b.index

    def _append(
        self,
        op: g.Op,
        x: Value,
        shape: tuple[int, ...],
        scale: float | None,
        zero_point: int,
        name: str | None,
    ) -> Value:
        """The output of an operator that has a scale of its own; `shape` without the batch."""
        if x.real and scale is not None:
            raise NetworkError("a float network has no scales", FLOAT_HINT)
        if not x.real and scale is None:
            raise NetworkError("the output needs a scale", "give scale=, and zero_point= if it is not 0")
        quant = None if scale is None else make_quant(scale, zero_point, np.dtype("int8"))
        return self._append_like(op, x, (1, *shape), name, quant)

    def _append_like(
        self, op: g.Op, x: Value, shape: tuple[int, ...], name: str | None, quant: g.Quant | None = None
    ) -> Value:
        """The output of an operator, with x's quantisation unless another is given."""
        op.index = len(self._graph.ops)
        name = name or f"{op.kind.lower()}_{op.index}"
        for tensor in (self._graph.tensors[i] for i in op.inputs[1:] if i >= 0):
            if isinstance(op, g.Weighted) and tensor.data is not None:
                tensor.name = f"{name}/{tensor.name}"
        y = self._add(name, shape, quant or x.tensor.quant, x.tensor.dtype)
        op.outputs = (y.index,)
        self._graph.ops.append(op)
        return y

    def _check_arithmetic(self, op: g.Op) -> None:
        """Refuses scales that overflow the reference's arithmetic."""
        y = self._graph.tensors[op.outputs[0]]
        if y.dtype == np.float32 or type(op) not in PARAMS:
            return
        try:
            PARAMS[type(op)](self._graph, op)
        except UnsupportedError as error:
            raise NetworkError(f"{y.name} ({op.kind}): {error.message}", error.hint) from error


def activation_name(name: str) -> str:
    """The name of a fused activation, checked."""
    if name not in g.ACTIVATIONS:
        raise NetworkError(f"activation {name!r}", f"there are {', '.join(g.ACTIVATIONS)}")
    return name


def make_quant(scale: float, zero_point: int, dtype: np.dtype) -> g.Quant:
    """One scale and zero point, checked."""
    value, limits = np.float32(scale), np.iinfo(dtype)
    if not np.isfinite(value) or value < np.finfo(np.float32).tiny:
        raise NetworkError(f"scale {scale!r}: needs a positive number")
    if not limits.min <= zero_point <= limits.max or int(zero_point) != zero_point:
        raise NetworkError(f"zero point {zero_point!r} of {dtype}: {limits.min} to {limits.max}")
    return g.Quant(np.array([value]), int(zero_point))


def scale_of(x: Value) -> tuple[float, int] | None:
    """Scale and zero point for comparison; None of a float tensor."""
    quant = x.tensor.quant
    return None if quant is None else (float(quant.scale[0]), quant.zero_point)


def _hash(graph: g.Graph) -> str:
    """SHA-256 of operators, tensors and borders."""
    digest = hashlib.sha256(repr((graph.name, graph.ops, graph.inputs, graph.outputs)).encode())
    for t in graph.tensors:
        quant = None if t.quant is None else (t.quant.scale.tolist(), t.quant.zero_point, t.quant.axis)
        digest.update(repr((t.name, t.shape, str(t.dtype), quant)).encode())
        digest.update(b"" if t.data is None else t.data.tobytes())
    return digest.hexdigest()
