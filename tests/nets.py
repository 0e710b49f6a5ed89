"""Hypothesis strategies of single-operator networks, and inputs for them.

Every strategy yields a `Graph` with one operator, its activations int8 (or uint8, shifted) at tensor indices
`graph.inputs[i].tensor` and `graph.outputs[0].tensor`. Sizes stay small (`MAX_SIDE`, `MAX_CHANNELS`), so
that a failing example can be read. `inputs_for(graph)` draws matching int8 inputs, extremes included.

    conv2d_graphs depthwise_graphs fully_connected_graphs add_graphs average_pool_graphs max_pool_graphs
    mean_graphs pad_graphs reshape_graphs softmax_graphs transpose_graphs quantize_graphs
    concatenation_graphs resize_graphs                                 and any_graph(): one of these

What is left out on purpose, because LiteRT's own behaviour there is undefined or an abort: sums or shifted
sums beyond int32 (signed overflow), ADD with an output scale below 2**-19 of its inputs' (a failed check),
pool windows that lie wholly in the padding (SAME has none).
"""

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


def _log2(low: float, high: float) -> st.SearchStrategy[float]:
    """Positive numbers, uniform in the logarithm; powers of two, where ties happen, among them."""
    exponents = st.one_of(st.floats(low, high), st.integers(math.ceil(low), math.floor(high)))
    return exponents.map(lambda e: float(np.float32(2.0**e)))


def _quant(scale: float | np.ndarray, zero: int, axis: int = 0) -> g.Quant:
    return g.Quant(np.atleast_1d(np.asarray(scale, np.float32)), zero, axis)


def _tensor(name: str, shape: tuple[int, ...], quant: g.Quant, unsigned: bool) -> g.Tensor:
    return g.Tensor(name, tuple(shape), INT8, quant, None, unsigned)


def _graph(name: str, tensors: list[g.Tensor], op: g.Op, inputs: tuple[int, ...] | None = None) -> g.Graph:
    """A network of one operator whose non-constant inputs are the network's inputs."""
    reads = [i for i in op.inputs if i >= 0 and tensors[i].data is None] if inputs is None else inputs

    def border(index: int) -> g.Border:
        tensor = tensors[index]
        return g.Border(index, tensor.name, np.dtype("uint8") if tensor.unsigned else INT8)

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


kinds = st.sampled_from(["uniform", "uniform", "uniform", "extremes", "lowest", "highest", "few"])


@st.composite
def inputs_for(draw: st.DrawFn, graph: g.Graph) -> list[np.ndarray]:
    """int8 arrays for `run_graph(graph, ...)`: uniform, or one of the extremes."""
    rng = np.random.default_rng(draw(seeds))
    return [int8_data(rng, graph.tensors[b.tensor].shape, draw(kinds)) for b in graph.inputs]


def file_inputs(graph: g.Graph, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """The same inputs in the file's dtypes: uint8 tensors unshifted."""
    return [
        (x.astype(np.int16) + 128).astype(np.uint8) if b.dtype == np.uint8 else x
        for b, x in zip(graph.inputs, inputs, strict=True)
    ]


@st.composite
def _weights(
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
        scale_in, scale_out = draw(_log2(-10, 1)), draw(_log2(-10, 1))
    scale = (real * scale_out / scale_in).astype(np.float32)
    data = int8_data(rng, shape, draw(kinds))
    if draw(st.booleans()):
        # A channel of zeros: what pruned networks have, and what exact slimming looks for.
        np.moveaxis(data, axis, 0)[rng.integers(oc)] = 0
    zero = draw(zero_points) if unsigned else 0
    weights = g.Tensor(
        "weights", shape, INT8, _quant(scale, zero, axis if len(scale) > 1 else 0), data, unsigned
    )
    if not draw(st.booleans()):
        return weights, None, scale_in, scale_out
    reach = draw(st.sampled_from([1 << 4, 200 * products, 1 << 22]))
    values = rng.integers(-reach, reach + 1, oc).astype(np.int32)
    bias = g.Tensor("bias", (oc,), INT32, _quant(np.float32(scale_in) * scale, 0), values)
    return weights, bias, scale_in, scale_out


@st.composite
def _window(
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


@st.composite
def conv2d_graphs(draw: st.DrawFn, unsigned: bool | None = None) -> g.Graph:
    """CONV_2D of any kernel up to 5x5, stride, padding and dilation, per tensor or per channel."""
    unsigned = draw(st.booleans()) if unsigned is None else unsigned
    size, kernel, stride, dilation, padding, out = draw(_window(dilated=True, free=True, common=(1, 1, 3, 3)))
    ic, oc = draw(channels), draw(channels)
    if kernel == (1, 1):
        ic = draw(st.one_of(channels, st.integers(17, 24)))  # kernels for many inputs start at 17
    per_channel = not unsigned and draw(st.booleans())
    products = kernel[0] * kernel[1] * ic
    w, bias, scale_in, scale_out = draw(
        _weights((oc, *kernel, ic), 0, products, unsigned=unsigned, per_channel=per_channel)
    )
    tensors = [
        _tensor("x", (1, *size, ic), _quant(scale_in, draw(zero_points)), unsigned),
        w,
        _tensor("y", (1, *out, oc), _quant(scale_out, draw(zero_points)), unsigned),
        *([bias] if bias else []),
    ]
    op = g.Conv2D((0, 1, 3 if bias else -1), (2,), 0, stride, dilation, padding, draw(activations))
    return _graph("conv2d", tensors, op)


@st.composite
def depthwise_graphs(draw: st.DrawFn, unsigned: bool | None = None) -> g.Graph:
    """DEPTHWISE_CONV_2D with multipliers 1 .. 3."""
    unsigned = draw(st.booleans()) if unsigned is None else unsigned
    window = _window(dilated=True, free=True, common=(3, 3, 3, 5, 5, 7))
    size, kernel, stride, dilation, padding, out = draw(window)
    ic, multiplier = draw(channels), draw(st.sampled_from([1, 1, 1, 2, 3]))
    per_channel = not unsigned and draw(st.booleans())
    w, bias, scale_in, scale_out = draw(
        _weights(
            (1, *kernel, ic * multiplier),
            3,
            kernel[0] * kernel[1],
            unsigned=unsigned,
            per_channel=per_channel,
        )
    )
    tensors = [
        _tensor("x", (1, *size, ic), _quant(scale_in, draw(zero_points)), unsigned),
        w,
        _tensor("y", (1, *out, ic * multiplier), _quant(scale_out, draw(zero_points)), unsigned),
        *([bias] if bias else []),
    ]
    operands = (0, 1, 3 if bias else -1)
    op = g.DepthwiseConv2D(operands, (2,), 0, stride, dilation, padding, multiplier, draw(activations))
    return _graph("depthwise", tensors, op)


@st.composite
def fully_connected_graphs(draw: st.DrawFn, unsigned: bool | None = None) -> g.Graph:
    """FULLY_CONNECTED with inputs of 2 to 4 dimensions, outputs of 2 or as many."""
    unsigned = draw(st.booleans()) if unsigned is None else unsigned
    ic, oc = draw(st.integers(1, 40)), draw(st.integers(1, 20))
    lead = tuple(draw(st.lists(st.integers(1, 3), min_size=1, max_size=3)))
    shape_out = (*lead, oc) if draw(st.booleans()) else (math.prod(lead), oc)
    per_channel = not unsigned and draw(st.booleans())
    w, bias, scale_in, scale_out = draw(_weights((oc, ic), 0, ic, unsigned=unsigned, per_channel=per_channel))
    tensors = [
        _tensor("x", (*lead, ic), _quant(scale_in, draw(zero_points)), unsigned),
        w,
        _tensor("y", shape_out, _quant(scale_out, draw(zero_points)), unsigned),
        *([bias] if bias else []),
    ]
    return _graph(
        "fully_connected",
        tensors,
        g.FullyConnected((0, 1, 3 if bias else -1), (2,), 0, draw(activations)),
    )


@st.composite
def add_graphs(draw: st.DrawFn, unsigned: bool | None = None) -> g.Graph:
    """ADD; one operand may be a constant, scales may differ until one operand flushes to zero."""
    unsigned = draw(st.booleans()) if unsigned is None else unsigned
    shape = tuple(draw(st.lists(st.integers(1, 7), min_size=1, max_size=4)))
    larger, ratio = draw(_log2(-6, 3)), draw(st.one_of(_log2(-3, 0), _log2(-40, 0)))
    scales = [larger, float(np.float32(larger * ratio))]
    if draw(st.booleans()):
        scales.reverse()
    scale_out = larger * draw(st.one_of(_log2(-2, 3), _log2(-18, 6)))
    tensors = [
        _tensor(n, shape, _quant(s, draw(zero_points)), unsigned) for n, s in zip("ab", scales, strict=True)
    ]
    tensors.append(_tensor("y", shape, _quant(scale_out, draw(zero_points)), unsigned))
    constant = draw(st.sampled_from([None, None, 0, 1]))
    if constant is not None:
        tensors[constant].data = int8_data(np.random.default_rng(draw(seeds)), shape, draw(kinds))
    return _graph("add", tensors, g.Add((0, 1), (2,), 0, draw(activations)))


@st.composite
def _pool_graphs(draw: st.DrawFn, cls: type[g.Pool2D], unsigned: bool | None) -> g.Graph:
    unsigned = draw(st.booleans()) if unsigned is None else unsigned
    size, kernel, stride, _, padding, out = draw(_window(dilated=False, free=False))
    depth, quant = draw(channels), _quant(draw(_log2(-8, 1)), draw(zero_points))
    tensors = [
        _tensor("x", (1, *size, depth), quant, unsigned),
        _tensor("y", (1, *out, depth), quant, unsigned),
    ]
    return _graph("pool", tensors, cls((0,), (1,), 0, kernel, stride, padding, draw(activations)))


def average_pool_graphs(unsigned: bool | None = None) -> st.SearchStrategy[g.Graph]:
    """AVERAGE_POOL_2D."""
    return _pool_graphs(g.AveragePool2D, unsigned)


def max_pool_graphs(unsigned: bool | None = None) -> st.SearchStrategy[g.Graph]:
    """MAX_POOL_2D."""
    return _pool_graphs(g.MaxPool2D, unsigned)


@st.composite
def mean_graphs(draw: st.DrawFn, unsigned: bool | None = None) -> g.Graph:
    """MEAN over any axes, kept or not, with equal or different scales."""
    unsigned = draw(st.booleans()) if unsigned is None else unsigned
    shape = tuple(draw(st.lists(st.integers(1, 7), min_size=2, max_size=4)))
    axes = tuple(sorted(draw(st.sets(st.integers(0, len(shape) - 1), min_size=1))))
    keep = draw(st.booleans()) or len(axes) == len(shape)
    shape_out = tuple(1 if d in axes else n for d, n in enumerate(shape) if keep or d not in axes)
    quant = _quant(draw(_log2(-8, 1)), draw(zero_points))
    ratio = draw(st.one_of(_log2(-3, 3), _log2(-8, 6), _log2(-40, -20)))
    quant_out = quant if draw(st.booleans()) else _quant(float(quant.scale[0]) / ratio, draw(zero_points))
    tensors = [_tensor("x", shape, quant, unsigned), _tensor("y", shape_out, quant_out, unsigned)]
    return _graph("mean", tensors, g.Mean((0,), (1,), 0, axes))


@st.composite
def pad_graphs(draw: st.DrawFn, unsigned: bool | None = None) -> g.Graph:
    """PAD of 1 to 4 dimensions."""
    unsigned = draw(st.booleans()) if unsigned is None else unsigned
    shape = tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)))
    pads = tuple((draw(st.integers(0, 3)), draw(st.integers(0, 3))) for _ in shape)
    quant = _quant(draw(_log2(-8, 1)), draw(zero_points))
    shape_out = tuple(n + a + b for n, (a, b) in zip(shape, pads, strict=True))
    tensors = [_tensor("x", shape, quant, unsigned), _tensor("y", shape_out, quant, unsigned)]
    return _graph("pad", tensors, g.Pad((0,), (1,), 0, pads))


@st.composite
def reshape_graphs(draw: st.DrawFn, unsigned: bool | None = None) -> g.Graph:
    """RESHAPE between two orders and groupings of the same factors."""
    unsigned = draw(st.booleans()) if unsigned is None else unsigned
    shape = tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)))
    shape_out = tuple(draw(st.permutations(shape)))
    if draw(st.booleans()):
        shape_out = (math.prod(shape_out[:2]), *shape_out[2:])
    quant = _quant(draw(_log2(-8, 1)), draw(zero_points))
    tensors = [_tensor("x", shape, quant, unsigned), _tensor("y", shape_out, quant, unsigned)]
    return _graph("reshape", tensors, g.Reshape((0,), (1,), 0))


@st.composite
def softmax_graphs(draw: st.DrawFn, unsigned: bool | None = None) -> g.Graph:
    """SOFTMAX of 1 to 4 dimensions, from nearly flat to nearly one-hot."""
    unsigned = draw(st.booleans()) if unsigned is None else unsigned
    lead = tuple(draw(st.lists(st.integers(1, 3), max_size=3)))
    shape = (*lead, draw(st.integers(1, 20)))
    scale = draw(st.one_of(_log2(-6, -1), _log2(-24, 8)))
    tensors = [
        _tensor("x", shape, _quant(scale, draw(zero_points)), unsigned),
        _tensor("y", shape, _quant(1 / 256, -128), unsigned),
    ]
    beta = draw(st.sampled_from([1.0, 1.0, 0.5, float(np.float32(1.7))]))
    return _graph("softmax", tensors, g.Softmax((0,), (1,), 0, beta))


@st.composite
def transpose_graphs(draw: st.DrawFn, unsigned: bool | None = None) -> g.Graph:
    """TRANSPOSE of 1 to 4 dimensions."""
    unsigned = draw(st.booleans()) if unsigned is None else unsigned
    shape = tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)))
    perm = tuple(draw(st.permutations(range(len(shape)))))
    quant = _quant(draw(_log2(-8, 1)), draw(zero_points))
    tensors = [
        _tensor("x", shape, quant, unsigned),
        _tensor("y", tuple(shape[p] for p in perm), quant, unsigned),
    ]
    return _graph("transpose", tensors, g.Transpose((0,), (1,), 0, perm))


@st.composite
def quantize_graphs(draw: st.DrawFn, unsigned: bool | None = None) -> g.Graph:
    """QUANTIZE between any two 8-bit tensors, int8 and uint8 mixed unless `unsigned` says otherwise."""
    unsigned_in = draw(st.booleans()) if unsigned is None else unsigned
    unsigned_out = draw(st.booleans()) if unsigned is None else unsigned
    shape = tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)))
    scale = draw(_log2(-8, 1))
    # Powers of two have ties, which double rounding breaks in a way of its own.
    powers = st.integers(-6, 2).map(lambda e: 2.0**e)
    ratio = draw(st.one_of(st.just(1.0), powers, _log2(-3, 3), _log2(-40, 20)))
    tensors = [
        _tensor("x", shape, _quant(scale, draw(zero_points)), unsigned_in),
        _tensor("y", shape, _quant(scale / ratio, draw(zero_points)), unsigned_out),
    ]
    return _graph("quantize", tensors, g.Quantize((0,), (1,), 0))


@st.composite
def concatenation_graphs(draw: st.DrawFn, unsigned: bool | None = None) -> g.Graph:
    """CONCATENATION of 1 to 4 tensors along any axis."""
    unsigned = draw(st.booleans()) if unsigned is None else unsigned
    shape = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    axis = draw(st.integers(0, len(shape) - 1))
    parts = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    quant = _quant(draw(_log2(-8, 1)), draw(zero_points))

    def part(size: int) -> tuple[int, ...]:
        return (*shape[:axis], size, *shape[axis + 1 :])

    tensors = [_tensor(f"x{i}", part(n), quant, unsigned) for i, n in enumerate(parts)]
    tensors.append(_tensor("y", part(sum(parts)), quant, unsigned))
    return _graph("concatenation", tensors, g.Concatenation(tuple(range(len(parts))), (len(parts),), 0, axis))


@st.composite
def resize_graphs(draw: st.DrawFn, unsigned: bool | None = None) -> g.Graph:
    """RESIZE_NEAREST_NEIGHBOR up and down, in all coordinate conventions."""
    unsigned = draw(st.booleans()) if unsigned is None else unsigned
    depth, quant = draw(channels), _quant(draw(_log2(-8, 1)), draw(zero_points))
    out = (draw(st.integers(1, 20)), draw(st.integers(1, 20)))
    align, half = draw(st.booleans()), draw(st.booleans())
    tensors = [
        _tensor("x", (1, draw(sides), draw(sides), depth), quant, unsigned),
        _tensor("y", (1, *out, depth), quant, unsigned),
    ]
    return _graph("resize", tensors, g.ResizeNearest((0,), (1,), 0, align, half))


STRATEGIES = {
    "add": add_graphs,
    "average_pool": average_pool_graphs,
    "concatenation": concatenation_graphs,
    "conv2d": conv2d_graphs,
    "depthwise": depthwise_graphs,
    "fully_connected": fully_connected_graphs,
    "max_pool": max_pool_graphs,
    "mean": mean_graphs,
    "pad": pad_graphs,
    "quantize": quantize_graphs,
    "reshape": reshape_graphs,
    "resize": resize_graphs,
    "softmax": softmax_graphs,
    "transpose": transpose_graphs,
}


def any_graph(unsigned: bool | None = None) -> st.SearchStrategy[g.Graph]:
    """One of all the strategies above."""
    return st.one_of([strategy(unsigned) for strategy in STRATEGIES.values()])
