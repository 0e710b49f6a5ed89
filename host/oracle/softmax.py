"""Softmax in gemmlowp's fixed point, the form of LiteRT's reference kernel for int8 and uint8.

A row of x (int8), m its maximum, e = `exp_table` (int32, Q0.31), all integers:

    total      = sum over c of rounding_divide_by_pot(e[m - x[c]], 12)         Q12.19, int32
    headroom   = count_leading_zeros(total)
    scale      = one_over_one_plus_x((total << headroom) - 2**31)              Q0.31
    out[c]     = min(rounding_divide_by_pot(srdhm(scale, e[m - x[c]]), 35 - headroom) - 128, 127)

Entries of the table beyond the reference's diff_min are 0, which yields its -128 and adds nothing to the
sum. The table is made on the host; a device needs the four lines above and `one_over_one_plus_x`. The last
shift, num_bits_over_unit + 31 - 8 in the reference, exceeds 31 when 512 or more classes are nearly equal:
LiteRT aborts there, here the quotient is 0 and the output -128, as in exact arithmetic.

Source: gemmlowp `fixedpoint/fixedpoint.h`; LiteRT `tflite/kernels/internal/reference/softmax.h`.
"""

from __future__ import annotations

import numpy as np

from host.oracle import fixedpoint as fx

DIFF_INTEGER_BITS = 5  # arguments of exp are Q5.26
ACCUM_INTEGER_BITS = 12  # the sum of exponentials is Q12.19


def _mul(a: np.ndarray, b: np.ndarray | int) -> np.ndarray:
    return fx.saturating_rounding_doubling_high_mul(a, np.asarray(b, np.int64))


def _shift_left(x: np.ndarray, bits: int) -> np.ndarray:
    """gemmlowp's saturating multiplication by 2**bits."""
    return np.clip(np.asarray(x, np.int64) << bits, fx.INT32_MIN, fx.INT32_MAX)


# exp(-2**k) in Q0.31 for k = -2 .. 4: the factors of the barrel shifter.
_EXP_FACTORS = ((-2, 1672461947), (-1, 1302514674), (0, 790015084), (1, 290630308), (2, 39332535))
_EXP_FACTORS += ((3, 720401), (4, 242))


def exp_on_negative_values(a: np.ndarray) -> np.ndarray:
    """exp of Q5.26 values <= 0, as Q0.31 (exp(0) is 2**31 - 1)."""
    a = np.asarray(a, np.int64)
    fractional = 31 - DIFF_INTEGER_BITS
    quarter = 1 << (fractional - 2)
    modulo = (a & (quarter - 1)) - quarter  # in [-1/4, 0)
    result = _exp_between_minus_quarter_and_zero(_shift_left(modulo, DIFF_INTEGER_BITS))
    remainder = modulo - a
    for exponent, factor in _EXP_FACTORS:
        result = np.where(remainder & (1 << (fractional + exponent)), _mul(result, factor), result)
    return np.where(a == 0, fx.INT32_MAX, result)


def _exp_between_minus_quarter_and_zero(a: np.ndarray) -> np.ndarray:
    """Taylor expansion around -1/8, Q0.31 to Q0.31."""
    constant, third = 1895147668, 715827883
    x = a + (1 << 28)
    x2 = _mul(x, x)
    x3, x4 = _mul(x2, x), _mul(x2, x2)
    tail = fx.rounding_divide_by_pot(_mul(fx.rounding_divide_by_pot(x4, 2) + x3, third) + x2, 1)
    return constant + _mul(x + tail, constant)


def exp_table(scale: float) -> np.ndarray:
    """int32 [256]: exp(-scale * d) in Q0.31 for d = 0 .. 255; scale is beta times the input's scale."""
    real = min(scale * 2.0 ** (31 - DIFF_INTEGER_BITS), 2.0**31 - 1.0)
    multiplier, shift = (int(v) for v in fx.quantize_multiplier(real))
    limit = (2**DIFF_INTEGER_BITS - 1) * 2 ** (31 - DIFF_INTEGER_BITS) // 2**shift
    diff = np.arange(256, dtype=np.int64)
    # Within the limit, diff << shift stays below 31 * 2**26 < 2**31.
    argument = _mul(np.negative(np.minimum(diff, limit)) << shift, multiplier)
    return np.where(diff <= limit, exp_on_negative_values(argument), 0).astype(np.int32)


def one_over_one_plus_x(a: np.ndarray) -> np.ndarray:
    """1 / (1 + a) for a in [0, 1), Q0.31 to Q0.31, by three Newton-Raphson steps in Q2.29."""
    half_denominator = (np.asarray(a, np.int64) + fx.INT32_MAX + 1) >> 1
    x = 1515870810 + _mul(half_denominator, -1010580540)
    for _ in range(3):
        one_minus = (1 << 29) - _mul(half_denominator, x)
        x = x + _shift_left(_mul(x, one_minus), 2)
    return _shift_left(x, 1)


def softmax(x: np.ndarray, table: np.ndarray) -> np.ndarray:
    """int8 softmax over the last dimension; `table` is `exp_table` of the input's scale."""
    x = np.asarray(x, np.int64)
    e = table.astype(np.int64)[x.max(-1, keepdims=True) - x]
    total = fx.wrap_int32(fx.rounding_divide_by_pot(e, ACCUM_INTEGER_BITS).sum(-1, keepdims=True))
    headroom = 32 - np.frexp((total & 0xFFFFFFFF).astype(np.float64))[1]
    scale = one_over_one_plus_x(((total & 0xFFFFFFFF) << headroom) - (1 << 31))
    out = fx.rounding_divide_by_pot(_mul(scale, e), ACCUM_INTEGER_BITS - headroom + 31 - 8) - 128
    return np.clip(out, -128, 127).astype(np.int8)
