"""requant.h and rescale.h against Python's big integers, over limits and random values."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from host import native

INT32_MAX, INT32_MIN = 2**31 - 1, -(2**31)
COUNT = 20_000


@cache
def probe() -> ctypes.CDLL:
    source = Path(__file__).with_name("arithmetic_probe.c")
    return ctypes.CDLL(str(native.build("arithmetic-probe.so", [source], ("-shared", "-fPIC"))))


def wrapped(x: int) -> int:
    """int32 of the low 32 bits."""
    return (x + 2**31) % 2**32 - 2**31


def round_half_away(x: int, bits: int) -> int:
    """x / 2**bits."""
    half = (1 << bits) >> 1
    return (abs(x) + half >> bits) * (1 if x >= 0 else -1)


def by_the_book_double(x: int, multiplier: int, shift: int) -> int:
    """gemmlowp's two steps, in its own words: a nudge by sign, then a division that truncates."""
    product = wrapped(x << max(shift, 0)) * multiplier
    nudged = product + ((1 << 30) if product >= 0 else 1 - (1 << 30))
    high = abs(nudged) // 2**31 * (1 if nudged >= 0 else -1)
    return round_half_away(high, max(-shift, 0))


def by_the_book_single(x: int, multiplier: int, shift: int) -> int:
    return wrapped((x * multiplier + (1 << (30 - shift))) >> (31 - shift))


def draw(seed: int, *, normalised: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """int32 (x, multiplier, shift): every magnitude, the limits, and halves that tie."""
    rng = np.random.default_rng(seed)
    x = (rng.integers(INT32_MIN, 2**31, COUNT) >> rng.integers(0, 31, COUNT)).astype(np.int64)
    limits = [INT32_MIN, INT32_MIN + 1, -(2**30), -1, 0, 1, 2**30 - 1, 2**30, INT32_MAX]
    x = np.where(rng.random(COUNT) < 0.1, rng.choice(limits, COUNT), x)
    low = 1 << 30 if normalised else 0
    multiplier = rng.integers(low, 2**31, COUNT)
    few = [0, 1 << 30, (1 << 30) + 1, 3 << 29, INT32_MAX] + ([] if normalised else [1, (1 << 30) - 1])
    multiplier = np.where(rng.random(COUNT) < 0.3, rng.choice(few, COUNT), multiplier)
    shift = rng.integers(-31, 31, COUNT)
    return x.astype(np.int32), multiplier.astype(np.int32), shift.astype(np.int32)


def pointer(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def expect(got: np.ndarray, expected: list[int], *inputs: np.ndarray) -> None:
    bad = np.flatnonzero(got != np.array(expected))
    assert not bad.size, (
        f"{bad.size} differ, first at {bad[0]}: inputs {[int(i[bad[0]]) for i in inputs]}, "
        f"got {got[bad[0]]}, expected {expected[bad[0]]}"
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("name", "book"), [("double", by_the_book_double), ("single", by_the_book_single)])
def test_requant(name: str, book, seed: int) -> None:
    x, multiplier, shift = draw(seed)
    y = np.zeros(COUNT, np.int32)
    getattr(probe(), f"probe_{name}")(COUNT, *map(pointer, (x, multiplier, shift, y)))
    expect(y, [book(*map(int, t)) for t in zip(x, multiplier, shift, strict=True)], x, multiplier, shift)


@pytest.mark.parametrize("seed", range(5))
def test_requant_nudged(seed: int) -> None:
    x, multiplier, shift = draw(seed)
    rng = np.random.default_rng(seed)
    nudge = rng.integers(-(1 << 62), 1 << 62, COUNT) >> rng.integers(0, 62, COUNT)
    words = nudge.astype("<i8").view("<i4").reshape(-1, 2)
    channels = np.column_stack([x, multiplier, shift, words]).astype(np.int32)
    y = np.zeros(COUNT, np.int64)
    probe().probe_nudged(COUNT, *map(pointer, (x, channels, y)))
    rows = zip(x, multiplier, shift, nudge, strict=True)
    book = [(int(a) * int(m) + int(n)) >> (31 - int(s)) for a, m, s, n in rows]
    expect(y, book, x, multiplier, shift, nudge)


@pytest.mark.parametrize("zero", [-128, -1, 0, 5, 127])
def test_short_form_of_rescale(zero: int) -> None:
    x, multiplier, shift = draw(zero, normalised=True) if zero >= 0 else draw(1000 - zero, normalised=True)
    y, valid = np.zeros(COUNT, np.int32), np.zeros(COUNT, np.int32)
    probe().probe_short(COUNT, *map(pointer, (x, multiplier, shift)), zero, pointer(y), pointer(valid))
    keep = valid.astype(bool)
    assert keep.sum() > COUNT // 3
    assert (keep == ((multiplier == 0) | (shift <= -2))).all()
    x, multiplier, shift = x[keep], multiplier[keep], shift[keep]
    rows = zip(x, multiplier, shift, strict=True)
    book = [max(-128, min(127, by_the_book_double(*map(int, t)) + zero)) for t in rows]
    expect(y[keep], book, x, multiplier, shift)
