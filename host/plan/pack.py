"""Packs a step's weights and channel records into the layouts that kernels.def names; one function a layout.

A packer returns None if the step's values are not for that layout: a weight of -128 where bytes are paired, a
shift that a short requantisation excludes, sums that could leave an accumulator. Such a kernel is no candidate,
so everything that exactness needs to know about values is decided here, on the host.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from host.defs import KernelDef
from host.plan import pack_depthwise, pack_gemm, pack_transposed, pack_winograd
from host.plan.network import Step


def accepts(kernel: KernelDef, step: Step) -> bool:
    """Whether the step's weights and channels can be packed for that kernel."""
    return _WEIGHTS[kernel.weights](step) is not None and _CHANNELS[kernel.channels](step) is not None


def weights(kernel: KernelDef, step: Step) -> bytes:
    """The weights blob of the step for a kernel that accepts it."""
    blob = _WEIGHTS[kernel.weights](step)
    assert blob is not None
    return blob


def channels(kernel: KernelDef, step: Step) -> bytes:
    """The blob of per-channel records of the step for a kernel that accepts it."""
    blob = _CHANNELS[kernel.channels](step)
    assert blob is not None
    return blob


def _none(step: Step) -> bytes:
    return b""


def _as_they_are(step: Step) -> bytes:
    """The array in C order, little-endian: int8 [oc,kh,kw,ic] or [kh,kw,c], tables as their dtype says."""
    assert step.weights is not None
    return np.ascontiguousarray(step.weights).astype(step.weights.dtype.newbyteorder("<")).tobytes()


def _int32_records(step: Step) -> bytes:
    """int32 [oc, words of a record]."""
    assert step.channels is not None
    return np.ascontiguousarray(step.channels, dtype="<i4").tobytes()


_WEIGHTS: dict[str, Callable[[Step], bytes | None]] = {
    "NONE": _none,
    "OHWI": _as_they_are,
    "U16": _as_they_are,
    "SOFTMAX_TABLE": _as_they_are,
    "WINOGRAD4": pack_winograd.winograd4,
    "WINOGRAD2": pack_winograd.winograd2,
    "WINOGRAD2_STRIDE2": pack_winograd.winograd2_stride2,
    "PLANES_3X3": pack_depthwise.planes_3x3,
    "PLANES_3X3_STRIDE2": pack_depthwise.planes_3x3_stride2,
    "PLANES_REGISTERS": pack_depthwise.planes_registers,
    "PLANES_WIDE": pack_depthwise.planes_wide,
    "PAIRS": pack_gemm.pairs,
    "BYTEPAIRS": pack_gemm.bytepairs,
    "TRANSPOSED_BYTEPAIRS": pack_transposed.transposed_bytepairs,
    "ROWS4": pack_gemm.rows4,
}

_CHANNELS: dict[str, Callable[[Step], bytes | None]] = {
    "NONE": _none,
    "BMS": _int32_records,
    "BMSN": _int32_records,
}
