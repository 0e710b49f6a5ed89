"""Where a tensor has its channels, and which channels of an operator's input and output stay together.

Channels are the slices of a tensor along one axis: the last of an image, wherever a TRANSPOSE puts it, and
the many elements h * w * c of a flattened image. An operator that moves or treats channels one by one can
lose a channel only together with its source: it has links. Convolutions and fully connected layers have
none, see `host.model.slim.filters`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from host.model import graph as g

# What slimming understands; all other operators, and those on wider tensors, keep all their channels or vanish whole.
_KNOWN = (g.Conv2D, g.DepthwiseConv2D, g.FullyConnected, g.Add, g.Pool2D, g.Mean, g.Pad, g.Reshape)
_KNOWN += (g.Softmax, g.Transpose, g.Quantize, g.Concatenation, g.ResizeNearest)
_LAST_AXIS = (g.Conv2D, g.DepthwiseConv2D, g.FullyConnected, g.Pool2D, g.ResizeNearest, g.Softmax)
_IMAGE_WISE = (g.DepthwiseConv2D, g.Pool2D, g.ResizeNearest)


@dataclass(frozen=True)
class Link:
    """Output channel target[i] holds elements of channel source[i] of tensor `operand`: both stay, or neither."""

    operand: int
    source: np.ndarray
    target: np.ndarray


def is_opaque(graph: g.Graph, op: g.Op) -> bool:
    """Whether nothing is known of the operator's channels."""
    grouped = isinstance(op, g.Conv2D) and op.groups > 1
    tensors = (graph.tensors[i] for i in (*op.operands, *op.outputs))
    return grouped or not isinstance(op, _KNOWN) or any(t.dtype != np.int8 for t in tensors)


def is_filter(graph: g.Graph, op: g.Op) -> bool:
    """Whether it is a sum of products that slimming looks into: see host.model.slim.filters."""
    return isinstance(op, (g.Conv2D, g.DepthwiseConv2D, g.FullyConnected)) and not is_opaque(graph, op)


def is_reader(graph: g.Graph, op: g.Op) -> bool:
    """Whether it reads all channels of its input for each of its output: no links."""
    return is_filter(graph, op) and not isinstance(op, g.DepthwiseConv2D)


def dims(tensor: g.Tensor) -> tuple[int, ...]:
    """The shape, [1] for a scalar."""
    return tensor.shape or (1,)


def channel_ids(tensor: g.Tensor, axis: int) -> np.ndarray:
    """The channel of each element, int64 of the tensor's shape (a read-only view)."""
    shape = dims(tensor)
    ids = np.arange(shape[axis]).reshape([-1 if d == axis else 1 for d in range(len(shape))])
    return np.broadcast_to(ids, shape)


def channel_axes(graph: g.Graph) -> dict[int, int]:
    """The channels' axis of every tensor that is an input, an operand or an output of an operator."""
    axes = {b.tensor: len(dims(graph.tensors[b.tensor])) - 1 for b in (*graph.inputs, *graph.outputs)}
    for op in graph.ops:
        for index in op.operands:
            if index not in axes:  # a constant: as its companion
                shapes = {graph.tensors[i].shape: axes[i] for i in op.operands if i in axes}
                tensor = graph.tensors[index]
                axes[index] = shapes.get(tensor.shape, len(dims(tensor)) - 1)
        axes[op.outputs[0]] = _output_axis(graph, op, axes)
    return axes


def _output_axis(graph: g.Graph, op: g.Op, axes: dict[int, int]) -> int:
    x, y = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    axis, last = axes[op.inputs[0]], len(dims(y)) - 1
    if is_opaque(graph, op) or isinstance(op, _LAST_AXIS) or (isinstance(op, g.Mean) and axis in op.axes):
        return last
    if isinstance(op, g.Mean):
        return axis if len(y.shape) == len(x.shape) else axis - sum(a < axis for a in op.axes)
    if isinstance(op, g.Concatenation) and not is_opaque(graph, op):
        return op.axis if any(axes[i] == op.axis for i in op.inputs) else axis
    if isinstance(op, g.Pad) or (x.shape == y.shape and not isinstance(op, g.Transpose)):
        return axis
    return _best_axis(_moved(op, channel_ids(x, axis), dims(y)), dims(x)[axis])


def _best_axis(ids: np.ndarray, count: int) -> int:
    """The axis along which most groups of channels stay apart; ids are the source channels of the elements."""

    def groups(axis: int) -> int:
        size = ids.shape[axis]
        pairs = len(_pairs(ids, axis)[0])
        return max(count if pairs == size else 1, size if pairs == count else 1)

    return max(range(ids.ndim), key=lambda axis: (groups(axis), axis))


def _pairs(ids: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """All distinct (source, target): target a slice along `axis`, source an id >= 0 in it."""
    size = ids.shape[axis]
    targets = np.arange(size).reshape([-1 if d == axis else 1 for d in range(ids.ndim)])
    keys = np.unique(ids * size + targets)
    keys = keys[keys >= 0]
    return keys // size, keys % size


def _moved(op: g.Op, ids: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The ids where the operator puts the elements; -1 where it puts something else."""
    if isinstance(op, g.Transpose):
        return ids.transpose(op.perm)
    if isinstance(op, g.Pad):
        return np.pad(ids, op.pads, constant_values=-1)
    return ids.reshape(shape)


def links(graph: g.Graph, op: g.Op, axes: dict[int, int]) -> list[Link]:
    """What ties the operator's output to its operands; nothing for readers."""
    if is_reader(graph, op):
        return []
    if isinstance(op, g.Concatenation) and not is_opaque(graph, op):
        return _concatenation_links(graph, op, axes)
    return [_link(graph, op, index, axes) for index in op.operands]


def _link(graph: g.Graph, op: g.Op, index: int, axes: dict[int, int]) -> Link:
    x, y = graph.tensors[index], graph.tensors[op.outputs[0]]
    axis_x, axis_y = axes[index], axes[op.outputs[0]]
    count = dims(x)[axis_x]
    same = np.arange(count)
    image_wise = isinstance(op, _IMAGE_WISE)
    if (
        is_opaque(graph, op)
        or isinstance(op, g.Softmax)
        or (isinstance(op, g.Mean) and axis_x in op.axes)
        or (image_wise and axis_x != axis_y)
    ):
        return _all_or_nothing(index, count, dims(y)[axis_y])
    if isinstance(op, g.DepthwiseConv2D):
        return Link(index, np.repeat(same, op.multiplier), np.arange(count * op.multiplier))
    if image_wise or isinstance(op, g.Mean) or (x.shape == y.shape and axis_x == axis_y and _elementwise(op)):
        return Link(index, same, same)
    return Link(index, *_pairs(_moved(op, channel_ids(x, axis_x), dims(y)), axis_y))


def _elementwise(op: g.Op) -> bool:
    return isinstance(op, (g.Add, g.Quantize, g.Reshape))


def _all_or_nothing(index: int, sources: int, targets: int) -> Link:
    """Every channel on both sides stays if one does: all sources meet target 0, all targets source 0."""
    source = np.concatenate([np.arange(sources), np.zeros(targets, np.int64)])
    target = np.concatenate([np.zeros(sources, np.int64), np.arange(targets)])
    return Link(index, source, target)


def _concatenation_links(graph: g.Graph, op: g.Concatenation, axes: dict[int, int]) -> list[Link]:
    y, axis_y = graph.tensors[op.outputs[0]], axes[op.outputs[0]]
    result, offset = [], 0
    for index in op.inputs:
        x = graph.tensors[index]
        ids = np.full(dims(y), -1)
        part = [slice(None)] * ids.ndim
        part[op.axis] = slice(offset, offset + x.shape[op.axis])
        ids[tuple(part)] = channel_ids(x, axes[index])
        result.append(Link(index, *_pairs(ids, axis_y)))
        offset += x.shape[op.axis]
    return result
