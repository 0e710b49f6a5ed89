"""TensorFlow Lite's fixed-point arithmetic, vectorised on int64 with the C code's int32 behaviour.

A real multiplier d is kept as (multiplier, shift): d = multiplier * 2**(shift - 31), multiplier in
[2**30, 2**31). Two ways of applying it exist in LiteRT 2.3 (measured, see `host.oracle.params`):

double   RoundingDivideByPOT(SaturatingRoundingDoublingHighMul(x << left, multiplier), right), with
         left = max(shift, 0), right = max(-shift, 0)
single   (x * multiplier + nudge) >> (31 - shift), with nudge = 1 << (30 - shift) unless stated otherwise

Products of two int32 and a rounding term fit in int64, so both are plain int64 code in C. Where C code
would overflow an int32 (a left shift of a large sum) the value wraps here as it does on x86 and Arm.

Source: gemmlowp `fixedpoint/fixedpoint.h`; LiteRT `tflite/kernels/internal/{common,quantization_util}.cc`.
"""

from __future__ import annotations

import numpy as np

INT32_MIN = -(2**31)
INT32_MAX = 2**31 - 1


def wrap_int32(x: np.ndarray) -> np.ndarray:
    """int64 values reduced to int32 two's complement, kept as int64."""
    return np.asarray(x, np.int64).astype(np.int32).astype(np.int64)


def round_half_away(x: np.ndarray) -> np.ndarray:
    """C's round() on float64; float32 arguments must be widened first, or x + 0.5 would round."""
    x = np.asarray(x, np.float64)
    whole = np.trunc(x)
    # x - trunc(x) is exact in floating point, floor(x + 0.5) is not (0.49999999999999994).
    return whole + np.where(np.abs(x - whole) >= 0.5, np.copysign(1.0, x), 0.0)


def quantize_multiplier(real: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """(multiplier, shift), int64 arrays of `real`'s shape, for positive real multipliers.

    A shift below -31 gives multiplier 0 and shift 0: such a multiplier flushes every sum to zero.
    """
    mantissa, shift = np.frexp(np.asarray(real, np.float64))
    multiplier = round_half_away(mantissa * 2.0**31).astype(np.int64)
    shift = shift.astype(np.int64)
    carry = multiplier == 2**31
    multiplier, shift = np.where(carry, multiplier // 2, multiplier), np.where(carry, shift + 1, shift)
    flushed = (shift < -31) | (multiplier == 0)
    return np.where(flushed, 0, multiplier), np.where(flushed, 0, shift)


def saturating_rounding_doubling_high_mul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(2*a*b + 2**31) >> 32 of int32 values; only INT32_MIN squared saturates.

    gemmlowp divides with truncation after a nudge that depends on the sign; that is the same number as
    the floor of (a*b + 2**30) / 2**31 for every a and b.
    """
    product = np.asarray(a, np.int64) * np.asarray(b, np.int64)
    return np.minimum((product + (1 << 30)) >> 31, INT32_MAX)


def rounding_divide_by_pot(x: np.ndarray, exponent: np.ndarray | int) -> np.ndarray:
    """x / 2**exponent, rounded half away from zero; exponent 0..31."""
    x = np.asarray(x, np.int64)
    mask = (np.int64(1) << np.asarray(exponent, np.int64)) - 1
    threshold = (mask >> 1) + (x < 0)
    return (x >> exponent) + ((x & mask) > threshold)


def multiply_double(x: np.ndarray, multiplier: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """MultiplyByQuantizedMultiplier with double rounding; the left-shifted x wraps at int32."""
    left, right = np.maximum(shift, 0), np.maximum(np.negative(shift), 0)
    shifted = wrap_int32(np.asarray(x, np.int64) << left)
    return rounding_divide_by_pot(saturating_rounding_doubling_high_mul(shifted, multiplier), right)


def multiply_single(
    x: np.ndarray, multiplier: np.ndarray, shift: np.ndarray, nudge: np.ndarray | None = None
) -> np.ndarray:
    """(x * multiplier + nudge) >> (31 - shift); nudge None means 1 << (30 - shift)."""
    total = 31 - np.asarray(shift, np.int64)
    nudge = np.int64(1) << (total - 1) if nudge is None else nudge
    return (np.asarray(x, np.int64) * multiplier + nudge) >> total


def exact_single(
    real: np.ndarray, low: np.ndarray, high: np.ndarray, first: int, last: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Integer form of clip(round(x * real), first, last), proven for every x in [low, high].

    real: float64 [n]; low, high: int64 [n], within +-2**30. Returns int64 (multiplier, shift, nudge) and
    bool proven, all [n], such that clip(multiply_single(x, multiplier, shift, nudge), first, last) is that
    very number wherever `proven`.

    Both sides are non-decreasing in x, so equality at the steps is equality everywhere: if c is the least
    x with round(x * real) >= j, then c must give at least j and c - 1 less than j. That bounds the nudge
    from both sides for a given multiplier. The usual nudge is kept where it qualifies. Source: own work.
    """
    real, low, high = np.asarray(real, np.float64), np.asarray(low, np.int64), np.asarray(high, np.int64)
    nearest, shift = quantize_multiplier(real)
    total, usual = 31 - shift, np.int64(1) << (30 - shift)
    # Steps outside the range of x say nothing beyond what the two steps around it say.
    start = np.clip(round_half_away(low * real), first, last).astype(np.int64)
    stop = np.clip(round_half_away(high * real), first, last).astype(np.int64)
    step = np.arange(first + 1, last + 1, dtype=np.int64)[None, :]
    used = (step >= start[:, None]) & (step <= stop[:, None] + 1)
    guess = np.clip(np.ceil((step - 0.5) / real[:, None]), -(2.0**40), 2.0**40).astype(np.int64)
    around = guess[..., None] + np.arange(-2, 3)
    reached = round_half_away(around * real[:, None, None]) >= step[..., None]
    least = np.take_along_axis(around, reached.argmax(-1)[..., None], -1)[..., 0]

    target = np.where(used, step, 0) << total[:, None]
    needs = used & (least <= high[:, None])
    stays = used & (least > low[:, None])
    reach, stay = np.maximum(least, low[:, None]), np.minimum(least - 1, high[:, None])
    reach, stay = np.where(needs, reach, 0), np.where(stays, stay, 0)
    multiplier, nudge = nearest.copy(), usual.copy()
    proven = np.zeros(len(real), bool)
    for delta in (0, 1, -1, 2, -2):
        candidate = nearest + delta
        lower = target - reach * candidate[:, None]
        upper = target - 1 - stay * candidate[:, None]
        at_least = lower.max(-1, where=needs, initial=-(2**62))
        at_most = upper.min(-1, where=stays, initial=2**62)
        fits = (at_least <= at_most) & (candidate >= 0) & (candidate <= INT32_MAX)
        plain = fits & (at_least <= usual) & (usual <= at_most)
        middle = np.where(plain, usual, np.clip(usual, at_least, np.maximum(at_least, at_most)))
        better = fits & ~proven
        multiplier = np.where(better, candidate, multiplier)
        nudge = np.where(better, middle, nudge)
        proven |= fits
    return multiplier, shift, nudge, proven
