"""What the cases share: networks of one operator with random parameters like those of trained networks."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from host.model import graph as g
from host.model.tflite_write import same_padding

INT8, INT32 = np.dtype(np.int8), np.dtype(np.int32)
SCALE = 0.05
RELU_ZERO = -128  # zero point behind a ReLU
# Weights of trained networks are bell-shaped and fill the range; so sums spread over the output like OUTPUT_SPREAD.
WEIGHT_SPREAD, INPUT_SPREAD, OUTPUT_SPREAD = 32.0, 74.0, 40.0


@dataclass(frozen=True)
class Case:
    """One shape. `op` is the operator of params.def, `name` its stable key, `make` builds the graph."""

    name: str
    op: str
    make: Callable[[], g.Graph]

    def graph(self) -> g.Graph:
        """A network of the one operator; the same at every call."""
        return self.make()

    def inputs(self) -> list[np.ndarray]:
        """int8 inputs of the network; the same at every call."""
        graph = self.graph()
        return [
            rng_of(self.name, "x").integers(-128, 128, graph.tensors[b.tensor].shape, INT8)
            for b in graph.inputs
        ]


def rng_of(name: str, what: str = "") -> np.random.Generator:
    """Random numbers that depend on the case's name and a purpose alone."""
    return np.random.default_rng(zlib.crc32(f"{name} {what}".encode()))


def make_quant(scale: float | np.ndarray, zero: int, axis: int = 0) -> g.Quant:
    """Scales along an axis, one zero point."""
    return g.Quant(np.atleast_1d(np.asarray(scale, np.float32)), zero, axis)


def activation(name: str, shape: tuple[int, ...], zero: int = RELU_ZERO, scale: float = SCALE) -> g.Tensor:
    """An int8 activation."""
    return g.Tensor(name, shape, INT8, make_quant(scale, zero))


def one_operator(name: str, tensors: list[g.Tensor], op: g.Op) -> g.Graph:
    """A network of one operator; inputs without data are its inputs."""
    inputs = [i for i in op.inputs if i >= 0 and tensors[i].data is None]
    borders = [g.Border(i, tensors[i].name, INT8) for i in (*inputs, *op.outputs)]
    return g.Graph(name, tensors, [op], borders[: len(inputs)], borders[len(inputs) :])


def weights_and_bias(
    name: str, shape: tuple[int, ...], axis: int, products: int, per_channel: bool
) -> list[g.Tensor]:
    """Weights and bias: bell-shaped, multipliers that spread the sums over int8."""
    rng = rng_of(name)
    channels = shape[axis]
    data = np.clip(np.rint(rng.normal(0, WEIGHT_SPREAD, shape)), -127, 127).astype(INT8)
    usual = OUTPUT_SPREAD / (WEIGHT_SPREAD * INPUT_SPREAD * products**0.5)
    scale = usual * 2.0 ** rng.uniform(-1, 1, channels if per_channel else 1)
    reach = int(WEIGHT_SPREAD * INPUT_SPREAD * products**0.5)
    bias = rng.integers(-reach, reach + 1, channels).astype(INT32)
    return [
        g.Tensor("weights", shape, INT8, make_quant(scale, 0, axis if per_channel else 0), data),
        g.Tensor("bias", (channels,), INT32, make_quant(scale * SCALE, 0), bias),
    ]


def same_sizes(
    h: int, w: int, kernel: tuple[int, int], stride: int, dilation: int = 1
) -> tuple[int, int, g.Padding]:
    """Output size and padding of SAME."""
    top, bottom = same_padding(h, kernel[0], stride, dilation)
    left, right = same_padding(w, kernel[1], stride, dilation)
    return -(-h // stride), -(-w // stride), g.Padding(top, bottom, left, right)


def stride_text(stride: int) -> str:
    """The stride in a case's name; nothing for 1."""
    return f" s{stride}" if stride != 1 else ""


def dilation_text(dilation: int) -> str:
    """The dilation in a case's name; nothing for 1."""
    return f" d{dilation}" if dilation != 1 else ""
