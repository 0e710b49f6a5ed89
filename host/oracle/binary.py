"""Operators on bits: what they compute, and the integers that make the device compute the same.

A binary tensor is int32 [..., words]: channel c is bit c % 32 of word c // 32, set for -1, clear for +1, clear behind
the last channel. The definitions are Larq Compute Engine's (LCE 0.16, its reference kernels):

LceQuantize      bit = x < zero point
LceDequantize    zero point +- round(1 / scale), saturated
LceBconv2d       x = K - sum, K products in a window, sum of their +-1; the fused activation clamps the *sum*.
                 int8: saturate(round(float32(float32(x) * m + b))), half away from zero, with
                 m = float32(-multiplier / scale), b = float32((bias + K * multiplier) / scale + zero point).
                 bits: (number of -1 products) > threshold
LceBMaxPool2d    and over the window

Padding of +1 is a clear bit. Padding of 0 has no product: LCE counts half the channels, which is the same.

`affine_records` finds integers equal to the float32 form. Source: LCE's core/bconv2d and tflite/kernels/bconv2d.cc; the
integers and their proof are own work.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from host.errors import UnsupportedError
from host.model import graph as g
from host.oracle import fixedpoint as fx
from host.oracle import params as p
from host.oracle.convolution import convolution_output, padded_input, taps_of

WORD = 32
MOST_SUM = 1 << 22  # of products in a window; MAX_REDUCE in ops.h
LEAST_DOWN, MOST_DOWN = 8, 16
_DELTAS = (0, *(sign << e for e in range(20) for sign in (1, -1)))  # of a multiplier
_SUMS = {"NONE": (-MOST_SUM, MOST_SUM), "RELU": (0, MOST_SUM), "RELU6": (0, 6), "RELU_N1_TO_1": (-1, 1)}


def words_of(channels: int) -> int:
    """Words that hold the bits of so many channels."""
    return -(-channels // WORD)


def pack_bits(bits: np.ndarray) -> np.ndarray:
    """bool [..., c] to int32 [..., ceil(c / 32)]."""
    channels = bits.shape[-1]
    padded = np.zeros((*bits.shape[:-1], words_of(channels) * WORD), np.uint8)
    padded[..., :channels] = bits
    packed = np.packbits(padded, axis=-1, bitorder="little").view("<u4")
    return packed.astype(np.uint32).view(np.int32)


def unpack_bits(words: np.ndarray, channels: int) -> np.ndarray:
    """int32 [..., words] to uint8 0 or 1 [..., c]; bits behind the last channel are dropped."""
    octets = np.ascontiguousarray(words).astype("<i4").view(np.uint8)
    return np.unpackbits(octets, axis=-1, bitorder="little")[..., :channels]


def binarise(graph: g.Graph, op: g.Binarise, x: np.ndarray) -> np.ndarray:
    """LceQuantize."""
    return pack_bits(x < graph.tensors[op.inputs[0]].quant.zero_point)


def unbinarise_values(graph: g.Graph, op: g.Unbinarise) -> tuple[int, int]:
    """int8 of a clear bit and of a set one."""
    quant = graph.tensors[op.outputs[0]].quant
    step = int(fx.round_half_away(np.clip(np.float32(1) / quant.scale[0], 0, 1024)))
    return min(quant.zero_point + step, 127), max(quant.zero_point - step, -128)


def unbinarise(graph: g.Graph, op: g.Unbinarise, x: np.ndarray) -> np.ndarray:
    """LceDequantize."""
    clear, is_set = unbinarise_values(graph, op)
    bits = unpack_bits(x, graph.tensors[op.outputs[0]].shape[-1])
    return np.where(bits, is_set, clear).astype(np.int8)


def window_products(graph: g.Graph, op: g.BinaryConv2D) -> int:
    """K: products in a window, padding included. Raises UnsupportedError beyond `MOST_SUM`."""
    _, kernel_h, kernel_w, _ = graph.tensors[op.inputs[1]].shape
    products = kernel_h * kernel_w * op.channels_in
    if kernel_h * kernel_w * words_of(op.channels_in) * WORD > MOST_SUM:
        raise UnsupportedError(f"{products} products in a window: at most {MOST_SUM}")
    return products


def sum_limits(graph: g.Graph, op: g.BinaryConv2D) -> tuple[int, int]:
    """Between which bounds the fused activation leaves the sum."""
    products = window_products(graph, op)
    low, high = _SUMS[op.activation]
    return max(low, -products), min(high, products)


def int8_of_sums(graph: g.Graph, op: g.BinaryConv2D, sums: np.ndarray) -> np.ndarray:
    """int8 [..., oc] of sums [..., oc] or [..., 1]: the float32 form."""
    products = window_products(graph, op)
    quant = graph.tensors[op.outputs[0]].quant
    multiplier, bias = (graph.tensors[i].data.astype(np.float64) for i in op.inputs[2:4])
    scale = np.float64(quant.scale[0])
    with np.errstate(over="ignore"):
        factor = (-multiplier / scale).astype(np.float32)
        offset = ((bias + products * multiplier) / scale + quant.zero_point).astype(np.float32)
        x = (products - np.clip(sums, *sum_limits(graph, op))).astype(np.float32)
        real = (x * factor).astype(np.float32) + offset
    return np.clip(fx.round_half_away(np.clip(real, -1024, 1024)), -128, 127).astype(np.int8)


def window_sums(graph: g.Graph, op: g.BinaryConv2D, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Sums of +-1 products [1,oh,ow,oc], int64, not clamped."""
    _, oh, ow, _ = graph.tensors[op.outputs[0]].shape
    signs = 1 - 2 * unpack_bits(x, op.channels_in).astype(np.int8)
    weights = 1.0 - 2.0 * unpack_bits(w, op.channels_in)
    if op.one_padding:
        pads = ((0, 0), (op.padding.top, op.padding.bottom), (op.padding.left, op.padding.right), (0, 0))
        padded = np.pad(signs, pads, constant_values=1).astype(np.float64)
    else:
        padded = padded_input(signs, 0, op.padding, np.float64)
    sums = np.zeros((oh * ow, len(w)))
    for ky, kx, rows, columns in taps_of(w.shape[1:3], op.stride, op.dilation, (oh, ow)):
        sums += padded[:, rows, columns].reshape(-1, op.channels_in) @ weights[:, ky, kx].T
    return sums.astype(np.int64).reshape(1, oh, ow, len(w))


def binary_conv2d(
    graph: g.Graph,
    op: g.BinaryConv2D,
    x: np.ndarray,
    w: np.ndarray,
    _multiplier: np.ndarray | None = None,
    _bias: np.ndarray | None = None,
    thresholds: np.ndarray | None = None,
) -> np.ndarray:
    """LceBconv2d with int8 or bitpacked output."""
    sums = window_sums(graph, op, x, w)
    if graph.tensors[op.outputs[0]].dtype == np.int8:
        return int8_of_sums(graph, op, sums)
    return pack_bits(sums < bounds(graph, op))


def bounds(graph: g.Graph, op: g.BinaryConv2D) -> np.ndarray:
    """int64 [oc]: the output bit is set where the sum is below. (K - sum) / 2 > threshold, within what sums reach."""
    products = window_products(graph, op)
    return np.clip(products - 2 * graph.tensors[op.inputs[4]].data.astype(np.int64), -products, products + 1)


def binary_max_pool(graph: g.Graph, op: g.BinaryMaxPool2D, x: np.ndarray) -> np.ndarray:
    """LceBMaxPool2d."""
    _, oh, ow, _ = graph.tensors[op.outputs[0]].shape
    pads = ((0, 0), (op.padding.top, op.padding.bottom), (op.padding.left, op.padding.right), (0, 0))
    values = np.pad(x, pads, constant_values=-1)
    taps = taps_of(op.kernel, op.stride, (1, 1), (oh, ow))
    return np.bitwise_and.reduce([values[:, rows, columns] for _, _, rows, columns in taps])


@dataclass(frozen=True)
class Affine:
    """int8 = saturate((offset + ((sum << lift) * multiplier >> 32)) >> down), sum clamped to `limits` before.

    multiplier, offset: int32 [oc]. Proven equal to the float32 form for every sum that a window can have.
    """

    multiplier: np.ndarray
    offset: np.ndarray
    lift: int
    down: int
    limits: tuple[int, int]


def affine_records(graph: g.Graph, op: g.BinaryConv2D) -> Affine:
    """The integers of an int8 output. Raises UnsupportedError for a channel that has none.

    For a multiplier m, each sum z bounds the offset from both sides: with S = 32 + down it must be at least
    q * 2**S - z * m (over 2**32, rounded up) to give q or more, and less than (q + 1) * 2**S - z * m to give no more.
    All sums are tried, so an offset within all bounds is a proof. Multipliers next to the real one are tried, then
    others not far: halves are rounded away from zero, which takes a slope a little steeper. Then smaller scales.
    """
    products, limits = window_products(graph, op), sum_limits(graph, op)
    lift = 30 - products.bit_length()
    # Without padding of 0, or with an even number of channels, the sum has the parity of K.
    step = 2 if op.one_padding or op.channels_in % 2 == 0 else 1
    sums = np.arange(-products, products + 1, step, dtype=np.int64)[:, None]
    wanted = int8_of_sums(graph, op, sums).astype(np.int64)
    clamped = np.clip(sums, *limits) << lift
    count = wanted.shape[1]
    multiplier, offset = np.zeros(count, np.int64), np.zeros(count, np.int64)
    quant = graph.tensors[op.outputs[0]].quant
    real = graph.tensors[op.inputs[2]].data.astype(np.float64) / np.float64(quant.scale[0])
    for down in range(MOST_DOWN, LEAST_DOWN - 1, -1):
        total, left = 32 + down, np.arange(count)
        nearest = np.clip(np.rint(real * 2.0 ** (total - lift)), -(2.0**40), 2.0**40).astype(np.int64)
        for delta in _DELTAS:
            candidate, goal = nearest[left] + delta, wanted[:, left]
            fits = np.abs(candidate) < 1 << 31
            product = clamped * np.where(fits, candidate, 0)
            least = np.where(goal > -128, (goal << total) - product, -(1 << 62)).max(axis=0)
            most = np.where(goal < 127, ((goal + 1) << total) - product - 1, 1 << 62).min(axis=0)
            lowest, highest = -(-least >> 32), most >> 32
            middle = np.clip((lowest + highest) >> 1, -(1 << 30), 1 << 30)
            fits &= (lowest <= middle) & (middle <= highest) & (np.abs(product >> 32).max(axis=0) < 1 << 30)
            multiplier[left[fits]], offset[left[fits]] = candidate[fits], middle[fits]
            left = left[~fits]
            if not len(left):
                return Affine(multiplier.astype(np.int32), offset.astype(np.int32), lift, down, limits)
    channel = int(left[0])
    raise UnsupportedError(
        f"channel {channel}: no integers equal its multiplier {real[channel]:.6g} of the output's scale for all "
        f"{len(sums)} sums",
        "where float32 rounds many exact halves either way, another multiplier in its sixth digit helps",
    )


def check_binary_conv2d(graph: g.Graph, op: g.BinaryConv2D) -> None:
    """Refuse what has no integer form."""
    if graph.tensors[op.outputs[0]].dtype == np.int8:
        affine_records(graph, op)
    else:
        window_products(graph, op)


def bit_planes(graph: g.Graph, op: g.BitPlanes, x: np.ndarray) -> np.ndarray:
    """BIT_PLANES: levels, bit by bit."""
    zero = graph.tensors[op.inputs[0]].quant.zero_point
    levels = np.clip(x.astype(np.int64) - zero, 0, (1 << op.planes) - 1)
    return np.concatenate([pack_bits(levels >> plane & 1) for plane in range(op.planes)], axis=-1)


def planes_requant(graph: g.Graph, op: g.PlanesConv2D) -> p.ConvRequant:
    """CONV_2D's requantisation. Raises UnsupportedError for weights that have no bits."""
    most = (1 << op.weight_planes) - 1
    weights = graph.tensors[op.inputs[1]].data
    wrong = (np.abs(weights.astype(np.int16)) > most) | (weights % 2 == 0)
    if wrong.any():
        raise UnsupportedError(
            f"weight {int(weights[wrong][0])} has no {op.weight_planes} bits: they stand for odd numbers "
            f"from {-most} to {most}"
        )
    return p.conv_requant(graph, op)


def planes_conv2d(
    graph: g.Graph, op: g.PlanesConv2D, x: np.ndarray, w: np.ndarray, _bias: np.ndarray | None
) -> np.ndarray:
    """PLANES_CONV_2D: the levels put together again, then CONV_2D's sums and rounding."""
    r = planes_requant(graph, op)
    channels, words = w.shape[3], words_of(w.shape[3])
    planes = [unpack_bits(x[..., i * words : (i + 1) * words], channels) for i in range(op.planes)]
    levels = sum(plane.astype(np.int64) << i for i, plane in enumerate(planes))
    _, oh, ow, oc = graph.tensors[op.outputs[0]].shape
    padded = padded_input(levels, 0, op.padding, np.float64)
    sums = np.zeros((oh * ow, oc))
    for ky, kx, rows, columns in taps_of(w.shape[1:3], op.stride, op.dilation, (oh, ow)):
        sums += padded[:, rows, columns].reshape(-1, channels) @ w[:, ky, kx].T.astype(np.float64)
    return convolution_output(sums.astype(np.int64) + r.bias, r).reshape(1, oh, ow, oc)


OPS = {
    g.Binarise: binarise,
    g.Unbinarise: unbinarise,
    g.BinaryConv2D: binary_conv2d,
    g.BinaryMaxPool2D: binary_max_pool,
    g.BitPlanes: bit_planes,
    g.PlanesConv2D: planes_conv2d,
}

PARAMS = {g.BinaryConv2D: check_binary_conv2d, g.PlanesConv2D: planes_requant}
