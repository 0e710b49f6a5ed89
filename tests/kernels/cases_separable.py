"""Weights that are outer products, and such that are nearly: no random ones ever are."""

from __future__ import annotations

import numpy as np

KINDS = ("outer", "outer", "outer", "nearly outer")
# Largest factors (of the column, of the row) whose products fit int8.
LIMITS = ((11, 11), (11, 11), (1, 127), (127, 1), (3, 40), (40, 3))


def outer(rng: np.random.Generator, kind: str, channels: int, height: int, width: int) -> np.ndarray:
    """int8 [channels, height, width] of rank 1, zeros among them; `nearly`: one weight is off by one."""
    most_u, most_v = LIMITS[rng.integers(len(LIMITS))]
    u = rng.integers(-most_u, most_u + 1, (channels, height, 1))
    v = rng.integers(-most_v, most_v + 1, (channels, 1, width))
    u[rng.random(channels) < 0.1] = 0
    w = u * v
    if kind.startswith("nearly"):
        at = tuple(rng.integers(n) for n in w.shape)
        w[at] += 1 if w[at] < 0 else -1
    return w.astype(np.int8)


def ohwi(rng: np.random.Generator, kind: str, op: str, params: dict[str, int]) -> bytes:
    """The weights of a depthwise or another convolution: kernels of one channel, or of all its input channels."""
    p = params
    if op == "depthwise":
        return np.moveaxis(outer(rng, kind, p["out_c"], p["kernel_h"], p["kernel_w"]), 0, 2).tobytes()
    return outer(rng, kind, p["out_c"], p["kernel_h"], p["kernel_w"] * (p["in_c"] // p["groups"])).tobytes()
