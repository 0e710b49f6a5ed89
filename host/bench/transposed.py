"""Transposed convolutions, each beside the convolution that it is the adjoint of: as many MACs, the other way round."""

from __future__ import annotations

from host.bench.case import Case, activation, one_operator, same_sizes, stride_text, weights_and_bias
from host.model import graph as g


def transposed(h: int, w: int, in_c: int, out_c: int, kernel: tuple[int, int], stride: int = 2) -> Case:
    """A transposed convolution with SAME padding and ReLU, to `stride` times the size."""
    name = f"transposed {kernel[0]}x{kernel[1]}{stride_text(stride)} {h}x{w} {in_c}->{out_c}"

    def make() -> g.Graph:
        out_h, out_w = h * stride, w * stride
        padding = same_sizes(out_h, out_w, kernel, stride)[2]
        weights = weights_and_bias(
            name, (out_c, *kernel, in_c), 0, -(-kernel[0] * kernel[1] // stride**2) * in_c, True
        )
        tensors = [activation("x", (1, h, w, in_c)), *weights, activation("y", (1, out_h, out_w, out_c))]
        op = g.TransposedConv2D((0, 1, 2), (3,), 0, (stride, stride), padding, "RELU")
        return one_operator(name, tensors, op)

    return Case(name, "transposed_conv2d", make)
