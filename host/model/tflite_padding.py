"""Padding that the format has no field for, said with what it has; exactly.

The format knows SAME and VALID. Padding of a convolution becomes a PAD in front of it (in `tflite_write`), that of a
max pool too, where the zeros it fills with are the lowest value. A transposed convolution gets a larger kernel: zeros
at an edge of it move where SAME cuts, and add nothing to any sum.
"""

from __future__ import annotations

import numpy as np

from host.model import graph as g

Edges = tuple[tuple[int, int], tuple[int, int]]


def zero_is_lowest(x: g.Tensor) -> bool:
    """Whether a max pool may see zeros for padding: int8 whose zero point is the lowest value, as after RELU."""
    return x.quant is not None and x.quant.zero_point == np.iinfo(np.int8).min


def kernel_edges(x: g.Tensor, y: g.Tensor, kernel: tuple[int, int], op: g.TransposedConv2D) -> Edges | None:
    """(before, after) rows and columns of zeros around a transposed convolution's kernel that make its padding SAME.

    None where no kernel does: SAME's output has from (n - 1) * stride + 1 to n * stride rows for n of the input.
    """
    found = []
    sizes = zip(x.shape[1:3], y.shape[1:3], kernel, op.stride, (op.padding.top, op.padding.left), strict=True)
    for size, out, k, stride, before in sizes:
        if -(-out // stride) != size:
            return None
        # SAME cuts half of what is too much before the output, rounded down: (cut + a + b) // 2 = before + a.
        cut = (size - 1) * stride + k - out
        a, b = max(cut - 2 * before - 1, 0), max(2 * before - cut, 0)
        if cut + a + b < 0:
            return None
        found.append((a, b))
    return found[0], found[1]


def widened(weights: np.ndarray, edges: Edges, zero: float) -> np.ndarray:
    """Weights [oc, kh, kw, ic] with rows and columns of zeros around the kernel."""
    return np.pad(weights, ((0, 0), *edges, (0, 0)), constant_values=zero)
