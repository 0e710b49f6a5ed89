"""DEFORM_CONV_2D on int8 arrays: the definition of its fixed-point arithmetic, which every kernel repeats bit for bit.

No reference has an int8 form of this operator, so this module is the reference. In real numbers it is
torchvision.ops.deform_conv2d (ONNX DeformConv): for output (oy, ox), offset group k and tap (ky, kx)

    y = oy * stride_h - pad_top + ky * dilation_h + dy,   x likewise,   sample[c] = mask * bilinear(image[c], y, x)

with the image 0 outside, also at the corners of a bilinear cell that lie outside. In integers:

position    A Q12 number of pixels, base * 4096 + offset. With M = round(scale * 2**29), half away from zero,
            offset = ((q - zero_point) * M + 2**16) >> 17: rounded once, halves up. Scales of 4 pixels a step or more
            are refused, so that M < 2**31. |q - zero_point| <= 65535, hence |offset| < 2**30; |base| < 2**17.6 pixels
            (ops.h), hence every position fits int32: nothing is clamped, whatever the offsets are.
corner      (position >> 12), floored, and the one after it; fraction f = position & 4095.
weights     of the corners, Q14, from the fractions fy, fx:  w11 = (fy * fx + 512) >> 10,  w01 = 4 * fx - w11,
            w10 = 4 * fy - w11,  w00 = 2**14 - 4 * fx - w10. All are in 0 .. 2**14, their sum is 2**14 exactly, and each
            is off the real product by at most 2**-15: fx * fy / 1024 lies in [0, 4 * min(fx, fy)], whose ends are
            integers, so that rounding does not leave it; w00 rounds (4096 - fy) * (4096 - fx) / 1024 >= 0.
value       d = sum of weight * (pixel - input_zero) over the corners inside the image: Q14, |d| <= 255 * 2**14 < 2**22.
sample      no mask: s = (d + 32) >> 6, Q8. Plus 256 * input_zero it is the interpolated int8, in [-2**15, 127 * 256]:
            int16. Mask: s = (d * (m - mask_zero) + 2**14) >> 15, in units of 2 * input scale * mask scale;
            |product| < 2**30, and |s| <= 32513: int16.
sum         A = (sum of s * weight + 128) >> 8, plus the bias. The inner sum is exact (int64; kernels with int32 refuse
            weights that could leave it), A is within the bounds of the plain convolution's sum.
output      as CONV_2D: double rounding, a multiplier for each channel. With a mask A counts 512 * mask scale * input
            scale * weight scale, so its multiplier has the factor 512 * mask scale, and the bias is divided by it,
            rounded half away from zero.

Zero offsets give the plain convolution, offsets of whole pixels shifted reads, both bit for bit (without a mask).

Error. In steps of the input, a sample is off by at most E = 510 * (2**-13 + n * 2**-30) + 510 * 2**-15 + 2**-9, n the
largest |q - zero_point|: the roundings of the position, a pixel of which is worth 255 steps in each direction, of M, of
the weights, of the sample; E < 0.08 for int8 offsets, < 0.12 for int16. An output then is off by at most
r * (sum of |weight| * E + 1/2) steps, r its multiplier, before it is rounded. With a mask:
r * (sum of |weight| * (255 * E' + 1) / 512 + 1), E' without the 2**-9.

Own work; semantics: Dai 2017, Zhu 2018, torchvision.ops.deform_conv2d.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from host.errors import UnsupportedError
from host.model import graph as g
from host.model.deformable import tensors_of
from host.oracle import fixedpoint as fx
from host.oracle import params as p
from host.oracle.convolution import convolution_output

POSITION_BITS = 12
WEIGHT_BITS = 14
OFFSET_BITS = 17  # fraction of the offset multiplier in the position's grid
SAMPLE_BITS = 8
MASK_SHIFT = 15  # of a masked value to a sample
MASKED_UNIT = 512  # sums with a mask count so many products of input, weight and mask
MAX_OFFSET_SCALE = 4.0  # pixels


@dataclass(frozen=True)
class DeformableParams:
    """`requant` turns A into the output; mask_zero is None without a mask."""

    requant: p.ConvRequant
    offset_multiplier: int
    offset_zero: int
    mask_zero: int | None


def deformable_params(graph: g.Graph, op: g.DeformableConv2D) -> DeformableParams:
    """All integers of the operator. Raises UnsupportedError for scales that its arithmetic cannot hold."""
    offsets, mask = tensors_of(op)
    quant = graph.tensors[offsets].quant
    assert quant is not None
    scale = float(quant.scale[0])
    multiplier = int(fx.round_half_away(scale * 2.0 ** (POSITION_BITS + OFFSET_BITS)))
    if multiplier > fx.INT32_MAX:
        raise UnsupportedError(
            f"a step of its offsets is {scale:g} pixels: less than {MAX_OFFSET_SCALE:g} is supported"
        )
    if mask < 0:
        return DeformableParams(p.conv_requant(graph, op), multiplier, quant.zero_point, None)
    zero = graph.tensors[mask].quant.zero_point
    return DeformableParams(_masked_requant(graph, op, mask), multiplier, quant.zero_point, zero)


def _masked_requant(graph: g.Graph, op: g.DeformableConv2D, mask: int) -> p.ConvRequant:
    """Requantisation of sums whose unit is MASKED_UNIT products of input, weight and mask."""
    x, w, y = graph.tensors[op.inputs[0]], graph.tensors[op.inputs[1]], graph.tensors[op.outputs[0]]
    channels = w.shape[0]
    unit = MASKED_UNIT * np.float64(graph.tensors[mask].quant.scale[0])
    product = np.float64(x.quant.scale[0]) * w.quant.scale.astype(np.float64) * unit
    real = np.array(np.broadcast_to(product / np.float64(y.quant.scale[0]), channels))
    multiplier, shift = fx.quantize_multiplier(real)
    bias = fx.round_half_away(p.bias_of(graph, op, channels) / unit)
    low, high = _masked_bounds(graph, op, mask)
    low, high = low + bias, high + bias
    furthest = np.maximum(np.maximum(np.abs(low), np.abs(high)), np.abs(bias))
    if (furthest * 2.0 ** np.maximum(shift, 0) > fx.INT32_MAX).any():
        raise UnsupportedError("its sums overflow an int32")
    clamp_min, clamp_max = p.activation_range(y, op.activation)
    return p.ConvRequant(
        multiplier=multiplier.astype(np.int32),
        shift=shift.astype(np.int32),
        rounding="double",
        clamp_min=clamp_min,
        clamp_max=clamp_max,
        input_zero=x.quant.zero_point,
        weights_zero=w.quant.zero_point,
        output_zero=y.quant.zero_point,
        bias=bias.astype(np.int32),
        nudge=np.int64(1) << np.maximum(30 - shift, 0),
        real=real,
        sum_low=low.astype(np.int64),
        sum_high=high.astype(np.int64),
    )


def _masked_bounds(graph: g.Graph, op: g.DeformableConv2D, mask: int) -> tuple[np.ndarray, np.ndarray]:
    """Least and largest sum per output channel without bias, over all inputs, masks and positions; int64 [oc]."""
    w = graph.tensors[op.inputs[1]]
    low, high = masked_sample_bounds(
        graph.tensors[op.inputs[0]].quant.zero_point, graph.tensors[mask].quant.zero_point
    )
    rows = w.data.reshape(w.shape[0], -1).astype(np.int64) - w.quant.zero_point
    least = np.minimum(rows * low, rows * high).sum(1)
    largest = np.maximum(rows * low, rows * high).sum(1)
    return rounded_sum(least), rounded_sum(largest)


def masked_sample_bounds(input_zero: int, mask_zero: int) -> tuple[int, int]:
    """Least and largest masked sample; 0 is between them."""
    ends = [(a - input_zero) * (m - mask_zero) for a in (-128, 127) for m in (-128, 127)]
    scaled = [((e << WEIGHT_BITS) + (1 << MASK_SHIFT - 1)) >> MASK_SHIFT for e in (*ends, 0)]
    return min(scaled), max(scaled)


def rounded_sum(sums: np.ndarray) -> np.ndarray:
    """A of the exact sum of samples times weights: without the samples' fraction, halves up."""
    return (sums + (1 << SAMPLE_BITS - 1)) >> SAMPLE_BITS


def positions(
    graph: g.Graph, op: g.DeformableConv2D, offsets: np.ndarray, r: DeformableParams
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns, Q12, int64 [oh, ow, offset groups, taps]."""
    _, kh, kw, _ = graph.tensors[op.inputs[1]].shape
    _, oh, ow, _ = offsets.shape
    steps = offsets.reshape(oh, ow, op.offset_groups, kh * kw, 2).astype(np.int64) - r.offset_zero
    moved = (steps * r.offset_multiplier + (1 << OFFSET_BITS - 1)) >> OFFSET_BITS
    ky, kx = np.divmod(np.arange(kh * kw), kw)
    rows = np.arange(oh)[:, None] * op.stride[0] - op.padding.top + ky * op.dilation[0]
    columns = np.arange(ow)[:, None] * op.stride[1] - op.padding.left + kx * op.dilation[1]
    base_y, base_x = rows[:, None, None, :] << POSITION_BITS, columns[None, :, None, :] << POSITION_BITS
    return base_y + moved[..., 0], base_x + moved[..., 1]


def corner_weights(fy: np.ndarray, fx_: np.ndarray) -> np.ndarray:
    """Q14 weights of the corners 00, 01, 10, 11 (row, column), int64 [4, ...], from Q12 fractions."""
    w11 = (fy * fx_ + (1 << 9)) >> 10
    w01, w10 = 4 * fx_ - w11, 4 * fy - w11
    return np.stack([(1 << WEIGHT_BITS) - 4 * fx_ - w10, w01, w10, w11])


def interpolate(image: np.ndarray, zero: int, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """d, Q14, int64 [oh, ow, offset groups, taps, channels of a group], at Q12 positions [oh, ow, offset groups, taps].

    image: int8 [h, w, offset groups, channels of a group].
    """
    h, w, groups, _ = image.shape
    fraction = (1 << POSITION_BITS) - 1
    weights = corner_weights(y & fraction, x & fraction)
    values = np.zeros((*y.shape, image.shape[3]), np.int64)
    group = np.arange(groups)[:, None]
    for i, (down, right) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
        row, column = (y >> POSITION_BITS) + down, (x >> POSITION_BITS) + right
        inside = (row >= 0) & (row < h) & (column >= 0) & (column < w)
        pixel = image[np.clip(row, 0, h - 1), np.clip(column, 0, w - 1), group].astype(np.int64) - zero
        values += (weights[i] * inside)[..., None] * pixel
    return values


def samples_of(
    graph: g.Graph,
    op: g.DeformableConv2D,
    r: DeformableParams,
    x: np.ndarray,
    offsets: np.ndarray,
    mask: np.ndarray | None,
) -> np.ndarray:
    """Samples without the input's zero point, int64 [oh, ow, taps, ic]."""
    _, h, w, ic = x.shape
    y_at, x_at = positions(graph, op, offsets, r)
    image = x.reshape(h, w, op.offset_groups, ic // op.offset_groups)
    values = interpolate(image, r.requant.input_zero, y_at, x_at)
    if mask is None:
        samples = (values + (1 << WEIGHT_BITS - SAMPLE_BITS - 1)) >> WEIGHT_BITS - SAMPLE_BITS
    else:
        factors = mask.reshape(*y_at.shape, 1).astype(np.int64) - r.mask_zero
        samples = (values * factors + (1 << MASK_SHIFT - 1)) >> MASK_SHIFT
    oh, ow, _, taps, _ = samples.shape
    return samples.transpose(0, 1, 3, 2, 4).reshape(oh, ow, taps, ic)


def deformable_conv2d(
    graph: g.Graph,
    op: g.DeformableConv2D,
    x: np.ndarray,
    w: np.ndarray,
    _bias: np.ndarray | None,
    offsets: np.ndarray,
    mask: np.ndarray | None = None,
) -> np.ndarray:
    """DEFORM_CONV_2D, int8 [1, oh, ow, oc]."""
    r = deformable_params(graph, op)
    samples = samples_of(graph, op, r, x, offsets, mask)
    oh, ow, taps, ic = samples.shape
    oc, groups = w.shape[0], op.groups
    # exact in float64: products of 16 and 9 bits, far fewer than 2**28 of them
    inputs = samples.reshape(oh * ow, taps, groups, ic // groups).transpose(2, 0, 1, 3)
    rows = (w.astype(np.float64) - r.requant.weights_zero).reshape(groups, oc // groups, -1)
    sums = inputs.reshape(groups, oh * ow, -1).astype(np.float64) @ rows.transpose(0, 2, 1)
    sums = sums.transpose(1, 0, 2).reshape(oh * ow, oc).astype(np.int64)
    return convolution_output(rounded_sum(sums) + r.requant.bias, r.requant).reshape(1, oh, ow, oc)
