"""Packs weights of bits: BITS."""

from __future__ import annotations

import numpy as np

from host.plan.network import Step


def bits(step: Step) -> bytes:
    """The words as they are: int32, OHWI or OHW, weight plane, I."""
    assert step.weights is not None
    return np.ascontiguousarray(step.weights, dtype="<i4").tobytes()
