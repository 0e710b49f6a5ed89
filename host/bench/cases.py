"""The shapes of `host bench`: networks of one operator with random parameters like those of trained networks.

Shapes are those of the five networks of the README's table, one of each kind, and each kernel family's best.
"""

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
            _rng(self.name, "x").integers(-128, 128, graph.tensors[b.tensor].shape, INT8)
            for b in graph.inputs
        ]


def _rng(name: str, what: str = "") -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(f"{name} {what}".encode()))


def _quant(scale: float | np.ndarray, zero: int, axis: int = 0) -> g.Quant:
    return g.Quant(np.atleast_1d(np.asarray(scale, np.float32)), zero, axis)


def _activation(name: str, shape: tuple[int, ...], zero: int = RELU_ZERO, scale: float = SCALE) -> g.Tensor:
    return g.Tensor(name, shape, INT8, _quant(scale, zero))


def _graph(name: str, tensors: list[g.Tensor], op: g.Op) -> g.Graph:
    inputs = [i for i in op.inputs if i >= 0 and tensors[i].data is None]
    borders = [g.Border(i, tensors[i].name, INT8) for i in (*inputs, *op.outputs)]
    return g.Graph(name, tensors, [op], borders[: len(inputs)], borders[len(inputs) :])


def _weights(
    name: str, shape: tuple[int, ...], axis: int, products: int, per_channel: bool
) -> list[g.Tensor]:
    """Weights and bias: bell-shaped, multipliers that spread the sums over int8."""
    rng = _rng(name)
    channels = shape[axis]
    data = np.clip(np.rint(rng.normal(0, WEIGHT_SPREAD, shape)), -127, 127).astype(INT8)
    usual = OUTPUT_SPREAD / (WEIGHT_SPREAD * INPUT_SPREAD * products**0.5)
    scale = usual * 2.0 ** rng.uniform(-1, 1, channels if per_channel else 1)
    reach = int(WEIGHT_SPREAD * INPUT_SPREAD * products**0.5)
    bias = rng.integers(-reach, reach + 1, channels).astype(INT32)
    return [
        g.Tensor("weights", shape, INT8, _quant(scale, 0, axis if per_channel else 0), data),
        g.Tensor("bias", (channels,), INT32, _quant(scale * SCALE, 0), bias),
    ]


def _sizes(h: int, w: int, kernel: tuple[int, int], stride: int) -> tuple[int, int, g.Padding]:
    """Output size and padding of SAME."""
    top, bottom = same_padding(h, kernel[0], stride, 1)
    left, right = same_padding(w, kernel[1], stride, 1)
    return -(-h // stride), -(-w // stride), g.Padding(top, bottom, left, right)


def conv(h: int, w: int, in_c: int, out_c: int, kernel: tuple[int, int] = (1, 1), stride: int = 1) -> Case:
    """A convolution with SAME padding and ReLU."""
    pointwise = kernel == (1, 1)
    what = "pointwise" if pointwise else f"conv {kernel[0]}x{kernel[1]}"
    name = f"{what}{_stride(stride)} {h}x{w} {in_c}->{out_c}"

    def make() -> g.Graph:
        out_h, out_w, padding = _sizes(h, w, kernel, stride)
        weights = _weights(name, (out_c, *kernel, in_c), 0, kernel[0] * kernel[1] * in_c, True)
        tensors = [_activation("x", (1, h, w, in_c)), *weights, _activation("y", (1, out_h, out_w, out_c))]
        op = g.Conv2D((0, 1, 2), (3,), 0, (stride, stride), padding=padding, activation="RELU")
        return _graph(name, tensors, op)

    return Case(name, "conv2d", make)


def depthwise(h: int, w: int, channels: int, kernel: int, stride: int = 1) -> Case:
    """A depthwise convolution with SAME padding and ReLU."""
    name = f"depthwise {kernel}x{kernel}{_stride(stride)} {h}x{w} {channels}"

    def make() -> g.Graph:
        out_h, out_w, padding = _sizes(h, w, (kernel, kernel), stride)
        weights = _weights(name, (1, kernel, kernel, channels), 3, kernel * kernel, True)
        tensors = [
            _activation("x", (1, h, w, channels)),
            *weights,
            _activation("y", (1, out_h, out_w, channels)),
        ]
        op = g.DepthwiseConv2D((0, 1, 2), (3,), 0, (stride, stride), padding=padding, activation="RELU")
        return _graph(name, tensors, op)

    return Case(name, "depthwise", make)


def fully_connected(in_c: int, out_c: int) -> Case:
    """One row."""
    name = f"fc {in_c}->{out_c}"

    def make() -> g.Graph:
        weights = _weights(name, (out_c, in_c), 0, in_c, False)
        tensors = [_activation("x", (1, in_c)), *weights, _activation("y", (1, out_c))]
        return _graph(name, tensors, g.FullyConnected((0, 1, 2), (3,), 0, activation="RELU"))

    return Case(name, "fully_connected", make)


def add(h: int, w: int, channels: int) -> Case:
    """Two activations of different scales, with ReLU."""
    name = f"add {h}x{w} {channels}"
    shape = (1, h, w, channels)

    def make() -> g.Graph:
        tensors = [
            _activation("a", shape, -5, 0.04),
            _activation("b", shape, RELU_ZERO, 0.03),
            _activation("y", shape, RELU_ZERO, 0.045),
        ]
        return _graph(name, tensors, g.Add((0, 1), (2,), 0, activation="RELU"))

    return Case(name, "add", make)


def pool(
    cls: type[g.Pool2D], h: int, w: int, channels: int, kernel: tuple[int, int], stride: int = 1
) -> Case:
    """A pool without padding; scales are equal, as the file format demands."""
    op_name = {g.AveragePool2D: "average_pool", g.MaxPool2D: "max_pool"}[cls]
    name = f"{op_name.replace('_', ' ')} {kernel[0]}x{kernel[1]}{_stride(stride)} {h}x{w} {channels}"

    def make() -> g.Graph:
        out_h, out_w = (h - kernel[0]) // stride + 1, (w - kernel[1]) // stride + 1
        tensors = [_activation("x", (1, h, w, channels)), _activation("y", (1, out_h, out_w, channels))]
        return _graph(name, tensors, cls((0,), (1,), 0, kernel, (stride, stride)))

    return Case(name, op_name, make)


def mean(h: int, w: int, channels: int) -> Case:
    """Over the image, to another scale."""
    name = f"mean {h}x{w} {channels}"

    def make() -> g.Graph:
        tensors = [_activation("x", (1, h, w, channels)), _activation("y", (1, channels), -3, 0.03)]
        return _graph(name, tensors, g.Mean((0,), (1,), 0, (1, 2)))

    return Case(name, "mean", make)


def softmax(rows: int, depth: int) -> Case:
    """Over the last dimension."""
    name = f"softmax {rows}x{depth}"

    def make() -> g.Graph:
        shape = (rows, depth)
        tensors = [_activation("x", shape, 10, 0.1), _activation("y", shape, -128, 1 / 256)]
        return _graph(name, tensors, g.Softmax((0,), (1,), 0))

    return Case(name, "softmax", make)


def pad(h: int, w: int, channels: int) -> Case:
    """One row and column at each side."""
    name = f"pad {h}x{w} {channels}"

    def make() -> g.Graph:
        tensors = [_activation("x", (1, h, w, channels)), _activation("y", (1, h + 2, w + 2, channels))]
        return _graph(name, tensors, g.Pad((0,), (1,), 0, ((0, 0), (1, 1), (1, 1), (0, 0))))

    return Case(name, "pad", make)


def transpose(h: int, w: int, channels: int) -> Case:
    """HWC to CHW."""
    name = f"transpose {h}x{w} {channels}"

    def make() -> g.Graph:
        tensors = [_activation("x", (1, h, w, channels)), _activation("y", (1, channels, h, w))]
        return _graph(name, tensors, g.Transpose((0,), (1,), 0, (0, 3, 1, 2)))

    return Case(name, "transpose", make)


def concatenation(h: int, w: int, channels: int) -> Case:
    """Two tensors along the channels."""
    name = f"concatenation {h}x{w} {channels}+{channels}"

    def make() -> g.Graph:
        tensors = [_activation(n, (1, h, w, channels)) for n in "ab"]
        tensors.append(_activation("y", (1, h, w, 2 * channels)))
        return _graph(name, tensors, g.Concatenation((0, 1), (2,), 0, 3))

    return Case(name, "copy_slice", make)


def resize(h: int, w: int, channels: int) -> Case:
    """To twice the size."""
    name = f"resize nearest {h}x{w} {channels}"

    def make() -> g.Graph:
        tensors = [_activation("x", (1, h, w, channels)), _activation("y", (1, 2 * h, 2 * w, channels))]
        return _graph(name, tensors, g.ResizeNearest((0,), (1,), 0))

    return Case(name, "resize_nearest", make)


def requantize(h: int, w: int, channels: int) -> Case:
    """To another scale and zero point."""
    name = f"requantize {h}x{w} {channels}"

    def make() -> g.Graph:
        shape = (1, h, w, channels)
        tensors = [_activation("x", shape, -5, 0.04), _activation("y", shape, 3, 0.05)]
        return _graph(name, tensors, g.Quantize((0,), (1,), 0))

    return Case(name, "requantize", make)


def _stride(stride: int) -> str:
    return f" s{stride}" if stride != 1 else ""


def all_cases() -> list[Case]:
    """The grid, by operator."""
    three = (3, 3)
    return [
        # pointwise: the family's best shape first, then wide and narrow, large and small images
        conv(16, 16, 64, 64), conv(25, 5, 64, 64), conv(48, 48, 8, 16), conv(24, 24, 32, 32), conv(12, 12, 64, 64),
        conv(6, 6, 128, 128), conv(3, 3, 256, 128), conv(20, 20, 48, 16), conv(20, 20, 16, 48), conv(10, 10, 24, 144),
        conv(5, 5, 240, 40), conv(3, 3, 96, 480), conv(32, 32, 16, 32, stride=2), conv(16, 16, 32, 64, stride=2),
        # 3x3 and others
        conv(16, 16, 32, 32, three), conv(32, 32, 16, 16, three), conv(8, 8, 64, 64, three),
        conv(32, 32, 16, 32, three, 2), conv(16, 16, 32, 64, three, 2), conv(12, 12, 24, 24, (5, 5)),
        # first layers
        conv(49, 10, 1, 64, (10, 4), 2), conv(96, 96, 3, 8, three, 2), conv(32, 32, 3, 16, three),
        conv(80, 80, 3, 16, three, 2),
        depthwise(24, 24, 32, 3), depthwise(25, 5, 64, 3), depthwise(48, 48, 8, 3), depthwise(12, 12, 64, 3),
        depthwise(6, 6, 128, 3), depthwise(5, 5, 240, 3), depthwise(48, 48, 16, 3, 2), depthwise(12, 12, 64, 3, 2),
        depthwise(20, 20, 48, 5), depthwise(10, 10, 120, 5), depthwise(20, 20, 48, 7), depthwise(5, 5, 240, 7),
        depthwise(20, 20, 48, 7, 2),
        fully_connected(128, 128), fully_connected(640, 128), fully_connected(128, 640), fully_connected(8, 128),
        fully_connected(64, 12), fully_connected(256, 2),
        add(32, 32, 16), add(20, 20, 16), add(3, 3, 96),
        pool(g.AveragePool2D, 25, 5, 64, (25, 5)), pool(g.AveragePool2D, 8, 8, 64, (8, 8)),
        pool(g.AveragePool2D, 16, 16, 32, (2, 2), 2),
        pool(g.MaxPool2D, 16, 16, 32, (2, 2), 2), pool(g.MaxPool2D, 16, 16, 32, (3, 3), 2),
        mean(8, 8, 64), mean(3, 3, 160), softmax(1, 10), softmax(16, 10), softmax(1, 1000),
        pad(16, 16, 32), transpose(3, 3, 160), concatenation(16, 16, 16), resize(8, 8, 32), requantize(16, 16, 32),
    ]  # fmt: skip
