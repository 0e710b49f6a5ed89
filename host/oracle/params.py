"""Integer parameters of each operator, computed once from the graph's float scales.

The oracle and the lowering both take their numbers from here, so that nothing is computed in two ways.
What each formula is was measured on LiteRT 2.3 BUILTIN_REF with int8 and with uint8 tensors:

CONV_2D, DEPTHWISE_CONV_2D,
TRANSPOSE_CONV               double rounding; int8 multiplier from double(in) * double(w) / double(out),
                             uint8 from double(float32(in * w)) / double(out)
FULLY_CONNECTED              round(double(sum) * (in * w / out)), half away from zero, in float64, int8 and
                             uint8. `fully_connected_requant` finds an integer form and proves it equal
ADD                          double rounding of all three multipliers, inputs shifted left by 20
MEAN                         double rounding of the plain sum; 1/n is folded into the multiplier, truncated
AVERAGE_POOL_2D              int8: half away from zero. uint8: half up of the *unsigned* sum
SOFTMAX                      gemmlowp fixed point; exp has 256 arguments per scale, hence a table
QUANTIZE                     double rounding
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from host.errors import UnsupportedError
from host.model import graph as g
from host.oracle import fixedpoint as fx
from host.oracle.softmax import exp_table

INT8_MIN, INT8_MAX = -128, 127
ADD_LEFT_SHIFT = 20


@dataclass(frozen=True)
class ConvRequant:
    """From a sum of products to int8, for convolutions and fully connected layers.

    out = clamp(rescale(sum((x - input_zero) * (w - weights_zero)) + bias) + output_zero)

    multiplier, shift, bias: int32 [oc]. rounding "double": `fixedpoint.multiply_double`. rounding
    "single": `fixedpoint.multiply_single` with `nudge` int64 [oc], which is 1 << (30 - shift) in all but
    rare channels. `real` is float64 [oc]: the multiplier before quantisation. `sum_low`, `sum_high` are
    int64 [oc]: bounds of the sum, bias included, over all int8 inputs.
    """

    multiplier: np.ndarray
    shift: np.ndarray
    rounding: str
    clamp_min: int
    clamp_max: int
    input_zero: int
    weights_zero: int
    output_zero: int
    bias: np.ndarray
    nudge: np.ndarray
    real: np.ndarray
    sum_low: np.ndarray
    sum_high: np.ndarray


@dataclass(frozen=True)
class AddParams:
    """out = clamp(rescale(rescale_a((a - zero_a) << left_shift) + rescale_b(...)) + output_zero).

    The three rescales are double rounding, (multiplier, shift) each, shift <= 0. The shifted inputs stay
    below 2**28, the sum below 2**29.
    """

    left_shift: int
    zero_a: int
    multiplier_a: int
    shift_a: int
    zero_b: int
    multiplier_b: int
    shift_b: int
    multiplier_out: int
    shift_out: int
    output_zero: int
    clamp_min: int
    clamp_max: int


@dataclass(frozen=True)
class MeanParams:
    """out = clamp(multiply_double(sum(x) - input_zero * count, multiplier, shift) + output_zero)."""

    multiplier: int
    shift: int
    input_zero: int
    output_zero: int
    count: int


@dataclass(frozen=True)
class PoolParams:
    """Window arithmetic. Average of n values: half_up ? floor((s + n // 2) / n) : round half away from zero.

    half_up is the reference's rounding for uint8 tensors; on shifted values it is a floor division.
    """

    half_up: bool
    clamp_min: int
    clamp_max: int


@dataclass(frozen=True)
class SoftmaxParams:
    """`exp_table` int32 [256]: exp(-scale * beta * d) in Q0.31 for d = row maximum - x; see `softmax`."""

    exp_table: np.ndarray


@dataclass(frozen=True)
class RequantizeParams:
    """out = clip(multiply_double(x - input_zero, multiplier, shift) + output_zero, -128, 127)."""

    multiplier: int
    shift: int
    input_zero: int
    output_zero: int


def activation_range(output: g.Tensor, activation: str) -> tuple[int, int]:
    """(clamp_min, clamp_max) of a fused activation in the output's quantisation.

    Raises UnsupportedError where 6 / scale leaves int32, which LiteRT refuses too.
    """

    def quantized(real: float) -> int:
        steps = fx.round_half_away(np.float32(real) / np.float32(output.quant.scale[0]))
        if not abs(steps) < 2.0**30:
            raise UnsupportedError(f"tensor {output.name}: scale too small for activation {activation}")
        return output.quant.zero_point + int(steps)

    if activation == "NONE":
        return INT8_MIN, INT8_MAX
    if activation == "RELU":
        return max(INT8_MIN, quantized(0.0)), INT8_MAX
    low, high = (0.0, 6.0) if activation == "RELU6" else (-1.0, 1.0)
    return max(INT8_MIN, quantized(low)), min(INT8_MAX, quantized(high))


def conv_requant(graph: g.Graph, op: g.Conv2D | g.DepthwiseConv2D | g.TransposedConv2D) -> ConvRequant:
    """Requantisation of CONV_2D, DEPTHWISE_CONV_2D and TRANSPOSE_CONV: double rounding.

    An output of TRANSPOSE_CONV is a sum of some of its channel's products; the bounds are those of all of them.

    Raises UnsupportedError if an input exists whose sum, or left-shifted sum, leaves int32: the reference's
    result would be undefined. Kernels may rely on it.
    """
    x, w, y = graph.tensors[op.inputs[0]], graph.tensors[op.inputs[1]], graph.tensors[op.outputs[0]]
    channels = y.shape[-1]
    if x.unsigned:
        # The legacy path multiplies the two scales in float32.
        product = (x.quant.scale[0] * w.quant.scale).astype(np.float64)
    else:
        product = np.float64(x.quant.scale[0]) * w.quant.scale.astype(np.float64)
    real = np.broadcast_to(product / np.float64(y.quant.scale[0]), channels)
    multiplier, shift = fx.quantize_multiplier(real)
    usual = np.int64(1) << np.maximum(30 - shift, 0)
    depthwise = isinstance(op, g.DepthwiseConv2D)
    rows = w.data.reshape(-1, channels).T if depthwise else w.data.reshape(channels, -1)
    requant = _requant(graph, op, rows, multiplier, shift, "double", usual, real)
    furthest = np.maximum(np.abs(requant.sum_low), np.abs(requant.sum_high)).astype(np.float64)
    if (furthest * 2.0 ** np.maximum(shift, 0) > fx.INT32_MAX).any():
        raise UnsupportedError("its sums overflow an int32")
    return requant


def fully_connected_real(graph: g.Graph, op: g.FullyConnected) -> np.ndarray:
    """The reference's multiplier, float64 [oc]: in * w / out, evaluated from the left."""
    x, w, y = graph.tensors[op.inputs[0]], graph.tensors[op.inputs[1]], graph.tensors[op.outputs[0]]
    product = np.float64(x.quant.scale[0]) * w.quant.scale.astype(np.float64)
    return np.array(np.broadcast_to(product / np.float64(y.quant.scale[0]), w.shape[0]))


def fully_connected_requant(graph: g.Graph, op: g.FullyConnected) -> ConvRequant:
    """Requantisation of FULLY_CONNECTED: integers that equal the reference's float64, by proof.

    The reference computes round(double(sum) * real). Plain single rounding with the quantised multiplier
    differs from it for about one sum in 10**7, near a step; `fixedpoint.exact_single` removes these.
    Raises UnsupportedError where no multiplier and nudge do (sums beyond 2**30, or tiny multipliers).
    """
    w, y = graph.tensors[op.inputs[1]], graph.tensors[op.outputs[0]]
    real = fully_connected_real(graph, op)
    clamp_min, clamp_max = activation_range(y, op.activation)
    zero = y.quant.zero_point
    low, high = _sum_bounds(graph, op, w.data)
    furthest = np.maximum(np.abs(low), np.abs(high))
    if (furthest > 2**30).any() or (furthest * real >= 2.0**30).any():
        raise UnsupportedError("its sums overflow when rescaled")
    multiplier, shift, nudge, proven = fx.exact_single(real, low, high, clamp_min - zero, clamp_max - zero)
    if not proven.all():
        raise UnsupportedError(f"channel {int(np.argmin(proven))} has no exact integer rescale")
    return _requant(graph, op, w.data, multiplier, shift, "single", nudge, real)


def bias_of(graph: g.Graph, op: g.Op, channels: int) -> np.ndarray:
    """The bias of a convolution or fully connected layer, int32 [channels]: zeros where it has none."""
    absent = len(op.inputs) < 3 or op.inputs[2] < 0
    return np.zeros(channels, np.int32) if absent else graph.tensors[op.inputs[2]].data


def _sum_bounds(graph: g.Graph, op: g.Op, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least and largest sum per output channel; rows is int8 [oc, products]."""
    zero = graph.tensors[op.inputs[0]].quant.zero_point
    weights = rows.astype(np.int64) - graph.tensors[op.inputs[1]].quant.zero_point
    positive, negative = np.maximum(weights, 0).sum(1), np.minimum(weights, 0).sum(1)
    bias = bias_of(graph, op, len(rows)).astype(np.int64)
    least, largest = INT8_MIN - zero, INT8_MAX - zero
    return positive * least + negative * largest + bias, positive * largest + negative * least + bias


def _requant(
    graph: g.Graph,
    op: g.Weighted,
    rows: np.ndarray,
    multiplier: np.ndarray,
    shift: np.ndarray,
    rounding: str,
    nudge: np.ndarray,
    real: np.ndarray,
) -> ConvRequant:
    """A ConvRequant from its rescale and the zero points in the graph."""
    x, w, y = graph.tensors[op.inputs[0]], graph.tensors[op.inputs[1]], graph.tensors[op.outputs[0]]
    clamp_min, clamp_max = activation_range(y, op.activation)
    low, high = _sum_bounds(graph, op, rows)
    return ConvRequant(
        multiplier=multiplier.astype(np.int32),
        shift=shift.astype(np.int32),
        rounding=rounding,
        clamp_min=clamp_min,
        clamp_max=clamp_max,
        input_zero=x.quant.zero_point,
        weights_zero=w.quant.zero_point,
        output_zero=y.quant.zero_point,
        bias=bias_of(graph, op, len(rows)).astype(np.int32),
        nudge=nudge,
        real=np.array(real),
        sum_low=low,
        sum_high=high,
    )


def add_params(graph: g.Graph, op: g.Add) -> AddParams:
    """Parameters of ADD. Raises UnsupportedError where LiteRT aborts: an output scale too small."""
    a, b, y = graph.tensors[op.inputs[0]], graph.tensors[op.inputs[1]], graph.tensors[op.outputs[0]]
    scale_a, scale_b = np.float64(a.quant.scale[0]), np.float64(b.quant.scale[0])
    twice = 2.0 * max(scale_a, scale_b)
    real = np.array([scale_a, scale_b, twice / np.float64(y.quant.scale[0])]) / [
        twice,
        twice,
        2.0**ADD_LEFT_SHIFT,
    ]
    multiplier, shift = fx.quantize_multiplier(real)
    if (real >= 1.0).any() or (shift > 0).any():
        raise UnsupportedError("output scale too small for its inputs")
    clamp_min, clamp_max = activation_range(y, op.activation)
    return AddParams(
        left_shift=ADD_LEFT_SHIFT,
        zero_a=a.quant.zero_point,
        multiplier_a=int(multiplier[0]),
        shift_a=int(shift[0]),
        zero_b=b.quant.zero_point,
        multiplier_b=int(multiplier[1]),
        shift_b=int(shift[1]),
        multiplier_out=int(multiplier[2]),
        shift_out=int(shift[2]),
        output_zero=y.quant.zero_point,
        clamp_min=clamp_min,
        clamp_max=clamp_max,
    )


def mean_params(graph: g.Graph, op: g.Mean) -> MeanParams:
    """Parameters of MEAN: the rescale in/out with 1/count in it, as the reference folds it.

    Raises UnsupportedError if a sum, left-shifted where the rescale asks for it, can leave int32.
    """
    x, y = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    count = int(np.prod([x.shape[axis] for axis in op.axes], dtype=np.int64))
    multiplier, shift = _in_to_out(x, y)
    extra = min(count.bit_length() - 1, 32, 31 + shift)
    if (255 * count) << max(shift - extra, 0) > fx.INT32_MAX:
        raise UnsupportedError("its sums overflow an int32")
    return MeanParams(
        multiplier=(multiplier << extra) // count,
        shift=shift - extra,
        input_zero=x.quant.zero_point,
        output_zero=y.quant.zero_point,
        count=count,
    )


def pool_params(graph: g.Graph, op: g.Pool2D) -> PoolParams:
    """Parameters of AVERAGE_POOL_2D and MAX_POOL_2D."""
    y = graph.tensors[op.outputs[0]]
    clamp_min, clamp_max = activation_range(y, op.activation)
    return PoolParams(half_up=y.unsigned, clamp_min=clamp_min, clamp_max=clamp_max)


def softmax_params(graph: g.Graph, op: g.Softmax) -> SoftmaxParams:
    """Parameters of SOFTMAX. Raises UnsupportedError where LiteRT aborts: beta * scale <= 2**-26."""
    scale = np.float64(np.float32(op.beta)) * np.float64(graph.tensors[op.inputs[0]].quant.scale[0])
    if not scale * 2.0**26 > 1.0:
        raise UnsupportedError("beta times input scale is below 2**-26")
    return SoftmaxParams(exp_table(float(scale)))


def requantize_params(graph: g.Graph, op: g.Quantize) -> RequantizeParams:
    """Parameters of QUANTIZE from 8 bits to 8 bits."""
    x, y = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    multiplier, shift = _in_to_out(x, y)
    return RequantizeParams(multiplier, shift, x.quant.zero_point, y.quant.zero_point)


def _in_to_out(x: g.Tensor, y: g.Tensor) -> tuple[int, int]:
    """(multiplier, shift) of scale(x) / scale(y)."""
    real = np.float64(x.quant.scale[0]) / np.float64(y.quant.scale[0])
    multiplier, shift = fx.quantize_multiplier(real)
    if shift > 22:
        # (x - zero) << shift must not leave int32: it would be undefined in the reference.
        raise UnsupportedError("rescales by more than 2**22")
    return int(multiplier), int(shift)


def resize_indices(graph: g.Graph, op: g.ResizeNearest) -> tuple[np.ndarray, np.ndarray]:
    """(rows, columns): int32 [oh] and [ow], the input position that each output position copies.

    float32 arithmetic as the reference has it: scale = in / out, or (in - 1) / (out - 1) with
    align_corners and out > 1; position = floor((o + 0.5 * half_pixel) * scale), rounded with align_corners.
    """
    x, y = graph.tensors[op.inputs[0]].shape, graph.tensors[op.outputs[0]].shape
    return _nearest(op, x[1], y[1]), _nearest(op, x[2], y[2])


def _nearest(op: g.ResizeNearest, size: int, out: int) -> np.ndarray:
    """int32 [out]: nearest of `size` input positions along one axis."""
    one = np.float32(1)
    if op.align_corners and out > 1:
        scale = np.float32(size - 1) / (np.float32(out) - one)
    else:
        scale = np.float32(size) / np.float32(out)
    offset = np.float32(0.5 if op.half_pixel_centers else 0.0)
    position = (np.arange(out, dtype=np.float32) + offset) * scale
    whole = fx.round_half_away(position) if op.align_corners else np.floor(position)
    return np.clip(whole.astype(np.int64), 0, size - 1).astype(np.int32)
