"""The shapes of separable convolutions: one row or column, outer products, depthwise and pointwise fused."""

from __future__ import annotations

from host.bench.case import (
    INT8,
    Case,
    activation,
    one_operator,
    rng_of,
    same_sizes,
    stride_text,
    weights_and_bias,
)
from host.model import graph as g

MOST_FACTOR = 11  # whose square fits int8


def depthwise_separable(
    h: int, w: int, in_c: int, out_c: int, kernel: int = 3, stride: int = 1, multiplier: int = 1
) -> Case:
    """A depthwise convolution with SAME padding and a 1x1 convolution behind it, both with ReLU, as one fused step."""
    times = f" x{multiplier}" if multiplier > 1 else ""
    name = f"depthwise separable {kernel}x{kernel}{stride_text(stride)}{times} {h}x{w} {in_c}->{out_c}"
    middle_c = in_c * multiplier

    def make() -> g.Graph:
        out_h, out_w, padding = same_sizes(h, w, (kernel, kernel), stride)
        first = weights_and_bias(f"{name} 0", (1, kernel, kernel, middle_c), 3, kernel * kernel, True)
        second = weights_and_bias(f"{name} 1", (out_c, 1, 1, middle_c), 0, middle_c, True)
        tensors = [
            activation("x", (1, h, w, in_c)),
            *first,
            activation("middle", (1, out_h, out_w, middle_c)),
            *second,
            activation("y", (1, out_h, out_w, out_c)),
        ]
        depthwise = g.DepthwiseConv2D(
            (0, 1, 2), (3,), 0, (stride, stride), padding=padding, multiplier=multiplier, activation="RELU"
        )
        graph = one_operator(name, tensors, depthwise)
        graph.ops.append(g.Conv2D((3, 4, 5), (6,), 1, activation="RELU"))
        graph.outputs = [g.Border(6, "y", tensors[6].dtype)]
        return graph

    return Case(name, "depthwise_pointwise", make)


def outer_products(h: int, w: int, channels: int, kernel: int) -> Case:
    """A depthwise convolution with SAME padding and ReLU whose kernels are outer products of small integers."""
    name = f"depthwise {kernel}x{kernel} of rank 1 {h}x{w} {channels}"

    def make() -> g.Graph:
        out_h, out_w, padding = same_sizes(h, w, (kernel, kernel), 1)
        weights, bias = weights_and_bias(name, (1, kernel, kernel, channels), 3, kernel * kernel, True)
        u, v = rng_of(name, "factors").integers(-MOST_FACTOR, MOST_FACTOR + 1, (2, kernel, channels), INT8)
        weights.data = (u[None, :, None] * v).astype(INT8)
        tensors = [activation("x", (1, h, w, channels)), weights, bias]
        tensors.append(activation("y", (1, out_h, out_w, channels)))
        return one_operator(
            name, tensors, g.DepthwiseConv2D((0, 1, 2), (3,), 0, padding=padding, activation="RELU")
        )

    return Case(name, "depthwise", make)


def one_way(h: int, w: int, in_c: int, out_c: int, kernel: tuple[int, int]) -> Case:
    """A convolution along one axis alone, with SAME padding and ReLU."""
    name = f"conv {kernel[0]}x{kernel[1]} {h}x{w} {in_c}->{out_c}"

    def make() -> g.Graph:
        *_, padding = same_sizes(h, w, kernel, 1)
        weights = weights_and_bias(name, (out_c, *kernel, in_c), 0, kernel[0] * kernel[1] * in_c, True)
        tensors = [activation("x", (1, h, w, in_c)), *weights, activation("y", (1, h, w, out_c))]
        return one_operator(name, tensors, g.Conv2D((0, 1, 2), (3,), 0, padding=padding, activation="RELU"))

    return Case(name, "conv2d", make)


def conv_outer_products(h: int, w: int, in_c: int, out_c: int, kernel: tuple[int, int]) -> Case:
    """A convolution with SAME padding and ReLU whose kernels are a column times a row over all input channels."""
    name = f"conv {kernel[0]}x{kernel[1]} of rank 1 {h}x{w} {in_c}->{out_c}"

    def make() -> g.Graph:
        *_, padding = same_sizes(h, w, kernel, 1)
        products = kernel[0] * kernel[1] * in_c
        weights, bias = weights_and_bias(name, (out_c, *kernel, in_c), 0, products, True)
        rng = rng_of(name, "factors")
        u = rng.integers(-MOST_FACTOR, MOST_FACTOR + 1, (out_c, kernel[0], 1, 1), INT8)
        v = rng.integers(-MOST_FACTOR, MOST_FACTOR + 1, (out_c, 1, kernel[1], in_c), INT8)
        weights.data = (u * v).astype(INT8)
        tensors = [activation("x", (1, h, w, in_c)), weights, bias, activation("y", (1, h, w, out_c))]
        return one_operator(name, tensors, g.Conv2D((0, 1, 2), (3,), 0, padding=padding, activation="RELU"))

    return Case(name, "conv2d", make)


SEPARABLE = [
    conv_outer_products(16, 16, 32, 32, (3, 3)),
    conv_outer_products(12, 12, 24, 24, (5, 5)),
    conv_outer_products(12, 12, 24, 24, (7, 7)),
    one_way(16, 16, 32, 32, (3, 1)),
    one_way(16, 16, 32, 32, (1, 3)),
    one_way(16, 16, 16, 16, (1, 3)),
    one_way(12, 12, 64, 64, (7, 1)),
    one_way(12, 12, 64, 64, (1, 7)),
    outer_products(20, 20, 48, 5),
    outer_products(20, 20, 48, 7),
    outer_products(5, 5, 240, 7),
    outer_products(10, 10, 120, 5),
    outer_products(24, 24, 32, 3),
    depthwise_separable(25, 5, 64, 64),
    depthwise_separable(24, 24, 16, 32),
    depthwise_separable(24, 24, 32, 64, stride=2),
    depthwise_separable(20, 20, 48, 16, kernel=5),
    depthwise_separable(16, 16, 16, 32, multiplier=2),
]
