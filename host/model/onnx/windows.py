"""Pools, means and resizing: what slides or steps over images without weights."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from host.model import graph as g
from host.model.onnx.file import Node
from host.model.onnx.layout import Layout
from host.model.onnx.network import Net, Value
from host.oracle.params import resize_indices

# The weight that stands for a factor, whose scale does the rest. Sums in fine steps err less when rounded twice: by up
# to 2**-7 of an output's step at 64, by a quarter at 1.
HELD = 64


def pads_of(
    node: Node, sizes: list[int], kernel: list[int], stride: list[int], dilation: list[int]
) -> list[tuple[int, int]]:
    """(before, after) of each spatial axis, from `pads` or `auto_pad`. Raises UnsupportedError."""
    scheme = node.attribute("auto_pad", "NOTSET")
    if scheme == "VALID":
        return [(0, 0)] * len(sizes)
    if scheme in ("SAME_UPPER", "SAME_LOWER"):
        pads = []
        for n, k, s, d in zip(sizes, kernel, stride, dilation, strict=True):
            total = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
            small, large = total // 2, total - total // 2
            pads.append((small, large) if scheme == "SAME_UPPER" else (large, small))
        return pads
    numbers = list(node.attribute("pads", [0] * 2 * len(sizes)))
    if scheme != "NOTSET" or len(numbers) != 2 * len(sizes) or any(not 0 <= n < 2**15 for n in numbers):
        raise node.refuse(f"pads {numbers[:8]}, auto_pad {scheme}")
    return list(zip(numbers[: len(sizes)], numbers[len(sizes) :], strict=True))


def spatial(node: Node, name: str, axes: int) -> list[int]:
    """Strides, dilations or a kernel's size along each spatial axis, 1 by default."""
    numbers = [int(n) for n in node.attribute(name, [1] * axes)]
    if len(numbers) != axes or any(not 1 <= n <= 2**15 for n in numbers):
        raise node.refuse(f"{name} {numbers[:4]}")
    return numbers


def outputs_of(
    node: Node, sizes: list[int], kernel: list[int], stride: list[int], dilation: list[int],
    pads: list[tuple[int, int]], ceil: bool = False,
) -> list[int]:  # fmt: skip
    """The output's size along each axis; with `ceil` also windows that reach beyond the end, if they begin before."""
    out = []
    for n, k, s, d, (before, after) in zip(sizes, kernel, stride, dilation, pads, strict=True):
        room = n + before + after - ((k - 1) * d + 1)
        steps = -(-room // s) if ceil else room // s
        if ceil and steps * s >= n + before:
            steps -= 1
        out.append(steps + 1)
    if min(out) < 1:
        raise node.refuse(f"kernel {kernel} on input {sizes} leaves no output")
    return out


def pair(numbers: list[int], first: int = 1) -> tuple[int, int]:
    """(vertical, horizontal) of one or two numbers."""
    return (numbers[0], numbers[1]) if len(numbers) == 2 else (first, numbers[0])


def padding(pads: list[tuple[int, int]]) -> g.Padding:
    """Padding of one or two spatial axes."""
    (top, bottom), (left, right) = pads if len(pads) == 2 else ((0, 0), pads[0])
    return g.Padding(top, bottom, left, right)


def _pool_window(
    net: Net, node: Node, value: Value
) -> tuple[dict[str, object], list[int], list[tuple[int, int]], bool]:
    """(kernel, stride, padding as fields, output sizes, pads, whether a window reaches beyond the pads)."""
    sizes = list(value.shape[2:])
    kernel, stride = spatial(node, "kernel_shape", len(sizes)), spatial(node, "strides", len(sizes))
    dilation = spatial(node, "dilations", len(sizes))
    if dilation != [1] * len(sizes) or node.attribute("storage_order", 0) or any(node.outputs[1:]):
        raise node.refuse("dilations and the output of indices are not supported")
    pads = pads_of(node, sizes, kernel, stride, dilation)
    if any(max(p) >= k for p, k in zip(pads, kernel, strict=True)):
        raise node.refuse(f"pads {pads} are not below the kernel's size {kernel}")
    ceil = bool(node.attribute("ceil_mode", 0)) and node.attribute("auto_pad", "NOTSET") == "NOTSET"
    out = outputs_of(node, sizes, kernel, stride, dilation, pads, ceil)
    reach = [
        (o - 1) * s + k - n - p[0] for o, s, k, n, p in zip(out, stride, kernel, sizes, pads, strict=True)
    ]
    whole = [(p[0], max(p[1], r)) for p, r in zip(pads, reach, strict=True)]
    fields = {"kernel": pair(kernel), "stride": pair(stride), "padding": padding(whole)}
    return fields, out, pads, any(r > p[1] for r, p in zip(reach, pads, strict=True))


def max_pool(net: Net, node: Node) -> Value:
    """MaxPool; padded positions do not count. It keeps its input's scale."""
    value = net.operand(node)
    x, (_, _, c) = net.image(node, value)
    fields, out, _, _ = _pool_window(net, node, value)
    size = (*pair(out), c)
    made = net.emit_image(node, g.MaxPool2D, (x,), size, len(value.shape), net.quant(value), **fields)
    return replace(made, dtype=value.dtype)


def average_pool(net: Net, node: Node) -> Value:
    """AveragePool. Where padded positions count it is a depthwise convolution with weights of 1.

    Where they do not count, windows differ in what they divide by: the pool keeps its input's scale.
    """
    value = net.operand(node)
    x, (_, _, c) = net.image(node, value)
    fields, out, pads, beyond = _pool_window(net, node, value)
    padded = any(p != (0, 0) for p in pads)
    size, rank = (*pair(out), c), len(value.shape)
    if padded and node.attribute("count_include_pad", 0):
        if beyond:
            raise node.refuse("ceil_mode with count_include_pad is not supported")
        return mean_convolution(net, node, x, size, rank, fields)
    quant = net.quant(value) if padded or beyond else None
    return net.emit_image(node, g.AveragePool2D, (x,), size, rank, quant, **fields)


def mean_convolution(
    net: Net, node: Node, x: int, size: tuple[int, int, int], rank: int, fields: dict[str, object]
) -> Value:
    """The mean of every window, as a depthwise convolution: it rescales, and zeros around the image count."""
    kernel, c = fields["kernel"], size[2]
    weights = mean_weights(net, node, kernel, c)  # type: ignore[arg-type]
    window = {name: fields[name] for name in ("stride", "padding")}
    return net.emit_image(node, g.DepthwiseConv2D, (x, weights, -1), size, rank, **window)


def mean_weights(net: Net, node: Node, kernel: tuple[int, int], channels: int) -> int:
    """Depthwise weights that all are 1 / (kernel positions)."""
    share = 1 / math.prod(kernel)
    shape, name = (1, *kernel, channels), f"{node.outputs[0]}_weights"
    if net.floating:
        return net.tensor(name, shape, None, np.full(shape, share, np.float32))
    quant = g.Quant(np.array([share / HELD], np.float32), 0)
    return net.tensor(name, shape, quant, np.full(shape, HELD, np.int8))


def global_average_pool(net: Net, node: Node) -> Value:
    """GlobalAveragePool: the mean over all axes but batch and channels."""
    value = net.operand(node)
    net.rank(node, value, 3, 4)
    return _mean(net, node, value, list(range(2, len(value.shape))), keep=True)


def reduce_mean(net: Net, node: Node) -> Value:
    """ReduceMean over any axes; over all of them if none are named."""
    value = net.operand(node)
    rank = len(value.shape)
    axes = net.integers(node, 1, "axes")
    if not axes and node.attribute("noop_with_empty_axes", 0):
        return value
    axes = axes or list(range(rank))
    if any(not -rank <= a < rank for a in axes):
        raise node.refuse(f"axes {axes} of {rank} dimensions")
    return _mean(net, node, value, sorted({a % rank for a in axes}), keep=bool(node.attribute("keepdims", 1)))


def _mean(net: Net, node: Node, value: Value, axes: list[int], *, keep: bool) -> Value:
    """MEAN over the factors of these axes, which must be neighbours in memory."""
    reduced = sorted(value.layout.order_of(tuple(axes)))
    if reduced and reduced != list(range(reduced[0], reduced[-1] + 1)):
        rest = (i for i in range(len(value.layout.memory)) if i not in reduced)
        value = net.arranged(node, value, (*rest, *reduced))
        reduced = sorted(value.layout.order_of(tuple(axes)))
    memory = value.layout.memory
    outer = math.prod(memory[: reduced[0]]) if reduced else math.prod(memory)
    inner = math.prod(memory[reduced[-1] + 1 :]) if reduced else 1
    count = math.prod(memory[i] for i in reduced)
    layout = _without(value.layout, reduced)
    if not keep:
        layout = Layout(layout.memory, tuple(a for d, a in enumerate(layout.axes) if d not in axes))
    x = _as_reduced(net, node, value, outer, count, inner)
    shape = net.tensors[x].shape
    mean_axes = (1, 2) if len(shape) == 4 else (1,)
    out = tuple(1 if d in mean_axes else n for d, n in enumerate(shape))
    return net.emit(node, g.Mean, (x,), out, layout, axes=mean_axes)


def _as_reduced(net: Net, node: Node, value: Value, outer: int, count: int, inner: int) -> int:
    """The tensor as an image if that is reduced over its height and width, else as [outer, count, inner]."""
    shape = net.shape(value)
    if len(shape) == 4 and outer == shape[0] == 1 and inner == shape[3]:
        return value.tensor
    return net.reshaped(node, value, (outer, count, inner))


def _without(layout: Layout, factors: list[int]) -> Layout:
    """The layout with these factors reduced to 1."""
    kept = [i for i in range(len(layout.memory)) if i not in factors]
    axes = tuple(tuple(kept.index(i) for i in axis if i in kept) for axis in layout.axes)
    return Layout(tuple(layout.memory[i] for i in kept), axes)


_NEAREST = {
    "floor": np.floor,
    "ceil": np.ceil,
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
}


def resize(net: Net, node: Node) -> Value:
    """Resize and Upsample, nearest neighbour, over height and width."""
    value = net.operand(node)
    rank = net.rank(node, value, 4)
    mode = node.attribute("mode", "nearest")
    if mode != "nearest" or node.attribute("antialias", 0) or node.attribute("axes", None) is not None:
        raise node.refuse(f"mode {mode!r}: only 'nearest' over all axes is supported")
    scales, sizes = _resize_scales(net, node, value.shape)
    if scales[:2] != [1.0, 1.0] or sizes[:2] != list(value.shape[:2]):
        raise node.refuse("resizes batch or channels")
    if node.op == "Upsample":
        transform, nearest = "asymmetric", "floor"
    else:
        transform = node.attribute("coordinate_transformation_mode", "half_pixel")
        nearest = node.attribute("nearest_mode", "round_prefer_floor")
    if nearest not in _NEAREST:
        raise node.refuse(f"nearest_mode {nearest!r}")
    wanted = [
        _positions(node, transform, nearest, n, out, scale)
        for n, out, scale in zip(value.shape[2:], sizes[2:], scales[2:], strict=True)
    ]
    x, (_, _, c) = net.image(node, value)
    quant = net.quant(value)
    made = net.emit_image(node, g.ResizeNearest, (x,), (sizes[2], sizes[3], c), rank, quant)
    assert isinstance(made.op, g.ResizeNearest)
    probe = g.Graph("", net.tensors, [], [], [])
    for align, half in ((False, False), (False, True), (True, False)):
        made.op.align_corners, made.op.half_pixel_centers = align, half
        if all(np.array_equal(a, b) for a, b in zip(resize_indices(probe, made.op), wanted, strict=True)):
            return replace(made, dtype=value.dtype)
    raise node.refuse(
        f"{transform} with nearest_mode {nearest} from {list(value.shape[2:])} to {sizes[2:]} picks other pixels "
        "than any form of RESIZE_NEAREST_NEIGHBOR"
    )


def _resize_scales(net: Net, node: Node, shape: tuple[int, ...]) -> tuple[list[float], list[int]]:
    """(factor, output size) of each axis, from the scales or the sizes."""
    place = 1 if node.op == "Upsample" or len(node.inputs) == 2 else 2
    scales = net.const(node, place, "scales").data.reshape(-1) if node.has(place) else np.zeros(0)
    sizes = net.integers(node, 3, "sizes") if node.has(3) else None
    if sizes is None and len(scales) != len(shape):
        scales = np.asarray(node.attribute("scales", []), np.float32)
    if sizes is not None and len(sizes) == len(shape) and min(sizes) > 0:
        return [out / n for out, n in zip(sizes, shape, strict=True)], sizes
    if (
        len(scales) != len(shape)
        or not np.all(np.isfinite(scales))
        or not np.all((scales > 0) & (scales < 2**15))
    ):
        raise node.refuse("needs scales or sizes of all four axes")
    return [float(s) for s in scales], [
        int(np.floor(n * np.float32(s))) for n, s in zip(shape, scales, strict=True)
    ]


def _positions(node: Node, transform: str, nearest: str, n: int, out: int, scale: float) -> np.ndarray:
    """int [out]: which of n positions each output position copies."""
    if not 1 <= out <= 2**15:
        raise node.refuse(f"an output of {out} pixels")
    at = np.arange(out, dtype=np.float64)
    if transform == "half_pixel" or (transform == "pytorch_half_pixel" and out > 1):
        at = (at + 0.5) / scale - 0.5
    elif transform == "pytorch_half_pixel":
        at = np.zeros(1)
    elif transform == "align_corners":
        at = at * (n - 1) / (out - 1) if out > 1 else np.zeros(1)
    elif transform == "asymmetric":
        at = at / scale
    else:
        raise node.refuse(f"coordinate_transformation_mode {transform!r}")
    return np.clip(_NEAREST[nearest](at), 0, n - 1).astype(np.int64)
