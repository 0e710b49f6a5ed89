"""Networks of several layers with planted constant, dead and unread channels, for the tests of exact slimming."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st

from host.model import graph as g
from host.model.tflite_write import same_padding

INT8, INT32 = np.dtype("int8"), np.dtype("int32")
# What `Builder.parameters` makes of an output channel.
PLANTS = ("live", "zeros", "zeros with bias", "clamped low", "clamped high", "flushed", "rounded")


class Builder:
    """A network grown operator by operator; every method returns the new tensor's index.

    All activations share one scale, so that any two can be concatenated; zero points are drawn or shared.
    """

    def __init__(self, seed: int, zero_point: int | None = None, dead: float = 0.4):
        self.rng = np.random.default_rng(seed)
        self.zero_point, self.dead = zero_point, dead
        self.tensors: list[g.Tensor] = []
        self.ops: list[g.Op] = []
        self.inputs: list[int] = []

    def graph(self, *outputs: int) -> g.Graph:
        """The network with these outputs."""
        inputs, ends = (
            [g.Border(i, self.tensors[i].name, INT8) for i in some] for some in (self.inputs, outputs)
        )
        return g.Graph("planted", self.tensors, self.ops, inputs, ends)

    def tensor(self, shape: tuple[int, ...], quant: g.Quant | None = None, data=None, dtype=INT8) -> int:
        """A new tensor."""
        if quant is None:
            zero = int(self.rng.choice([-128, 0, 5, 127])) if self.zero_point is None else self.zero_point
            quant = g.Quant(np.array([0.05], np.float32), zero)
        self.tensors.append(g.Tensor(f"t{len(self.tensors)}", tuple(shape), dtype, quant, data))
        return len(self.tensors) - 1

    def shape(self, x: int) -> tuple[int, ...]:
        """A tensor's shape."""
        return self.tensors[x].shape

    def input(self, shape: tuple[int, ...]) -> int:
        """An input of the network."""
        self.inputs.append(self.tensor(shape))
        return self.inputs[-1]

    def constant(self, x: int) -> int:
        """A constant of a tensor's shape, the same value all over a channel or not."""
        data = self.rng.integers(-128, 128, self.shape(x), dtype=np.int8)
        if self.rng.random() < 0.5:
            data[:] = data[(0,) * (data.ndim - 1)]
        return self.tensor(self.shape(x), data=data)

    def _append(self, cls, inputs: tuple[int, ...], y: int, **options) -> int:
        self.ops.append(cls(inputs, (y,), len(self.ops), **options))
        return y

    def parameters(self, shape: tuple[int, ...], axis: int, plants: list[str] | None) -> tuple[int, int]:
        """Weights and bias; `plants` names what becomes of each output channel, None: drawn."""
        count = shape[axis]
        products = math.prod(shape) // count if axis == 0 else math.prod(shape[:3])
        data = self.rng.integers(-127, 128, shape, dtype=np.int8)
        bias = self.rng.integers(-500, 501, count).astype(np.int32)
        scale = np.full(count, 1 / (40 * math.sqrt(products)), np.float32)
        rows = np.moveaxis(data, axis, 0)
        for c in range(count):
            if plants is not None:
                plant = plants[c]
            else:
                plant = self.rng.choice(PLANTS[1:]) if self.rng.random() < self.dead else "live"
            if plant.startswith("zeros"):
                rows[c] = 0
                bias[c] = round(float(self.rng.integers(-100, 101)) / scale[c]) if "bias" in plant else 0
            elif plant.startswith("clamped"):
                bias[c] = (1 << 24) * (-1 if plant.endswith("low") else 1)
            elif plant in ("flushed", "rounded"):
                scale[c] = 2.0**-40 if plant == "flushed" else 2.0**-26
        if axis == 0 and plants is None:
            data[..., self.rng.random(shape[-1]) < self.dead / 2] = 0
        weights = self.tensor(shape, g.Quant(scale, 0, axis), data)
        return weights, self.tensor((count,), g.Quant(scale, 0), bias, INT32)

    def conv(
        self, x: int, channels: int, kernel: int = 1, stride: int = 1, same: bool = True, plants=None
    ) -> int:
        """CONV_2D, square; a random activation if the plants are drawn too."""
        padding, out = self._window(x, kernel, stride, same)
        parameters = self.parameters((channels, kernel, kernel, self.shape(x)[3]), 0, plants)
        y = self.tensor((1, *out, channels))
        options = dict(stride=(stride, stride), padding=padding, activation=self._activation(plants))
        return self._append(g.Conv2D, (x, *parameters), y, **options)

    def depthwise(
        self, x: int, kernel: int = 3, stride: int = 1, same: bool = True, multiplier: int = 1, plants=None
    ) -> int:
        """DEPTHWISE_CONV_2D, square."""
        padding, out = self._window(x, kernel, stride, same)
        channels = self.shape(x)[3] * multiplier
        parameters = self.parameters((1, kernel, kernel, channels), 3, plants)
        y = self.tensor((1, *out, channels))
        options = dict(stride=(stride, stride), padding=padding, activation=self._activation(plants))
        return self._append(g.DepthwiseConv2D, (x, *parameters), y, multiplier=multiplier, **options)

    def _activation(self, plants) -> str:
        return "NONE" if plants is not None else str(self.rng.choice(g.ACTIVATIONS))

    def _window(self, x: int, kernel: int, stride: int, same: bool) -> tuple[g.Padding, tuple[int, ...]]:
        sizes = self.shape(x)[1:3]
        pads = [same_padding(n, kernel, stride, 1) if same else (0, 0) for n in sizes]
        out = tuple((n + sum(p) - kernel) // stride + 1 for n, p in zip(sizes, pads, strict=True))
        return g.Padding(*pads[0], *pads[1]), out

    def dense(self, x: int, channels: int, columns: int | None = None, plants=None) -> int:
        """FULLY_CONNECTED over the last dimension, or over rows of `columns` elements."""
        columns = columns or self.shape(x)[-1]
        rows = math.prod(self.shape(x)) // columns
        parameters = self.parameters((channels, columns), 0, plants)
        y = self.tensor((rows, channels))
        return self._append(g.FullyConnected, (x, *parameters), y, activation=self._activation(plants))

    def add(self, a: int, b: int) -> int:
        """ADD."""
        return self._append(g.Add, (a, b), self.tensor(self.shape(a)))

    def concat(self, parts: list[int], axis: int = 3) -> int:
        """CONCATENATION of tensors with one quantisation."""
        shape = list(self.shape(parts[0]))
        shape[axis] = sum(self.shape(p)[axis] for p in parts)
        return self._append(g.Concatenation, tuple(parts), self._like(parts[0], shape), axis=axis)

    def _like(self, x: int, shape) -> int:
        return self.tensor(tuple(shape), self.tensors[x].quant)

    def pool(self, x: int, cls: type[g.Pool2D], kernel: int, stride: int, same: bool = True) -> int:
        """A pool with square windows."""
        padding, out = self._window(x, kernel, stride, same)
        y = self._like(x, (1, *out, self.shape(x)[3]))
        return self._append(cls, (x,), y, kernel=(kernel, kernel), stride=(stride, stride), padding=padding)

    def pad(self, x: int, pads: tuple[tuple[int, int], ...]) -> int:
        """PAD."""
        y = self._like(x, (n + a + b for n, (a, b) in zip(self.shape(x), pads, strict=True)))
        return self._append(g.Pad, (x,), y, pads=pads)

    def reshape(self, x: int, shape: tuple[int, ...]) -> int:
        """RESHAPE."""
        return self._append(g.Reshape, (x,), self._like(x, shape))

    def transpose(self, x: int, perm: tuple[int, ...]) -> int:
        """TRANSPOSE."""
        return self._append(
            g.Transpose, (x,), self._like(x, (self.shape(x)[p] for p in perm)), perm=tuple(perm)
        )

    def mean(self, x: int, axes: tuple[int, ...], keep: bool) -> int:
        """MEAN."""
        shape = [1 if d in axes else n for d, n in enumerate(self.shape(x)) if keep or d not in axes]
        return self._append(g.Mean, (x,), self.tensor(tuple(shape)), axes=axes)

    def quantize(self, x: int) -> int:
        """QUANTIZE to another zero point."""
        return self._append(g.Quantize, (x,), self.tensor(self.shape(x)))

    def resize(self, x: int, size: tuple[int, int]) -> int:
        """RESIZE_NEAREST_NEIGHBOR."""
        return self._append(g.ResizeNearest, (x,), self._like(x, (1, *size, self.shape(x)[3])))

    def softmax(self, x: int) -> int:
        """SOFTMAX."""
        y = self.tensor(self.shape(x), g.Quant(np.array([1 / 256], np.float32), -128))
        return self._append(g.Softmax, (x,), y)


@st.composite
def planted_graphs(draw: st.DrawFn) -> g.Graph:
    """Up to 9 image operators of any kind on any earlier images, then any of several heads."""
    shared = draw(st.sampled_from([None, -128, 0, 5]))
    b = Builder(draw(st.integers(0, 2**32 - 1)), shared, draw(st.sampled_from([0.2, 0.5, 0.8, 1.0])))
    size = (draw(st.integers(1, 6)), draw(st.integers(1, 6)))
    images = [
        b.input((1, *size, draw(st.integers(1, 4)))) for _ in range(draw(st.sampled_from([1, 1, 1, 2])))
    ]
    for _ in range(draw(st.integers(1, 9))):
        images.append(_step(draw, b, images))
    outputs = [_head(draw, b, images[-1])]
    if draw(st.booleans()):
        outputs.append(draw(st.sampled_from(images)))
    written = {op.outputs[0] for op in b.ops}
    outputs = list(dict.fromkeys(i for i in outputs if i in written))
    return b.graph(*outputs)


STEPS = ("conv", "conv", "conv", "depthwise", "depthwise", "add", "concat", "pool", "pad", "resize", "quantize",
         "constant", "transpose")  # fmt: skip


def _step(draw: st.DrawFn, b: Builder, images: list[int]) -> int:
    x = draw(st.sampled_from([images[-1], images[-1], draw(st.sampled_from(images))]))
    same, stride = draw(st.booleans()), draw(st.sampled_from([1, 1, 2]))
    kernel = draw(st.sampled_from([1, 1, 2, 3]))
    kernel = kernel if same else min(kernel, *b.shape(x)[1:3])
    kind = draw(st.sampled_from(STEPS))
    if kind == "depthwise":
        return b.depthwise(x, kernel, stride, same, draw(st.sampled_from([1, 1, 2])))
    if kind == "add":
        others = [i for i in images if b.shape(i) == b.shape(x)]
        return b.add(x, draw(st.sampled_from(others)))
    if kind == "concat":
        parts = [
            i
            for i in images
            if b.shape(i)[:3] == b.shape(x)[:3]
            and b.tensors[i].quant.zero_point == b.tensors[x].quant.zero_point
        ]
        chosen = draw(st.lists(st.sampled_from(parts), min_size=1, max_size=3))
        if sum(b.shape(i)[3] for i in chosen) <= 24:
            return b.concat(chosen)
        return b.concat([x, x], axis=1)
    if kind == "pool":
        return b.pool(x, draw(st.sampled_from([g.AveragePool2D, g.MaxPool2D])), kernel, stride, same)
    if kind == "pad":
        most = 2 if b.shape(x)[3] < 20 else 0
        sides = st.tuples(st.integers(0, 2), st.integers(0, 2))
        return b.pad(x, ((0, 0), draw(sides), draw(sides), (draw(st.integers(0, most)), most)))
    if kind == "resize":
        return b.resize(x, (draw(st.integers(1, 7)), draw(st.integers(1, 7))))
    if kind == "quantize":
        return b.quantize(x)
    if kind == "constant":
        pair = (x, b.constant(x))
        return b.add(*(pair if draw(st.booleans()) else pair[::-1]))
    if kind == "transpose":
        return b.transpose(x, (0, *draw(st.permutations((1, 2, 3)))))
    return b.conv(x, draw(st.integers(1, 8)), kernel, stride, same)


def _head(draw: st.DrawFn, b: Builder, x: int) -> int:
    kind = draw(st.sampled_from(["image", "flatten", "mean", "rows", "transposed", "softmax", "all"]))
    _, h, w, c = b.shape(x)
    if kind == "flatten":
        x = b.reshape(x, (1, h * w * c))
        return b.dense(b.dense(x, 4) if draw(st.booleans()) else x, 3)
    if kind == "mean":
        return b.dense(b.reshape(b.mean(x, (1, 2), True), (1, c)), 3)
    if kind == "rows":
        return b.dense(x, 3, draw(st.sampled_from([None, w * c])))
    if kind == "transposed":
        x = b.mean(b.transpose(x, (0, 3, 1, 2)), (3,), False)
        return b.dense(b.mean(x, (2,), False), 2)
    if kind == "softmax":
        return b.softmax(x)
    if kind == "all":
        return b.dense(b.mean(x, (1, 2, 3), True), 2)
    return x
