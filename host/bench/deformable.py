"""Shapes of deformable convolutions."""

from __future__ import annotations

from host.bench.case import Case, activation, one_operator, same_sizes, weights_and_bias
from host.model import graph as g

OFFSET_SCALE = 1 / 64  # int8 reaches two pixels in each direction
MASK_SCALE = 1 / 256


def deformable(h: int, w: int, in_c: int, out_c: int, *, masked: bool = False) -> Case:
    """3x3, SAME padding, ReLU; int8 offsets, and maybe a mask, are inputs."""
    name = f"deformable 3x3{' masked' if masked else ''} {h}x{w} {in_c}->{out_c}"

    def make() -> g.Graph:
        kernel = (3, 3)
        _, _, padding = same_sizes(h, w, kernel, 1)
        weights = weights_and_bias(name, (out_c, *kernel, in_c), 0, 9 * in_c, True)
        tensors = [
            activation("x", (1, h, w, in_c)),
            *weights,
            activation("offsets", (1, h, w, 18), 0, OFFSET_SCALE),
            activation("mask", (1, h, w, 9), -128, MASK_SCALE),
            activation("y", (1, h, w, out_c)),
        ]
        op = g.DeformableConv2D(
            (0, 1, 2, 3, 4 if masked else -1), (5,), 0, padding=padding, activation="RELU"
        )
        return one_operator(name, tensors, op)

    return Case(name, "deformable_conv2d", make)


def deformable_cases() -> list[Case]:
    """The family's shapes."""
    return [
        deformable(16, 16, 16, 16),
        deformable(16, 16, 32, 32),
        deformable(16, 16, 32, 32, masked=True),
        deformable(8, 8, 64, 64),
    ]
