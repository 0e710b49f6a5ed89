"""Packs a step's weights and channel records into the layouts that kernels.def names; one function a layout.

A packer returns None if the step's values are not for that layout: a weight of -128 where bytes are paired, a
shift that a short requantisation excludes, sums that could leave an accumulator. Such a kernel is no candidate,
so everything that exactness needs to know about values is decided here, on the host.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from host.defs import KernelDef
from host.plan import (
    pack_binary,
    pack_depthwise,
    pack_gemm,
    pack_separable,
    pack_transposed,
    pack_winograd,
)
from host.plan.network import Step

Packer = Callable[[Step], bytes | None]


def accepts(kernel: KernelDef, step: Step) -> bool:
    """Whether the step's weights and channels can be packed for that kernel."""
    return all(pack(part) is not None for pack, part in _packers(kernel, step))


def weights(kernel: KernelDef, step: Step) -> bytes:
    """The weights blob of the step for a kernel that accepts it."""
    pack, part = _packers(kernel, step)[0]
    blob = pack(part)
    assert blob is not None
    return blob


def channels(kernel: KernelDef, step: Step) -> bytes:
    """The blob of per-channel records of the step for a kernel that accepts it; of a fused step its second part's."""
    pack, part = _packers(kernel, step)[1]
    blob = pack(part)
    assert blob is not None
    return blob


def _packers(kernel: KernelDef, step: Step) -> tuple[tuple[Packer, Step], tuple[Packer, Step]]:
    """Of both blobs, with the step that they pack: itself, or one part each."""
    if step.parts:
        first, second = step.parts
        return (_WEIGHTS[kernel.weights], first), (_WEIGHTS[kernel.channels], second)
    return (_WEIGHTS[kernel.weights], step), (_CHANNELS[kernel.channels], step)


def _none(step: Step) -> bytes:
    return b""


def _as_they_are(step: Step) -> bytes:
    """The array in C order, little-endian: int8 [oc,kh,kw,ic] or [kh,kw,c], tables as their dtype says."""
    assert step.weights is not None
    return np.ascontiguousarray(step.weights).astype(step.weights.dtype.newbyteorder("<")).tobytes()


def _by_groups(packer: Callable[[Step], bytes | None]) -> Callable[[Step], bytes | None]:
    """Packs each group of a convolution as a layer of its own; the blobs follow each other."""

    def pack(step: Step) -> bytes | None:
        blobs = [packer(group) for group in _groups(step)]
        return None if None in blobs else b"".join(blobs)  # type: ignore[arg-type]

    return pack


def _groups(step: Step) -> list[Step]:
    """The groups of a convolution as steps."""
    groups = step.params.get("groups", 1)
    if groups == 1:
        return [step]
    assert step.weights is not None and step.channels is not None
    params = step.params | dict(
        groups=1, in_c=step.params["in_c"] // groups, out_c=step.params["out_c"] // groups
    )
    parts = zip(np.split(step.weights, groups), np.split(step.channels, groups), strict=True)
    return [replace(step, params=params, weights=w, channels=c) for w, c in parts]


def _whole_rows(packer: Callable[[Step], bytes | None]) -> Callable[[Step], bytes | None]:
    """Packs weights [oc,kh,kw,ic] with each row of the window, kw * ic weights, filled up to whole words with zeros."""

    def pack(step: Step) -> bytes | None:
        assert step.weights is not None
        rows = step.weights.reshape(*step.weights.shape[:2], -1)
        return packer(replace(step, weights=np.pad(rows, ((0, 0), (0, 0), (0, -rows.shape[2] % 4)))))

    return pack


def _int32_records(step: Step) -> bytes:
    """int32 [oc, words of a record]."""
    assert step.channels is not None
    return np.ascontiguousarray(step.channels, dtype="<i4").tobytes()


def _weights_and_records(step: Step) -> bytes:
    """Both one behind the other, the records at a multiple of four bytes."""
    values = _as_they_are(step)
    return values + bytes(-len(values) % 4) + _int32_records(step)


_WEIGHTS: dict[str, Packer] = {
    "NONE": _none,
    "OHWI": _as_they_are,
    "OHWI_BMS": _weights_and_records,
    "U16": _as_they_are,
    "SOFTMAX_TABLE": _as_they_are,
    "WINOGRAD4": _by_groups(pack_winograd.winograd4),
    "WINOGRAD2": _by_groups(pack_winograd.winograd2),
    "WINOGRAD2_STRIDE2": _by_groups(pack_winograd.winograd2_stride2),
    "PLANES_3X3": pack_depthwise.planes_3x3,
    "PLANES_3X3_STRIDE2": pack_depthwise.planes_3x3_stride2,
    "PLANES_REGISTERS": pack_depthwise.planes_registers,
    "PLANES_WIDE": pack_depthwise.planes_wide,
    "SEPARABLE": pack_depthwise.separable,
    "SEPARABLE_BYTEPAIRS": pack_separable.separable_bytepairs,
    "PAIRS": _by_groups(pack_gemm.pairs),
    "BYTEPAIRS": _by_groups(pack_gemm.bytepairs),
    "GATHERED_PAIRS": _by_groups(_whole_rows(pack_gemm.pairs)),
    "GATHERED_BYTEPAIRS": _by_groups(_whole_rows(pack_gemm.bytepairs)),
    "TRANSPOSED_BYTEPAIRS": pack_transposed.transposed_bytepairs,
    "TRANSPOSED_PAIRS": pack_transposed.transposed_pairs,
    "TRANSPOSED_WINOGRAD2": pack_transposed.transposed_winograd2,
    "ROWS4": pack_gemm.rows4,
    "SAMPLES": pack_gemm.samples,
    "BITS": pack_binary.bits,
    "COUNTED_BITS": pack_binary.counted_bits,
}

_CHANNELS: dict[str, Packer] = {
    "NONE": _none,
    "BMS": _int32_records,
    "BMSN": _int32_records,
    "AFFINE": _int32_records,
}
