"""The shapes of `host bench`, by operator.

They are those of the five networks of the README's table, one of each kind, and each kernel family's best.
"""

from __future__ import annotations

from host.bench import binary
from host.bench.case import (
    RELU_ZERO,
    Case,
    activation,
    dilation_text,
    one_operator,
    same_sizes,
    stride_text,
    weights_and_bias,
)
from host.bench.deformable import deformable_cases
from host.bench.separable import SEPARABLE
from host.bench.transposed import transposed
from host.model import graph as g


def conv(
    h: int,
    w: int,
    in_c: int,
    out_c: int,
    kernel: tuple[int, int] = (1, 1),
    stride: int = 1,
    *,
    dilation: int = 1,
    groups: int = 1,
) -> Case:
    """A convolution with SAME padding and ReLU."""
    pointwise = kernel == (1, 1)
    what = "pointwise" if pointwise else f"conv {kernel[0]}x{kernel[1]}"
    name = f"{what}{stride_text(stride)}{dilation_text(dilation)} {h}x{w} {in_c}->{out_c}"
    if groups > 1:
        name += f" g{groups}"

    def make() -> g.Graph:
        out_h, out_w, padding = same_sizes(h, w, kernel, stride, dilation)
        group_c = in_c // groups
        weights = weights_and_bias(name, (out_c, *kernel, group_c), 0, kernel[0] * kernel[1] * group_c, True)
        tensors = [activation("x", (1, h, w, in_c)), *weights, activation("y", (1, out_h, out_w, out_c))]
        strides, dilations = (stride, stride), (dilation, dilation)
        op = g.Conv2D((0, 1, 2), (3,), 0, strides, dilations, padding, "RELU", groups)
        return one_operator(name, tensors, op)

    return Case(name, "conv2d", make)


def depthwise(
    h: int, w: int, channels: int, kernel: int, stride: int = 1, *, dilation: int = 1, multiplier: int = 1
) -> Case:
    """A depthwise convolution with SAME padding and ReLU."""
    name = f"depthwise {kernel}x{kernel}{stride_text(stride)}{dilation_text(dilation)} {h}x{w} {channels}"
    out_c = channels * multiplier
    if multiplier > 1:
        name += f"->{out_c}"

    def make() -> g.Graph:
        out_h, out_w, padding = same_sizes(h, w, (kernel, kernel), stride, dilation)
        weights = weights_and_bias(name, (1, kernel, kernel, out_c), 3, kernel * kernel, True)
        tensors = [activation("x", (1, h, w, channels)), *weights, activation("y", (1, out_h, out_w, out_c))]
        strides, dilations = (stride, stride), (dilation, dilation)
        op = g.DepthwiseConv2D((0, 1, 2), (3,), 0, strides, dilations, padding, multiplier, "RELU")
        return one_operator(name, tensors, op)

    return Case(name, "depthwise", make)


def fully_connected(in_c: int, out_c: int) -> Case:
    """One row."""
    name = f"fc {in_c}->{out_c}"

    def make() -> g.Graph:
        weights = weights_and_bias(name, (out_c, in_c), 0, in_c, False)
        tensors = [activation("x", (1, in_c)), *weights, activation("y", (1, out_c))]
        return one_operator(name, tensors, g.FullyConnected((0, 1, 2), (3,), 0, activation="RELU"))

    return Case(name, "fully_connected", make)


def add(h: int, w: int, channels: int) -> Case:
    """Two activations of different scales, with ReLU."""
    name = f"add {h}x{w} {channels}"
    shape = (1, h, w, channels)

    def make() -> g.Graph:
        tensors = [
            activation("a", shape, -5, 0.04),
            activation("b", shape, RELU_ZERO, 0.03),
            activation("y", shape, RELU_ZERO, 0.045),
        ]
        return one_operator(name, tensors, g.Add((0, 1), (2,), 0, activation="RELU"))

    return Case(name, "add", make)


def pool(
    cls: type[g.Pool2D], h: int, w: int, channels: int, kernel: tuple[int, int], stride: int = 1
) -> Case:
    """A pool without padding; scales are equal, as the file format demands."""
    op_name = {g.AveragePool2D: "average_pool", g.MaxPool2D: "max_pool"}[cls]
    name = f"{op_name.replace('_', ' ')} {kernel[0]}x{kernel[1]}{stride_text(stride)} {h}x{w} {channels}"

    def make() -> g.Graph:
        out_h, out_w = (h - kernel[0]) // stride + 1, (w - kernel[1]) // stride + 1
        tensors = [activation("x", (1, h, w, channels)), activation("y", (1, out_h, out_w, channels))]
        return one_operator(name, tensors, cls((0,), (1,), 0, kernel, (stride, stride)))

    return Case(name, op_name, make)


def mean(h: int, w: int, channels: int) -> Case:
    """Over the image, to another scale."""
    name = f"mean {h}x{w} {channels}"

    def make() -> g.Graph:
        tensors = [activation("x", (1, h, w, channels)), activation("y", (1, channels), -3, 0.03)]
        return one_operator(name, tensors, g.Mean((0,), (1,), 0, (1, 2)))

    return Case(name, "mean", make)


def softmax(rows: int, depth: int) -> Case:
    """Over the last dimension."""
    name = f"softmax {rows}x{depth}"

    def make() -> g.Graph:
        shape = (rows, depth)
        tensors = [activation("x", shape, 10, 0.1), activation("y", shape, -128, 1 / 256)]
        return one_operator(name, tensors, g.Softmax((0,), (1,), 0))

    return Case(name, "softmax", make)


def pad(h: int, w: int, channels: int) -> Case:
    """One row and column at each side."""
    name = f"pad {h}x{w} {channels}"

    def make() -> g.Graph:
        tensors = [activation("x", (1, h, w, channels)), activation("y", (1, h + 2, w + 2, channels))]
        return one_operator(name, tensors, g.Pad((0,), (1,), 0, ((0, 0), (1, 1), (1, 1), (0, 0))))

    return Case(name, "pad", make)


def transpose(h: int, w: int, channels: int) -> Case:
    """HWC to CHW."""
    name = f"transpose {h}x{w} {channels}"

    def make() -> g.Graph:
        tensors = [activation("x", (1, h, w, channels)), activation("y", (1, channels, h, w))]
        return one_operator(name, tensors, g.Transpose((0,), (1,), 0, (0, 3, 1, 2)))

    return Case(name, "transpose", make)


def concatenation(h: int, w: int, channels: int) -> Case:
    """Two tensors along the channels."""
    name = f"concatenation {h}x{w} {channels}+{channels}"

    def make() -> g.Graph:
        tensors = [activation(n, (1, h, w, channels)) for n in "ab"]
        tensors.append(activation("y", (1, h, w, 2 * channels)))
        return one_operator(name, tensors, g.Concatenation((0, 1), (2,), 0, 3))

    return Case(name, "copy_slice", make)


def resize(h: int, w: int, channels: int) -> Case:
    """To twice the size."""
    name = f"resize nearest {h}x{w} {channels}"

    def make() -> g.Graph:
        tensors = [activation("x", (1, h, w, channels)), activation("y", (1, 2 * h, 2 * w, channels))]
        return one_operator(name, tensors, g.ResizeNearest((0,), (1,), 0))

    return Case(name, "resize_nearest", make)


def requantize(h: int, w: int, channels: int) -> Case:
    """To another scale and zero point."""
    name = f"requantize {h}x{w} {channels}"

    def make() -> g.Graph:
        shape = (1, h, w, channels)
        tensors = [activation("x", shape, -5, 0.04), activation("y", shape, 3, 0.05)]
        return one_operator(name, tensors, g.Quantize((0,), (1,), 0))

    return Case(name, "requantize", make)


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
        conv(16, 16, 64, 64, three), conv(8, 8, 128, 128, three),
        conv(32, 32, 16, 32, three, 2), conv(16, 16, 32, 64, three, 2), conv(12, 12, 24, 24, (5, 5)),
        # first layers
        conv(49, 10, 1, 64, (10, 4), 2), conv(96, 96, 3, 8, three, 2), conv(32, 32, 3, 16, three),
        conv(80, 80, 3, 16, three, 2),
        # dilated ones; the plain shapes are above
        conv(16, 16, 32, 32, three, dilation=2), conv(16, 16, 32, 32, three, dilation=4),
        conv(32, 32, 16, 16, three, dilation=2), conv(32, 32, 3, 16, three, dilation=2),
        conv(32, 32, 16, 32, three, 2, dilation=2), conv(12, 12, 24, 24, (5, 5), dilation=2),
        # grouped ones, and plain ones with the channels of a group
        conv(16, 16, 32, 32, three, groups=2), conv(16, 16, 16, 16, three),
        conv(16, 16, 32, 32, three, groups=8), conv(16, 16, 4, 4, three),
        conv(16, 16, 24, 24, three, groups=8), conv(16, 16, 3, 3, three),
        conv(12, 12, 32, 32, (5, 5), groups=4), conv(12, 12, 8, 8, (5, 5)),
        conv(16, 16, 128, 128, groups=8), conv(16, 16, 16, 16),
        # transposed ones, and the convolutions that they are adjoint to
        transposed(8, 8, 64, 32, three), transposed(16, 16, 32, 16, three),
        transposed(8, 8, 64, 32, (4, 4)), conv(16, 16, 32, 64, (4, 4), 2),
        transposed(16, 16, 32, 16, (4, 4)), conv(32, 32, 16, 32, (4, 4), 2),
        transposed(8, 8, 64, 32, (2, 2)), conv(16, 16, 32, 64, (2, 2), 2),
        transposed(16, 16, 32, 16, (2, 2)), conv(32, 32, 16, 32, (2, 2), 2),
        transposed(10, 10, 48, 24, three), conv(20, 20, 24, 48, three, 2),
        transposed(6, 6, 64, 32, (2, 2)), conv(12, 12, 32, 64, (2, 2), 2),
        depthwise(24, 24, 32, 3), depthwise(25, 5, 64, 3), depthwise(48, 48, 8, 3), depthwise(12, 12, 64, 3),
        depthwise(6, 6, 128, 3), depthwise(5, 5, 240, 3), depthwise(48, 48, 16, 3, 2), depthwise(12, 12, 64, 3, 2),
        depthwise(20, 20, 48, 5), depthwise(10, 10, 120, 5), depthwise(20, 20, 48, 7), depthwise(5, 5, 240, 7),
        depthwise(20, 20, 48, 7, 2),
        # dilated depthwise ones, and ones with a depth multiplier
        depthwise(24, 24, 32, 3, dilation=2), depthwise(24, 24, 32, 3, dilation=4),
        depthwise(24, 24, 16, 3, multiplier=2), depthwise(24, 24, 4, 3, multiplier=8),
        fully_connected(128, 128), fully_connected(640, 128), fully_connected(128, 640), fully_connected(8, 128),
        fully_connected(64, 12), fully_connected(256, 2),
        add(32, 32, 16), add(20, 20, 16), add(3, 3, 96),
        pool(g.AveragePool2D, 25, 5, 64, (25, 5)), pool(g.AveragePool2D, 8, 8, 64, (8, 8)),
        pool(g.AveragePool2D, 16, 16, 32, (2, 2), 2),
        pool(g.MaxPool2D, 16, 16, 32, (2, 2), 2), pool(g.MaxPool2D, 16, 16, 32, (3, 3), 2),
        mean(8, 8, 64), mean(3, 3, 160), softmax(1, 10), softmax(16, 10), softmax(1, 1000),
        pad(16, 16, 32), transpose(3, 3, 160), concatenation(16, 16, 16), resize(8, 8, 32), requantize(16, 16, 32),
        *deformable_cases(), *binary.CASES,
        *SEPARABLE,
    ]  # fmt: skip
