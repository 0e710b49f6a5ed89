"""What the strategies share: numbers, tensors, windows, weights; and inputs for a network."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st

from host.model import graph as g
from host.model.tflite_write import same_padding

MAX_SIDE = 9
MAX_CHANNELS = 9
INT8, INT32 = np.dtype("int8"), np.dtype("int32")

zero_points = st.one_of(st.integers(-128, 127), st.sampled_from([-128, 0, 127]))
activations = st.sampled_from(g.ACTIVATIONS)
sides = st.integers(1, MAX_SIDE)
channels = st.integers(1, MAX_CHANNELS)
seeds = st.integers(0, 2**32 - 1)


def log2_uniform(low: float, high: float) -> st.SearchStrategy[float]:
    """Positive numbers, uniform in the logarithm; powers of two, where ties happen, among them."""
    exponents = st.one_of(st.floats(low, high), st.integers(math.ceil(low), math.floor(high)))
    return exponents.map(lambda e: float(np.float32(2.0**e)))


def make_quant(scale: float | np.ndarray, zero: int, axis: int = 0) -> g.Quant:
    return g.Quant(np.atleast_1d(np.asarray(scale, np.float32)), zero, axis)


def make_tensor(name: str, shape: tuple[int, ...], quant: g.Quant, unsigned: bool) -> g.Tensor:
    return g.Tensor(name, tuple(shape), INT8, quant, None, unsigned)


def one_operator(
    name: str, tensors: list[g.Tensor], op: g.Op, inputs: tuple[int, ...] | None = None
) -> g.Graph:
    """A network of one operator whose non-constant inputs are the network's inputs."""
    reads = [i for i in op.inputs if i >= 0 and tensors[i].data is None] if inputs is None else inputs

    def border(index: int) -> g.Border:
        tensor = tensors[index]
        return g.Border(index, tensor.name, np.dtype("uint8") if tensor.unsigned else tensor.dtype)

    return g.Graph(name, tensors, [op], [border(i) for i in reads], [border(op.outputs[0])])


def int8_data(rng: np.random.Generator, shape: tuple[int, ...], kind: str) -> np.ndarray:
    """int8 values: uniform, the two extremes only, one constant extreme, or few distinct values."""
    if kind == "extremes":
        return rng.choice(np.array([-128, 127], np.int8), shape)
    if kind in ("lowest", "highest"):
        return np.full(shape, -128 if kind == "lowest" else 127, np.int8)
    if kind == "few":
        return rng.choice(np.array([-1, 0, 0, 1], np.int8), shape)
    return rng.integers(-128, 128, shape).astype(np.int8)


def data_of(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype, kind: str) -> np.ndarray:
    """The same of int8 or int16; uniform int16 values have every magnitude."""
    data = int8_data(rng, shape, kind)
    if dtype == INT8:
        return data
    limits = np.iinfo(dtype)
    if kind == "uniform":
        spread = 2 ** rng.uniform(4, 16, shape)
        return np.clip(np.rint(rng.normal(size=shape) * spread), limits.min, limits.max).astype(dtype)
    ends = np.where(data == -128, limits.min, data.astype(dtype))
    return np.where(data == 127, limits.max, ends).astype(dtype)


kinds = st.sampled_from(["uniform", "uniform", "uniform", "extremes", "lowest", "highest", "few"])


@st.composite
def inputs_for(draw: st.DrawFn, graph: g.Graph) -> list[np.ndarray]:
    """Arrays for `run_graph(graph, ...)`: uniform, or one of the extremes."""
    rng = np.random.default_rng(draw(seeds))
    tensors = [graph.tensors[b.tensor] for b in graph.inputs]
    return [data_of(rng, t.shape, t.dtype, draw(kinds)) for t in tensors]


def file_inputs(graph: g.Graph, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """The same inputs in the file's dtypes: uint8 tensors unshifted."""
    return [
        (x.astype(np.int16) + 128).astype(np.uint8) if b.dtype == np.uint8 else x
        for b, x in zip(graph.inputs, inputs, strict=True)
    ]


@st.composite
def weights_and_bias(
    draw: st.DrawFn, shape: tuple[int, ...], axis: int, products: int, *, unsigned: bool, per_channel: bool
) -> tuple[g.Tensor, g.Tensor | None, float, float]:
    """(weights, bias or None, input scale, output scale) with multipliers of every size.

    Typical multipliers spread the outputs over int8. Tiny ones (2**-40 .. 2**-20) reach the flush to zero
    below 2**-31, large ones (1 .. 2**6) need left shifts; `products` bounds the sums below 2**24, hence
    shifted sums stay within int32.
    """
    rng = np.random.default_rng(draw(seeds))
    oc = shape[axis]
    regime = draw(st.sampled_from(["typical", "typical", "typical", "tiny", "large", "exact"]))
    centre = {"typical": -math.log2(40.0 * math.sqrt(products)), "tiny": -30.0, "large": 3.0, "exact": -6.0}[
        regime
    ]
    width = {"typical": 2.0, "tiny": 10.0, "large": 3.0, "exact": 0.0}[regime]
    # "exact" multipliers are powers of two: ties in the rounding happen all the time.
    real = 2.0 ** (centre + rng.uniform(-width, width, oc if per_channel else 1))
    if regime == "exact":
        scale_in, scale_out = 2.0 ** draw(st.integers(-8, 0)), 2.0 ** draw(st.integers(-8, 0))
    else:
        scale_in, scale_out = draw(log2_uniform(-10, 1)), draw(log2_uniform(-10, 1))
    scale = (real * scale_out / scale_in).astype(np.float32)
    data = int8_data(rng, shape, draw(kinds))
    if draw(st.booleans()):
        # A channel of zeros: what pruned networks have, and what exact slimming looks for.
        np.moveaxis(data, axis, 0)[rng.integers(oc)] = 0
    zero = draw(zero_points) if unsigned else 0
    weights = g.Tensor(
        "weights", shape, INT8, make_quant(scale, zero, axis if len(scale) > 1 else 0), data, unsigned
    )
    if not draw(st.booleans()):
        return weights, None, scale_in, scale_out
    reach = draw(st.sampled_from([1 << 4, 200 * products, 1 << 22]))
    values = rng.integers(-reach, reach + 1, oc).astype(np.int32)
    bias = g.Tensor("bias", (oc,), INT32, make_quant(np.float32(scale_in) * scale, 0), values)
    return weights, bias, scale_in, scale_out


@st.composite
def windows(
    draw: st.DrawFn, *, dilated: bool, free: bool, common: tuple[int, ...] = ()
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int], g.Padding, tuple[int, int]]:
    """(input size, kernel, stride, dilation, padding, output size), each (vertical, horizontal).

    Every other one is like those of networks if there are `common` kernels: square, stride 1 or 2, not dilated.
    """
    usual = common and draw(st.booleans())
    square, same_stride = draw(st.sampled_from(common or (1,))), draw(st.integers(1, 2))
    scheme = draw(st.sampled_from(["SAME", "VALID", "FREE"] if free else ["SAME", "VALID"]))
    # 3x3 on 3x3, which has a depthwise kernel of its own
    tiny = usual and 7 in common and draw(st.booleans())
    if tiny:
        square, same_stride, scheme = 3, 1, "SAME"
    axes = []
    for _ in range(2):
        kernel, stride = draw(st.integers(1, 5)), draw(st.integers(1, 3))
        dilation = draw(st.integers(1, 3)) if dilated else 1
        if usual:
            kernel, stride, dilation = square, same_stride, 1
        extent = (kernel - 1) * dilation + 1
        size = draw(sides if scheme == "SAME" else st.integers(extent, extent + MAX_SIDE - 1))
        if tiny:
            size = 3
        before, after = (0, 0)
        if scheme == "SAME":
            before, after = same_padding(size, kernel, stride, dilation)
        elif scheme == "FREE":
            before, after = draw(st.integers(0, 2)), draw(st.integers(0, 2))
        out = (size + before + after - extent) // stride + 1
        axes.append((size, kernel, stride, dilation, before, after, out))
    size, kernel, stride, dilation, before, after, out = zip(*axes, strict=True)
    return size, kernel, stride, dilation, g.Padding(before[0], after[0], before[1], after[1]), out
