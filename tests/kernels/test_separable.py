"""Kernels that are outer products: found, factored within their types, and refused where they are not."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from host import defs, native
from host.bench.separable import conv_outer_products, depthwise_separable, outer_products
from host.compile import compile_graph
from host.model import graph as g
from host.plan import choose, lower, pack, pack_depthwise, pack_separable
from host.plan.network import Step
from host.report.description import describe
from host.report.tables import print_network
from tests.kernels import cases_separable
from tests.kernels.test_twins import expect_same

SIZES = st.sampled_from([1, 3, 5, 7])


def weights(seed: int, kind: str, height: int, width: int, channels: int = 6) -> np.ndarray:
    """int8 [height, width, channels]."""
    outer = cases_separable.outer(np.random.default_rng(seed), kind, channels, height, width)
    return np.moveaxis(outer, 0, 2)


@given(st.integers(0, 2**32 - 1), SIZES, SIZES)
def test_factors_multiply_to_the_kernel(seed, height, width):
    w = weights(seed, "outer", height, width)
    found = pack_separable.factors(w)
    assert found is not None
    u, v = found
    assert np.array_equal(u[:, None] * v, w)
    largest = np.abs(w.astype(np.int64)).max(axis=(0, 1))
    assert (np.abs(u).max(axis=0) <= largest).all() and (np.abs(v).max(axis=0) <= largest).all()


@given(st.integers(0, 2**32 - 1), st.sampled_from([3, 5, 7]), st.sampled_from([3, 5, 7]))
def test_one_weight_off_is_refused_unless_it_is_an_outer_product_again(seed, height, width):
    w = weights(seed, "nearly outer", height, width)
    rank = max(np.linalg.matrix_rank(w[..., c].astype(np.int64)) for c in range(w.shape[2]))
    if rank > 1:
        assert pack_separable.factors(w) is None


def depthwise_step(w: np.ndarray) -> Step:
    """The step of a layer with these weights [height, width, channels]."""
    height, width, channels = w.shape
    graph = outer_products(9, 9, channels, max(height, width)).graph()
    graph.tensors[1] = replace(graph.tensors[1], shape=(1, *w.shape), data=w[None])
    graph.ops[0].padding = g.Padding(height // 2, height // 2, width // 2, width // 2)
    (step,) = lower.lower(graph).steps
    return step


def test_rows_whose_sums_leave_int16_are_refused():
    ones = np.ones((3, 5, 4), np.int8)
    assert pack_depthwise.separable(depthwise_step(0 * ones)) is not None
    assert pack_depthwise.separable(depthwise_step(127 * ones)) is not None  # the column takes the divisor
    for row, fits in (
        ([127, 127, 2, 0, 0], True),  # -128 * 256 is the lowest int16
        ([-127, -127, -2, 0, 0], False),
        ([127, 127, 3, 0, 0], False),
        ([-127, -127, -1, 0, 0], True),
    ):
        packed = pack_depthwise.separable(depthwise_step(ones * np.array(row, np.int8)[:, None]))
        assert (packed is not None) == fits, row


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


@pytest.mark.parametrize("kernel", [(3, 3), (5, 5), (2, 7)])
def test_a_convolution_of_outer_products_gets_the_kernel_and_another_does_not(kernel):
    graph = conv_outer_products(9, 9, 4, 6, kernel).graph()
    (step,) = lower.lower(graph).steps
    assert "conv2d_s8_hwc_separable" in choose.candidates_of(step)
    graph.tensors[1].data = graph.tensors[1].data.copy()
    graph.tensors[1].data[3, 1, 1, 2] ^= 1
    (step,) = lower.lower(graph).steps
    assert "conv2d_s8_hwc_separable" not in choose.candidates_of(step)


@pytest.mark.parametrize("column", [(-128, -128, -128), (0, -128, 64), (-128, 127, 0), (-1, 0, 1)])
@pytest.mark.parametrize("row", [(1, 1, 1), (1, 0, 1), (0, 0, 1)])
def test_a_factor_of_128_is_exact(column, row):
    """-128 divided by a row of -1 would be 128, which int8 does not have."""
    graph = conv_outer_products(5, 6, 3, 2, (3, 3)).graph()
    w = np.broadcast_to(np.outer(column, row).astype(np.int8)[None, :, :, None], (2, 3, 3, 3))
    graph.tensors[1].data = np.ascontiguousarray(w)
    (step,) = lower.lower(graph).steps
    kernel, twin = (defs.kernels()[n] for n in ("conv2d_s8_hwc_separable", "conv2d_s8_hwc_ref"))
    x = np.random.default_rng(0).integers(-128, 128, 5 * 6 * 3, np.int8)
    assert pack.accepts(kernel, step)
    outputs = [
        native.run(k.name, step.packed_params, [x], pack.weights(k, step), pack.channels(k, step), 5 * 6 * 2)
        for k in (kernel, twin)
    ]
    expect_same(*outputs, f"{column} times {row}")


def test_inspect_says_which_layers_they_are():
    compiled = compile_graph(conv_outer_products(9, 9, 4, 6, (3, 3)).graph(), slimmed=False)
    other = compile_graph(depthwise_separable(9, 9, 4, 6).graph(), slimmed=False)
    assert [layer["outer_products"] for layer in describe(compiled)["layers"]] == [True]
    assert [layer["outer_products"] for layer in describe(other)["layers"]] == [False, False]
    console = Console(file=io.StringIO(), width=160)
    print_network(console, compiled, len(compiled.plan))
    assert "kernels are a column times a row: layers 0" in console.file.getvalue()
    print_network(console, other, len(other.plan))
    assert console.file.getvalue().count("a column times a row") == 1
