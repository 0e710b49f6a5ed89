"""Groups and dilation in every fast convolution: unequal phases, strides that meet several, blocks of part rows."""

from __future__ import annotations

import numpy as np
import pytest

from host import defs, native
from host.plan.network import Step
from tests.kernels.test_gemm import candidates, check, random_input, random_weights, records

FAST = [k.name for k in defs.kernels().values() if k.op == "conv2d" and k.overlap == "AHEAD"]
WINOGRAD = [name for name in FAST if "winograd" in name]


def make_step(
    size: tuple[int, int],
    channels: tuple[int, int],
    kernel: tuple[int, int],
    groups: int,
    *,
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    pad: tuple[int, int] = (0, 0),
    shifts: tuple[int, int] = (-11, -5),
    **changes: int,
) -> Step:
    """A convolution of `groups` with (in, out) channels each; padding is the same before and after."""
    rng = np.random.default_rng((*size, *channels, groups))
    group_c, out_c = channels[0], channels[1] * groups
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    out = [(n + 2 * p - span) // s + 1 for n, p, span, s in zip(size, pad, spans, stride, strict=True)]
    params = dict(
        in_h=size[0], in_w=size[1], in_c=group_c * groups, out_h=out[0], out_w=out[1], out_c=out_c,
        kernel_h=kernel[0], kernel_w=kernel[1], stride_h=stride[0], stride_w=stride[1],
        dilation_h=dilation[0], dilation_w=dilation[1], pad_top=pad[0], pad_left=pad[1],
        input_zero=-7, weights_zero=0, output_zero=3, clamp_min=-128, clamp_max=127, rounding=0, groups=groups,
    )  # fmt: skip
    step = Step(
        "conv2d", (0,), 1, params | changes, 0, "", "", 1,
        weights=random_weights(rng, out_c, *kernel, group_c), channels=records(rng, out_c, shifts),
    )  # fmt: skip
    assert native.params_valid("conv2d", step.packed_params) is None
    return step


def check_all(step: Step, sanitized) -> list[str]:
    """Random numbers and extremes; the kernels that took the step."""
    rng = np.random.default_rng(5)
    data = random_input(rng, step)
    for inputs in (data, np.where(data < 0, -128, 127).astype(np.int8)):
        used = check(step, inputs, FAST, sanitized)
    return used


@pytest.mark.parametrize("dilation", [(1, 2), (2, 1), (2, 2), (3, 4), (5, 3), (8, 8)])
@pytest.mark.parametrize("size", [(9, 11), (16, 16), (7, 40)])
def test_dilated_winograd_covers_phases_of_any_size(size, dilation, sanitized):
    step = make_step(size, (6, 5), (3, 3), 1, dilation=dilation, pad=dilation)
    used = check_all(step, sanitized)
    if min(size) >= 2 * max(dilation):
        assert set(used) & set(WINOGRAD)


@pytest.mark.parametrize("dilation", [(1, 3), (2, 2), (3, 1), (4, 6)])
def test_dilated_winograd_of_stride_2(dilation, sanitized):
    step = make_step((31, 30), (5, 3), (3, 3), 1, stride=(2, 2), dilation=dilation, pad=dilation)
    assert "conv2d_s8_hwc_winograd2_3x3_stride2" in check_all(step, sanitized)


@pytest.mark.parametrize(("size", "dilation"), [((5, 150), (1, 3)), ((90, 9), (3, 1)), ((40, 40), (2, 3))])
def test_dilated_blocks_of_many_and_of_part_rows(size, dilation, sanitized):
    step = make_step(size, (20, 4), (3, 3), 1, dilation=dilation, pad=dilation)
    assert set(check_all(step, sanitized)) & set(WINOGRAD)


@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (1, 3), (3, 2), (4, 6)])
@pytest.mark.parametrize("dilation", [(1, 1), (2, 2), (3, 4), (1, 7)])
def test_windows_of_every_stride_and_dilation(groups, stride, dilation, sanitized):
    """Strides and dilations with and without a common divisor: one phase or several in a row of outputs."""
    step = make_step((13, 17), (3, 2), (2, 3), groups, stride=stride, dilation=dilation, pad=(1, 4))
    used = check_all(step, sanitized)
    assert used and (groups == 1 == dilation[1] or "conv2d_s8_hwc_gathered_bytepairs" in used)


@pytest.mark.parametrize("group_c", [1, 2, 3, 4, 5, 8, 16, 17])
@pytest.mark.parametrize("group_out", [1, 2, 3, 4])
def test_groups_of_few_channels(group_c, group_out, sanitized):
    for kernel, pad in (((3, 3), (1, 1)), ((1, 1), (0, 0)), ((1, 5), (0, 2)), ((5, 2), (2, 0))):
        step = make_step((7, 6), (group_c, group_out), kernel, 3, pad=pad)
        used = check_all(step, sanitized)
        assert any("pointwise" in name for name in used) == (kernel == (1, 1))
        assert any("indirect" in name for name in used) == (group_c % 4 == 0)


@pytest.mark.parametrize("shifts", [(-31, -12), (-1, 6), (-31, 6)])
def test_groups_of_every_requantisation(shifts, sanitized):
    for kernel, rounding in (((3, 3), 0), ((1, 1), 0), ((2, 2), 1)):
        step = make_step(
            (6, 7), (4, 3), kernel, 2, shifts=shifts, rounding=rounding, clamp_min=-20, clamp_max=90
        )
        assert len(check_all(step, sanitized)) > 1


def test_padding_beyond_the_image(sanitized):
    """Whole rows and columns of windows outside, on either side."""
    for groups, dilation in ((1, (2, 3)), (2, (1, 1)), (2, (4, 5))):
        check_all(make_step((4, 5), (4, 2), (3, 3), groups, dilation=dilation, pad=(9, 11)), sanitized)


def test_only_a_single_group_may_be_overlapped():
    """Every group reads the image from the front again: no output may lie over it."""
    for groups in (2, 4):
        step = make_step((8, 8), (8, 8), (3, 3), groups, pad=(1, 1))
        out = step.params["out_h"] * step.params["out_w"] * step.params["out_c"]
        for name in candidates(step, FAST):
            assert native.gap_bytes(name, step.packed_params) == out, name
