"""The Winograd kernels: their algebra in big integers, their limits, and every small shape against the reference."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from host import defs, native
from host.plan import pack, pack_winograd
from host.plan.network import Step
from tests.kernels.test_twins import expect_same

N4, N2 = "conv2d_s8_hwc_winograd4_3x3", "conv2d_s8_hwc_winograd2_3x3"
S2 = "conv2d_s8_hwc_winograd2_3x3_stride2"
LANE = pack_winograd.LANE4
PIXELS4 = (0, 255)  # what n = 4 transforms: int8 + 128
B4 = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
A4 = np.array([[2, 4, 4, 1, 1, 0], [0, 2, -2, 1, -1, 0], [0, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 2]])
B2 = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
A2 = np.array([[2, 1, 1, 0], [0, 1, -1, -2]])
B_S2 = np.array([[1, 0, -1, 0, 0], [0, 0, 1, 0, 0], [0, 0, -1, 0, 1], [0, 1, 0, 0, 0], [0, 0, 0, 1, 0]])
G_S2 = pack_winograd.G2_STRIDE2[[0, 1, 2, 3, 3]]
A_S2 = np.array([[1, 1, 0, 1, 0], [0, 1, 1, 0, 1]])
SCALE4 = 3 * 2 ** np.array([3, 2, 1, 1])
SCALE2 = np.array([2, 2])
INVERSE_OF_9 = 954437177


def make_step(
    h: int, w: int, in_c: int, out_c: int, weights: np.ndarray, channels: np.ndarray, **changes: int
) -> Step:
    """A 3x3 convolution; unchanged: one row and column of padding on every side, no clamp."""
    params = dict(
        in_h=h, in_w=w, in_c=in_c, out_h=h, out_w=w, out_c=out_c, kernel_h=3, kernel_w=3, stride_h=1, stride_w=1,
        dilation_h=1, dilation_w=1, pad_top=1, pad_left=1, input_zero=0, weights_zero=0, output_zero=0,
        clamp_min=-128, clamp_max=127, rounding=0, groups=1,
    )  # fmt: skip
    assert weights.shape == (out_c, 3, 3, in_c)
    step = Step("conv2d", (0,), 1, params | changes, 0, "", "", 1, weights=weights, channels=channels)
    assert native.params_valid("conv2d", step.packed_params) is None
    return step


def outputs(step: Step, kernel: str, data: np.ndarray, blob: bytes | None = None) -> np.ndarray:
    """The kernel's output on this machine."""
    p = step.params
    channels = step.channels.astype("<i4").tobytes()
    weights = blob or pack.weights(defs.kernels()[kernel], step)
    size = p["out_h"] * p["out_w"] * p["out_c"]
    return native.run(kernel, step.packed_params, [data], weights, channels, size)


def check(step: Step, data: np.ndarray, sanitized=None) -> None:
    """The kernels against the reference, if sanitized is given under the sanitizers too.

    Also where supports() says no because another kernel is faster.
    """
    p = step.params
    expected = outputs(step, "conv2d_s8_hwc_ref", data)
    for kernel in [N4, N2] if p["stride_h"] == 1 else [S2]:
        definition = defs.kernels()[kernel]
        assert pack.accepts(definition, step)
        expect_same(outputs(step, kernel, data), expected, f"{kernel} {p}")
        if sanitized:
            got = sanitized.run(
                kernel, step.packed_params, [data.tobytes()], pack.weights(definition, step),
                step.channels.astype("<i4").tobytes(), bytes(len(expected)),
            )  # fmt: skip
            expect_same(got, expected, f"sanitized {kernel} {p}")


def records(rng: np.random.Generator, count: int, shifts: tuple[int, int] = (-12, -1)) -> np.ndarray:
    """int32 [count, 3]: bias, multiplier, shift."""
    columns = rng.integers(-20000, 20000, count), rng.integers(1 << 30, 1 << 31, count)
    return np.stack([*columns, rng.integers(*shifts, count)], axis=1).astype(np.int32)


@pytest.mark.parametrize(
    ("a", "g", "b", "scale"),
    [(A4, pack_winograd.G4, B4, SCALE4), (A2, pack_winograd.G2, B2, SCALE2), (A_S2, G_S2, B_S2, np.ones(2))],
    ids=["n4", "n2", "stride 2"],
)
def test_the_transforms_are_a_scaled_correlation(a, g, b, scale):
    """Bilinear, so unit vectors prove it: sum_k A[y,k] G[k,t] B[k,x] is scale[y] where x = y + t, else 0."""
    product = np.einsum("yk,kt,kx->ytx", a, g, b)
    y, t, x = np.indices(product.shape)
    stride = 2 if b.shape[1] == 5 else 1
    assert np.array_equal(product, np.where(x == stride * y + t, scale[:, None, None], 0))


@pytest.mark.parametrize(
    ("g", "b", "pixels", "lane"),
    [(pack_winograd.G4, B4, PIXELS4, LANE), (pack_winograd.G2, B2, (-128, 127), 0)],
    ids=["n4", "n2"],
)
def test_everything_fits_its_lane(g, b, pixels, lane):
    """U and V are int16; with the lane's constant V is never negative for n = 4. Weights are -128 at the lowest."""
    assert 128 * np.abs(g).sum(axis=1).max() ** 2 < 1 << 15
    low, high = pixels
    rows = np.einsum("iy,jx->ijyx", b, b).reshape(len(b) ** 2, -1)
    v_max = np.where(rows > 0, high * rows, low * rows).sum(axis=1)
    v_min = np.where(rows > 0, low * rows, high * rows).sum(axis=1)
    assert v_max.max() + lane < 1 << 15
    assert v_min.min() + lane >= (0 if lane else -(1 << 15))


def test_the_lane_constant_is_a_tile_of_four_pixels():
    """B^T e = 1 for e = (0,0,0,0,1,1): the constant acts like input at pixels 4 and 5, which the fixes undo."""
    assert np.array_equal(B4 @ [0, 0, 0, 0, 1, 1], np.ones(6))


def test_nine_divides_out_modulo_two_to_the_32():
    assert 9 * INVERSE_OF_9 % (1 << 32) == 1
    rng = np.random.default_rng(1)
    for k in (2, 3, 4, 5, 6):
        limit = 1 << 31 - k
        for acc in [-limit, limit - 1, 0, -1, *map(int, rng.integers(-limit, limit, 2000))]:
            product = (9 * acc * 2**k) * INVERSE_OF_9 % (1 << 32)
            signed = product - (1 << 32) if product >= 1 << 31 else product
            assert signed >> k == acc and signed % 2**k == 0


@pytest.mark.parametrize("exponent", range(2, 12))
def test_requantisation_in_two_instructions(exponent):
    """smmlar(x, 2m, x), smmlar(y, 2^(32-e) + 1, zero), ssat8 against the reference, for any int32 sums."""
    rng = np.random.default_rng(exponent)
    count = 200_000
    near = (rng.integers(-(1 << 17), 1 << 17, count) << rng.integers(0, 15, count)) + rng.integers(
        -3, 4, count
    )
    x = np.concatenate(
        [rng.integers(-(1 << 31), 1 << 31, count), near, [-(1 << 31), (1 << 31) - 1, 0, -1, 1]]
    )
    m = rng.integers(1 << 30, 1 << 31, len(x))
    m[::5] = 1 << 30  # ties
    zero = rng.integers(-128, 128, len(x))

    def smmlar(a, b, c):
        # in uint64 arithmetic modulo 2^64
        product = a.astype(np.int64) * b.astype(np.int64)
        total = (c.astype(np.int64) << 32).astype(np.uint64) + product.astype(np.uint64) + np.uint64(1 << 31)
        return (total.view(np.int64) >> 32).astype(np.int32).astype(np.int64)

    twice = (2 * m).astype(np.uint32).view(np.int32).astype(np.int64)
    high = smmlar(x, twice, x)
    assert np.array_equal(high, (x * m + (1 << 30)) >> 31)
    got = np.clip(smmlar(high, np.full(len(x), (1 << 32 - exponent) + 1), zero), -128, 127)
    mask = (1 << exponent) - 1
    rounded = (high >> exponent) + ((high & mask) > (mask >> 1) + (high < 0))
    assert np.array_equal(got, np.clip(rounded + zero, -128, 127))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("pads", list(itertools.product((0, 1, 2), repeat=2)), ids=str)
def test_all_paddings_and_small_sizes(pads, stride):
    """Sizes 1 .. 10, padding 0 .. 2 before and after."""
    rng = np.random.default_rng(pads)
    before_v, before_h = pads
    for size in range(1, 11):
        for after in range(3):
            h, w = size, int(rng.integers(1, 11))
            out_h, out_w = (n + after - 3 + stride for n in (h + before_v, w + before_h))
            out_h, out_w = out_h // stride, out_w // stride
            if out_h < 1 or out_w < 1:
                continue
            in_c, out_c = int(rng.integers(1, 10)), int(rng.integers(1, 10))
            weights = rng.integers(-127, 128, (out_c, 3, 3, in_c)).astype(np.int8)
            zeros = dict(input_zero=int(rng.integers(-128, 128)), output_zero=int(rng.integers(-128, 128)))
            step = make_step(
                h, w, in_c, out_c, weights, records(rng, out_c),
                out_h=out_h, out_w=out_w, pad_top=before_v, pad_left=before_h,
                stride_h=stride, stride_w=stride, **zeros,
            )  # fmt: skip
            check(step, rng.integers(-128, 128, h * w * in_c).astype(np.int8))


def strided(h: int, w: int, stride: int) -> dict[str, int]:
    """Changes that make a step of make_step have this stride, with outputs for every input."""
    return dict(stride_h=stride, stride_w=stride, out_h=-(-h // stride), out_w=-(-w // stride))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("in_c", [1, 2, 3, 4, 5, 8, 13, 16, 17, 30, 32, 33, 64])
def test_channel_tails(in_c, stride, sanitized):
    rng = np.random.default_rng(in_c)
    for out_c in (1, 2, 3, 4, 7):
        weights = rng.integers(-127, 128, (out_c, 3, 3, in_c)).astype(np.int8)
        changes = dict(input_zero=int(rng.integers(-128, 128)), rounding=int(rng.integers(0, 2)))
        changes |= dict(clamp_min=-100, clamp_max=int(rng.integers(-100, 128)))
        changes |= strided(6, 9, stride)
        step = make_step(6, 9, in_c, out_c, weights, records(rng, out_c), **changes)
        check(step, rng.integers(-128, 128, 54 * in_c).astype(np.int8), sanitized)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(
    ("h", "w", "in_c"), [(9, 70, 12), (41, 5, 8), (24, 24, 20), (4, 133, 3), (34, 34, 6)]
)
def test_blocks_of_part_rows_and_of_many_rows(h, w, in_c, stride, sanitized):
    rng = np.random.default_rng(h)
    weights = rng.integers(-127, 128, (5, 3, 3, in_c)).astype(np.int8)
    step = make_step(h, w, in_c, 5, weights, records(rng, 5), input_zero=-128, **strided(h, w, stride))
    check(step, rng.integers(-128, 128, h * w * in_c).astype(np.int8), sanitized)


@pytest.mark.parametrize("shift", [30, 2, 1, 0, -1, -2, -11, -12, -13, -31])
@pytest.mark.parametrize("rounding", [0, 1])
@pytest.mark.parametrize("stride", [1, 2])
def test_every_shift(shift, rounding, stride):
    rng = np.random.default_rng(shift + 40)
    weights = rng.integers(-127, 128, (6, 3, 3, 5)).astype(np.int8)
    channels = records(rng, 6)
    channels[:, 2] = shift
    channels[1, 1], channels[2, 1], channels[3, 1] = 0, (1 << 30) - 1, 5
    step = make_step(
        5, 8, 5, 6, weights, channels, rounding=rounding, output_zero=-9, **strided(5, 8, stride)
    )
    check(step, rng.integers(-128, 128, 200).astype(np.int8))


@pytest.mark.parametrize("pattern", ["low", "high", "against", "with", "checkers"])
def test_extremes(pattern):
    """All weights +-127 and inputs -128 or 127, the worst signs among them."""
    rng = np.random.default_rng(3)
    signs = rng.choice(np.array([-127, 127], np.int8), (4, 3, 3, 32))
    weights = {"low": np.full_like(signs, -127), "high": np.full_like(signs, 127)}.get(pattern, signs)
    window = np.tile(signs[0], (3, 3, 1))[:8, :8]
    data = {
        "low": np.full((8, 8, 32), -128),
        "high": np.full((8, 8, 32), -128),
        "against": np.where(window > 0, -128, 127),
        "with": np.where(window > 0, 127, -128),
        "checkers": np.where(np.indices((8, 8, 32)).sum(axis=0) % 2, 127, -128),
    }[pattern]
    for shift in (-9, -11):
        channels = records(rng, 4)
        channels[:, 2] = shift
        for zero in (-128, 0, 127):
            for stride in (1, 2):
                changes = strided(8, 8, stride)
                step = make_step(8, 8, 32, 4, weights, channels, input_zero=zero, **changes)
                check(step, data.astype(np.int8).ravel())


@pytest.mark.parametrize(("kernel", "limit"), [(N4, 1 << 25), (N2, 1 << 29)], ids=["n4", "n2"])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_bound_is_tight(kernel, limit, sign):
    """At the last sum that is admitted everything is exact; one more is refused, and would come out wrong."""
    weights = np.full((1, 3, 3, 2), 127, np.int8)
    data = np.full(16 * 2, 127 if sign > 0 else -128, np.int8)
    reach = 18 * 127 * int(data[0])
    last = limit - 1 if sign > 0 else -limit
    channels = np.array([[last - reach, (1 << 31) - 1, -11]], np.int32)
    definition = defs.kernels()[kernel]
    # Raw sums modulo 2^11 show every difference.
    admitted = make_step(4, 4, 2, 1, weights, channels, pad_top=0, pad_left=0, out_h=2, out_w=2)
    expect_same(outputs(admitted, kernel, data), outputs(admitted, "conv2d_s8_hwc_ref", data), "at the bound")
    channels[0, 0] += sign
    beyond = make_step(4, 4, 2, 1, weights, channels, pad_top=0, pad_left=0, out_h=2, out_w=2)
    assert not pack.accepts(definition, beyond)
    beyond.channels = channels * [[0, 1, 1]]
    forced = pack.weights(definition, beyond)  # the weights blob knows nothing of the bias
    beyond.channels = channels
    got = outputs(beyond, kernel, data, forced)
    assert not np.array_equal(got, outputs(beyond, "conv2d_s8_hwc_ref", data))


def test_stride_2_has_no_bound():
    """Sums modulo 2^32, like the reference's: any bias is admitted."""
    rng = np.random.default_rng(9)
    channels = records(rng, 5)
    channels[:, 0] = [(1 << 31) - 1, -(1 << 31), 1 << 30, -(1 << 30), 12345]
    for shift in (-2, -9, 3):
        channels[:, 2] = shift
        weights = rng.choice(np.array([-128, 127], np.int8), (5, 3, 3, 6))
        step = make_step(9, 9, 6, 5, weights, channels, **strided(9, 9, 2))
        check(step, rng.choice(np.array([-128, 127], np.int8), 9 * 9 * 6))


def test_what_is_not_for_these_kernels():
    rng = np.random.default_rng(1)
    step = make_step(5, 5, 4, 2, rng.integers(-127, 128, (2, 3, 3, 4)).astype(np.int8), records(rng, 2))
    for change in (
        dict(weights_zero=1), dict(stride_h=2), dict(stride_w=2),
        dict(kernel_h=1), dict(kernel_w=5), dict(in_c=257),
    ):  # fmt: skip
        packed = defs.operators()["conv2d"].pack(**step.params | change)
        assert native.params_valid("conv2d", packed) is None
        assert not any(native.supports(kernel, packed) for kernel in (N4, N2, S2)), change


@pytest.mark.parametrize(("kernel", "least"), [(N4, 4), (N2, 3)])
def test_tiny_images_are_left_to_others(kernel, least):
    for size in range(1, 12):
        zeros = np.zeros((16, 3, 3, 16), np.int8), np.zeros((16, 3), np.int32)
        step = make_step(size, size, 16, 16, *zeros)
        assert native.supports(kernel, step.packed_params) == (size >= least)


@pytest.mark.parametrize("kernel", [N4, N2])
def test_scratch_is_bounded(kernel):
    """As the kernels' heads promise it."""
    n = 4 if kernel == N4 else 2
    for size, in_c in itertools.product((1, 5, 8, 16, 32, 64, 200), (1, 16, 32, 64, 79, 128, 256)):
        weights = np.zeros((4, 3, 3, in_c), np.int8)
        step = make_step(size, size, in_c, 4, weights, np.zeros((4, 3), np.int32))
        small = size * size * (in_c + 4) <= 16 << 10 and in_c > 16
        four_tiles = (n + 2) ** 2 * 8 * ((in_c + 3) // 4 * 4) + max((n + 2) ** 2 * 64, (n + 2) * 34 * 8)
        most = max(28 * 1024 if small else 15.25 * 1024, four_tiles)
        assert native.scratch_bytes(kernel, step.packed_params) <= most
