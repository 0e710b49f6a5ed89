"""Runs a graph in the oracle, and crosses its borders the way LiteRT's QUANTIZE and DEQUANTIZE do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from host.errors import InputError
from host.model import graph as g
from host.oracle import fixedpoint as fx
from host.oracle.ops import OPS


def run_graph(graph: g.Graph, inputs: Sequence[np.ndarray]) -> dict[int, np.ndarray]:
    """Every tensor's value by index: constants, inputs and all that the operators compute.

    inputs: arrays, one for each of `graph.inputs`, of the tensor's dtype and shape.
    Raises InputError for another count, shape or dtype.
    """
    if len(inputs) != len(graph.inputs):
        raise InputError(f"the network has {len(graph.inputs)} inputs, {len(inputs)} were given")
    values = {i: t.data for i, t in enumerate(graph.tensors) if t.data is not None}
    for border, array in zip(graph.inputs, inputs, strict=True):
        tensor = graph.tensors[border.tensor]
        if array.dtype != tensor.dtype or array.shape != tensor.shape:
            wanted = f"{tensor.dtype} {tensor.shape}"
            raise InputError(f"input {border.name}: needs {wanted}, got {array.dtype} {array.shape}")
        values[border.tensor] = array
    for op in graph.ops:
        arguments = [values[i] if i >= 0 else None for i in op.inputs]
        if isinstance(op, g.Weighted) and len(arguments) == 2:
            arguments.append(None)
        values[op.outputs[0]] = OPS[type(op)](graph, op, *arguments)
    return values


def quantize_input(graph: g.Graph, border: g.Border, array: np.ndarray) -> np.ndarray:
    """A user's array, with the border's axes, as the tensor behind it, int8 or int16.

    uint8 arrays shift by 128. float32 arrays are quantised: clip(round(value / scale) + zero_point), the
    division in float32, rounding half away from zero, saturating where LiteRT's cast would be undefined.
    Raises InputError for another dtype or shape, and for values that are not numbers.
    """
    tensor = graph.tensors[border.tensor]
    shape = border.shown(tensor.shape)
    if array.dtype != border.dtype or array.shape != shape:
        wanted = f"{np.dtype(border.dtype)} {shape}"
        raise InputError(f"input {border.name}: needs {wanted}, got {array.dtype} {array.shape}")
    array = border.to_tensor(array)
    if array.dtype == np.uint8:
        return (array.astype(np.int16) - 128).astype(np.int8)
    if array.dtype == tensor.dtype:
        return array
    if np.isnan(array).any():
        raise InputError(f"input {border.name}: holds values that are not numbers")
    limits = np.iinfo(tensor.dtype)
    beyond = 4.0 * limits.max  # of any zero point's reach, so that clipping here changes nothing
    with np.errstate(over="ignore"):
        steps = fx.round_half_away(np.clip(array / np.float32(tensor.quant.scale[0]), -beyond, beyond))
    return np.clip(steps + tensor.quant.zero_point, limits.min, limits.max).astype(tensor.dtype)


def dequantize_output(graph: g.Graph, border: g.Border, array: np.ndarray) -> np.ndarray:
    """The tensor behind `border` in the dtype that the file declares, with its axes.

    uint8 shifts by 128. float32 is scale * (q - zero_point) in float32.
    """
    array = border.to_user(array)
    if border.dtype == np.uint8:
        return (array.astype(np.int16) + 128).astype(np.uint8)
    if border.dtype == array.dtype:
        return array
    quant = graph.tensors[border.tensor].quant
    return (array.astype(np.float32) - np.float32(quant.zero_point)) * np.float32(quant.scale[0])
