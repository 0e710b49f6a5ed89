"""Shapes of the operators on bits, beside those of int8 in `host.bench.cases`."""

from __future__ import annotations

import numpy as np

from host.bench.case import INT32, RELU_ZERO, Case, activation, rng_of, same_sizes
from host.model import graph as g
from host.oracle.binary import pack_bits, words_of

SCALE_OUT = 1.0


def _network(tensors: list[g.Tensor], ops: list[g.Op]) -> g.Graph:
    last = ops[-1].outputs[0]
    return g.Graph(
        "bench", tensors, ops, [g.Border(0, "x", np.dtype("int8"))], [g.Border(last, "y", np.dtype("int8"))]
    )


def _bits(name: str, shape: tuple[int, ...], channels: int) -> g.Tensor:
    return g.Tensor(name, (*shape, words_of(channels)), INT32)


def conv(h: int, w: int, in_c: int, out_c: int, kernel: int, to_bits: bool = False) -> Case:
    """A binary convolution with SAME padding of +1, to int8 or to bits; a BINARISE in front, back to int8 behind."""
    what = "binary pointwise" if kernel == 1 else f"binary conv {kernel}x{kernel}"
    name = f"{what}{' to bits' if to_bits else ''} {h}x{w} {in_c}->{out_c}"

    def make() -> g.Graph:
        rng = rng_of(name)
        out_h, out_w, padding = same_sizes(h, w, (kernel, kernel), 1)
        products = kernel * kernel * in_c
        weights = pack_bits(rng.integers(0, 2, (out_c, kernel, kernel, in_c)).astype(bool))
        float32 = np.dtype("float32")
        multiplier = (40 / products**0.5 * 2.0 ** rng.uniform(-1, 1, out_c)).astype(np.float32)
        thresholds = (products // 2 + rng.normal(0, products**0.5 / 4, out_c)).astype(np.int32)
        tensors = [
            activation("x", (1, h, w, in_c), 0),
            _bits("x bits", (1, h, w), in_c),
            g.Tensor("weights", weights.shape, INT32, None, weights),
            activation("y", (1, out_h, out_w, out_c), 0, SCALE_OUT),
            g.Tensor("multiplier", (out_c,), float32, None, multiplier),
            g.Tensor("bias", (out_c,), float32, None, rng.normal(0, 10, out_c).astype(np.float32)),
            g.Tensor("thresholds", (out_c,), INT32, None, thresholds),
            _bits("y bits", (1, out_h, out_w), out_c),
        ]
        operands, output = ((1, 2, -1, -1, 6), 7) if to_bits else ((1, 2, 4, 5, -1), 3)
        ops: list[g.Op] = [
            g.Binarise((0,), (1,), 0),
            g.BinaryConv2D(operands, (output,), 1, in_c, padding=padding),
        ]
        if to_bits:
            ops.append(g.Unbinarise((7,), (3,), 2))
        return _network(tensors, ops)

    return Case(name, "binary_conv2d", make)


def fully_connected(in_c: int, out_c: int) -> Case:
    """A binary fully connected layer: 1x1 on one pixel."""
    case = conv(1, 1, in_c, out_c, 1)
    return Case(f"binary fc {in_c}->{out_c}", case.op, case.make)


def planes(h: int, w: int, in_c: int, out_c: int, bits: int) -> Case:
    """A 3x3 convolution of activations and weights of so many bits (DoReFa), with SAME padding."""
    name = f"{bits}x{bits}-bit conv 3x3 {h}x{w} {in_c}->{out_c}"

    def make() -> g.Graph:
        rng = rng_of(name)
        out_h, out_w, padding = same_sizes(h, w, (3, 3), 1)
        most = (1 << bits) - 1
        weights = (2 * rng.integers(0, most + 1, (out_c, 3, 3, in_c)) - most).astype(np.int8)
        scale = 40 / (most * most * (9 * in_c) ** 0.5) * 2.0 ** rng.uniform(-1, 1, out_c)
        quant = g.Quant(scale.astype(np.float32), 0)
        tensors = [
            activation("x", (1, h, w, in_c), RELU_ZERO, 1.0),
            g.Tensor("planes", (1, h, w, bits * words_of(in_c)), INT32, g.Quant(np.ones(1, np.float32), 0)),
            g.Tensor("weights", weights.shape, np.dtype("int8"), quant, weights),
            activation("y", (1, out_h, out_w, out_c), RELU_ZERO, 1.0),
        ]
        ops = [
            g.BitPlanes((0,), (1,), 0, bits),
            g.PlanesConv2D((1, 2, -1), (3,), 1, bits, bits, padding=padding, activation="RELU"),
        ]
        return _network(tensors, ops)

    return Case(name, "planes_conv2d", make)


def pool(h: int, w: int, channels: int) -> Case:
    """A 2x2 max pool of bits, stride 2."""
    name = f"binary max pool 2x2 s2 {h}x{w} {channels}"

    def make() -> g.Graph:
        tensors = [
            activation("x", (1, h, w, channels), 0),
            _bits("x bits", (1, h, w), channels),
            _bits("y bits", (1, h // 2, w // 2), channels),
            activation("y", (1, h // 2, w // 2, channels), 0, SCALE_OUT),
        ]
        ops = [
            g.Binarise((0,), (1,), 0),
            g.BinaryMaxPool2D((1,), (2,), 1, (2, 2), (2, 2)),
            g.Unbinarise((2,), (3,), 2),
        ]
        return _network(tensors, ops)

    return Case(name, "binary_max_pool", make)


def repacked(h: int, w: int, channels: int) -> list[Case]:
    """int8 to bits, bits to int8, int8 to two planes of bits."""
    shape = f"{h}x{w} {channels}"

    def bits() -> g.Graph:
        tensors = [
            activation("x", (1, h, w, channels), 0),
            _bits("bits", (1, h, w), channels),
            activation("y", (1, h, w, channels), 0, SCALE_OUT),
        ]
        return _network(tensors, [g.Binarise((0,), (1,), 0), g.Unbinarise((1,), (2,), 1)])

    return [
        Case(f"binarise {shape}", "binarise", bits),
        Case(f"unbinarise {shape}", "unbinarise", bits),
        Case(f"bit planes {shape}", "bit_planes", planes(h, w, channels, 1, 2).make),
    ]


CASES = [
    conv(8, 8, 64, 64, 3), conv(16, 16, 64, 64, 3), conv(8, 8, 128, 128, 3), conv(8, 8, 64, 64, 3, to_bits=True),
    conv(16, 16, 64, 64, 1),
    fully_connected(640, 128), planes(8, 8, 64, 64, 1), planes(8, 8, 64, 64, 2), planes(8, 8, 64, 64, 4),
    pool(16, 16, 64), *repacked(16, 16, 64),
]  # fmt: skip
