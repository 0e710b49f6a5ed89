"""Small networks whose inferences are told apart by every bit of their inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from host.compile import Compiled, compile_graph
from host.inputs import Samples
from host.model.builder import Builder
from host.oracle.run import run_graph

SAMPLES = 4


@dataclass(frozen=True)
class Net:
    """A compiled network, inputs, and the outputs that the oracle computes for each."""

    compiled: Compiled
    samples: Samples
    outputs: list[list[np.ndarray]]


def _convolution(rng: np.random.Generator) -> Builder:
    net = Builder("convolution")
    x = net.input((9, 7, 4), scale=1 / 32)
    x = net.conv2d(x, rng.normal(0, 0.3, (8, 3, 3, 4)), scale=1 / 16, activation="RELU")
    x = net.depthwise_conv2d(x, rng.normal(0, 0.3, (1, 3, 3, 8)), scale=1 / 16)
    net.output(net.conv2d(x, rng.normal(0, 0.3, (5, 1, 1, 8)), scale=1 / 16))
    return net


def _two_inputs(rng: np.random.Generator) -> Builder:
    net = Builder("two_inputs")
    a, b = net.input((6, 6, 8), scale=1 / 32), net.input((6, 6, 8), scale=1 / 16)
    x = net.add(a, b, scale=1 / 16)
    net.output(net.conv2d(x, rng.normal(0, 0.3, (4, 3, 3, 8)), scale=1 / 8))
    return net


def _large_input(rng: np.random.Generator) -> Builder:
    net = Builder("large_input")
    x = net.input((40, 40, 3), scale=1 / 64)
    x = net.conv2d(x, rng.normal(0, 0.3, (4, 3, 3, 3)), stride=2, scale=1 / 16, activation="RELU6")
    net.output(net.conv2d(x, rng.normal(0, 0.3, (6, 1, 1, 4)), scale=1 / 16))
    return net


def _classifier(rng: np.random.Generator) -> Builder:
    net = Builder("classifier")
    x = net.input((16, 16, 4), scale=1 / 32)
    net.output(net.conv2d(x, rng.normal(0, 0.1, (6, 16, 16, 4)), padding="VALID", scale=1 / 8))
    return net


def _picture(rng: np.random.Generator) -> Builder:
    net = Builder("picture")
    x = net.input((64, 64, 3), scale=1 / 64)
    net.output(net.conv2d(x, rng.normal(0, 0.3, (4, 3, 3, 3)), stride=8, scale=1 / 16))
    return net


@cache
def picture() -> Net:
    """One whose input is three times what a port keeps by itself."""
    return _net(4, _picture)


@cache
def nets() -> tuple[Net, ...]:
    """Those of the fault cases."""
    return tuple(
        _net(seed, make) for seed, make in enumerate((_convolution, _two_inputs, _large_input, _classifier))
    )


def _net(seed: int, make: Callable[[np.random.Generator], Builder]) -> Net:
    rng = np.random.default_rng(seed)
    compiled = compile_graph(make(rng).graph())
    graph = compiled.original
    shapes = [graph.tensors[border.tensor].shape for border in graph.inputs]
    tensors = [[rng.integers(-128, 128, shape, dtype=np.int8) for shape in shapes] for _ in range(SAMPLES)]
    outputs = []
    for sample in tensors:
        values = run_graph(graph, sample)
        outputs.append([values[border.tensor] for border in graph.outputs])
    return Net(compiled, Samples(tensors, None, make.__name__), outputs)
