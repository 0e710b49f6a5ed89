"""The deformable convolution's fast kernel at its limits, against the reference, under the sanitizers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from host import defs, native
from host.plan import pack
from host.plan.network import Step
from tests.kernels.test_gemm import records
from tests.kernels.test_twins import expect_same

FAST, REF = "deformable_conv2d_s8_hwc_samples", "deformable_conv2d_s8_hwc_ref"
ONE = 1 << 29  # offset multiplier of whole pixels


def make_step(weights: np.ndarray, channels: np.ndarray, shape: tuple[int, int], **changes: int) -> Step:
    """Stride 1 on an image of that shape, padded to keep it; offsets are int16 and count whole pixels."""
    out_c, kernel_h, kernel_w, group_c = weights.shape
    groups = changes.get("groups", 1)
    params = dict(
        in_h=shape[0], in_w=shape[1], in_c=group_c * groups, out_h=shape[0], out_w=shape[1], out_c=out_c,
        kernel_h=kernel_h, kernel_w=kernel_w, stride_h=1, stride_w=1, dilation_h=1, dilation_w=1,
        pad_top=kernel_h // 2, pad_left=kernel_w // 2, input_zero=-5, weights_zero=0, output_zero=3,
        clamp_min=-128, clamp_max=127, rounding=0, groups=1, offset_groups=1, offset_bytes=2, offset_zero=0,
        offset_multiplier=ONE, masked=0, mask_zero=0,
    )  # fmt: skip
    step = Step(
        "deformable_conv2d", (0, 1), 2, params | changes, 0, "", "", 2, weights=weights, channels=channels
    )
    assert native.params_valid(step.op, step.packed_params) is None
    return step


def inputs_of(rng: np.random.Generator, step: Step, offsets: np.ndarray | None = None) -> list[bytes]:
    """Random image and mask; offsets random too unless given."""
    sizes, _ = native.tensor_bytes(step.op, step.packed_params)
    data = [rng.integers(-128, 128, size).astype(np.int8).tobytes() for size in sizes]
    if offsets is not None:
        data[1] = offsets.tobytes()
    return data


def check(step: Step, data: list[bytes], sanitized) -> None:
    """The fast kernel, as packed for the step, against the reference."""
    ref, fast = defs.kernels()[REF], defs.kernels()[FAST]
    _, size = native.tensor_bytes(step.op, step.packed_params)
    expected = native.run(
        REF, step.packed_params, data, pack.weights(ref, step), pack.channels(ref, step), size
    )
    blob = pack.weights(fast, step)
    assert len(blob) == native.weights_bytes(FAST, step.packed_params)
    expect_same(
        sanitized.run(FAST, step.packed_params, data, blob, b"", bytes(size)), expected, str(step.params)
    )


@pytest.mark.parametrize("masked", [0, 1])
@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (4, 1), (2, 2), (3, 5)])
def test_every_place_around_the_image(shape, masked, sanitized):
    """A tap in steps of a quarter pixel from well before the image to well after it, in both directions."""
    rng = np.random.default_rng(0)
    h, w = shape
    step = make_step(
        rng.integers(-127, 128, (3, 1, 1, 5)).astype(np.int8), records(rng, 3), shape, masked=masked,
        offset_multiplier=ONE // 4,
    )  # fmt: skip
    reach = 4 * (max(shape) + 2)
    for dy in range(-reach, reach + 1):
        moves = np.empty((h, w, 1, 2), np.int16)
        moves[..., 0] = dy
        moves[..., 1] = rng.integers(-reach, reach + 1, (h, w, 1))
        check(step, inputs_of(rng, step, moves), sanitized)
        moves = moves[..., ::-1].copy()
        check(step, inputs_of(rng, step, moves), sanitized)


@pytest.mark.parametrize("channels", range(1, 10))
@pytest.mark.parametrize(("groups", "offset_groups"), [(1, 1), (1, 3), (2, 1), (3, 2)])
def test_channels_that_do_not_fill_groups_of_four(channels, groups, offset_groups, sanitized):
    rng = np.random.default_rng(channels)
    weights = rng.integers(-127, 128, (2 * groups, 3, 3, channels * offset_groups)).astype(np.int8)
    step = make_step(
        weights, records(rng, 2 * groups), (5, 4), groups=groups, offset_groups=offset_groups, masked=channels % 2,
        offset_multiplier=ONE >> 14,
    )  # fmt: skip
    check(step, inputs_of(rng, step), sanitized)


@pytest.mark.parametrize("multiplier", [0, 1, ONE, 2**31 - 1])
@pytest.mark.parametrize("offset_bytes", [1, 2])
@pytest.mark.parametrize("zero", [-(2**15), 0, 2**15 - 1])
def test_any_bytes_are_safe_offsets(multiplier, offset_bytes, zero, sanitized):
    rng = np.random.default_rng(3)
    step = make_step(
        rng.integers(-127, 128, (4, 3, 3, 4)).astype(np.int8), records(rng, 4), (6, 6), offset_zero=zero,
        offset_bytes=offset_bytes, offset_multiplier=multiplier, masked=1,
    )  # fmt: skip
    data = inputs_of(rng, step)
    for pattern in (b"\x00\x80", b"\xff\x7f", b"\x80\x80", b"\x7f\x7f", None):
        if pattern:
            data[1] = (pattern * len(data[1]))[: len(data[1])]
        check(step, data, sanitized)


def limit_step(total: int, masked: int) -> Step:
    """One output channel whose weights, all of one sign, add up to `total`."""
    count = -(-total // 127)
    weights = np.full(count, 127, np.int8)
    weights[0] -= 127 * count - total
    channel = np.array([[0, 1 << 30, -14]], np.int32)
    step = make_step(weights.reshape(1, 1, 1, count), channel, (1, 2), input_zero=-128, masked=masked)
    return replace(step, params=step.params | {"mask_zero": -128})


@pytest.mark.parametrize(("masked", "most"), [(0, 65536), (1, 66049)])
def test_sums_up_to_the_limit_are_exact_and_others_refused(masked, most, sanitized):
    """128 * 65536 is 2**23; a masked sample is at most 32513 / 256."""
    fast = defs.kernels()[FAST]
    step = limit_step(most, masked)
    assert pack.accepts(fast, step)
    for value in (-128, 127):
        data = [bytes([value & 0xFF]) * size for size in native.tensor_bytes(step.op, step.packed_params)[0]]
        data[1] = bytes(len(data[1]))
        check(step, data, sanitized)
    assert not pack.accepts(fast, limit_step(most + 1, masked))


@pytest.mark.parametrize("shift", [-20, -11, -3, -1, 0, 5])
@pytest.mark.parametrize("clamp", [(-128, 127), (-20, 60)])
def test_every_code_of_requantisation(shift, clamp, sanitized):
    """SHORT, TIES and PLAIN, and pairs of two; an odd number of output channels, more pixels than a block has."""
    rng = np.random.default_rng(shift + 50)
    channels = np.concatenate([records(rng, 4, (shift, shift + 1)), records(rng, 3)])
    step = make_step(
        rng.integers(-127, 128, (7, 3, 3, 8)).astype(np.int8), channels, (9, 11), clamp_min=clamp[0],
        clamp_max=clamp[1], offset_multiplier=ONE >> 13,
    )  # fmt: skip
    check(step, inputs_of(rng, step), sanitized)
