"""What each operator computes on float32 arrays: what a float network means before it is quantised.

Every function takes (graph, op, *input arrays) and returns the output array; absent inputs are None. `OPS` maps the
operator's class to its function. Sums are float32's, in whatever order numpy takes them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from host.errors import InputError, QuantizeError
from host.model import graph as g
from host.oracle import binary
from host.oracle.convolution import taps_of
from host.oracle.params import resize_indices

CLAMPS = {"NONE": (None, None), "RELU": (0.0, None), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0)}


def run_float(graph: g.Graph, inputs: Sequence[np.ndarray]) -> dict[int, np.ndarray]:
    """Every tensor's value by index, float32 or bits, of arrays of the inputs' shapes.

    Raises InputError for another count or shape, QuantizeError for an operator that no float network has here.
    """
    if len(inputs) != len(graph.inputs):
        raise InputError(f"the network has {len(graph.inputs)} inputs, {len(inputs)} were given")
    values = {i: t.data for i, t in enumerate(graph.tensors) if t.data is not None}
    for border, array in zip(graph.inputs, inputs, strict=True):
        shape = graph.tensors[border.tensor].shape
        if array.shape != shape:
            raise InputError(f"input {border.name}: needs shape {shape}, got {array.shape}")
        values[border.tensor] = array.astype(np.float32)
    for op in graph.ops:
        if type(op) not in OPS:
            raise QuantizeError(f"{op.kind} (operator {op.index}) has no float form")
        arguments = [values[i] if i >= 0 else None for i in op.inputs]
        if isinstance(op, g.Weighted) and len(arguments) == 2:
            arguments.append(None)
        with np.errstate(over="ignore", invalid="ignore"):  # who needs finite values looks for them
            out = OPS[type(op)](graph, op, *arguments)
        low, high = CLAMPS[getattr(op, "activation", "NONE")]
        if (low, high) != (None, None) and not isinstance(op, g.BinaryConv2D):
            out = np.clip(out, low, high)
        y = graph.tensors[op.outputs[0]]
        values[op.outputs[0]] = out.astype(y.dtype).reshape(y.shape)
    return values


def _padded(x: np.ndarray, padding: g.Padding, fill: float = 0.0) -> np.ndarray:
    pads = ((0, 0), (padding.top, padding.bottom), (padding.left, padding.right), (0, 0))
    return np.pad(x, pads, constant_values=fill)


def _taps(graph: g.Graph, op: g.Op, kernel: tuple[int, ...], dilation: tuple[int, int] = (1, 1)):
    """(ky, kx, row slice, column slice) of the padded input."""
    return taps_of(kernel, op.stride, dilation, graph.tensors[op.outputs[0]].shape[1:3])


def _grouped(patch: np.ndarray, w: np.ndarray, groups: int) -> np.ndarray:
    """[pixels, oc] of patch [pixels, ic] and the weights [oc, ic / groups] of one tap."""
    ins, outs = np.split(patch, groups, axis=1), np.split(w, groups)
    return np.concatenate([p @ v.T for p, v in zip(ins, outs, strict=True)], axis=1)


def conv2d(graph: g.Graph, op: g.Conv2D, x: np.ndarray, w: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    """CONV_2D."""
    padded, shape = _padded(x, op.padding), graph.tensors[op.outputs[0]].shape
    out = np.zeros((int(np.prod(shape[:3])), shape[3]), np.float32)
    for ky, kx, rows, columns in _taps(graph, op, w.shape[1:3], op.dilation):
        out += _grouped(padded[:, rows, columns].reshape(-1, x.shape[3]), w[:, ky, kx], op.groups)
    return out if bias is None else out + bias


def depthwise_conv2d(
    graph: g.Graph, op: g.DepthwiseConv2D, x: np.ndarray, w: np.ndarray, bias: np.ndarray | None
) -> np.ndarray:
    """DEPTHWISE_CONV_2D."""
    padded = np.repeat(_padded(x, op.padding), op.multiplier, axis=3)
    out = np.zeros(graph.tensors[op.outputs[0]].shape, np.float32)
    for ky, kx, rows, columns in _taps(graph, op, w.shape[1:3], op.dilation):
        out += padded[:, rows, columns] * w[0, ky, kx]
    return out if bias is None else out + bias


def transposed_conv2d(
    graph: g.Graph, op: g.TransposedConv2D, x: np.ndarray, w: np.ndarray, bias: np.ndarray | None
) -> np.ndarray:
    """TRANSPOSE_CONV: every product is added where the convolution would have read it."""
    n, h, width, ic = x.shape
    _, oh, ow, oc = graph.tensors[op.outputs[0]].shape
    (sh, sw), (kh, kw), p = op.stride, w.shape[1:3], op.padding
    whole = np.zeros(
        (n, max((h - 1) * sh + kh, oh + p.top), max((width - 1) * sw + kw, ow + p.left), oc), np.float32
    )
    for ky, kx, rows, columns in taps_of((kh, kw), op.stride, (1, 1), (h, width)):
        whole[:, rows, columns] += (x.reshape(-1, ic) @ w[:, ky, kx].T).reshape(n, h, width, oc)
    out = whole[:, p.top : p.top + oh, p.left : p.left + ow]
    return out if bias is None else out + bias


def deformable_conv2d(
    graph: g.Graph,
    op: g.DeformableConv2D,
    x: np.ndarray,
    w: np.ndarray,
    bias: np.ndarray | None,
    offsets: np.ndarray,
    mask: np.ndarray | None = None,
) -> np.ndarray:
    """DEFORM_CONV_2D: the image is zero outside, also at the corners of a bilinear cell that lie outside."""
    _, oh, ow, oc = graph.tensors[op.outputs[0]].shape
    kh, kw = w.shape[1:3]
    channels = x.shape[3] // op.offset_groups
    steps = offsets.reshape(oh, ow, op.offset_groups, kh * kw, 2)
    factors = None if mask is None else mask.reshape(oh, ow, op.offset_groups, kh * kw)
    rows = (np.arange(oh) * op.stride[0] - op.padding.top)[:, None]
    columns = np.arange(ow) * op.stride[1] - op.padding.left
    out = np.zeros((oh * ow, oc), np.float32)
    for tap in range(kh * kw):
        ky, kx = divmod(tap, kw)
        parts = []
        for k in range(op.offset_groups):
            y = rows + ky * op.dilation[0] + steps[:, :, k, tap, 0]
            at = columns + kx * op.dilation[1] + steps[:, :, k, tap, 1]
            part = bilinear(x[0, :, :, k * channels : (k + 1) * channels], y, at)
            parts.append(part if factors is None else part * factors[:, :, k, tap, None])
        patch = np.concatenate(parts, axis=2).reshape(oh * ow, -1).astype(np.float32)
        out += _grouped(patch, w[:, ky, kx], op.groups)
    return out if bias is None else out + bias


def bilinear(image: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """[oh, ow, c] of image [h, w, c] at real positions [oh, ow], zero outside."""
    h, w, _ = image.shape
    top, left = np.floor(y), np.floor(x)
    out = np.zeros((*y.shape, image.shape[2]))
    for dy in (0, 1):
        for dx in (0, 1):
            row, column = top + dy, left + dx
            weight = (1 - np.abs(y - row)) * (1 - np.abs(x - column))
            inside = (row >= 0) & (row < h) & (column >= 0) & (column < w)
            corner = image[np.clip(row, 0, h - 1).astype(int), np.clip(column, 0, w - 1).astype(int)]
            out += (weight * inside)[..., None] * corner
    return out


def fully_connected(
    graph: g.Graph, op: g.FullyConnected, x: np.ndarray, w: np.ndarray, bias: np.ndarray | None
) -> np.ndarray:
    """FULLY_CONNECTED."""
    out = x.reshape(-1, w.shape[1]) @ w.T
    return out if bias is None else out + bias


def add(graph: g.Graph, op: g.Add, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """ADD."""
    return a + b


def average_pool_2d(graph: g.Graph, op: g.AveragePool2D, x: np.ndarray) -> np.ndarray:
    """AVERAGE_POOL_2D: over the positions of a window that lie inside the input."""
    values, inside = _padded(x, op.padding), _padded(np.ones_like(x[..., :1]), op.padding)
    taps = list(_taps(graph, op, op.kernel))
    count = sum(inside[:, rows, columns] for _, _, rows, columns in taps)
    return sum(values[:, rows, columns] for _, _, rows, columns in taps) / count


def max_pool_2d(graph: g.Graph, op: g.MaxPool2D, x: np.ndarray) -> np.ndarray:
    """MAX_POOL_2D."""
    values = _padded(x, op.padding, -np.inf)
    return np.maximum.reduce(
        [values[:, rows, columns] for _, _, rows, columns in _taps(graph, op, op.kernel)]
    )


def binary_conv2d(
    graph: g.Graph,
    op: g.BinaryConv2D,
    x: np.ndarray,
    w: np.ndarray,
    multiplier: np.ndarray | None,
    bias: np.ndarray | None,
    thresholds: np.ndarray | None = None,
) -> np.ndarray:
    """LceBconv2d; its activation clamps the sum."""
    sums = binary.window_sums(graph, op, x, w)
    if thresholds is not None:
        return binary.pack_bits(sums < binary.bounds(graph, op))
    return np.clip(sums, *binary.sum_limits(graph, op)).astype(np.float32) * multiplier + bias


def unbinarise(graph: g.Graph, op: g.Unbinarise, x: np.ndarray) -> np.ndarray:
    """LceDequantize."""
    bits = binary.unpack_bits(x, graph.tensors[op.outputs[0]].shape[-1])
    return np.where(bits, -1.0, 1.0)


def softmax(graph: g.Graph, op: g.Softmax, x: np.ndarray) -> np.ndarray:
    """SOFTMAX."""
    e = np.exp(op.beta * (x - x.max(-1, keepdims=True)))
    return e / e.sum(-1, keepdims=True)


def resize_nearest(graph: g.Graph, op: g.ResizeNearest, x: np.ndarray) -> np.ndarray:
    """RESIZE_NEAREST_NEIGHBOR."""
    rows, columns = resize_indices(graph, op)
    return x[:, rows][:, :, columns]


OPS: dict[type[g.Op], Callable[..., np.ndarray]] = {
    g.Conv2D: conv2d,
    g.DepthwiseConv2D: depthwise_conv2d,
    g.TransposedConv2D: transposed_conv2d,
    g.DeformableConv2D: deformable_conv2d,
    g.FullyConnected: fully_connected,
    g.Add: add,
    g.AveragePool2D: average_pool_2d,
    g.MaxPool2D: max_pool_2d,
    g.Mean: lambda graph, op, x: x.mean(axis=op.axes),
    g.Pad: lambda graph, op, x: np.pad(x, op.pads),
    g.Reshape: lambda graph, op, x: x,
    g.Softmax: softmax,
    g.Transpose: lambda graph, op, x: x.transpose(op.perm),
    g.Concatenation: lambda graph, op, *xs: np.concatenate(xs, axis=op.axis),
    g.ResizeNearest: resize_nearest,
    g.Binarise: lambda graph, op, x: binary.pack_bits(x < 0),
    g.Unbinarise: unbinarise,
    g.BinaryConv2D: binary_conv2d,
    g.BinaryMaxPool2D: binary.binary_max_pool,
}
