"""Kernels that are outer products: finds their factors, and packs them for conv2d_s8_hwc_separable.

A kernel of rank 1 is computed in two passes whose intermediate sums stay whole, so that no bit changes. Rank 0, a
kernel of zeros, will do too. A single weight that is off makes rank 2, and no packing.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from host.plan import pack_gemm
from host.plan.network import Step

INT8_MAX = 127


def factors(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Integers u [rows, n], v [columns, n] with weights[y, x] = u[y] * v[x] in all n kernels; None if there are none.

    v has no common divisor, so that its products are as small as can be. No factor is beyond the largest weight, 128.
    """
    w = weights.astype(np.int64)
    kernels = np.arange(w.shape[2])
    pivot = (w != 0).any(axis=1).argmax(axis=0)  # a row that is not all zero, if there is one
    row = w[pivot, :, kernels].T
    v = row // np.maximum(np.gcd.reduce(row, axis=0), 1)
    place = (v != 0).argmax(axis=0)
    divisor = v[place, kernels]
    u = w[:, place, kernels] // np.where(divisor == 0, 1, divisor)
    return (u, v) if np.array_equal(u[:, None] * v, w) else None


def row_and_column(step: Step) -> tuple[np.ndarray, np.ndarray] | None:
    """Factors u [kernel_h, out_c], v [kernel_w or kernel_w * in_c, out_c] of a convolution's kernels, or None."""
    assert step.weights is not None
    w = step.weights
    if step.op == "depthwise":
        return factors(w.reshape(step.params["kernel_h"], step.params["kernel_w"], -1))
    return factors(w.reshape(*w.shape[:2], -1).transpose(1, 2, 0))


def has_outer_products(step: Step) -> bool:
    """Whether the step's kernels have rows and columns and all are outer products of integers: see row_and_column()."""
    p = step.params
    if step.op not in ("conv2d", "depthwise") or p["weights_zero"] or 1 in (p["kernel_h"], p["kernel_w"]):
        return False
    return row_and_column(step) is not None


def separable_bytepairs(step: Step) -> bytes | None:
    """BYTEPAIRS of the convolution along rows with v, then u int8 [out_c][2][kernel_h]."""
    p = step.params
    if p["weights_zero"] or p["groups"] != 1:
        return None
    found = row_and_column(step)
    if found is None:
        return None
    u, v = found
    sign = np.where(u.max(axis=0) > INT8_MAX, -1, 1)  # 128 * -1 is -128 * 1, which fits int8
    u, v = u * sign, v * sign
    out_c = v.shape[1]
    records = np.zeros((out_c, 3), np.int32)
    blob = pack_gemm.bytepairs(
        replace(step, weights=v.T.reshape(out_c, 1, p["kernel_w"], -1), channels=records)
    )
    return None if blob is None else blob + np.concatenate([u, u]).T.astype(np.int8).tobytes()
