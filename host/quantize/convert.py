"""A float graph and the ranges of its tensors to an int8 graph, in TensorFlow Lite's scheme.

Weights are symmetric, activations asymmetric: see host.model.scales for the formulas. Tensors that an operator must
not rescale between (pools, concatenation, reshape, padding, transposition, resizing) share the union of their ranges.
Softmax gives scale 1/256 and zero point -128; where what follows shares another range, a QUANTIZE stands between.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np

from host.errors import QuantizeError, UnsupportedError
from host.model import graph as g
from host.model import scales
from host.oracle.ops import PARAMS
from host.quantize.ranges import Range

SOFTMAX_RANGE = (0.0, 1.0)
INT8 = np.dtype(np.int8)
# A few channels of binary convolutions have no integers that equal LCE's float32 for every sum: at a scale that is a
# little larger they have.
NUDGE, MOST_NUDGES = 1 + 2**-9, 16
# Operators whose output has the scale and zero point of their inputs.
_ONE_SCALE = (
    g.AveragePool2D,
    g.MaxPool2D,
    g.Pad,
    g.Reshape,
    g.Transpose,
    g.Concatenation,
    g.ResizeNearest,
)


@dataclass(frozen=True)
class Choices:
    """How to quantise. Border types are float32 (quantised and dequantised at the border) or int8, channels last."""

    per_channel: bool = True
    input_type: str = "float32"
    output_type: str = "float32"


# Operators with real weights; those of binary ones are bits already, and their factors stay real.
_WEIGHTED = (g.Conv2D, g.DepthwiseConv2D, g.TransposedConv2D, g.DeformableConv2D, g.FullyConnected)


def quantise_graph(graph: g.Graph, ranges: dict[int, Range], choices: Choices | None = None) -> g.Graph:
    """The int8 graph; tensors keep their indices, new ones follow them.

    Raises QuantizeError where scales overflow the arithmetic of an operator, UnsupportedError for an operator that
    has no int8 form here.
    """
    choices = choices or Choices()
    result = graph.copy()
    _unshare(result)
    weights = {i for op in result.ops if isinstance(op, _WEIGHTED) for i in op.inputs[1:3]}
    _set_activations(result, ranges, weights)
    for op in result.ops:
        if isinstance(op, _WEIGHTED):
            _set_parameters(result, op, choices.per_channel)
    for borders, wanted in ((result.inputs, choices.input_type), (result.outputs, choices.output_type)):
        for border in borders:
            border.dtype = np.dtype(wanted)
            if wanted == "int8":
                border.axes = ()
    for op in result.ops:
        _check(result, op)
    return result


def _unshare(graph: g.Graph) -> None:
    """Weights and biases that several operators read become several: each is quantised for its operator's input."""
    taken: set[int] = set()
    for op in graph.ops:
        inputs = list(op.inputs)
        for place in range(1, min(3, len(inputs))) if isinstance(op, _WEIGHTED) else ():
            if inputs[place] in taken:
                graph.tensors.append(replace(graph.tensors[inputs[place]]))
                inputs[place] = len(graph.tensors) - 1
            taken.add(inputs[place])
        taken.discard(-1)
        op.inputs = tuple(inputs)


def _set_activations(graph: g.Graph, ranges: dict[int, Range], weights: set[int]) -> None:
    """Scales of all tensors that are not weights or biases; constants among them become int8."""
    writers = {op.outputs[0]: op for op in graph.ops}
    for group in _groups(graph, ranges):
        if shared := weights.intersection(group):
            raise QuantizeError(f"tensor {graph.tensors[min(shared)].name} is both weights and an operand")
        low, high = min(ranges[i][0] for i in group), max(ranges[i][1] for i in group)
        of_softmax = [i for i in group if isinstance(writers.get(i), g.Softmax)]
        if of_softmax and SOFTMAX_RANGE[0] <= low and high <= SOFTMAX_RANGE[1]:
            _set_quant(graph, group, scales.SOFTMAX_QUANT)
            continue
        tensors = {i: graph.tensors[i] for i in group}
        _set_quant(graph, group, scales.activation_quant(low, high))
        binary = [writers[i] for i in group if isinstance(writers.get(i), g.BinaryConv2D)]
        for _ in range(MOST_NUDGES):
            if all(_has_integers(graph, op) for op in binary):
                break
            low, high = low * NUDGE, high * NUDGE
            for i, tensor in tensors.items():
                graph.tensors[i] = tensor
            _set_quant(graph, group, scales.activation_quant(low, high))
        for index in of_softmax:
            _rescale_softmax(graph, index)


def _set_quant(graph: g.Graph, group: list[int], quant: g.Quant) -> None:
    """Float tensors become int8."""
    for index in group:
        tensor = graph.tensors[index]
        data = None if tensor.data is None else scales.quantise(tensor.data, quant)
        graph.tensors[index] = replace(tensor, dtype=INT8, quant=quant, data=data)


def _has_integers(graph: g.Graph, op: g.Op) -> bool:
    """Whether a binary convolution's float32 definition has an equal in integers at its output's scale."""
    try:
        PARAMS[type(op)](graph, op)
    except UnsupportedError:
        return False
    return True


def _groups(graph: g.Graph, ranges: dict[int, Range]) -> list[list[int]]:
    """Tensors that must have one scale, in order of their indices."""
    leader = {index: index for index in ranges}

    def find(index: int) -> int:
        while leader[index] != index:
            index = leader[index]
        return index

    for op in graph.ops:
        if isinstance(op, _ONE_SCALE):
            for index in op.inputs:
                a, b = sorted((find(index), find(op.outputs[0])))
                leader[b] = a
    groups = defaultdict(list)
    for index in sorted(ranges):
        groups[find(index)].append(index)
    return list(groups.values())


def _rescale_softmax(graph: g.Graph, index: int) -> None:
    """Softmax writes a new tensor of its fixed scale, and a QUANTIZE the old one."""
    at, softmax = next((i, op) for i, op in enumerate(graph.ops) if op.outputs == (index,))
    tensor = graph.tensors[index]
    graph.tensors.append(replace(tensor, name=f"{tensor.name}/softmax", quant=scales.SOFTMAX_QUANT))
    fresh = len(graph.tensors) - 1
    graph.ops[at] = replace(softmax, outputs=(fresh,))
    graph.ops.insert(at + 1, g.Quantize((fresh,), (index,), softmax.index))


def _set_parameters(graph: g.Graph, op: g.Weighted, per_channel: bool) -> None:
    """Weights and bias of an operator."""
    axis = 3 if isinstance(op, g.DepthwiseConv2D) else 0
    x, w = graph.tensors[op.inputs[0]], graph.tensors[op.inputs[1]]
    bias = graph.tensors[op.inputs[2]] if len(op.inputs) > 2 and op.inputs[2] >= 0 else None
    assert x.quant is not None and w.data is not None
    for tensor in (w, bias):
        if tensor is not None and not np.isfinite(tensor.data).all():
            raise QuantizeError(f"tensor {tensor.name} has values that are no finite numbers")
    real_bias = None if bias is None else bias.data
    scale = scales.weight_scales(w.data, real_bias, float(x.quant.scale[0]), axis, per_channel=per_channel)
    w.data = scales.quantise_weights(w.data, scale, axis)
    w.dtype, w.quant = INT8, g.Quant(scale, 0, axis if len(scale) > 1 else 0)
    if bias is not None:
        bias_scale = x.quant.scale * scale
        bias.data = scales.quantise_bias(bias.data, bias_scale)
        bias.dtype, bias.quant = bias.data.dtype, g.Quant(bias_scale, 0)


def _check(graph: g.Graph, op: g.Op) -> None:
    """Refuses scales that overflow the arithmetic of an operator."""
    try:
        if type(op) in PARAMS:
            PARAMS[type(op)](graph, op)
    except UnsupportedError as error:
        name = graph.tensors[op.outputs[0]].name
        raise QuantizeError(
            f"{op.kind} (operator {op.index}, {name}): {error.message}",
            "other ranges may do: give more samples, or --ranges minmax",
        ) from error
