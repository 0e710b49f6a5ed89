"""Float networks for tests: the real-valued form of int8 ones, and one with every operator."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from host.model import graph as g
from host.model.builder import Builder
from host.quantize import floats

FLOAT = np.dtype(np.float32)


def dequantised(graph: g.Graph) -> g.Graph:
    """The float network that an int8 one stands for."""
    graph = graph.copy()
    for i, t in enumerate(graph.tensors):
        if t.quant is None:
            continue
        data = None
        if t.data is not None:
            along = [1] * len(t.shape)
            along[t.quant.axis] = len(t.quant.scale)
            data = (t.data.astype(np.float64) - t.quant.zero_point) * t.quant.scale.reshape(along)
        graph.tensors[i] = replace(
            t, dtype=FLOAT, quant=None, data=None if data is None else data.astype(FLOAT), unsigned=False
        )
    for border in (*graph.inputs, *graph.outputs):
        border.dtype = FLOAT
    return graph


def small(seed: int = 0) -> g.Graph:
    """Two inputs and most operators; outputs a concatenation of probabilities with scores, and a mean."""
    rng = np.random.default_rng(seed)

    def real(*shape: int) -> np.ndarray:
        return rng.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape)

    net = Builder("small")
    left, right = net.input((8, 8, 4), name="left"), net.input((8, 8, 4), name="right")
    x = net.conv2d(left, real(8, 3, 3, 4), rng.normal(0, 1, 8), activation="RELU6")
    y = net.depthwise_conv2d(
        net.add(left, right), 3 * real(1, 3, 3, 8) / 1.0, rng.normal(0, 1, 8), dilation=2
    )
    x = net.add(x, y, activation="RELU")
    x = net.concatenate([net.max_pool(x, 2), net.average_pool(net.pad(y, ((0, 0), (0, 0), (0, 0))), 2)])
    x = net.resize_nearest(net.transpose(x, (0, 2, 1, 3)), (4, 6))
    mean = net.mean(x)
    x = net.fully_connected(net.flatten(x), real(5, 4 * 6 * 16), rng.normal(0, 1, 5))
    net.output(net.concatenate([net.softmax(x), x]), "scores")
    net.output(mean, "mean")
    return net.graph()


def inputs_of(graph: g.Graph, count: int, seed: int = 1) -> list[list[np.ndarray]]:
    """Normal samples for every input."""
    rng = np.random.default_rng(seed)
    shapes = [graph.tensors[b.tensor].shape for b in graph.inputs]
    return [[rng.normal(0, 1, s).astype(FLOAT) for s in shapes] for _ in range(count)]


def run_float(graph: g.Graph, *inputs: np.ndarray) -> list[np.ndarray]:
    """The outputs of a float network with the file's axes, of inputs with the file's axes."""
    tensors = [b.to_tensor(array) for b, array in zip(graph.inputs, inputs, strict=True)]
    values = floats.run_float(graph, tensors)
    return [b.to_user(values[b.tensor]) for b in graph.outputs]
