"""The matrix products of dsp/gemm.h: the algebra of BYTEPAIRS, its bound, the codes of requantisation, every tail."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from host import defs, native
from host.plan import pack, pack_gemm
from host.plan.network import Step
from tests.kernels import runner
from tests.kernels.test_twins import expect_same

POINTWISE = ["conv2d_s8_hwc_pointwise_bytepairs", "conv2d_s8_hwc_pointwise_pairs"]
IM2COL = ["conv2d_s8_hwc_im2col_bytepairs", "conv2d_s8_hwc_im2col_pairs"]
INDIRECT = ["conv2d_s8_hwc_indirect"]
FEW_INPUTS = 16  # up to here the BYTEPAIRS kernels leave a shape to PAIRS


def make_step(
    shape: tuple[int, int],
    weights: np.ndarray,
    channels: np.ndarray,
    pad: tuple[int, int] = (0, 0),
    **changes: int,
) -> Step:
    """A convolution with weights [out_c, kernel_h, kernel_w, in_c]; unchanged: stride 1, output without padding."""
    out_c, kernel_h, kernel_w, in_c = weights.shape
    stride_h, stride_w = changes.get("stride_h", 1), changes.get("stride_w", 1)
    span_h = (kernel_h - 1) * changes.get("dilation_h", 1) + 1
    span_w = (kernel_w - 1) * changes.get("dilation_w", 1) + 1
    params = dict(
        in_h=shape[0], in_w=shape[1], in_c=in_c, out_c=out_c,
        out_h=(shape[0] + 2 * pad[0] - span_h) // stride_h + 1, out_w=(shape[1] + 2 * pad[1] - span_w) // stride_w + 1,
        kernel_h=kernel_h, kernel_w=kernel_w, stride_h=1, stride_w=1, dilation_h=1, dilation_w=1,
        pad_top=pad[0], pad_left=pad[1], input_zero=0, weights_zero=0, output_zero=0,
        clamp_min=-128, clamp_max=127, rounding=0, groups=1,
    )  # fmt: skip
    step = Step("conv2d", (0,), 1, params | changes, 0, "", "", 1, weights=weights, channels=channels)
    assert native.params_valid("conv2d", step.packed_params) is None
    return step


def records(rng: np.random.Generator, count: int, shifts: tuple[int, int] = (-11, -5)) -> np.ndarray:
    """int32 [count, 3]: bias, multiplier, shift."""
    columns = rng.integers(-20000, 20000, count), rng.integers(1 << 30, 1 << 31, count)
    return np.stack([*columns, rng.integers(*shifts, count)], axis=1).astype(np.int32)


def random_weights(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.integers(-127, 128, shape).astype(np.int8)


def random_input(rng: np.random.Generator, step: Step) -> np.ndarray:
    p = step.params
    return rng.integers(-128, 128, p["in_h"] * p["in_w"] * p["in_c"]).astype(np.int8)


def candidates(step: Step, names: list[str]) -> list[str]:
    kernels = [defs.kernels()[n] for n in names]
    return [k.name for k in kernels if native.supports(k.name, step.packed_params) and pack.accepts(k, step)]


def check(step: Step, data: np.ndarray, names: list[str], sanitized=None) -> list[str]:
    """The named kernels that take the step against the reference, if sanitized is given at every place too."""
    p = step.params
    size = p["out_h"] * p["out_w"] * p["out_c"]
    ref = defs.kernels()["conv2d_s8_hwc_ref"]
    blobs = pack.weights(ref, step), pack.channels(ref, step)
    expected = native.run(ref.name, step.packed_params, [data], *blobs, size)
    used = candidates(step, names)
    for name in used:
        blob, channels = (packed(defs.kernels()[name], step) for packed in (pack.weights, pack.channels))
        assert len(blob) == native.weights_bytes(name, step.packed_params)
        expect_same(
            native.run(name, step.packed_params, [data], blob, channels, size), expected, f"{name} {p}"
        )
        for place in (runner.OWN, runner.BEHIND_INPUT0) if sanitized else ():
            got = sanitized.run(
                name, step.packed_params, [data.tobytes()], blob, channels, bytes(size), place
            )
            expect_same(got, expected, f"sanitized {name} at place {place} {p}")
    return used


def test_bytepairs_is_256_times_the_sum():
    """For each lane: (256 u1 + u0) a1 + u0 (256 a0 - a1 + 127) = 256 (u0 a0 + u1 a1) + 127 u0, over all of int8."""
    u0, u1, a0, a1 = np.meshgrid(*[np.array([-128, -127, -1, 0, 1, 63, 127])] * 4)
    got = (256 * u1 + u0) * a1 + u0 * (256 * a0 - a1 + 127)
    assert np.array_equal(got, 256 * (u0 * a0 + u1 * a1) + 127 * u0)


def test_y_spans_int16_and_is_two_instructions():
    """256 a0 - a1 + 127 is what REV16 and EOR with 0x007f make of the bytes a0, a1."""
    a0, a1 = np.meshgrid(np.arange(-128, 128), np.arange(-128, 128))
    y = 256 * a0 - a1 + 127
    assert (y.min(), y.max()) == (-(1 << 15), (1 << 15) - 1)
    made = ((a0 & 0xFF) << 8 | (a1 & 0xFF)) ^ 0x7F
    assert np.array_equal(made.astype(np.uint16).view(np.int16), y)


def test_lanes_fit_unless_minus_128_stands_above_a_negative_weight():
    low, high = np.meshgrid(np.arange(-128, 128), np.arange(-128, 128))
    lane = 256 * high + low
    assert lane.max() < 1 << 15
    assert np.array_equal(lane < -(1 << 15), (high == -128) & (low < 0))


def smmlar(a: np.ndarray, b: np.ndarray, c: np.ndarray | int) -> np.ndarray:
    """The instruction on int64 arrays of int32s."""
    total = (np.asarray(c, np.int64) << 32).astype(np.uint64) + (a * b).astype(np.uint64) + np.uint64(1 << 31)
    return (total.view(np.int64) >> 32).astype(np.int32).astype(np.int64)


@pytest.mark.parametrize("right", range(2, 32))
def test_codes_of_requantisation(right):
    """SHORT and TIES equal SRDHM and RDBPOT with the zero point and clamp wherever short_power() says so."""
    rng = np.random.default_rng(right)
    count = 40_000
    for reach in (1 << 31, 1 << 23, 1 << 32 - right, 1 << max(31 - right, 1), 200):
        reach = min(reach, 1 << 31)
        x = np.concatenate([
            rng.integers(-reach, reach, count),
            ((2 * rng.integers(-(1 << 12), 1 << 12, count) + 1) << right - 1 if right < 20 else np.zeros(1, np.int64)),
            [-reach, reach - 1, 0, 1, -1],
        ])  # fmt: skip
        x = x[(x >= -reach) & (x < reach)]
        for m in (1 << 30, (1 << 31) - 1, int(rng.integers(1 << 30, 1 << 31))):
            code = pack_gemm.short_power(m, -right, -reach, reach - 1)
            assert code is not None
            assert right > 11 or code[0] or code == (0, 0), "SHORT holds for every sum"
            high = (x * m + (1 << 30)) >> 31
            y = smmlar(x, np.full(len(x), 2 * m - (1 << 32)), x)
            assert np.array_equal(high, y)
            mask = (1 << right) - 1
            expected = (high >> right) + ((high & mask) > (mask >> 1) + (high < 0))
            zero = int(rng.integers(-128, 128))
            expected = np.clip(expected + zero, -128, 127)
            if code[0] or code == (0, 0):
                assert np.array_equal(np.clip(smmlar(y, np.full(len(x), code[0]), zero), -128, 127), expected)
            ties = smmlar(y + (y >> 31), np.full(len(x), code[1]), zero)
            assert y.min() > -(1 << 31), "so that y - 1 does not wrap"
            assert np.array_equal(np.clip(ties, -128, 127), expected)


def test_domain_of_short():
    """e = 2 and 11 for every sum, e = 12 for |y| < 2^20, e = 1 and small multipliers never."""
    every, bounded = (-(1 << 31), (1 << 31) - 1), (-(1 << 20) + 1, (1 << 20) - 1)
    m = (1 << 31) - 1
    assert pack_gemm.short_power(m, -2, *every) == ((1 << 30) + 1, 1 << 30)
    assert pack_gemm.short_power(m, -11, *every)[0]
    assert pack_gemm.short_power(m, -12, *every) == (0, 1 << 20)
    assert pack_gemm.short_power(m, -12, *bounded)[0]
    assert pack_gemm.short_power(m, -12, -(1 << 20) - 1, 0) == (0, 1 << 20)
    assert pack_gemm.short_power(m, -1, *bounded) is None and pack_gemm.short_power(m, 3, *bounded) is None
    assert pack_gemm.short_power((1 << 30) - 1, -5, *bounded) is None
    assert pack_gemm.short_power(0, 7, *every) == (0, 0)
    assert pack_gemm.short_power(m, -23, *bounded) == (0, 0)


@pytest.mark.parametrize("in_c", [*range(1, 37), 40, 63, 64, 65, 100, 128, 161])
def test_input_tails(in_c, sanitized):
    """K % 4, and every way into the copies of the inner loop."""
    rng = np.random.default_rng(in_c)
    for h, out_c in ((1, 1), (1, 2), (2, 3), (5, 7)):
        step = make_step((h, 3), random_weights(rng, out_c, 1, 1, in_c), records(rng, out_c), output_zero=-5)
        used = check(step, random_input(rng, step), POINTWISE, sanitized)
        assert used == POINTWISE[in_c <= FEW_INPUTS :]


@pytest.mark.parametrize("pixels", [1, 2, 3, 4, 5, 7, 8, 63, 64, 65, 130])
def test_pixel_tails(pixels, sanitized):
    rng = np.random.default_rng(pixels)
    for in_c, out_c in ((3, 5), (8, 16), (20, 2), (64, 9)):
        step = make_step(
            (1, pixels), random_weights(rng, out_c, 1, 1, in_c), records(rng, out_c), output_zero=7
        )
        check(step, random_input(rng, step), POINTWISE, sanitized)


WINDOWS = [
    # kernel_h, kernel_w, in_c, stride, dilation, pad
    (3, 3, 3, 2, 1, (0, 0)), (3, 3, 3, 1, 1, (1, 1)), (10, 4, 1, 2, 1, (4, 1)), (3, 3, 16, 2, 1, (1, 1)),
    (1, 1, 16, 2, 1, (0, 0)), (3, 3, 4, 1, 2, (2, 2)), (3, 3, 5, 1, 2, (2, 3)), (5, 2, 2, 3, 1, (4, 1)),
    (2, 3, 6, 1, 3, (5, 6)), (1, 1, 3, 3, 1, (1, 2)), (3, 5, 1, 1, 1, (2, 4)), (4, 4, 8, 4, 1, (0, 0)),
    (3, 9, 1, 1, 1, (1, 0)), (3, 1, 9, 1, 1, (0, 0)), (3, 3, 9, 1, 2, (0, 0)), (2, 9, 1, 2, 1, (0, 0)),
]  # fmt: skip


@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_windows(window, sanitized):
    kernel_h, kernel_w, in_c, stride, dilation, pad = window
    rng = np.random.default_rng(kernel_h * 100 + in_c)
    for (h, w), out_c in itertools.product(((12, 13), (9, 30), (10, 10)), (3, 8)):
        step = make_step(
            (h, w), random_weights(rng, out_c, kernel_h, kernel_w, in_c), records(rng, out_c), pad,
            stride_h=stride, stride_w=stride, dilation_h=dilation, dilation_w=dilation,
            input_zero=int(rng.integers(-128, 128)), output_zero=int(rng.integers(-128, 128)),
        )  # fmt: skip
        used = check(step, random_input(rng, step), IM2COL, sanitized)
        assert used == IM2COL[kernel_h * kernel_w * in_c <= FEW_INPUTS :]


INDIRECT_WINDOWS = [
    # kernel_h, kernel_w, in_c, stride, dilation, pad
    (3, 3, 4, 1, 1, (1, 1)), (3, 3, 8, 2, 1, (0, 1)), (5, 5, 4, 1, 1, (2, 2)), (3, 3, 12, 1, 2, (2, 2)),
    (1, 1, 4, 1, 1, (0, 0)), (1, 1, 20, 2, 1, (1, 3)), (2, 3, 4, 3, 3, (5, 6)), (5, 1, 8, 2, 2, (9, 0)),
    (1, 6, 4, 1, 1, (0, 5)), (7, 2, 4, 1, 1, (8, 2)), (3, 3, 4, 5, 1, (2, 0)), (4, 4, 24, 4, 1, (0, 0)),
]  # fmt: skip


@pytest.mark.parametrize("window", INDIRECT_WINDOWS, ids=str)
def test_indirect_windows(window, sanitized):
    """Every width of a row to 13, images lower than the window, rows outside the image on both sides, odd channels."""
    kernel_h, kernel_w, in_c, stride, dilation, pad = window
    rng = np.random.default_rng(kernel_h * 100 + in_c)
    span_h, span_w = (kernel_h - 1) * dilation + 1 - 2 * pad[0], (kernel_w - 1) * dilation + 1 - 2 * pad[1]
    for out_w, height in itertools.product(range(1, 14), (0, 1, 7)):
        h, w = max(span_h, 1) + height, span_w + (out_w - 1) * stride
        if w < 1:
            continue
        out_c = int(rng.integers(1, 6))
        step = make_step(
            (h, w), random_weights(rng, out_c, kernel_h, kernel_w, in_c), records(rng, out_c), pad,
            stride_h=stride, stride_w=stride, dilation_h=dilation, dilation_w=dilation,
            input_zero=int(rng.integers(-128, 128)), output_zero=int(rng.integers(-128, 128)),
        )  # fmt: skip
        assert step.params["out_w"] == out_w
        assert check(step, random_input(rng, step), INDIRECT, sanitized) == INDIRECT


@pytest.mark.parametrize("shift", [30, 0, -1, -2, -11, -12, -20, -31])
def test_indirect_every_code(shift, sanitized):
    """SHORT, TIES and PLAIN pairs in one layer, clamps, single rounding, the last row by way of the stack."""
    rng = np.random.default_rng(shift + 40)
    for rounding, clamp, out_c, w in itertools.product((0, 1), (False, True), (12, 13), (4, 6)):
        channels = records(rng, out_c)
        channels[3:6, 2] = channels[8, 2] = channels[-1, 2] = shift
        channels[4, 1], channels[10, 1] = 0, (1 << 30) - 1
        clamps = dict(clamp_min=-100, clamp_max=90) if clamp else {}
        step = make_step(
            (4, w), random_weights(rng, out_c, 3, 3, 8), channels, (1, 1), rounding=rounding, output_zero=-9,
            input_zero=-128, **clamps,
        )  # fmt: skip
        assert check(step, random_input(rng, step), INDIRECT, sanitized) == INDIRECT


def test_indirect_scratch_is_as_its_head_says_and_bounded():
    step = make_step((32, 32), np.zeros((2, 3, 3, 16), np.int8), np.zeros((2, 3), np.int32), (1, 1))
    assert native.scratch_bytes(INDIRECT[0], step.packed_params) == 8 * 16 * 10 * 3 + 4 * 3 + 2 * 3 + 2
    for in_c, admitted in (
        (29124, True),
        (29128, False),
    ):  # 3 * 3 elements of in_c / 4 groups: 65,536 is the most
        step = make_step((4, 4), np.zeros((1, 3, 3, in_c), np.int8), np.zeros((1, 3), np.int32), (1, 1))
        assert native.supports(INDIRECT[0], step.packed_params) == admitted


@pytest.mark.parametrize("power", [-1, -2, 0, 1, 2, 3, -(1 << 31), (1 << 31) - 1])
def test_indirect_any_record_is_safe(power, sanitized):
    rng = np.random.default_rng(power & 0xFFFF)
    step = make_step((3, 7), random_weights(rng, 5, 3, 3, 8), records(rng, 5), (1, 1))
    size = native.weights_bytes(INDIRECT[0], step.packed_params)
    blob = rng.integers(0, 256, size, np.uint8)
    blob[:72].view("<i4").reshape(3, 6)[:, [3, 5]] = power
    data = bytes(21 * 8)
    got = sanitized.run(
        INDIRECT[0], step.packed_params, [data], blob.tobytes(), b"", bytes(21 * 5), runner.OWN
    )
    assert got is not None


@pytest.mark.parametrize("sign", [1, -1])
def test_the_bound_is_tight(sign, sanitized):
    """At the last sum that BYTEPAIRS admits everything is exact; one more goes to PAIRS."""
    weights = np.full((2, 1, 1, 40), 127, np.int8)
    data = np.full(40 * 5, 127 if sign > 0 else -128, np.int8)
    reach = 40 * 127 * int(data[0])
    last = (1 << 23) - 1 if sign > 0 else -(1 << 23)
    channels = np.array([[last - reach, (1 << 31) - 1, -11], [0, 1 << 30, -9]], np.int32)
    step = make_step((1, 5), weights, channels)
    assert check(step, data, POINTWISE, sanitized) == POINTWISE
    channels[0, 0] += sign
    assert check(make_step((1, 5), weights, channels), data, POINTWISE, sanitized) == POINTWISE[1:]


def test_minus_128_goes_to_pairs_where_a_lane_overflows(sanitized):
    rng = np.random.default_rng(5)
    weights = random_weights(rng, 4, 1, 1, 24)
    weights[1, 0, 0, :2] = 3, -128
    step = make_step((3, 3), weights, records(rng, 4))
    assert check(step, random_input(rng, step), POINTWISE, sanitized) == POINTWISE
    weights[1, 0, 0, 0] = -3
    assert check(step, random_input(rng, step), POINTWISE, sanitized) == POINTWISE[1:]


@pytest.mark.parametrize("shift", [30, 2, 1, 0, -1, -2, -3, -11, -12, -13, -16, -20, -24, -31])
def test_every_shift(shift, sanitized):
    """Codes mixed in a layer: SHORT, TIES, PLAIN, zero and small multipliers; clamps; single rounding."""
    rng = np.random.default_rng(shift + 40)
    for rounding, clamp, in_c in itertools.product((0, 1), (False, True), (7, 40)):
        channels = records(rng, 13)
        channels[3:6, 2] = shift
        channels[8, 2] = channels[12, 2] = shift
        channels[4, 1], channels[10, 1], channels[11, 1] = 0, (1 << 30) - 1, 5
        clamps = dict(clamp_min=-100, clamp_max=90) if clamp else {}
        step = make_step(
            (3, 7), random_weights(rng, 13, 1, 1, in_c), channels, rounding=rounding, output_zero=-9, **clamps
        )
        assert check(step, random_input(rng, step), POINTWISE, sanitized)


@pytest.mark.parametrize("power", [-1, -2, 0, 1, 2, 3, -(1 << 31), (1 << 31) - 1])
def test_any_record_is_safe(power, sanitized):
    rng = np.random.default_rng(power & 0xFFFF)
    step = make_step((3, 7), random_weights(rng, 5, 1, 1, 20), records(rng, 5))
    for name in POINTWISE:
        blob = rng.integers(0, 256, native.weights_bytes(name, step.packed_params), np.uint8)
        blob[:72].view("<i4").reshape(3, 6)[:, [3, 5]] = power
        assert (
            sanitized.run(name, step.packed_params, [bytes(21 * 20)], blob.tobytes(), b"", bytes(21 * 5))
            is not None
        )


def test_scratch_is_bounded():
    """As the kernels' heads promise it."""
    for in_c in (1, 8, 16, 60, 64, 128, 256, 288, 289, 512, 1024):
        step = make_step((20, 20), np.zeros((2, 1, 1, in_c), np.int8), np.zeros((2, 3), np.int32))
        scratch = native.scratch_bytes(POINTWISE[1], step.packed_params)
        most = 1920 if in_c <= 64 else 4608 if in_c <= 288 else 8 * (in_c + 3)
        assert scratch <= most, in_c
