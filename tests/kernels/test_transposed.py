"""Transposed convolution on its kernels: phases, tails, crops, extremes, codes of requantisation, bounds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from host import defs, native
from host.plan import pack, pack_transposed
from host.plan.network import Step
from tests.kernels import runner
from tests.kernels.test_gemm import random_input, random_weights, records
from tests.kernels.test_twins import expect_same

INDIRECT = "transposed_conv2d_s8_hwc_indirect"
BYTEPAIRS = "transposed_conv2d_s8_hwc_im2col_bytepairs"
PAIRS = "transposed_conv2d_s8_hwc_im2col_pairs"
FAST = [INDIRECT, BYTEPAIRS, PAIRS]
WINOGRAD = "transposed_conv2d_s8_hwc_winograd2_3x3_stride2"
REF = "transposed_conv2d_s8_hwc_ref"


def make_step(
    size: tuple[int, int],
    weights: np.ndarray,
    channels: np.ndarray,
    stride: tuple[int, int] = (2, 2),
    pad: tuple[int, int] = (0, 0),
    out: tuple[int, int] | None = None,
    **changes: int,
) -> Step:
    """Weights [out_c, kernel_h, kernel_w, in_c]; without `out` every product is there."""
    out_c, kernel_h, kernel_w, in_c = weights.shape
    whole = (size[0] - 1) * stride[0] + kernel_h - pad[0], (size[1] - 1) * stride[1] + kernel_w - pad[1]
    out_h, out_w = out or whole
    params = dict(
        in_h=size[0], in_w=size[1], in_c=in_c, out_h=out_h, out_w=out_w, out_c=out_c,
        kernel_h=kernel_h, kernel_w=kernel_w, stride_h=stride[0], stride_w=stride[1], pad_top=pad[0], pad_left=pad[1],
        input_zero=0, weights_zero=0, output_zero=0, clamp_min=-128, clamp_max=127, rounding=0,
    )  # fmt: skip
    step = Step(
        "transposed_conv2d", (0,), 1, params | changes, 0, "", "", 1, weights=weights, channels=channels
    )
    assert native.params_valid(step.op, step.packed_params) is None
    return step


def check(step: Step, data: np.ndarray, sanitized, names: list[str] | None = None) -> None:
    """Fast kernels, all of which must take the step, against the reference, sanitized at every place, too.

    By default those for any shape, and Winograd where it suits.
    """
    p = step.params
    size = p["out_h"] * p["out_w"] * p["out_c"]
    ref = defs.kernels()[REF]
    blobs = pack.weights(ref, step), pack.channels(ref, step)
    expected = native.run(REF, step.packed_params, [data], *blobs, size)
    winograd = [WINOGRAD] if native.supports(WINOGRAD, step.packed_params) else []
    for name in names or FAST + winograd:
        kernel = defs.kernels()[name]
        assert native.supports(name, step.packed_params) and pack.accepts(kernel, step), f"{name} {p}"
        blobs = pack.weights(kernel, step), pack.channels(kernel, step)
        assert len(blobs[0]) == native.weights_bytes(name, step.packed_params)
        expect_same(native.run(name, step.packed_params, [data], *blobs, size), expected, f"{name} {p}")
        for place in (runner.OWN, runner.BEHIND_INPUT0):
            got = sanitized.run(name, step.packed_params, [data.tobytes()], *blobs, bytes(size), place)
            expect_same(got, expected, f"sanitized {name} at place {place} {p}")


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_every_width_and_crop(kernel: int, stride: int, sanitized) -> None:
    """Tiles and lanes of every length, phases without taps, crops beyond a stride and beyond the kernel."""
    rng = np.random.default_rng(10 * kernel + stride)
    for out_w, pad in itertools.product((1, 2, 3, 5, 8, 9, 17), (0, 1, stride, kernel + stride)):
        in_c, out_c = int(rng.integers(1, 10)), int(rng.integers(1, 6))
        step = make_step(
            (int(rng.integers(1, 4)), int(rng.integers(1, 8))), random_weights(rng, out_c, kernel, kernel, in_c),
            records(rng, out_c), (stride, stride), (pad // 2, pad), (int(rng.integers(1, 8)), out_w),
            input_zero=int(rng.integers(-128, 128)), output_zero=int(rng.integers(-128, 128)),
        )  # fmt: skip
        check(step, random_input(rng, step), sanitized)


@pytest.mark.parametrize("in_c", [*range(1, 10), 12, 15, 16, 17, 20, 24, 31, 32, 64])
def test_input_channels(in_c: int, sanitized) -> None:
    """Channels that fill no word, and every way into the copies of the inner loop."""
    rng = np.random.default_rng(in_c)
    for kernel, out_c in (((2, 2), 1), ((3, 3), 2), ((4, 3), 3), ((1, 5), 8)):
        step = make_step(
            (3, 6), random_weights(rng, out_c, *kernel, in_c), records(rng, out_c), pad=(0, 1), input_zero=-77
        )
        check(step, random_input(rng, step), sanitized)


def test_one_pixel_and_outputs_that_nothing_reaches(sanitized) -> None:
    """1x1 input; kernels smaller than the stride; an output far beyond the input; a crop of the whole image."""
    rng = np.random.default_rng(3)
    for kernel, stride, pad, out in (
        ((3, 3), (2, 2), (0, 0), (3, 3)), ((1, 1), (3, 2), (0, 0), (4, 5)), ((2, 1), (5, 4), (1, 0), (5, 9)),
        ((3, 3), (2, 2), (0, 0), (9, 12)), ((3, 3), (2, 2), (40, 70), (3, 4)), ((1, 1), (4, 4), (1, 2), (2, 1)),
        ((2, 2), (16, 16), (0, 0), (17, 18)), ((9, 1), (1, 3), (3, 0), (4, 4)),
    ):  # fmt: skip
        for size in ((1, 1), (2, 3)):
            step = make_step(
                size, random_weights(rng, 5, *kernel, 6), records(rng, 5), stride, pad, out, input_zero=-128
            )
            check(step, random_input(rng, step), sanitized)


@pytest.mark.parametrize("zero", [-128, 127])
@pytest.mark.parametrize("value", [-128, 127])
@pytest.mark.parametrize("weight", [-127, 127])
def test_extremes(zero: int, value: int, weight: int, sanitized) -> None:
    rng = np.random.default_rng(1)
    weights = np.full((4, 3, 3, 40), weight, np.int8)
    step = make_step((4, 5), weights, records(rng, 4, (-16, -12)), pad=(0, 0), out=(8, 10), input_zero=zero)
    check(step, np.full(4 * 5 * 40, value, np.int8), sanitized)


@pytest.mark.parametrize("shift", [30, 0, -1, -2, -11, -12, -20, -31])
def test_every_code(shift: int, sanitized) -> None:
    """SHORT, TIES and PLAIN pairs in one layer, clamps, single rounding, the last row by way of the stack."""
    rng = np.random.default_rng(shift + 40)
    for rounding, clamp, out_c, w in itertools.product((0, 1), (False, True), (12, 13), (4, 6)):
        channels = records(rng, out_c)
        channels[3:6, 2] = channels[8, 2] = channels[-1, 2] = shift
        channels[4, 1], channels[10, 1] = 0, (1 << 30) - 1
        clamps = dict(clamp_min=-100, clamp_max=90) if clamp else {}
        step = make_step(
            (3, w), random_weights(rng, out_c, 3, 3, 8), channels, rounding=rounding, output_zero=-9, **clamps
        )
        check(step, random_input(rng, step), sanitized)


def test_each_phase_has_its_taps_in_reverse() -> None:
    weights = np.arange(15, dtype=np.int8).reshape(1, 3, 5, 1)
    step = make_step((3, 3), weights, np.zeros((1, 3), np.int32), (2, 3), (1, 0))
    found = [taps[0, ..., 0].tolist() for taps in pack_transposed.phases(step)]
    assert found == [
        [[8, 5]], [[9, 6]], [[7]],
        [[13, 10], [3, 0]], [[14, 11], [4, 1]], [[12], [2]],
    ]  # fmt: skip


def test_values_beyond_bytepairs_are_left_to_pairs(sanitized) -> None:
    """A phase's sum decides: the same weights at stride 1, where all taps meet, are too many."""
    weights = np.full((2, 2, 2, 200), 127, np.int8)
    channels = np.array([[0, 1 << 30, -16]] * 2, np.int32)
    rng = np.random.default_rng(2)

    def takers(step: Step) -> list[str]:
        return [name for name in FAST if pack.accepts(defs.kernels()[name], step)]

    assert takers(make_step((3, 3), weights, channels)) == FAST
    step = make_step((3, 3), weights, channels, (1, 1))
    assert takers(step) == [PAIRS]
    check(step, random_input(rng, step), sanitized, [PAIRS])
    weights[0, 0, 0, :2] = -1, -128
    step = make_step((3, 3), weights, channels)
    assert takers(step) == [PAIRS]
    check(step, random_input(rng, step), sanitized, [PAIRS])


@pytest.mark.parametrize("columns", [1, 3, 4, 5, 8, 13, 68])
def test_blocks_that_end_anywhere(columns: int, sanitized) -> None:
    """Positions counted through rows: blocks within a row and over several; a phase that lacks a row and a column."""
    rng = np.random.default_rng(columns)
    for kernel, in_c, lacking in ((3, 5, 0), (2, 8, 1), (4, 40, 1), (2, 100, 0)):
        step = make_step(
            (6, columns), random_weights(rng, 3, kernel, kernel, in_c), records(rng, 3),
            out=(12 - lacking, max(2 * columns - lacking, 1)), input_zero=9, clamp_min=-90, clamp_max=80,
        )  # fmt: skip
        check(step, random_input(rng, step), sanitized)


WINOGRAD_SHAPES = [
    # size, pad, out: whole tiles; odd sizes that the input reaches, or not; crops of one to more than a tile
    ((4, 6), (0, 0), (8, 12)), ((7, 11), (0, 0), (15, 23)), ((4, 4), (1, 1), (7, 7)), ((8, 9), (0, 1), (16, 18)),
    ((9, 9), (5, 4), (16, 16)), ((10, 11), (2, 3), (20, 20)), ((1, 2), (0, 0), (8, 8)), ((2, 2), (0, 0), (8, 8)),
    ((13, 4), (1, 0), (26, 8)), ((4, 30), (0, 0), (8, 60)),
]  # fmt: skip


@pytest.mark.parametrize(("size", "pad", "out"), WINOGRAD_SHAPES)
def test_winograd_tiles(size, pad, out, sanitized) -> None:
    """Tiles beside the image, several blocks, channels that fill no word, every way into the copies, clamps."""
    rng = np.random.default_rng(out[1])
    for in_c, out_c in ((1, 1), (4, 2), (6, 3), (16, 2), (36, 5), (72, 2), (128, 2)):
        clamps = dict(clamp_min=-70, clamp_max=60) if out_c == 2 else {}
        step = make_step(
            size, random_weights(rng, out_c, 3, 3, in_c), records(rng, out_c), pad=pad, out=out,
            input_zero=int(rng.integers(-128, 128)), output_zero=-3, **clamps,
        )  # fmt: skip
        check(step, random_input(rng, step), sanitized, [WINOGRAD])


@pytest.mark.parametrize("shift", [30, 0, -1, -2, -11, -12, -20, -31])
@pytest.mark.parametrize("rounding", [0, 1])
def test_winograd_every_requantisation(shift: int, rounding: int, sanitized) -> None:
    rng = np.random.default_rng(shift + 40)
    channels = records(rng, 7)
    channels[2:5, 2] = channels[-1, 2] = shift
    channels[3, 1], channels[5, 1] = 0, (1 << 30) - 1
    step = make_step(
        (4, 8), random_weights(rng, 7, 3, 3, 12), channels, out=(7, 15), rounding=rounding, output_zero=4
    )
    check(step, random_input(rng, step), sanitized, [WINOGRAD])


def test_winograd_takes_any_weights_and_sums(sanitized) -> None:
    """-128 everywhere is exact, and sums that wrap are the reference's."""
    rng = np.random.default_rng(8)
    for value, zero in ((-128, 127), (127, -128), (-128, -128)):
        channels = np.array([[(1 << 31) - 1, (1 << 31) - 1, -20], [-(1 << 31), 1 << 30, -19]], np.int32)
        step = make_step(
            (4, 4), np.full((2, 3, 3, 256), -128, np.int8), channels, out=(8, 8), input_zero=zero
        )
        check(step, np.full(16 * 256, value, np.int8), sanitized, [WINOGRAD])
    step = make_step((4, 4), rng.integers(-128, 128, (2, 3, 3, 256)).astype(np.int8), channels, out=(8, 8))
    check(step, random_input(rng, step), sanitized, [WINOGRAD])


def test_winograd_is_for_images_that_fill_its_tiles() -> None:
    channels = np.zeros((2, 3), np.int32)
    for in_c, out, pad, admitted in (
        (256, (8, 8), (0, 0), True), (257, (8, 8), (0, 0), False), (8, (9, 9), (0, 0), False),
        (8, (16, 17), (0, 0), True), (8, (8, 8), (1, 1), False), (8, (16, 16), (3, 3), False),
    ):  # fmt: skip
        step = make_step((9, 9), np.zeros((2, 3, 3, in_c), np.int8), channels, pad=pad, out=out)
        assert native.supports(WINOGRAD, step.packed_params) == admitted, (in_c, out, pad)
    step = make_step((8, 8), np.zeros((2, 3, 3, 64), np.int8), channels, out=(16, 16))
    assert native.scratch_bytes(WINOGRAD, step.packed_params) == 3 * (128 * 64 + 800) + 9 * 64 + 12 * 4
    step = make_step((32, 32), np.zeros((2, 3, 3, 64), np.int8), channels, out=(64, 64))
    assert native.scratch_bytes(WINOGRAD, step.packed_params) == 128 * 64 + 800 + 9 * 64 + 4 * 4
    for kernel, stride in (((2, 2), (2, 2)), ((3, 3), (1, 2)), ((3, 3), (3, 3))):
        step = make_step((8, 8), np.zeros((2, *kernel, 64), np.int8), channels, stride)
        assert not native.supports(WINOGRAD, step.packed_params)


def test_scratch_is_as_its_head_says_and_bounded() -> None:
    channels = np.zeros((2, 3), np.int32)
    step = make_step((8, 8), np.zeros((2, 3, 3, 64), np.int8), channels, out=(16, 16))
    assert native.scratch_bytes(INDIRECT, step.packed_params) == 32 * 16 * (2 + 2 - 1) * 2 + 4 * 2 + 2 * 2
    step = make_step((8, 8), np.zeros((2, 4, 4, 64), np.int8), channels, pad=(1, 1), out=(16, 16))
    assert native.scratch_bytes(INDIRECT, step.packed_params) == 32 * 16 * (2 + 2 - 1 + 1) * 2 + 4 * 2 + 2 * 2
    for name in (BYTEPAIRS, PAIRS):  # 1,920 bytes are 4 pixels of 256 inputs less than 8: 8 take 4,096
        assert native.scratch_bytes(name, step.packed_params) == 8 * 8 * 64 + 8 * 2
    for stride, admitted in (((16, 16), True), ((16, 17), False), ((1, 256), True)):
        step = make_step((2, 2), np.zeros((2, 3, 3, 4), np.int8), channels, stride)
        assert [native.supports(name, step.packed_params) for name in FAST] == [admitted] * 3
    for in_c, admitted in (
        (1 << 15, True),
        ((1 << 15) + 1, False),
    ):  # 2 rows of 4 elements of in_c / 4 groups
        step = make_step((4, 8), np.zeros((1, 3, 3, in_c), np.int8), channels[:1], out=(8, 17))
        assert native.supports(INDIRECT, step.packed_params) == admitted


@pytest.mark.parametrize("power", [-1, -2, 0, 1, 2, 3, -(1 << 31), (1 << 31) - 1])
def test_any_record_is_safe(power: int, sanitized) -> None:
    rng = np.random.default_rng(power & 0xFFFF)
    step = make_step((3, 7), random_weights(rng, 5, 3, 3, 8), records(rng, 5), pad=(1, 1), out=(6, 14))
    for name in FAST:
        blob = rng.integers(0, 256, native.weights_bytes(name, step.packed_params), np.uint8)
        blob[:72].view("<i4").reshape(3, 6)[:, [3, 5]] = power
        got = sanitized.run(
            name, step.packed_params, [bytes(21 * 8)], blob.tobytes(), b"", bytes(84 * 5), runner.OWN
        )
        assert got is not None
