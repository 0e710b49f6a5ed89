"""Packs weights for the Winograd kernels, and proves that their sums come out exact.

U = G g G^T of a 3x3 filter g, with G times an integer so that it is whole (firmware/kernels/dsp/winograd.h). The
kernels find `scale * acc` modulo 2^32; scale is 9 * 2^6 at most for n = 4, where 9 is divided out modulo 2^32, and 4
for n = 2. So acc must fit int32 after a left shift by 6 (2): every sum over any int8 input, bias included, must be
within +-2^25 (2^29), else there is no packing.
"""

from __future__ import annotations

import numpy as np

from host.plan.network import Step

G4 = np.array([[3, 0, 0], [-1, -1, -1], [-1, 1, -1], [1, 2, 4], [1, -2, 4], [0, 0, 3]])
G2 = np.array([[1, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 1]])
G2_STRIDE2 = np.array([[1, 0, 0], [1, 0, 1], [0, 0, 1], [0, 1, 0]])
SUMS_STRIDE2 = ((0, 3), (1,), (2, 3))  # rows of G2_STRIDE2 in each of the three sums
ORDER4 = (1, 2, 3, 4, 0, 5)  # rows of the transform in the order of the kernel's positions
ORDER2 = (1, 2, 0, 3)
LANE4 = 0x3800  # added to the low lanes of V for n = 4
PIXEL_OFFSET4 = 128  # added to its pixels
BLOCK_C = 2  # output channels next to each other
LIMIT4 = 1 << 25
LIMIT2 = 1 << 29


def winograd4(step: Step) -> bytes | None:
    """int16 U as the kernel reads it, then five int32 a channel that undo what its lanes add."""
    u = _transformed(step, G4, ORDER4, LIMIT4)
    if u is None:
        return None
    assert step.weights is not None
    w = step.weights.astype(np.int64)
    low = w[..., np.arange(w.shape[3]) % 4 < 2].sum(axis=3)  # channels in low lanes
    fixes = [-PIXEL_OFFSET4 * w.sum(axis=(1, 2, 3))]
    for x in (2, 3):
        for y in (2, 3):
            fixes.append(-4 * LANE4 * low[:, 4 - y :, 4 - x :].sum(axis=(1, 2)))
    return u + np.stack(fixes, axis=1).astype(np.uint32).astype("<u4").tobytes()


def winograd2(step: Step) -> bytes | None:
    """int16 U as the kernel reads it."""
    return _transformed(step, G2, ORDER2, LIMIT2)


def winograd2_stride2(step: Step) -> bytes | None:
    """int16 U as the kernel reads it: a run for each of M's 3 x 3 positions. Nothing is scaled, so any sums do."""
    assert step.weights is not None
    if step.params["weights_zero"]:
        return None
    u = filled(transform(step.weights, G2_STRIDE2))
    pairs = u.shape[1] // 2
    runs = []
    for rows in SUMS_STRIDE2:
        for columns in SUMS_STRIDE2:
            products = u[:, :, list(rows)][:, :, :, list(columns)].reshape(
                len(u) // BLOCK_C, BLOCK_C, pairs, 2, -1
            )
            runs.append(products.transpose(0, 2, 4, 1, 3).reshape(len(u) // BLOCK_C, -1))
    return np.concatenate(runs, axis=1).astype("<i2").tobytes()


def sums_range(step: Step) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest sum of each channel over all int8 inputs, bias included, int64 [oc].

    Padding is an int8 input too: the zero point. The bias is the folded one.
    """
    assert step.weights is not None and step.channels is not None
    w = step.weights.astype(np.int64).reshape(len(step.weights), -1)
    bias = step.channels[:, 0].astype(np.int64)
    lowest = bias + np.minimum(-128 * w, 127 * w).sum(axis=1)
    highest = bias + np.maximum(-128 * w, 127 * w).sum(axis=1)
    return lowest, highest


def transform(weights: np.ndarray, g: np.ndarray) -> np.ndarray:
    """U, int64 [oc, ic, window, window], of OHWI weights."""
    return np.einsum("ia,oabc,jb->ocij", g, weights.astype(np.int64), g)


def _transformed(step: Step, g: np.ndarray, order: tuple[int, ...], limit: int) -> bytes | None:
    """[oc block][position][channel pair][BLOCK_C][2] int16, channels and output channels filled up with zeros."""
    assert step.weights is not None
    lowest, highest = sums_range(step)
    if step.params["weights_zero"] or lowest.min() < -limit or highest.max() >= limit:
        return None
    u = filled(transform(step.weights, g))
    pairs = u.shape[1] // 2
    blocks = u[:, :, order, :].reshape(len(u) // BLOCK_C, BLOCK_C, pairs, 2, -1)
    return np.ascontiguousarray(blocks.transpose(0, 4, 2, 1, 3)).astype("<i2").tobytes()


def filled(u: np.ndarray) -> np.ndarray:
    """[oc, ic, ...] with zeros up to whole blocks and groups, input channels in the order of the kernels' pairs."""
    u = np.pad(u, ((0, -len(u) % BLOCK_C), (0, -u.shape[1] % 4), (0, 0), (0, 0)))
    return u[:, [4 * group + c for group in range(u.shape[1] // 4) for c in (0, 2, 1, 3)]]
