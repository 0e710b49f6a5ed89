"""FULLY_CONNECTED by four rows (dsp/rows4.h): its requantisation, its domain, every tail."""

from __future__ import annotations

import numpy as np
import pytest

from host import defs, native
from host.plan import pack, pack_gemm
from host.plan.network import Step
from tests.kernels.test_gemm import smmlar
from tests.kernels.test_twins import expect_same

ROWS4 = "fully_connected_s8_flat_rows4"


def make_step(weights: np.ndarray, channels: np.ndarray, rows: int = 1, **changes: int) -> Step:
    """channels: int64 [out_c, 3], with the usual nudges."""
    out_c, in_c = weights.shape
    params = dict(
        rows=rows,
        in_c=in_c,
        out_c=out_c,
        weights_zero=0,
        output_zero=0,
        clamp_min=-128,
        clamp_max=127,
        rounding=1,
    )
    nudge = (np.int64(1) << 30 - channels[:, 2]).astype("<i8").view("<i4").reshape(-1, 2)
    records = np.column_stack([channels, nudge]).astype(np.int32)
    step = Step("fully_connected", (0,), 1, params | changes, 0, "", "", 1, weights=weights, channels=records)
    assert native.params_valid("fully_connected", step.packed_params) is None
    return step


def random_channels(rng: np.random.Generator, count: int, shifts: tuple[int, int] = (-10, -4)) -> np.ndarray:
    columns = (
        rng.integers(-20000, 20000, count),
        rng.integers(0, 1 << 31, count),
        rng.integers(*shifts, count),
    )
    return np.stack(columns, axis=1)


def random_weights(rng: np.random.Generator, out_c: int, in_c: int) -> np.ndarray:
    return rng.integers(-127, 128, (out_c, in_c)).astype(np.int8)


def accepted(step: Step) -> bool:
    kernel = defs.kernels()[ROWS4]
    return native.supports(ROWS4, step.packed_params) and pack.accepts(kernel, step)


def check(step: Step, data: np.ndarray, sanitized) -> None:
    assert accepted(step)
    ref = defs.kernels()["fully_connected_s8_flat_ref"]
    size = step.params["rows"] * step.params["out_c"]
    blobs = pack.weights(ref, step), pack.channels(ref, step)
    expected = native.run(ref.name, step.packed_params, [data], *blobs, size)
    blob = pack.weights(defs.kernels()[ROWS4], step)
    assert len(blob) == native.weights_bytes(ROWS4, step.packed_params)
    got = native.run(ROWS4, step.packed_params, [data], blob, b"", size)
    expect_same(got, expected, f"{step.params}")
    got = sanitized.run(ROWS4, step.packed_params, [data.tobytes()], blob, b"", bytes(size))
    expect_same(got, expected, f"sanitized {step.params}")


@pytest.mark.parametrize("shift", range(-25, 6))
def test_requantisation_in_three_instructions(shift):
    """smmul and smmlar of 256 times the sum against one rounding of the 64-bit product, clamped."""
    rng = np.random.default_rng(shift + 40)
    edges = [-(1 << 23), (1 << 23) - 1, 0, 1, -1]
    x = np.concatenate([rng.integers(-(1 << 23), 1 << 23, 50_000), rng.integers(-300, 300, 3000), edges])
    m = rng.integers(0, 1 << 31, len(x))
    m[::3] = 1 << 30  # ties
    m[1::7] = (1 << 31) - 1
    zero = rng.integers(-128, 128, len(x))
    y = (256 * x * m) >> 32
    assert np.abs(y).max() < 1 << 31
    got = smmlar(y, np.full(len(x), 1 << 25 + shift), zero)
    expected = ((x * m + (1 << 30 - shift)) >> 31 - shift) + zero
    assert np.array_equal(got, expected)


def test_domain():
    rng = np.random.default_rng(1)
    weights, channels = random_weights(rng, 6, 20), random_channels(rng, 6)

    def with_shift(shift: int) -> Step:
        changed = channels.copy()
        changed[3, 2] = shift
        return make_step(weights, changed)

    assert [accepted(with_shift(s)) for s in (-26, -25, 5, 6)] == [False, True, True, False]
    step = make_step(weights, channels)
    step.channels[2, 3] -= 1  # the nudge
    assert not accepted(step)
    step = make_step(np.full((1, 20), -128, np.int8), channels[:1])
    assert not accepted(step)


@pytest.mark.parametrize("in_c", [*range(1, 42), 63, 64, 65, 128])
def test_input_tails(in_c, sanitized):
    rng = np.random.default_rng(in_c)
    for out_c in (1, 4, 7, 8):
        changes = dict(output_zero=int(rng.integers(-128, 128)))
        if out_c == 7:
            changes |= dict(clamp_min=-90, clamp_max=77)
        step = make_step(
            random_weights(rng, out_c, in_c), random_channels(rng, out_c), 1 + in_c % 3, **changes
        )
        check(step, rng.integers(-128, 128, step.params["rows"] * in_c).astype(np.int8), sanitized)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_bound_is_tight(sign, sanitized):
    weights = np.full((2, 33), 127, np.int8)
    data = np.full(33, 127 if sign > 0 else -128, np.int8)
    last = (1 << 23) - 1 if sign > 0 else -(1 << 23)
    channels = np.array([[last - 33 * 127 * int(data[0]), (1 << 31) - 1, -16], [0, 1 << 30, -9]])
    check(make_step(weights, channels), data, sanitized)
    channels[0, 0] += sign
    assert not accepted(make_step(weights, channels))
    assert pack_gemm.rows4(make_step(weights, channels)) is None
