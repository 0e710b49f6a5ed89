"""Packs weights of bits: BITS and COUNTED_BITS."""

from __future__ import annotations

import numpy as np

from host.plan.network import Step


def bits(step: Step) -> bytes:
    """The words as they are: int32, OHWI or OHW, weight plane, I."""
    assert step.weights is not None
    return np.ascontiguousarray(step.weights, dtype="<i4").tobytes()


def counted_bits(step: Step) -> bytes:
    """int32 [oc], (2**planes - 1) times the worth of the channel's set bits; then the words as O, plane, HWI."""
    assert step.weights is not None
    words = np.ascontiguousarray(step.weights.transpose(0, 3, 1, 2, 4), dtype="<i4")
    octets = words.reshape(*words.shape[:2], -1).view(np.uint8)
    set_bits = np.unpackbits(octets, axis=-1).sum(axis=-1, dtype=np.int64)
    worth = (set_bits << np.arange(words.shape[1])).sum(axis=1) * ((1 << step.params["planes"]) - 1)
    return worth.astype("<i4").tobytes() + words.tobytes()
