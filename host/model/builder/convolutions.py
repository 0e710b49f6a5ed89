"""Convolutions and fully connected layers of a network under construction."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from host.errors import NetworkError
from host.model import graph as g
from host.model.builder.core import Core, Value, activation_name
from host.model.deformable import mask_shape, offsets_shape
from host.model.windows import Pair, pair, transposed_window, window


class Convolutions(Core):
    """Methods of operators with weights.

    An output's `scale` and `zero_point` belong to quantised networks alone, and so does `weight_scale`, which goes
    with int8 weights. `padding` is host.model.windows'.
    """

    def conv2d(
        self,
        x: Value,
        weights: ArrayLike,
        bias: ArrayLike | None = None,
        *,
        stride: int | Pair = 1,
        dilation: int | Pair = 1,
        padding: str | int | g.Padding = "SAME",
        groups: int = 1,
        activation: str = "NONE",
        weight_scale: ArrayLike | None = None,
        scale: float | None = None,
        zero_point: int = 0,
        name: str | None = None,
    ) -> Value:
        """Convolution; weights [oc, kh, kw, ic / groups], bias [oc]."""
        weights = _array(weights, 4, "[oc, kh, kw, ic / groups]")
        _check_groups(self._image(x), weights, groups)
        stride, dilation = pair(stride, "stride"), pair(dilation, "dilation")
        padding, out = window(x.shape[1:3], weights.shape[1:3], stride, dilation, padding)
        inputs = self._parameters(x, weights, bias, weight_scale, 0)
        op = g.Conv2D(inputs, (), 0, stride, dilation, padding, activation_name(activation), groups)
        return self._append(op, x, (*out, weights.shape[0]), scale, zero_point, name)

    def depthwise_conv2d(
        self,
        x: Value,
        weights: ArrayLike,
        bias: ArrayLike | None = None,
        *,
        stride: int | Pair = 1,
        dilation: int | Pair = 1,
        padding: str | int | g.Padding = "SAME",
        activation: str = "NONE",
        weight_scale: ArrayLike | None = None,
        scale: float | None = None,
        zero_point: int = 0,
        name: str | None = None,
    ) -> Value:
        """Depthwise convolution; weights [1, kh, kw, ic * multiplier]; output channel c reads c // multiplier."""
        weights = _array(weights, 4, "[1, kh, kw, ic * multiplier]")
        channels = self._image(x)
        multiplier, rest = divmod(weights.shape[3], channels)
        if weights.shape[0] != 1 or rest or not multiplier:
            raise NetworkError(
                f"depthwise weights {list(weights.shape)} for {channels} channels",
                f"give [1, kh, kw, {channels} * multiplier]",
            )
        stride, dilation = pair(stride, "stride"), pair(dilation, "dilation")
        padding, out = window(x.shape[1:3], weights.shape[1:3], stride, dilation, padding)
        inputs = self._parameters(x, weights, bias, weight_scale, 3)
        op = g.DepthwiseConv2D(
            inputs, (), 0, stride, dilation, padding, multiplier, activation_name(activation)
        )
        return self._append(op, x, (*out, weights.shape[3]), scale, zero_point, name)

    def separable_conv2d(
        self,
        x: Value,
        depthwise: ArrayLike,
        pointwise: ArrayLike,
        bias: ArrayLike | None = None,
        *,
        stride: int | Pair = 1,
        dilation: int | Pair = 1,
        padding: str | int | g.Padding = "SAME",
        depthwise_bias: ArrayLike | None = None,
        depthwise_activation: str = "NONE",
        depthwise_weight_scale: ArrayLike | None = None,
        depthwise_scale: float | None = None,
        depthwise_zero_point: int = 0,
        activation: str = "NONE",
        weight_scale: ArrayLike | None = None,
        scale: float | None = None,
        zero_point: int = 0,
        name: str | None = None,
    ) -> Value:
        """Depthwise separable convolution: depthwise_conv2d() with the first weights, 1x1 conv2d() with the second.

        The depthwise_ arguments are those of the first. A convolution that is separable in space (3x1, then 1x3) is
        two conv2d() or depthwise_conv2d().
        """
        x = self.depthwise_conv2d(
            x, depthwise, depthwise_bias, stride=stride, dilation=dilation, padding=padding,
            activation=depthwise_activation, weight_scale=depthwise_weight_scale, scale=depthwise_scale,
            zero_point=depthwise_zero_point, name=name and f"{name}/depthwise",
        )  # fmt: skip
        return self.conv2d(
            x, pointwise, bias, padding="VALID", activation=activation, weight_scale=weight_scale, scale=scale,
            zero_point=zero_point, name=name,
        )  # fmt: skip

    def transposed_conv2d(
        self,
        x: Value,
        weights: ArrayLike,
        bias: ArrayLike | None = None,
        *,
        stride: int | Pair = 1,
        padding: str | int | g.Padding = "SAME",
        output_padding: int | Pair = 0,
        activation: str = "NONE",
        weight_scale: ArrayLike | None = None,
        scale: float | None = None,
        zero_point: int = 0,
        name: str | None = None,
    ) -> Value:
        """Transposed convolution; weights [oc, kh, kw, ic]; the output's size is windows.transposed_window()'s."""
        weights = _array(weights, 4, "[oc, kh, kw, ic]")
        _check_groups(self._image(x), weights, 1)
        stride = pair(stride, "stride")
        extra = pair(output_padding, "output padding", 0)
        padding, out = transposed_window(x.shape[1:3], weights.shape[1:3], stride, padding, extra)
        inputs = self._parameters(x, weights, bias, weight_scale, 0)
        op = g.TransposedConv2D(inputs, (), 0, stride, padding, activation_name(activation))
        return self._append(op, x, (*out, weights.shape[0]), scale, zero_point, name)

    def deformable_conv2d(
        self,
        x: Value,
        offsets: Value,
        weights: ArrayLike,
        bias: ArrayLike | None = None,
        *,
        mask: Value | None = None,
        stride: int | Pair = 1,
        dilation: int | Pair = 1,
        padding: str | int | g.Padding = "SAME",
        groups: int = 1,
        offset_groups: int = 1,
        activation: str = "NONE",
        weight_scale: ArrayLike | None = None,
        scale: float | None = None,
        zero_point: int = 0,
        name: str | None = None,
    ) -> Value:
        """Deformable convolution; weights [oc, kh, kw, ic / groups].

        offsets [oh, ow, offset_groups * kh * kw * 2]: (dy, dx) in pixels for each offset group and tap, int8 or int16
        with a scale of their own; mask [oh, ow, offset_groups * kh * kw]: a factor for each tap.
        """
        weights = _array(weights, 4, "[oc, kh, kw, ic / groups]")
        channels = self._image(x)
        _check_groups(channels, weights, groups)
        if offset_groups < 1 or channels % offset_groups:
            raise NetworkError(f"{offset_groups} offset groups do not divide {channels} channels")
        stride, dilation = pair(stride, "stride"), pair(dilation, "dilation")
        padding, out = window(x.shape[1:3], weights.shape[1:3], stride, dilation, padding)
        op = g.DeformableConv2D(
            (), (), 0, stride, dilation, padding, groups, offset_groups, activation_name(activation)
        )
        kernel = weights.shape[1:3]
        self._check_side(x, offsets, "offsets", offsets_shape(op, out, kernel), ("int8", "int16"))
        op.inputs = (*self._parameters(x, weights, bias, weight_scale, 0), offsets.index)
        if mask is not None:
            self._check_side(x, mask, "mask", mask_shape(op, out, kernel), ("int8",))
            op.inputs += (mask.index,)
        return self._append(op, x, (*out, weights.shape[0]), scale, zero_point, name)

    def fully_connected(
        self,
        x: Value,
        weights: ArrayLike,
        bias: ArrayLike | None = None,
        *,
        activation: str = "NONE",
        weight_scale: ArrayLike | None = None,
        scale: float | None = None,
        zero_point: int = 0,
        name: str | None = None,
    ) -> Value:
        """Fully connected layer over the last dimension; weights [oc, ic], bias [oc]."""
        weights = _array(weights, 2, "[oc, ic]")
        self._plain(x)
        if x.shape[-1] != weights.shape[1]:
            raise NetworkError(
                f"weights {list(weights.shape)} on {list(x.shape)}: the last dimension must be {weights.shape[1]}",
                "flatten() makes one of all dimensions",
            )
        inputs = self._parameters(x, weights, bias, weight_scale, 0)
        op = g.FullyConnected(inputs, (), 0, activation_name(activation))
        return self._append(op, x, (*x.shape[1:-1], weights.shape[0]), scale, zero_point, name)


def _array(values: ArrayLike, rank: int, what: str) -> np.ndarray:
    """Weights as an array, of real numbers or int8."""
    array = np.ascontiguousarray(values)
    if array.ndim != rank or 0 in array.shape:
        raise NetworkError(f"weights of shape {list(array.shape)}: {what} is needed")
    if array.dtype != np.int8 and array.dtype.kind != "f":
        raise NetworkError(f"weights of {array.dtype}: give int8 with a weight_scale, or real numbers")
    return array


def _check_groups(channels: int, weights: np.ndarray, groups: int) -> None:
    """Checks that groups divide the channels, and that the weights are for a group's."""
    if groups < 1 or channels % groups or weights.shape[0] % groups:
        raise NetworkError(
            f"{groups} groups do not divide {channels} input and {weights.shape[0]} output channels"
        )
    if weights.shape[3] * groups != channels:
        each = f" in {groups} groups" if groups > 1 else ""
        raise NetworkError(
            f"weights {list(weights.shape)} for {channels} input channels{each}: the last dimension must be "
            f"{channels // groups}"
        )
