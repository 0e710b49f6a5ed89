"""Operators on bits of a network under construction: XNOR-Net's, and DoReFa-Net's on planes of bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from host.errors import NetworkError
from host.model import graph as g
from host.model.builder.core import Core, Value, activation_name
from host.model.windows import Pair, pair, window
from host.oracle.binary import pack_bits, words_of

MAX_PLANES = 4
BITS = np.dtype(np.int32)


class Binary(Core):
    """Methods of operators on tensors of bits, which are int32 words of 32 channels each."""

    def binarize(self, x: Value, *, name: str | None = None) -> Value:
        """The signs of x: -1 below zero, else +1."""
        self._plain(x)
        channels = x.shape[-1]
        op = g.Binarise((x.index,), (), 0)
        return self._append_bits(op, x, (*x.shape[:-1], words_of(channels)), channels, name)

    def unbinarize(
        self, x: Value, *, scale: float | None = None, zero_point: int = 0, name: str | None = None
    ) -> Value:
        """The numbers -1 and +1; float32 if no scale is given."""
        channels = self._channels(x)
        op = g.Unbinarise((x.index,), (), 0)
        return self._real_or_int8(op, (*x.shape[:-1], channels), scale, zero_point, name)

    def binary_conv2d(
        self,
        x: Value,
        weights: ArrayLike,
        multiplier: ArrayLike = 1.0,
        bias: ArrayLike = 0.0,
        *,
        stride: int | Pair = 1,
        dilation: int | Pair = 1,
        padding: str | int | g.Padding = "SAME",
        one_padding: bool = True,
        activation: str = "NONE",
        bits: bool = False,
        scale: float | None = None,
        zero_point: int = 0,
        name: str | None = None,
    ) -> Value:
        """XNOR convolution of bits; weights [oc, kh, kw, ic], all of them +1 or -1.

        The result is sum * multiplier + bias, either [oc] or one number, the sum clamped by the activation; with
        `bits` the sign of that. Padding is +1, or 0 without `one_padding`. A fully connected layer is one of 1x1 on
        an image of one pixel.
        """
        channels = self._channels(x, image=True)
        weights = _signs(weights, channels)
        out_c = len(weights)
        stride, dilation = pair(stride, "stride"), pair(dilation, "dilation")
        padding, out = window(x.shape[1:3], weights.shape[1:3], stride, dilation, padding)
        factor, offset = _per_channel(multiplier, out_c, "multiplier"), _per_channel(bias, out_c, "bias")
        options = (channels, stride, dilation, padding, one_padding, activation_name(activation))
        if bits and activation != "NONE":
            raise NetworkError(f"activation {activation} on bits", "the sign needs none")
        if bits:
            # a channel whose factor is negative has the opposite weights
            weights = np.where((factor < 0)[:, None, None, None], -weights, weights)
        w = self._constant("weights", pack_bits(weights < 0))
        if not bits:
            inputs = (x.index, w, self._constant("multiplier", factor), self._constant("bias", offset), -1)
            op = g.BinaryConv2D(inputs, (), 0, *options)
            return self._real_or_int8(op, (1, *out, out_c), scale, zero_point, name)
        if scale is not None:
            raise NetworkError("bits have no scale")
        products = weights[0].size
        thresholds = self._constant("thresholds", _thresholds(products, np.abs(factor), offset))
        op = g.BinaryConv2D((x.index, w, -1, -1, thresholds), (), 0, *options)
        return self._append_bits(op, x, (1, *out, words_of(out_c)), out_c, name)

    def binary_max_pool(
        self,
        x: Value,
        kernel: int | Pair,
        *,
        stride: int | Pair | None = None,
        padding: str | int | g.Padding = "VALID",
        name: str | None = None,
    ) -> Value:
        """Largest of windows of bits; the stride is the kernel's size if not given."""
        channels = self._channels(x, image=True)
        kernel = pair(kernel, "kernel")
        stride = kernel if stride is None else pair(stride, "stride")
        padding, out = window(x.shape[1:3], kernel, stride, (1, 1), padding)
        op = g.BinaryMaxPool2D((x.index,), (), 0, kernel, stride, padding)
        return self._append_bits(op, x, (1, *out, x.shape[3]), channels, name)

    def bit_planes(self, x: Value, planes: int, *, name: str | None = None) -> Value:
        """int8 as `planes` (1 to 4) bits for planes_conv2d(): steps above zero, clamped to 0 .. 2**planes - 1."""
        channels = self._image(x)
        if x.real:
            raise NetworkError("bit_planes() of a float tensor", "give the network's input a scale")
        if not 1 <= planes <= MAX_PLANES:
            raise NetworkError(f"{planes} planes: 1 to {MAX_PLANES} are supported")
        assert x.tensor.quant is not None
        quant = g.Quant(x.tensor.quant.scale, 0)
        op = g.BitPlanes((x.index,), (), 0, planes)
        shape = (*x.shape[:3], planes * words_of(channels))
        return self._append_bits(op, x, shape, channels, name, planes, quant)

    def planes_conv2d(
        self,
        x: Value,
        weights: ArrayLike,
        bias: ArrayLike | None = None,
        *,
        weight_planes: int,
        weight_scale: ArrayLike,
        scale: float,
        zero_point: int = 0,
        stride: int | Pair = 1,
        dilation: int | Pair = 1,
        padding: str | int | g.Padding = "SAME",
        activation: str = "NONE",
        name: str | None = None,
    ) -> Value:
        """DoReFa's convolution of planes; weights int8 [oc, kh, kw, ic], odd numbers of `weight_planes` bits.

        With 2 bits the weights are -3, -1, 1 and 3 times the weight scale.
        """
        channels = self._channels(x, image=True, planes=True)
        weights = np.ascontiguousarray(weights)
        most = (1 << weight_planes) - 1
        if weights.ndim != 4 or weights.shape[3] != channels or weights.dtype != np.int8:
            raise NetworkError(
                f"weights {weights.dtype} {list(weights.shape)}: int8 [oc, kh, kw, {channels}] is needed"
            )
        wrong = (np.abs(weights.astype(np.int16)) > most) | (weights % 2 == 0)
        if not 1 <= weight_planes <= MAX_PLANES or wrong.any():
            raise NetworkError(f"weights of {weight_planes} bits are odd numbers from {-most} to {most}")
        stride, dilation = pair(stride, "stride"), pair(dilation, "dilation")
        padding, out = window(x.shape[1:3], weights.shape[1:3], stride, dilation, padding)
        inputs = self._parameters(x, weights, bias, weight_scale, 0)
        _, planes = self._bits[x.index]
        op = g.PlanesConv2D(
            inputs, (), 0, planes, weight_planes, stride, dilation, padding, activation_name(activation)
        )
        return self._real_or_int8(op, (1, *out, len(weights)), scale, zero_point, name)

    def _channels(self, x: Value, *, image: bool = False, planes: bool = False) -> int:
        """Channels of a tensor of bits."""
        channels, count = self._bits.get(self._own(x).index, (0, 0))
        if not channels or (count > 0) != planes:
            wanted = "bit_planes()" if planes else "binarize() or binary_conv2d(..., bits=True)"
            raise NetworkError(f"{x!r} is not what {wanted} makes")
        if image and len(x.shape) != 4:
            raise NetworkError(f"{x!r} is no image [1, h, w, c]", "reshape() before it")
        return channels

    def _constant(self, name: str, data: np.ndarray) -> int:
        return self._add(name, data.shape, None, data.dtype, data).index

    def _append_bits(
        self,
        op: g.Op,
        x: Value,
        shape: tuple[int, ...],
        channels: int,
        name: str | None,
        planes: int = 0,
        quant: g.Quant | None = None,
    ) -> Value:
        y = self._append_like(op, x, shape, name, quant)
        y.tensor.dtype, y.tensor.quant = BITS, quant
        self._bits[y.index] = (channels, planes)
        return y

    def _real_or_int8(
        self, op: g.Op, shape: tuple[int, ...], scale: float | None, zero_point: int, name: str | None
    ) -> Value:
        """An output of bits' operators: float where the network is, else int8 with a scale."""
        like = Value(self, self._graph.inputs[0].tensor)
        return self._append(op, like, shape[1:], scale, zero_point, name)


def _signs(weights: ArrayLike, channels: int) -> np.ndarray:
    """Weights as +1 and -1, checked."""
    array = np.ascontiguousarray(weights)
    if array.ndim != 4 or 0 in array.shape or array.shape[3] != channels:
        raise NetworkError(f"weights of shape {list(array.shape)}: [oc, kh, kw, {channels}] is needed")
    wrong = np.abs(array) != 1
    if wrong.any():
        raise NetworkError(
            f"weight {array[wrong][0]} is not binary: all must be +1 or -1", "np.sign() rounds them"
        )
    return array.astype(np.int8)


def _per_channel(values: ArrayLike, channels: int, what: str) -> np.ndarray:
    array = np.asarray(values, np.float32)
    if array.shape not in ((), (1,), (channels,)) or not np.isfinite(array).all():
        raise NetworkError(f"{what} of shape {list(array.shape)}: one number or {channels} are needed")
    return np.ascontiguousarray(np.broadcast_to(array, channels))


def _thresholds(products: int, factor: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """int32 [oc]: sum * factor + offset is below zero where more products than that are -1; factor is not negative.

    The sum is products - 2 * n with n products of -1, so n > (products + offset / factor) / 2.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        real = (products + offset.astype(np.float64) / factor) / 2
    always = np.where(offset < 0, -1.0, products)  # a factor of zero leaves the offset's sign
    return np.clip(np.floor(np.where(factor > 0, real, always)), -1, products).astype(np.int32)
