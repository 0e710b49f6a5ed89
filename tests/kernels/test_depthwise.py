"""Depthwise kernels of channel planes: every padding and tail, extremes, and the proofs of their requantisation."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from host import defs, native
from host.oracle import fixedpoint
from host.plan import pack, pack_depthwise
from host.plan.network import Step
from tests.kernels.test_twins import expect_same

TWIN = "depthwise_s8_hwc_ref"
PLANES = [k for k in defs.kernels().values() if k.op == "depthwise" and k.weights.startswith("PLANES")]
RELU = dict(output_zero=-128, clamp_min=-128, clamp_max=127)
PLAIN = dict(output_zero=-7, clamp_min=-128, clamp_max=127)
CUT = dict(output_zero=-90, clamp_min=-90, clamp_max=33)
INNER = dict(output_zero=11, clamp_min=-100, clamp_max=101)
INT32_MAX = 2**31 - 1


def make_step(
    h: int, w: int, c: int, kernel: tuple[int, int], stride: int, pads: tuple[int, int, int, int],
    values: dict[str, int], *, seed: int = 0, weights: np.ndarray | None = None, channels: np.ndarray | None = None,
) -> Step | None:  # fmt: skip
    """A layer of typical requantisation; pads are top, bottom, left, right. None if it has no output."""
    out_h = (h + pads[0] + pads[1] - kernel[0]) // stride + 1
    out_w = (w + pads[2] + pads[3] - kernel[1]) // stride + 1
    if min(out_h, out_w) < 1:
        return None
    rng = np.random.default_rng(seed)
    if weights is None:
        weights = rng.integers(-127, 128, (1, *kernel, c)).astype(np.int8)
    if channels is None:
        shift = rng.integers(-9, -3, c)
        channels = np.stack([rng.integers(-9000, 9000, c), rng.integers(1 << 30, 1 << 31, c), shift], axis=1)
    params = dict(
        in_h=h, in_w=w, in_c=c, out_h=out_h, out_w=out_w, out_c=c, kernel_h=kernel[0], kernel_w=kernel[1],
        stride_h=stride, stride_w=stride, dilation_h=1, dilation_w=1, pad_top=pads[0], pad_left=pads[2],
        input_zero=int(rng.integers(-128, 128)), weights_zero=0, rounding=0, depth_multiplier=1,
    ) | values  # fmt: skip
    return Step(
        "depthwise", (0,), 1, params, 0, "", "", 1, weights=weights, channels=channels.astype(np.int32)
    )


def kernels_for(step: Step) -> list[defs.KernelDef]:
    return [k for k in PLANES if native.supports(k.name, step.packed_params)]


def check(step: Step, data: np.ndarray | None = None, *, packs: bool = True) -> int:
    """Every kernel of planes that supports the shape equals the twin, apart and in place. Returns how many did."""
    params = step.packed_params
    assert native.params_valid("depthwise", params) is None
    (size,), out = native.tensor_bytes("depthwise", params)
    if data is None:
        data = np.random.default_rng(size).integers(-128, 128, size).astype(np.int8)
    twin = defs.kernels()[TWIN]
    expected = native.run(TWIN, params, [data], pack.weights(twin, step), pack.channels(twin, step), out)
    for kernel in kernels_for(step):
        accepted = pack.accepts(kernel, step)
        if kernel.weights != "PLANES_REGISTERS":  # that one has the LINEAR form only
            assert accepted == packs, f"{kernel.name} {step.params}"
        if not accepted:
            continue
        blobs = pack.weights(kernel, step), pack.channels(kernel, step)
        assert native.data_valid(kernel.name, params, *blobs)
        got = native.run(kernel.name, params, [data], *blobs, out)
        expect_same(got, expected, f"{kernel.name} {step.params}")
        if kernel.overlap == "EXACT" and size == out:
            got = native.run(kernel.name, params, [data], *blobs, out, in_place=0)
            expect_same(got, expected, f"{kernel.name} in place {step.params}")
    return len(kernels_for(step))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [(3, 3), (5, 5), (7, 7), (3, 5), (9, 7), (1, 5)])
def test_every_padding(kernel: tuple[int, int], stride: int) -> None:
    reach_h, reach_w = (range(min(k, 4)) if k > 3 else range(k) for k in kernel)
    found = 0
    for pads in itertools.product(reach_h, reach_h, reach_w, reach_w):
        rng = np.random.default_rng(pads)
        h, w = rng.integers(1, 14, 2)
        step = make_step(int(h), int(w), 5, kernel, stride, pads, RELU, seed=int(h))
        if step and step.params["pad_top"] < kernel[0] and step.params["pad_left"] < kernel[1]:
            found += check(step)
    assert found > (8 if kernel[0] > 1 else 4)


@pytest.mark.parametrize("values", [RELU, PLAIN, CUT, INNER], ids=["relu", "plain", "cut", "inner"])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 1), (5, 2), (7, 1), (7, 2)])
def test_every_plane_and_tail(kernel: int, stride: int, values: dict[str, int]) -> None:
    """SAME padding; all planes of 1x1 .. 9x9, then larger ones; channels of every remainder."""
    half = kernel // 2
    channels = itertools.cycle([1, 2, 3, 4, 5, 6, 7, 8])
    found = 0
    for h, w in [
        *itertools.product(range(1, 10), repeat=2),
        (25, 5),
        (48, 48),
        (15, 16),
        (14, 31),
        (29, 6),
        (45, 7),
    ]:
        step = make_step(
            h, w, next(channels), (kernel, kernel), stride, (half,) * 4, values, seed=100 * h + w
        )
        assert step is not None
        found += check(step)
    assert found > 70


@pytest.mark.parametrize("weight", [-128, 127])
@pytest.mark.parametrize("pixel", [-128, 127])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 1), (7, 2), (7, 1)])
def test_extremes(kernel: int, stride: int, weight: int, pixel: int) -> None:
    """All pixels and weights at a limit, input_zero at the other one."""
    half, c = kernel // 2, 6
    weights = np.full((1, kernel, kernel, c), weight, np.int8)
    records = np.stack(
        [np.linspace(-(2**22), 2**22, c), np.linspace(2**30, INT32_MAX, c), np.arange(-9, -9 + c)], axis=1
    )
    for values in (RELU, PLAIN):
        step = make_step(
            11, 10, c, (kernel, kernel), stride, (half,) * 4, values, weights=weights, channels=records
        )
        step.params["input_zero"] = -1 - pixel
        assert check(step, np.full(11 * 10 * c, pixel, np.int8))


RECORDS = {  # (bias, multiplier, shift): what no ordinary layer has
    "multiplier 0": (1234, 0, 0),
    "nearly dead": (-50_000_000, 3 << 29, -22),
    "dead at a value": (1 << 27, 1 << 30, -21),
    "large exponent": (77, INT32_MAX, -14),
    "just inside": (-3000, INT32_MAX, -11),
    "small exponent": (5, (1 << 30) + 12345, -3),
}


@pytest.mark.parametrize("name", RECORDS)
def test_unusual_channels_have_a_linear_form(name: str) -> None:
    """Beside an ordinary channel, with ReLU: no layer is left to the slow kernels because of them."""
    records = np.array([RECORDS[name], (100, 1_500_000_000, -6)], np.int64)
    for kernel, stride in ((3, 1), (3, 2), (5, 1), (7, 2)):
        step = make_step(
            9, 8, 2, (kernel, kernel), stride, (kernel // 2,) * 4, RELU, channels=records, seed=kernel
        )
        assert check(step)


def test_values_that_are_refused() -> None:
    """Left shifts and exponents below 2 without ReLU, sums that could leave int32: other kernels take them."""
    for record in ((0, 1 << 30, 3), (0, 1 << 30, -1), (INT32_MAX, 1 << 30, -5)):
        step = make_step(6, 6, 1, (3, 3), 1, (1, 1, 1, 1), PLAIN, channels=np.array([record], np.int64))
        assert check(step, packs=False) == 1


def test_single_rounding_is_linear_without_relu() -> None:
    step = make_step(8, 8, 7, (3, 3), 1, (1, 1, 1, 1), PLAIN)
    step.params["rounding"] = 1
    assert check(step)
    assert pack.weights(defs.kernels()["depthwise_s8_hwc_planes_3x3"], step)[:4] == bytes(4)


@pytest.mark.parametrize("kind", ["linear", "double"])
@pytest.mark.parametrize("seed", range(4))
def test_forms_over_all_sums(kind: str, seed: int) -> None:
    """The constants that the packer finds, in 64-bit arithmetic, for every sum that the weights can reach."""
    rng = np.random.default_rng(seed)
    c = 24
    records = np.stack(
        [rng.integers(-20000, 20000, c), rng.integers(1 << 30, 1 << 31, c), -rng.integers(3, 16, c)], axis=1
    )
    limits = [1 << 30, (1 << 30) + 1, 3 << 29, INT32_MAX]  # halves that tie, and carries
    records[:8, 1] = limits * 2
    if kind == "double":
        records[:, 2] = -rng.integers(2, 12, c)
    values = RELU if kind == "linear" else PLAIN
    step = make_step(4, 4, c, (3, 3), 1, (1, 1, 1, 1), values, seed=seed, channels=records)
    layer = pack_depthwise._layer(step)
    form = getattr(pack_depthwise, kind)(layer)
    assert form is not None
    low, high = int(layer.low.min()), int(layer.high.max())
    acc = np.linspace(low, high, 40_001).astype(np.int64)[:, None]
    acc = np.concatenate([acc, np.arange(-3000, 3000)[:, None], layer.low[None].T, layer.high[None].T])
    acc = np.clip(acc, layer.low, layer.high)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(layer.weights == 0, np.nan, form.weights / layer.weights)
    scale = np.nan_to_num(np.nanmax(ratio, axis=(0, 1))).astype(np.int64)
    x = scale * (acc - layer.bias) + form.bias
    assert (np.abs(x) < 1 << 31).all()
    if kind == "linear":
        y = form.constant1 + (x * form.constant0 >> 32)
        assert (np.abs(y) < 1 << 31).all()
        got = np.clip(y >> pack_depthwise.LINEAR_SHIFT, -128, 127)
    else:
        y = x + ((x * form.constant0 + (1 << 31)) >> 32)
        assert (fixedpoint.wrap_int32(y) == y).all()
        got = np.clip(((y * form.constant1 + (1 << 31)) >> 32) + values["output_zero"], -128, 127)
    assert np.array_equal(got, layer.defined(acc))


@pytest.mark.parametrize("exponent", range(2, 12))
def test_second_rounding_of_double_for_every_y(exponent: int) -> None:
    """round(y * (2**(32 - e) + 1) / 2**32) against a division that rounds halves away from zero, clamped: all ties
    and their neighbours, and random y of every size."""
    rng = np.random.default_rng(exponent)
    ties = (2 * rng.integers(-(2 ** (31 - exponent)), 2 ** (31 - exponent), 200_000) + 1) << (exponent - 1)
    near = (2 * np.arange(-100_000, 100_000) + 1) << (exponent - 1)
    anywhere = rng.integers(-(2**31), 2**31, 200_000) >> rng.integers(0, 24, 200_000)
    y = np.concatenate([ties, near, ties + 1, ties - 1, near + 1, near - 1, anywhere, [-(2**31), 2**31 - 1]])
    y = np.clip(y, -(2**31), 2**31 - 1)
    zero = int(rng.integers(-128, 128))
    got = fixedpoint.wrap_int32(zero + ((y * ((1 << (32 - exponent)) + 1) + (1 << 31)) >> 32))
    expected = fixedpoint.rounding_divide_by_pot(y, exponent) + zero
    assert np.array_equal(np.clip(got, -128, 127), np.clip(expected, -128, 127))


def test_any_bytes_run_clean(sanitized) -> None:
    """A hostile blob gives some output; the form must be one of the two."""
    for kernel, size, stride in (("3x3", 3, 1), ("3x3_stride2", 3, 2), ("wide", 5, 1), ("wide", 7, 2)):
        step = make_step(9, 7, 6, (size, size), stride, (1, 1, 1, 1), RELU)
        name = f"depthwise_s8_hwc_planes_{kernel}"
        params = step.packed_params
        (count,), out = native.tensor_bytes("depthwise", params)
        for form, fill in itertools.product((0, 1, 2), (0x00, 0x7F, 0x80, 0xFF)):
            blob = bytes([form, 0, 0, 0]) + bytes([fill]) * (native.weights_bytes(name, params) - 4)
            got = sanitized.run(name, params, [bytes([fill]) * count], blob, b"", bytes(out))
            assert (got is not None) == (form < 2)


@pytest.mark.parametrize("values", [RELU, PLAIN, CUT], ids=["relu", "plain", "cut"])
@pytest.mark.parametrize("multiplier", [1, 2, 3])
@pytest.mark.parametrize("dilation", [(1, 1), (1, 2), (2, 1), (3, 3), (4, 2), (7, 5)])
def test_phases_of_any_size(dilation: tuple[int, int], multiplier: int, values: dict[str, int]) -> None:
    """Dilated planes of 3x3, phases of unequal size, several strips, with depth multipliers."""
    kernel, found = defs.kernels()["depthwise_s8_hwc_phases_3x3"], 0
    for i, (h, w) in enumerate([(7, 10), (8, 8), (16, 15), (31, 11), (61, 10)]):
        c, (dh, dw) = 1 + (3 * i + multiplier) % 6, dilation
        pads = [i % (2 * dh + 1), 2 * dh, i % (2 * dw + 1), dw]
        out_h, out_w = h + pads[0] + pads[1] - 2 * dh, w + pads[2] + pads[3] - 2 * dw
        rng = np.random.default_rng(i)
        weights = rng.integers(-127, 128, (1, 3, 3, c * multiplier)).astype(np.int8)
        step = make_step(h, w, c * multiplier, (3, 3), 1, (1, 1, 1, 1), values, seed=i, weights=weights)
        assert step
        params = step.params | dict(
            in_c=c, out_h=out_h, out_w=out_w, pad_top=pads[0], pad_left=pads[2], dilation_h=dh, dilation_w=dw,
            depth_multiplier=multiplier,
        )  # fmt: skip
        step = replace(step, params=params)
        check(step)
        found += native.supports(kernel.name, step.packed_params)
    if dilation[1] < 5:  # else some phases have one column
        assert found == (0 if dilation == (1, 1) and multiplier == 1 else 5)
