"""Packs weights of transposed convolutions: TRANSPOSED_BYTEPAIRS, TRANSPOSED_PAIRS, TRANSPOSED_WINOGRAD2.

An output row oy = py + j * stride_h meets the kernel's rows (py + pad_top) % stride_h, + stride_h, ...: the taps of
the phase, of which the last reads the oldest input row. So each phase is a convolution with some of the weights in
reverse, packed like any other, with a bias of its own (dsp/transposed_conv2d.h). Winograd: dsp/transposed_winograd.h.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from host.oracle.fixedpoint import wrap_int32
from host.plan import pack_gemm, pack_winograd
from host.plan.network import Step

WINOGRAD2 = np.array([[0, 0, 1], [1, 0, 1], [1, 0, 0], [0, 1, 0]])  # g2, g0 + g2, g0, g1


def transposed_bytepairs(step: Step) -> bytes | None:
    """A BYTEPAIRS blob of each phase, row by row."""
    return _of_phases(step, pack_gemm.bytepairs)


def transposed_pairs(step: Step) -> bytes | None:
    """A PAIRS blob of each phase, row by row."""
    return _of_phases(step, pack_gemm.pairs)


def _of_phases(step: Step, packer: Callable[[Step], bytes | None]) -> bytes | None:
    assert step.channels is not None
    if step.params["weights_zero"]:
        return None
    blobs = []
    for weights in phases(step):
        bias = step.channels[:, 0].astype(np.int64)
        bias -= step.params["input_zero"] * weights.astype(np.int64).sum(axis=(1, 2, 3))
        channels = np.column_stack([wrap_int32(bias), step.channels[:, 1:]]).astype(np.int32)
        blob = packer(replace(step, weights=weights, channels=channels))
        if blob is None:
            return None
        blobs.append(blob)
    return b"".join(blobs)


def transposed_winograd2(step: Step) -> bytes | None:
    """int16 U [oc / 2][16][channel pair][2][2], then four int32 a channel: -input_zero * sum(w) of each phase.

    Nothing is scaled, so any sums do.
    """
    if step.params["weights_zero"] or step.weights is None or step.weights.shape[1:3] != (3, 3):
        return None
    u = pack_winograd.filled(pack_winograd.transform(step.weights, WINOGRAD2))
    blocks = u.reshape(len(u) // 2, 2, u.shape[1] // 2, 2, 16).transpose(0, 4, 2, 1, 3)
    w = step.weights.astype(np.int64).sum(axis=3)
    sums = [w[:, py::2, px::2].sum(axis=(1, 2)) for py in (0, 1) for px in (0, 1)]
    fixes = wrap_int32(-step.params["input_zero"] * np.stack(sums, axis=1))
    return blocks.astype("<i2").tobytes() + fixes.astype("<i4").tobytes()


def phases(step: Step) -> Iterator[np.ndarray]:
    """Weights [oc, taps_h, taps_w, whole groups of ic] of each phase of the output; a zero tap where it has none."""
    assert step.weights is not None
    weights = np.pad(step.weights, ((0, 0), (0, 0), (0, 0), (0, -step.weights.shape[3] % 4)))
    p = step.params
    for py in range(min(p["stride_h"], p["out_h"])):
        rows = weights[:, (py + p["pad_top"]) % p["stride_h"] :: p["stride_h"]][:, ::-1]
        for px in range(min(p["stride_w"], p["out_w"])):
            taps = rows[:, :, (px + p["pad_left"]) % p["stride_w"] :: p["stride_w"]][:, :, ::-1]
            yield taps if taps.size else np.zeros((len(weights), 1, 1, 4), np.int8)
