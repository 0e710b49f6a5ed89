"""Packs depthwise layers for the kernels of channel planes, and proves that their requantisation comes out exact.

The layouts are in firmware/kernels/dsp/depthwise_planes.h: one word for the form, then a record a channel. Both forms
are proved here for the very layer, for every int8 input, or the packing is refused:

- LINEAR, clamp((constant1 + ((2**s * acc + d) * constant0 >> 32)) >> 10). The result does not decrease with acc, and
  neither does the definition. So they are equal everywhere if they are equal on both sides of each of the definition's
  steps, of which there are at most 255. For a given slope that bounds the offset constant0 * d + 2**32 * constant1
  from both sides, and a small d hits such an interval. Possible wherever all steps are evenly spaced: with the lower
  clamp at the zero point (ReLU), where negative numbers need no rounding, or with single rounding.
- DOUBLE, the two roundings of the definition, one instruction each: for normalised multipliers and right shifts 2 .. 11
  for every acc, and for larger ones while the first rounding leaves |y| < 2**(32 - shift).

Source: own work.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from host.oracle import fixedpoint
from host.plan import pack_separable
from host.plan.network import Step

LINEAR, DOUBLE = 0, 1  # enum planes_form
LINEAR_SHIFT = 10
INT8_MIN, INT8_MAX = -128, 127
INT16_MAX = (1 << 15) - 1
FEW, MANY = 32, 1 << 13  # values of d to try
FAR = np.int64(1) << 62


@dataclass(frozen=True)
class _Layer:
    """int64 arrays of one element a channel; `low` and `high` bound the sum with its bias for every int8 input."""

    weights: np.ndarray  # [kernel_h, kernel_w, channels]
    bias: np.ndarray
    multiplier: np.ndarray
    shift: np.ndarray
    low: np.ndarray
    high: np.ndarray
    params: dict[str, int]

    def defined(self, acc: np.ndarray) -> np.ndarray:
        """The output of sums acc [..., channels]."""
        single = self.params["rounding"] == 1
        multiply = fixedpoint.multiply_single if single else fixedpoint.multiply_double
        y = multiply(acc, self.multiplier, self.shift) + self.params["output_zero"]
        return np.clip(y, self.params["clamp_min"], self.params["clamp_max"])


@dataclass(frozen=True)
class _Form:
    """What the records hold: weights [kernel_h, kernel_w, channels], bias and constants [channels]."""

    form: int
    weights: np.ndarray
    bias: np.ndarray
    constant0: np.ndarray
    constant1: np.ndarray


def planes_3x3(step: Step) -> bytes | None:
    """A0 B0 A1 B1 A2 B2 a channel, Ac = (w[0][c], w[1][c]), Bc = (w[1][c], w[2][c])."""

    def words(w: np.ndarray) -> list[np.ndarray]:
        return [_pair(w[r, c], w[r + 1, c]) for c in range(3) for r in range(2)]

    return _pack(step, words)


def planes_registers(step: Step) -> bytes | None:
    """B0 B1 B2 A0 A1 A2 a channel, of planes_3x3; LINEAR only."""

    def words(w: np.ndarray) -> list[np.ndarray]:
        return [_pair(w[r, c], w[r + 1, c]) for r in (1, 0) for c in range(3)]

    return _pack(step, words, zero_based=True, forms=(linear,))


def planes_3x3_stride2(step: Step) -> bytes | None:
    """S0 S1 S2 F0 F1 F2 a channel, the first and second pair of every kernel row."""

    def words(w: np.ndarray) -> list[np.ndarray]:
        pairs = [_stride2_pairs(row, step) for row in w]
        return [row[0] for row in pairs] + [row[1] for row in pairs]

    return _pack(step, words)


def planes_wide(step: Step) -> bytes | None:
    """Per kernel row: pairs; for stride 1 those from even columns, then those from odd ones."""

    def words(w: np.ndarray) -> list[np.ndarray]:
        if step.params["stride_w"] == 2:
            return [pair for row in w for pair in _stride2_pairs(row, step)]
        width = step.params["kernel_w"]
        starts = [*range(0, width - 1, 2), *range(1, width - 1, 2)]
        return [_pair(row[x], row[x + 1]) for row in w for x in starts]

    return _pack(step, words, zero_based=True)


def separable(step: Step) -> bytes | None:
    """Pairs of the row of weights, then of the column: their products are the kernel of every channel.

    The pass along rows keeps its sums of int8 pixels in int16; that along columns is modulo 2**32.
    """
    found = pack_separable.row_and_column(step)
    if found is None or not _sums_fit_int16(found[1]):
        return None

    def words(w: np.ndarray) -> list[np.ndarray]:
        # the forms multiply by powers of two, or by 0: that changes the column alone
        column, row = pack_separable.factors(w) or found
        pairs = [(f, x) for f in (row, column) for start in (0, 1) for x in range(start, len(f) - 1, 2)]
        return [_pair(f[x], f[x + 1]) for f, x in pairs]

    return _pack(step, words)


def _sums_fit_int16(weights: np.ndarray) -> bool:
    """Whether the sums of any int8 pixels times weights [taps, channels] do."""
    highest = np.maximum(INT8_MAX * weights, INT8_MIN * weights).sum(axis=0)
    lowest = np.minimum(INT8_MAX * weights, INT8_MIN * weights).sum(axis=0)
    return bool(highest.max() <= INT16_MAX and lowest.min() >= -INT16_MAX - 1)


def _stride2_pairs(row: np.ndarray, step: Step) -> list[np.ndarray]:
    """Pairs of an odd number of weights [kernel_w, channels] and a 0: in front if pad_left is odd, else behind."""
    zero = np.zeros_like(row[:1])
    odd = step.params["pad_left"] % 2
    row = np.concatenate([zero, row] if odd else [row, zero])
    return [_pair(row[x], row[x + 1]) for x in range(0, len(row), 2)]


def _pair(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return (low & 0xFFFF) | (high & 0xFFFF) << 16


def _pack(
    step: Step,
    words: Callable[[np.ndarray], list[np.ndarray]],
    *,
    zero_based: bool = False,
    forms: tuple[Callable[[_Layer], _Form | None], ...] | None = None,
) -> bytes | None:
    """`zero_based`: the kernel subtracts input_zero from the pixels, so the bias must not contain it."""
    layer = _layer(step)
    if layer is None:
        return None
    found = (form(layer) for form in forms or (linear, double))
    form = next((f for f in found if f is not None), None)
    if form is None:
        return None
    bias = form.bias
    if zero_based:
        bias = bias + step.params["input_zero"] * form.weights.sum(axis=(0, 1))
    records = np.stack([bias, form.constant0, form.constant1, *words(form.weights)], axis=1)
    head = np.array([form.form], "<u4").tobytes()
    return head + (records & 0xFFFFFFFF).astype("<u4").tobytes()


def _layer(step: Step) -> _Layer | None:
    """None if a sum could leave int32, or a shifted one, where the reference itself wraps."""
    assert step.weights is not None and step.channels is not None
    weights = step.weights.reshape(step.params["kernel_h"], step.params["kernel_w"], -1).astype(np.int64)
    bias, multiplier, shift = step.channels.astype(np.int64).T
    positive, negative = np.maximum(weights, 0).sum(axis=(0, 1)), np.minimum(weights, 0).sum(axis=(0, 1))
    low = bias + INT8_MIN * positive + INT8_MAX * negative
    high = bias + INT8_MAX * positive + INT8_MIN * negative
    furthest = np.maximum(np.abs(low), np.abs(high)) << np.maximum(shift, 0)
    if (furthest >= 1 << 31).any():
        return None
    return _Layer(weights, bias, multiplier, shift, low, high, step.params)


def linear(layer: _Layer) -> _Form | None:
    """The LINEAR form, or None if a channel has none."""
    steps, levels = _steps(layer)
    slope_bits = LINEAR_SHIFT + 1 + layer.shift  # constant0 * 2**scale is to be multiplier * 2**slope_bits
    length = np.frexp(np.maximum(layer.multiplier, 1).astype(np.float64))[1]
    scale = np.maximum(slope_bits - (31 - length), 0)
    scaled = layer.weights << np.minimum(scale, 31)
    furthest = np.maximum(np.abs(layer.low), np.abs(layer.high)) << np.minimum(scale, 31)
    fits = (scaled >= -(1 << 15)).all(axis=(0, 1)) & (scaled < 1 << 15).all(axis=(0, 1))
    constant = (layer.defined(layer.low) == layer.defined(layer.high)) & ~fits
    if (~fits & ~constant | (furthest >= (1 << 31) - MANY) & ~constant).any():
        return None
    # A channel of one value that does not fit, like a large left shift of zeros, is a multiplier of 0.
    scaled, scale = np.where(constant, 0, scaled), np.where(constant, 0, scale)
    exact = np.where(constant, 0, layer.multiplier)
    bits = np.where(constant, 0, slope_bits - scale)
    below = np.where(bits >= 0, exact << np.maximum(bits, 0), exact >> np.minimum(np.maximum(-bits, 0), 62))
    best = None
    for constant0 in (below, np.where(bits < 0, np.minimum(below + 1, (1 << 31) - 1), below)):
        found = _offsets(layer, steps, levels, constant0, scale)
        best = found if best is None else np.where(np.isnan(best[:, :1]), found, best)
        if not np.isnan(best).any():
            break
    assert best is not None
    if np.isnan(best).any():
        return None
    d, constant1, slope = best.T.astype(np.int64)
    bias = (np.where(constant, 0, layer.bias) << scale) + d
    return _Form(LINEAR, scaled, bias, slope, constant1)


def _offsets(
    layer: _Layer,
    steps: np.ndarray,
    levels: np.ndarray,
    constant0: np.ndarray,
    scale: np.ndarray,
) -> np.ndarray:
    """float64 [channels, 3] of d, constant1 and constant0 (whole numbers below 2**53); NaN where there are none."""
    slope = constant0 << scale
    targets = (levels << (32 + LINEAR_SHIFT))[:, None]
    reached = steps <= layer.high
    least = np.where(reached, targets - slope * np.where(reached, steps, 0), -FAR).max(axis=0, initial=-FAR)
    before = steps - 1 >= layer.low
    most = (
        np.where(before, targets - slope * np.where(before, steps - 1, 0), FAR).min(axis=0, initial=FAR) - 1
    )
    least, most = np.maximum(least, -(1 << 60)), np.minimum(most, 1 << 60)
    found = np.full((len(slope), 3), np.nan)
    left = np.arange(len(slope))
    for count in (1, FEW, MANY):
        d = np.arange(count) - count // 2
        product = constant0[left, None] * d
        constant1 = -((product - least[left, None]) >> 32)
        hits = (product + (constant1 << 32) <= most[left, None]) & (np.abs(constant1) < 1 << 29)
        first = hits.argmax(axis=1)
        rows = np.arange(len(left))
        answer = np.stack([d[first], constant1[rows, first], constant0[left]], axis=1)
        found[left] = np.where(hits.any(axis=1)[:, None], answer, np.nan)
        left = left[~hits.any(axis=1)]
        if not len(left):
            break
    return found


def _steps(layer: _Layer) -> tuple[np.ndarray, np.ndarray]:
    """int64 ([levels, channels], [levels]): the least acc from low to high + 1 whose output is at least the level.

    Levels are all outputs but the lowest: clamp_min + 1 .. clamp_max. high + 1 where the output stays below.
    """
    levels = np.arange(layer.params["clamp_min"] + 1, layer.params["clamp_max"] + 1, dtype=np.int64)
    low = np.broadcast_to(layer.low, (len(levels), len(layer.low))).copy()
    high = np.broadcast_to(layer.high + 1, low.shape).copy()
    while (low < high).any():
        middle = (low + high) >> 1
        enough = layer.defined(middle) >= levels[:, None]
        high = np.where(enough & (low < high), middle, high)
        low = np.where(~enough & (low < high), middle + 1, low)
    return low, levels


def double(layer: _Layer) -> _Form | None:
    """The DOUBLE form, or None if a channel has none."""
    if layer.params["rounding"] != 0:
        return None
    lowest, highest = layer.defined(layer.low), layer.defined(layer.high)
    constant = lowest == highest
    right = -layer.shift
    ends = [
        fixedpoint.saturating_rounding_doubling_high_mul(x, layer.multiplier) for x in (layer.low, layer.high)
    ]
    small = np.maximum(*map(np.abs, ends)) < np.int64(1) << np.clip(32 - right, 0, 62)
    inside = (layer.multiplier >= 1 << 30) & (right >= 2) & ((right <= 11) | small)
    if not (inside | constant).all():
        return None
    # One value only: constant0 0 leaves the sum as it is, a right shift by 2 follows.
    value = (lowest - layer.params["output_zero"]) << 2
    right = np.where(constant, 2, right)
    return _Form(
        DOUBLE,
        np.where(constant, 0, layer.weights),
        np.where(constant, value, layer.bias),
        np.where(constant, 0, 2 * layer.multiplier - (1 << 32)),
        (np.int64(1) << (32 - right)) + 1,
    )
