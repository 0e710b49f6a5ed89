"""Packs weights and requantisation for matrix products: PAIRS, BYTEPAIRS, SAMPLES (dsp/gemm.h), ROWS4 (dsp/rows4.h).

Everything that exactness needs to know is decided here: whether every sum fits the 23 bits that BYTEPAIRS leaves, and
which code of requantisation holds for each pair of channels.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from host.oracle.deformable import masked_sample_bounds, rounded_sum
from host.plan.network import Step
from host.plan.pack_winograd import sums_range

ROUND_DOUBLE = 0
ROWS4_SHIFTS = (-25, 5)
BYTEPAIRS_LIMIT = 1 << 23
SAFE_SHIFTS = range(2, 12)  # right shifts of the code SHORT for any int32 sum
PLAIN = -(1 << 31)  # sign of a record's power
INT32_MIN = -(1 << 31)


def pairs(step: Step) -> bytes | None:
    """Records, then for each channel pair and group of four inputs the bytes u0 v0 u2 v2 u1 v1 u3 v3."""
    if step.params["weights_zero"]:
        return None
    assert step.channels is not None
    return _records(step, step.channels[:, 0].astype(np.int64)) + _pair_bytes(step)


def bytepairs(step: Step) -> bytes | None:
    """Records, then int16 for each channel pair and group of inputs: 256 * u1 + u0, 256 * u3 + u2, the same of v."""
    assert step.channels is not None
    lowest, highest = sums_range(step)
    groups = _groups(step)
    lanes = 256 * groups[..., 1::2] + groups[..., ::2]  # [pair, channel, group, lane]
    if step.params["weights_zero"] or not _bytepairs_fit(lanes, lowest, highest):
        return None
    even = groups[..., ::2].sum(axis=(2, 3)).reshape(-1)[: len(lowest)]
    bias = 256 * step.channels[:, 0].astype(np.int64) - 127 * even
    return _records(step, bias) + lanes.transpose(0, 2, 1, 3).astype("<i2").tobytes()


def samples(step: Step) -> bytes | None:
    """PAIRS of a deformable convolution's weights, for sums with 8 bits of fraction that fit int32.

    Inputs are, for each offset group and tap, the group's channels, filled up to four with zeros. Weights between
    groups are zeros too.
    """
    p = step.params
    assert step.channels is not None and step.weights is not None
    bias = step.channels[:, 0].astype(np.int64)
    bounds = _samples_range(step, bias)
    if p["weights_zero"] or bounds[0].min() < -BYTEPAIRS_LIMIT or bounds[1].max() >= BYTEPAIRS_LIMIT:
        return None
    out_c, kernel_h, kernel_w, group_c = step.weights.shape
    dense = np.zeros((p["groups"], out_c // p["groups"], kernel_h * kernel_w, p["groups"], group_c), np.int8)
    for group, weights in enumerate(step.weights.reshape(*dense.shape[:3], group_c)):
        dense[group, :, :, group] = weights
    runs = dense.reshape(out_c, kernel_h * kernel_w, p["offset_groups"], -1).transpose(0, 2, 1, 3)
    runs = np.pad(runs, ((0, 0), (0, 0), (0, 0), (0, -runs.shape[3] % 4)))
    return _records(step, 256 * bias + 128, bounds) + _pair_bytes(replace(step, weights=runs))


def _samples_range(step: Step, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest sum of each channel without fraction, bias included."""
    if not step.params["masked"]:
        return sums_range(step)
    assert step.weights is not None
    low, high = masked_sample_bounds(step.params["input_zero"], step.params["mask_zero"])
    w = step.weights.astype(np.int64).reshape(len(step.weights), -1)
    least, largest = np.minimum(low * w, high * w).sum(axis=1), np.maximum(low * w, high * w).sum(axis=1)
    return bias + rounded_sum(least), bias + rounded_sum(largest)


def rows4(step: Step) -> bytes | None:
    """For every four output channels: biases, weights of each group of four inputs, multipliers, powers."""
    assert step.channels is not None and step.weights is not None
    lowest, highest = sums_range(step)
    out_c, in_c = step.weights.shape
    weights = np.pad(step.weights.astype(np.int64), ((0, -out_c % 4), (0, -in_c % 8)))
    lanes = 256 * weights[:, 1::2] + weights[:, ::2]
    records = step.channels.astype(np.int64)
    shift, nudge = records[:, 2], (records[:, 3] & 0xFFFFFFFF) + (records[:, 4] << 32)
    usual = (
        (nudge == 1 << 30 - shift).all() and shift.min() >= ROWS4_SHIFTS[0] and shift.max() <= ROWS4_SHIFTS[1]
    )
    if step.params["weights_zero"] or not usual or not _bytepairs_fit(lanes, lowest, highest):
        return None
    columns = np.zeros((3, len(weights)), np.int64)
    columns[0, :out_c] = 256 * records[:, 0] - 127 * weights[:out_c, ::2].sum(axis=1)
    columns[1, :out_c] = records[:, 1]
    columns[2, :out_c] = 1 << 25 + shift
    head, multiplier, power = columns.astype(np.uint32).astype("<u4").view("<i2").reshape(3, -1, 8)
    body = lanes.astype("<i2").reshape(len(weights) // 4, 4, -1, 2).transpose(0, 2, 1, 3)
    return np.concatenate([head, body.reshape(len(head), -1), multiplier, power], axis=1).tobytes()


def _bytepairs_fit(lanes: np.ndarray, lowest: np.ndarray, highest: np.ndarray) -> bool:
    within = lowest.min() >= -BYTEPAIRS_LIMIT and highest.max() < BYTEPAIRS_LIMIT
    return bool(lanes.min() >= -(1 << 15) and within)


def short_power(multiplier: int, shift: int, low: int, high: int) -> tuple[int, int] | None:
    """Powers of the codes SHORT (0 if only TIES holds) and TIES for sums from low to high, or None if neither holds.

    Double rounding: y = SRDHM(x, multiplier), then RDBPOT(y, -shift). TIES subtracts 1 from a negative y, which does
    not wrap: y > -2^31, for the multiplier is below 2^31. Sums beyond int32 may be any after they wrap.
    """
    right = -shift
    if multiplier == 0:
        return 0, 0
    if multiplier < 1 << 30 or right < 2:
        return None
    reach = max(_high_mul(max(high, 0), multiplier), -_high_mul(min(low, 0), multiplier))
    in_int32 = low >= INT32_MIN and high < -INT32_MIN
    if in_int32 and reach < 1 << right - 1:
        return 0, 0  # every output is the zero point
    power = 1 << 32 - right
    if right in SAFE_SHIFTS or (in_int32 and reach < power):
        return power + 1, power
    return 0, power


def _high_mul(x: int, multiplier: int) -> int:
    return (x * multiplier + (1 << 30)) >> 31


def _pair_bytes(step: Step) -> bytes:
    """Weights of PAIRS: for each channel pair and group of inputs u0 v0 u2 v2 u1 v1 u3 v3."""
    words = _groups(step)[..., [0, 2, 1, 3]].transpose(0, 2, 3, 1)  # [pair, group, input, channel]
    return words.astype(np.int8).tobytes()


def _groups(step: Step) -> np.ndarray:
    """Weights [channel pair, channel, group, 4], int64, filled up with zeros."""
    assert step.weights is not None
    flat = step.weights.astype(np.int64).reshape(len(step.weights), -1)
    flat = np.pad(flat, ((0, -len(flat) % 2), (0, -flat.shape[1] % 4)))
    return flat.reshape(len(flat) // 2, 2, -1, 4)


def _records(step: Step, bias: np.ndarray, bounds: tuple[np.ndarray, np.ndarray] | None = None) -> bytes:
    """struct gemm_record of each channel pair; `bounds` of the sums if they are not those of int8 inputs."""
    assert step.channels is not None
    lowest, highest = bounds or sums_range(step)
    double = step.params["rounding"] == ROUND_DOUBLE
    channels = [(int(m), int(s)) for _, m, s in step.channels]
    powers = [
        short_power(m, s, int(low), int(high)) if double else None
        for (m, s), low, high in zip(channels, lowest, highest, strict=True)
    ]
    if len(channels) % 2:  # a last channel that nobody sees
        bias, channels, powers = np.append(bias, 0), [*channels, (0, 0)], [*powers, (0, 0)]
    records = np.zeros((len(channels) // 2, 6), np.int64)
    for i, record in enumerate(records):
        both = slice(2 * i, 2 * i + 2)
        record[:2] = bias[both]
        (m0, s0), (m1, s1) = channels[both]
        codes = powers[both]
        if None in codes:
            record[2:] = m0, PLAIN + s0 + 31, m1, PLAIN + s1 + 31
            continue
        ties = any(short == 0 and even != 0 for short, even in codes)
        record[2:] = 2 * m0, codes[0][ties], 2 * m1, codes[1][ties]
    return records.astype(np.uint32).astype("<u4").tobytes()
