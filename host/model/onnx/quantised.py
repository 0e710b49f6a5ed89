"""Quantised networks: QuantizeLinear and DequantizeLinear give the tensors their scales.

In a file of the QDQ form every operator is a float one between DequantizeLinear and QuantizeLinear: the importer
takes the scales from these and drops them, so that integers flow between operators. Files of the QOperator form are
brought to the QDQ form first, see `host.model.onnx.qoperator`.

Rounding. The file says: sums in real numbers, divided by the output's scale, rounded half to even. onnxruntime
computes float32(sum) * scale. Our oracle is LiteRT's fixed-point arithmetic, the same as for .tflite files: 31-bit
multipliers, half away from zero, and for convolutions rounding in two steps. They differ by at most 1, where the real
number is next to the middle between two integers. What is two operators here rounds twice, and differs by at most 1
as well: SOFTMAX (in steps of 1/256, files have 1/255), and pools whose output has another scale than their input.
tests/unit/test_onnx_rounding.py measures how often.

Float inputs are quantised by the host, halves away from zero. Softmax and means may come without QuantizeLinear: the
former has steps of 1/256 then, the latter their input's scale.

uint8 tensors are int8 ones shifted by 128, as everywhere; unlike .tflite's legacy uint8 they round as int8 ones do
(`Tensor.unsigned` stays False), because ONNX defines one arithmetic for both. Border.dtype keeps uint8.
"""

from __future__ import annotations

from dataclasses import replace
from os import PathLike
from pathlib import Path

import numpy as np

from host.errors import FloatModelError, UnsupportedError
from host.model import graph as g
from host.model.onnx.file import Node, read_model
from host.model.onnx.network import (
    FLOAT,
    INT8,
    INT32,
    QUANTIZE_HINT,
    UINT8,
    Const,
    Net,
    Value,
    activation_name,
)
from host.model.onnx.operators import same_quant
from host.model.onnx.qoperator import QOPERATORS, expanded
from host.model.onnx.walk import add_inputs, walk
from host.model.onnx.weights import bias_error
from host.model.onnx.windows import mean_weights
from host.oracle.ops import PARAMS

# How far a bias may be from what the file says, in steps of the output.
BIAS_STEPS = 1 / 8
_QUANTISED = ("QuantizeLinear", "DequantizeLinear")


def import_onnx(source: str | PathLike[str] | bytes, name: str | None = None) -> g.Graph:
    """The quantised network in an .onnx file (a path, or its bytes); `name` defaults to the path's stem.

    Images are NHWC in the graph; its borders keep the file's axes, see `graph.Border`.
    Raises NotAnOnnxError, FloatModelError or UnsupportedError, see `host.errors`; InputError if the path cannot be
    read.
    """
    model = read_model(source)
    model = replace(model, nodes=expanded(model))
    if not any(node.op in _QUANTISED for node in model.nodes):
        raise FloatModelError("the network computes in floating point", QUANTIZE_HINT)
    net = Net(model, floating=False)
    add_inputs(net, ("float32", "int8", "uint8"))
    walk(net, {"QuantizeLinear": quantize_linear, "DequantizeLinear": dequantize_linear}, QOPERATORS)
    graph = net.graph(name or ("network" if isinstance(source, bytes) else Path(source).stem))
    for border in (*graph.inputs, *graph.outputs):
        if graph.tensors[border.tensor].quant is None:
            raise FloatModelError(f"input {border.name!r} is not quantised", QUANTIZE_HINT)
    _check_arithmetic(graph, model.by_index)
    return graph


def _check_arithmetic(graph: g.Graph, nodes: dict[int, Node]) -> None:
    """Refuse scales that overflow the oracle's arithmetic."""
    for op in graph.ops:
        try:
            if type(op) in PARAMS:
                PARAMS[type(op)](graph, op)
        except UnsupportedError as error:
            raise nodes[op.index].refuse(error.message) from error


def _parameters(net: Net, node: Node, dtype: np.dtype | None) -> tuple[g.Quant, np.dtype]:
    """(quantisation, integer dtype) that the node's scale and zero point say; `dtype` if there is no zero point."""
    scale = net.const(node, 1, "its scale").data
    zero = net.const(node, 2, "its zero point").data if node.has(2) else None
    dtype = zero.dtype if zero is not None else dtype
    if dtype is None:
        dtype = UINT8 if node.attribute("output_dtype", 0) in (0, 2) else INT8
    if node.attribute("block_size", 0):
        raise node.refuse("scales by blocks are not supported")
    if dtype not in (INT8, UINT8, INT32):
        raise node.refuse(f"{dtype} is not supported", "quantise activations and weights to int8 or uint8")
    scale = scale.reshape(-1)
    if scale.dtype != FLOAT or not len(scale):
        raise node.refuse(f"a scale of {scale.dtype}: only float32 is supported")
    if not np.all(np.isfinite(scale)) or not np.all(scale >= np.finfo(np.float32).tiny):
        raise node.refuse("a scale is not a positive normal number")
    zeros = np.zeros(1, np.int64) if zero is None else zero.reshape(-1).astype(np.int64)
    if len(zeros) not in (1, len(scale)) or np.any(zeros != zeros[0]):
        raise node.refuse("zero points differ between channels")
    shifted = int(zeros[0]) - (128 if dtype == UINT8 else 0)
    return g.Quant(scale, shifted, 0), dtype


def _along(node: Node, quant: g.Quant, shape: tuple[int, ...]) -> g.Quant:
    """The quantisation of a constant, with the axis of its channels' scales."""
    if not quant.per_channel:
        return quant
    axis = node.attribute("axis", 1)
    if not -len(shape) <= axis < len(shape) or shape[axis] != len(quant.scale):
        raise node.refuse(f"{len(quant.scale)} scales along axis {axis} of {list(shape)}")
    return g.Quant(quant.scale, quant.zero_point, axis % len(shape))


def _one_scale(node: Node, quant: g.Quant, dtype: np.dtype) -> g.Quant:
    if quant.per_channel or dtype == INT32:
        raise node.refuse("an activation needs 8 bits and one scale")
    return quant


def quantize_linear(net: Net, node: Node) -> Value | Const:
    """QuantizeLinear: what it reads gets its scale, or is requantised if it has another one."""
    quant, dtype = _parameters(net, node, None)
    value = net.values.get(node.inputs[0])
    if isinstance(value, Const):
        return _quantized_constant(node, value, quant, dtype)
    value = net.view(node)
    quant = _one_scale(node, quant, dtype)
    if value.dtype != FLOAT:
        raise node.refuse(f"its input is {value.dtype} already")
    if value.settled is None or not same_quant(net.quant(value.settled), quant):
        if value.settled is not None and value.open:
            raise node.refuse("its input is quantised in two ways")
        settled = _settle(net, node, value, quant) if value.open else _requantized(net, node, value, quant)
        if not value.open:
            return net.seen(node, settled, dtype=dtype)
        value.settled = settled
    return net.seen(node, value.settled, dtype=dtype)


def _quantized_constant(node: Node, constant: Const, quant: g.Quant, dtype: np.dtype) -> Const:
    """A float constant as integers, not shifted, as the operator's definition says: half to even."""
    quant = _along(node, quant, constant.data.shape)
    shape = [-1 if quant.per_channel and d == quant.axis else 1 for d in range(constant.data.ndim)]
    limits = np.iinfo(dtype)
    zero = quant.zero_point + (128 if dtype == UINT8 else 0)
    real = constant.real.astype(np.float32)
    whole = np.rint(
        real / (quant.scale.reshape(shape) if quant.per_channel else quant.scale[0])
    ) + np.float32(zero)
    if np.isnan(whole).any():
        raise node.refuse("its constant holds values that are not numbers")
    return Const(np.clip(whole, limits.min, limits.max).astype(dtype))


def dequantize_linear(net: Net, node: Node) -> Value | Const:
    """DequantizeLinear: a constant gets its scale; an activation has it, and must have this one."""
    value = net.values.get(node.inputs[0])
    if isinstance(value, Const):
        quant, dtype = _parameters(net, node, value.data.dtype)
        if value.data.dtype != dtype or value.quant is not None:
            raise node.refuse(f"its constant is {value.data.dtype}, its zero point {dtype}")
        data = (value.data ^ np.uint8(128)).view(np.int8) if dtype == UINT8 else value.data
        return Const(data, _along(node, quant, data.shape))
    value = net.view(node)
    quant, dtype = _parameters(net, node, value.dtype)
    quant = _one_scale(node, quant, dtype)
    if value.dtype != dtype:
        raise node.refuse(f"its input is {value.dtype}, its zero point {dtype}")
    if value.open and value.op is None and net.quant(value) is None:
        net.tensors[value.tensor].quant = quant
    elif not same_quant(net.quant(value), quant):
        raise node.refuse("its scale or zero point is not the one its input was quantised with")
    return net.seen(node, value, dtype=FLOAT, open=False)


def _settle(net: Net, node: Node, value: Value, quant: g.Quant) -> Value:
    """An open value with its scale: the tensor gets it, and its operator the activation function."""
    tensor = net.tensors[value.tensor]
    if tensor.quant is not None:
        if not same_quant(tensor.quant, quant):
            raise node.refuse("its input is quantised in two ways")
        return net.clamped(node, replace(value, open=False, sole=False))
    tensor.quant = quant
    if node.shown:
        tensor.name = node.outputs[0]  # a QOperator: only this name is in the file
    for bias in value.op.inputs[2:3] if isinstance(value.op, g.Weighted) else ():
        error = bias_error(net, bias) / quant.scale[0] if bias >= 0 else 0.0
        if error > BIAS_STEPS:
            raise net.model.by_index[value.op.index].refuse(
                f"its bias is {error:.2g} steps of the output from a whole number of sums' steps",
                "quantise the bias to int32 with the input's scale times the weights'",
            )
    if isinstance(value.op, g.Concatenation):
        _align(net, node, value.op, quant)
    if isinstance(value.op, g.AveragePool2D):
        value = _average(net, node, value, value.op)
    return net.clamped(node, replace(value, open=False))


def _align(net: Net, node: Node, op: g.Concatenation, quant: g.Quant) -> None:
    """Requantises the inputs of a CONCATENATION that have other scales than its output."""
    at = net.ops.index(op)
    inputs = []
    for index in op.inputs:
        tensor = net.tensors[index]
        if not same_quant(tensor.quant, quant):
            index = net.tensor(f"{tensor.name}_requantized", tensor.shape, quant)
            net.ops.insert(at, g.Quantize((net.tensors.index(tensor),), (index,), op.index))
            at += 1
        inputs.append(index)
    op.inputs = tuple(inputs)


def _average(net: Net, node: Node, value: Value, op: g.AveragePool2D) -> Value:
    """An AVERAGE_POOL_2D has its input's scale; with another one the mean is a convolution, which rescales."""
    x, y = net.tensors[op.inputs[0]], net.tensors[value.tensor]
    if same_quant(x.quant, y.quant):
        return value
    weights = mean_weights(net, node, op.kernel, x.shape[3])
    new = g.DepthwiseConv2D(
        (op.inputs[0], weights, -1), op.outputs, op.index, op.stride, (1, 1), op.padding, 1, op.activation
    )
    net.ops[net.ops.index(op)] = new
    return replace(value, op=new)


def _requantized(net: Net, node: Node, value: Value, quant: g.Quant) -> Value:
    """A quantised value at another scale; a clamp that the new scale implies needs no operator."""
    if same_quant(net.quant(value), quant):
        return net.clamped(node, value)
    target = net.tensor(node.outputs[0], net.shape(value), quant)
    if value.clamp is not None and activation_name(node, net.tensors[target], value.clamp) != "NONE":
        value = net.clamped(node, value)
        target = net.tensor(node.outputs[0], net.shape(value), quant)
    op = g.Quantize((value.tensor,), (target,), node.index)
    net.ops.append(op)
    return Value(target, value.layout, FLOAT, op=op)
