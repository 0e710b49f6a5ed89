"""Strategies of the operators on bits. Networks begin and end with int8, so each packs its input first."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from host.model import graph as g
from host.oracle.binary import pack_bits, words_of
from tests.nets.common import (
    INT8,
    INT32,
    activations,
    log2_uniform,
    make_quant,
    make_tensor,
    seeds,
    weights_and_bias,
    windows,
    zero_points,
)

channels_of_bits = st.one_of(st.integers(1, 9), st.sampled_from([31, 32, 33, 64, 65, 96]))
FLOAT32 = np.dtype("float32")


def bits_tensor(name: str, shape: tuple[int, ...], channels: int) -> g.Tensor:
    return g.Tensor(name, (*shape, words_of(channels)), INT32)


def network(name: str, tensors: list[g.Tensor], ops: list[g.Op]) -> g.Graph:
    """Operators in a row; tensor 0 is the input, the last operator's output the output."""
    last = ops[-1].outputs[0]
    borders = [g.Border(0, tensors[0].name, INT8)], [g.Border(last, tensors[last].name, INT8)]
    return g.Graph(name, tensors, ops, *borders)


def binary_data(rng: np.random.Generator, shape: tuple[int, ...], kind: str) -> np.ndarray:
    """bool: random, or all of one value."""
    return rng.integers(0, 2, shape).astype(bool) if kind == "random" else np.full(shape, kind == "set")


@st.composite
def binarise_graphs(draw: st.DrawFn, unsigned: bool | None = None) -> g.Graph:
    """To bits and back, in one scale or another."""
    shape = (*draw(st.lists(st.integers(1, 4), max_size=3)), draw(channels_of_bits))
    tensors = [
        make_tensor("x", shape, make_quant(draw(log2_uniform(-8, 1)), draw(zero_points)), False),
        bits_tensor("bits", shape[:-1], shape[-1]),
        make_tensor("y", shape, make_quant(draw(log2_uniform(-9, 2)), draw(zero_points)), False),
    ]
    return network("binarise", tensors, [g.Binarise((0,), (1,), 0), g.Unbinarise((1,), (2,), 1)])


@st.composite
def thresholds_of(draw: st.DrawFn, rng: np.random.Generator, products: int, count: int) -> np.ndarray:
    """int32 [count]: near the middle, anywhere, or where every bit or none is set."""
    limits = np.array([-(2**31), -1, 0, products - 1, products, 2**31 - 1])
    if draw(st.sampled_from([False, False, True])):
        return rng.choice(limits, count).astype(np.int32)
    return rng.integers(-1, products + 1, count).astype(np.int32)


@st.composite
def binary_conv2d_graphs(draw: st.DrawFn, unsigned: bool | None = None) -> g.Graph:
    """BINARISE and a binary convolution to int8, or to bits and from there to int8."""
    size, kernel, stride, dilation, padding, out = draw(windows(dilated=True, free=True, common=(1, 3, 3)))
    ic, oc = draw(channels_of_bits), draw(channels_of_bits)
    rng = np.random.default_rng(draw(seeds))
    products = kernel[0] * kernel[1] * ic
    weights = pack_bits(
        binary_data(rng, (oc, *kernel, ic), draw(st.sampled_from(["random"] * 3 + ["set", "clear"])))
    )
    tensors = [
        make_tensor("x", (1, *size, ic), make_quant(1.0, draw(zero_points)), False),
        bits_tensor("x bits", (1, *size), ic),
        g.Tensor("weights", weights.shape, INT32, None, weights),
        make_tensor("y", (1, *out, oc), make_quant(draw(log2_uniform(-3, 0)), draw(zero_points)), False),
    ]
    ops: list[g.Op] = [g.Binarise((0,), (1,), 0)]
    options = (ic, stride, dilation, padding, draw(st.booleans()))
    if draw(st.booleans()):
        thresholds = draw(thresholds_of(rng, products, oc))
        tensors.append(g.Tensor("thresholds", (oc,), INT32, None, thresholds))
        tensors.append(bits_tensor("y bits", (1, *out), oc))
        ops.append(g.BinaryConv2D((1, 2, -1, -1, 4), (5,), 1, *options))
        ops.append(g.Unbinarise((5,), (3,), 2))
        return network("binary_conv2d", tensors, ops)
    spread = 40.0 * tensors[3].quant.scale[0] / np.sqrt(products)
    multiplier = (spread * 2.0 ** rng.uniform(-3, 1, oc) * rng.choice([1, 1, 1, -1], oc)).astype(np.float32)
    bias = (rng.normal(0, 20, oc) * tensors[3].quant.scale[0]).astype(np.float32)
    if draw(st.booleans()):
        multiplier[rng.integers(oc)] = 0
    tensors.append(g.Tensor("multiplier", (oc,), FLOAT32, None, multiplier))
    tensors.append(g.Tensor("bias", (oc,), FLOAT32, None, bias))
    ops.append(g.BinaryConv2D((1, 2, 4, 5, -1), (3,), 1, *options, draw(activations)))
    return network("binary_conv2d", tensors, ops)


@st.composite
def binary_max_pool_graphs(draw: st.DrawFn, unsigned: bool | None = None) -> g.Graph:
    """BINARISE, a max pool of bits, and back."""
    size, kernel, stride, _, padding, out = draw(windows(dilated=False, free=False))
    c = draw(channels_of_bits)
    tensors = [
        make_tensor("x", (1, *size, c), make_quant(1.0, draw(zero_points)), False),
        bits_tensor("x bits", (1, *size), c),
        bits_tensor("y bits", (1, *out), c),
        make_tensor("y", (1, *out, c), make_quant(1.0, draw(zero_points)), False),
    ]
    ops = [
        g.Binarise((0,), (1,), 0),
        g.BinaryMaxPool2D((1,), (2,), 1, kernel, stride, padding),
        g.Unbinarise((2,), (3,), 2),
    ]
    return network("binary_max_pool", tensors, ops)


@st.composite
def planes_conv2d_graphs(draw: st.DrawFn, unsigned: bool | None = None) -> g.Graph:
    """BIT_PLANES and a convolution of them; activations and weights of 1 to 4 bits."""
    size, kernel, stride, dilation, padding, out = draw(windows(dilated=True, free=True, common=(1, 3)))
    ic, oc = draw(st.one_of(st.integers(1, 9), st.sampled_from([32, 33, 40]))), draw(st.integers(1, 9))
    planes, weight_planes = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    products = kernel[0] * kernel[1] * ic
    w, bias, scale_in, scale_out = draw(
        weights_and_bias((oc, *kernel, ic), 0, products, unsigned=False, per_channel=True)
    )
    rng = np.random.default_rng(draw(seeds))
    most = (1 << weight_planes) - 1
    w.data = (2 * rng.integers(0, most + 1, w.shape) - most).astype(np.int8)
    w.quant = make_quant(w.quant.scale * np.float32(64 / most), 0, w.quant.axis)
    quant = make_quant(scale_in, 0)
    tensors = [
        make_tensor("x", (1, *size, ic), make_quant(scale_in, draw(zero_points)), False),
        g.Tensor("planes", (1, *size, planes * words_of(ic)), INT32, quant),
        w,
        make_tensor("y", (1, *out, oc), make_quant(scale_out, draw(zero_points)), False),
        *([bias] if bias else []),
    ]
    operands = (1, 2, 4 if bias else -1)
    ops = [
        g.BitPlanes((0,), (1,), 0, planes),
        g.PlanesConv2D(
            operands, (3,), 1, planes, weight_planes, stride, dilation, padding, draw(activations)
        ),
    ]
    return network("planes_conv2d", tensors, ops)
