"""The oracle's fixed point against its definitions in exact Python integers."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.oracle import fixedpoint as fx

INT32 = st.one_of(
    st.integers(fx.INT32_MIN, fx.INT32_MAX),
    st.sampled_from([fx.INT32_MIN, fx.INT32_MIN + 1, -1, 0, 1, 1 << 30, fx.INT32_MAX]),
)
quick = settings(max_examples=200, deadline=None, print_blob=True)


def gemmlowp_high_mul(a: int, b: int) -> int:
    """SaturatingRoundingDoublingHighMul as gemmlowp writes it, C's truncating division included."""
    if a == b == fx.INT32_MIN:
        return fx.INT32_MAX
    product = a * b + (1 << 30 if a * b >= 0 else 1 - (1 << 30))
    return abs(product) // (1 << 31) * (1 if product >= 0 else -1)


def nearest_away(value: Fraction) -> int:
    return math.floor(abs(value) + Fraction(1, 2)) * (1 if value >= 0 else -1)


@quick
@given(INT32, INT32)
def test_high_mul(a: int, b: int) -> None:
    assert fx.saturating_rounding_doubling_high_mul(np.int64(a), np.int64(b)) == gemmlowp_high_mul(a, b)


@quick
@given(INT32, st.integers(0, 31))
def test_divide_by_pot(x: int, exponent: int) -> None:
    assert fx.rounding_divide_by_pot(np.int64(x), exponent) == nearest_away(Fraction(x, 1 << exponent))


@quick
@given(st.floats(-1e9, 1e9))
def test_round_half_away(x: float) -> None:
    for value in (x, math.trunc(x) + 0.5, math.trunc(x) - 0.5, math.nextafter(0.5, 0)):
        assert fx.round_half_away(value) == nearest_away(Fraction(value))


@quick
@given(st.floats(2.0**-31, 2.0**30))
def test_quantize_multiplier(real: float) -> None:
    multiplier, shift = (int(v) for v in fx.quantize_multiplier(real))
    assert 1 << 30 <= multiplier <= fx.INT32_MAX
    step = Fraction(2) ** (shift - 31)
    assert abs(multiplier * step - Fraction(real)) <= step / 2


@pytest.mark.parametrize(
    ("real", "expected"),
    [
        (1.0, (1 << 30, 1)),
        (0.5, (1 << 30, 0)),
        (math.nextafter(1.0, 0), (1 << 30, 1)),
        (2.0**-32, (1 << 30, -31)),
        (math.nextafter(2.0**-32, 0), (1 << 30, -31)),
        (0.75 * 2.0**-32, (0, 0)),
        (2.0**-60, (0, 0)),
    ],
)
def test_quantize_multiplier_corners(real: float, expected: tuple[int, int]) -> None:
    assert tuple(int(v) for v in fx.quantize_multiplier(real)) == expected


@quick
@given(INT32, st.integers(1 << 30, fx.INT32_MAX), st.integers(-31, 7))
def test_multiply_double(x: int, multiplier: int, shift: int) -> None:
    x >>= max(shift, 0)
    high = gemmlowp_high_mul(x << max(shift, 0), multiplier)
    expected = nearest_away(Fraction(high, 1 << max(-shift, 0)))
    assert fx.multiply_double(np.int64(x), np.int64(multiplier), np.int64(shift)) == expected


@quick
@given(st.floats(-31, 6), st.integers(-(1 << 20), 1 << 20), st.integers(0, 1 << 9), st.integers(-255, 0))
def test_exact_single_everywhere(exponent: float, centre: int, radius: int, first: int) -> None:
    # Every sum of a short range: the proof is about the steps alone, this is about all of them.
    real = 2.0**exponent
    low, high, last = centre - radius, centre + radius, first + 255
    multiplier, shift, nudge, proven = fx.exact_single(
        np.array([real]), np.array([low]), np.array([high]), first, last
    )
    assert proven[0]
    x = np.arange(low, high + 1)
    expected = np.clip(fx.round_half_away(x * real), first, last)
    got = np.clip(fx.multiply_single(x, multiplier, shift, nudge), first, last)
    np.testing.assert_array_equal(got, expected)


@quick
@given(st.integers(0, 2**32 - 1), st.floats(-20, -2), st.integers(-255, 0))
def test_exact_single_at_its_steps(seed: int, exponent: float, first: int) -> None:
    rng = np.random.default_rng(seed)
    real = 2.0 ** (exponent + rng.uniform(-1, 1, 20))
    high = np.full(20, 1 << 24, np.int64)
    multiplier, shift, nudge, proven = fx.exact_single(real, -high, high, first, first + 255)
    for i in np.flatnonzero(proven):
        steps = np.floor((np.arange(first, first + 256) - 0.5) / real[i]).astype(np.int64)
        x = np.concatenate([steps + d for d in range(-2, 4)] + [rng.integers(-(1 << 24), 1 << 24, 100)])
        x = np.clip(x, -(1 << 24), 1 << 24)
        expected = np.clip(fx.round_half_away(x * real[i]), first, first + 255)
        got = np.clip(fx.multiply_single(x, multiplier[i], shift[i], nudge[i]), first, first + 255)
        np.testing.assert_array_equal(got, expected)
    # Sums of 25 bits with multipliers this small are rare; most must have a proof.
    assert proven.mean() > 0.5


def test_plain_single_rounding_is_not_exact() -> None:
    """Why `exact_single` exists: 31 bits of multiplier put some step one sum off."""
    real = 2.0 ** np.random.default_rng(0).uniform(-15, -13, 400)
    high = np.full(400, 1 << 23, np.int64)
    multiplier, _, nudge, proven = fx.exact_single(real, -high, high, -128, 127)
    plain, shift = fx.quantize_multiplier(real)
    assert proven.all()
    assert np.any((multiplier != plain) | (nudge != np.int64(1) << (30 - shift)))
