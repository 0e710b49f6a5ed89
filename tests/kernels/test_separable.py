"""Kernels that are outer products: found, factored within their types, and refused where they are not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.bench.separable import outer_products
from host.compile import compile_graph
from host.plan import choose, lower, pack_depthwise
from tests.kernels import cases_separable

SIZES = st.sampled_from([1, 3, 5, 7])


def weights(seed: int, kind: str, height: int, width: int, channels: int = 6) -> np.ndarray:
    """int8 [height, width, channels]."""
    outer = cases_separable.outer(np.random.default_rng(seed), kind, channels, height, width)
    return np.moveaxis(outer, 0, 2)


@given(st.integers(0, 2**32 - 1), SIZES, SIZES)
def test_factors_multiply_to_the_kernel_and_sums_fit_int16(seed, height, width):
    w = weights(seed, "outer", height, width)
    found = pack_depthwise.factors(w)
    rank = [np.linalg.matrix_rank(w[..., c].astype(np.int64)) for c in range(w.shape[2])]
    assert max(rank) <= 1
    if found is None:
        # only for rows whose sums could leave int16, which a common divisor can prevent
        assert np.abs(w.astype(np.int64)).sum(axis=1).max() > 127
        return
    u, v = found
    assert np.array_equal(u[:, None] * v, w)
    for pixels in (np.where(v > 0, -128, 127), np.where(v > 0, 127, -128)):
        assert np.abs((pixels * v).sum(axis=0)).max() < 1 << 15


@given(st.integers(0, 2**32 - 1), st.sampled_from([3, 5, 7]), st.sampled_from([3, 5, 7]))
def test_one_weight_off_is_refused_unless_it_is_an_outer_product_again(seed, height, width):
    w = weights(seed, "nearly outer", height, width)
    rank = max(np.linalg.matrix_rank(w[..., c].astype(np.int64)) for c in range(w.shape[2]))
    if rank > 1:
        assert pack_depthwise.factors(w) is None


def test_limits():
    ones = np.ones((3, 5, 1), np.int8)
    assert pack_depthwise.factors(0 * ones) is not None
    assert pack_depthwise.factors(127 * ones) is not None  # the column takes the divisor
    row = np.array([127, 126, 2, 0, 0], np.int8)  # sums of up to 128 * 255 = 32640 fit
    assert pack_depthwise.factors((ones[..., 0] * row)[..., None]) is not None
    row = np.array([127, 127, 2, 0, 0], np.int8)  # 32768 does not
    assert pack_depthwise.factors((ones[..., 0] * row)[..., None]) is None


@pytest.mark.parametrize("kernel", [5, 7])
def test_a_layer_of_outer_products_gets_the_kernel_and_another_does_not(kernel):
    graph = outer_products(20, 20, 8, kernel).graph()
    (step,) = lower.lower(graph).steps
    assert "depthwise_s8_hwc_separable" in choose.candidates_of(step)
    assert compile_graph(graph, slimmed=False).net.steps[0].kernel == "depthwise_s8_hwc_separable"
    graph.tensors[1].data = graph.tensors[1].data.copy()
    graph.tensors[1].data[0, 0, 0, 0] ^= 1
    (step,) = lower.lower(graph).steps
    assert "depthwise_s8_hwc_separable" not in choose.candidates_of(step)
