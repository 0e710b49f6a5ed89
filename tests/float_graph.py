"""Runs a float graph, operator by operator in plain loops over windows: what the float import is compared with."""

from __future__ import annotations

import numpy as np

from host.model import graph as g
from host.oracle.convolution import taps_of
from host.oracle.params import resize_indices

_RANGES = {"NONE": (-np.inf, np.inf), "RELU": (0, np.inf), "RELU6": (0, 6), "RELU_N1_TO_1": (-1, 1)}


def run_float(graph: g.Graph, *inputs: np.ndarray) -> list[np.ndarray]:
    """The outputs with the file's axes, of inputs with the file's axes."""
    values = {i: t.data for i, t in enumerate(graph.tensors) if t.data is not None}
    for border, array in zip(graph.inputs, inputs, strict=True):
        assert array.shape == border.shown(graph.tensors[border.tensor].shape)
        values[border.tensor] = border.to_tensor(array)
    for op in graph.ops:
        out = _operator(graph, op, [values[i] if i >= 0 else None for i in op.inputs])
        shape = graph.tensors[op.outputs[0]].shape
        assert out.size == np.prod(shape), (op.kind, out.shape, shape)
        values[op.outputs[0]] = np.clip(out.reshape(shape), *_RANGES[getattr(op, "activation", "NONE")])
    return [border.to_user(values[border.tensor]) for border in graph.outputs]


def _operator(graph: g.Graph, op: g.Op, xs: list[np.ndarray | None]) -> np.ndarray:
    x = xs[0]
    match op:
        case g.Conv2D() | g.DepthwiseConv2D():
            return _convolution(graph, op, *xs)
        case g.TransposedConv2D():
            return _transposed(graph, op, *xs)
        case g.FullyConnected():
            return x.reshape(-1, xs[1].shape[1]) @ xs[1].T + (0 if xs[2] is None else xs[2])
        case g.Add():
            return x + xs[1]
        case g.MaxPool2D() | g.AveragePool2D():
            return _pool(graph, op, x)
        case g.Mean():
            return x.mean(op.axes)
        case g.Pad():
            return np.pad(x, op.pads)
        case g.Reshape():
            return x
        case g.Softmax():
            e = np.exp(x - x.max(-1, keepdims=True))
            return e / e.sum(-1, keepdims=True)
        case g.Transpose():
            return x.transpose(op.perm)
        case g.Concatenation():
            return np.concatenate(xs, op.axis)
        case g.ResizeNearest():
            rows, columns = resize_indices(graph, op)
            return x[:, rows][:, :, columns]
    raise AssertionError(op.kind)


def _pads(padding: g.Padding) -> tuple:
    return ((0, 0), (padding.top, padding.bottom), (padding.left, padding.right), (0, 0))


def _convolution(graph, op, x, w, bias):
    shape = graph.tensors[op.outputs[0]].shape
    padded = np.pad(x, _pads(op.padding))
    out = np.zeros(shape, np.float64)
    for ky, kx, rows, columns in taps_of(w.shape[1:3], op.stride, op.dilation, shape[1:3]):
        seen = padded[:, rows, columns]
        if isinstance(op, g.DepthwiseConv2D):
            out += np.repeat(seen, op.multiplier, axis=3) * w[0, ky, kx]
            continue
        ic, oc = x.shape[3] // op.groups, shape[3] // op.groups
        for k in range(op.groups):
            out[..., k * oc : (k + 1) * oc] += (
                seen[..., k * ic : (k + 1) * ic] @ w[k * oc : (k + 1) * oc, ky, kx].T
            )
    return out + (0 if bias is None else bias)


def _transposed(graph, op, x, w, bias):
    _, oh, ow, oc = graph.tensors[op.outputs[0]].shape
    whole = np.zeros((oh + 64, ow + 64, oc))
    for iy in range(x.shape[1]):
        for ix in range(x.shape[2]):
            for ky in range(w.shape[1]):
                for kx in range(w.shape[2]):
                    at = iy * op.stride[0] + ky - op.padding.top, ix * op.stride[1] + kx - op.padding.left
                    if 0 <= at[0] < oh and 0 <= at[1] < ow:
                        whole[at] += w[:, ky, kx] @ x[0, iy, ix]
    return whole[:oh, :ow] + (0 if bias is None else bias)


def _pool(graph, op, x):
    shape = graph.tensors[op.outputs[0]].shape
    taps = list(taps_of(op.kernel, op.stride, (1, 1), shape[1:3]))
    if isinstance(op, g.MaxPool2D):
        padded = np.pad(x, _pads(op.padding), constant_values=-np.inf)
        return np.maximum.reduce([padded[:, rows, columns] for _, _, rows, columns in taps])
    padded, inside = np.pad(x, _pads(op.padding)), np.pad(np.ones_like(x), _pads(op.padding))
    total = sum(padded[:, rows, columns] for _, _, rows, columns in taps)
    return total / sum(inside[:, rows, columns] for _, _, rows, columns in taps)
