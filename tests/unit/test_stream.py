"""Row streaming and the choice of kernels under limits: exact, and as small as promised."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from host.compile import compile_graph
from host.errors import DoesNotFitError
from host.model import graph as g
from host.model.tflite_write import same_padding
from host.oracle.run import run_graph
from host.plan import choose, lower, serialise, stream
from host.plan.network import Network
from tests.native_plan import NativePlan


@st.composite
def chains(draw) -> g.Graph:
    """Two to four convolutions, depthwise or not, of any stride and padding, and an addition behind them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    quant = g.Quant(np.array([0.05], np.float32), draw(st.integers(-128, 127)))
    shape = (1, draw(st.integers(5, 14)), draw(st.integers(3, 9)), draw(st.sampled_from([3, 4, 8])))
    tensors = [g.Tensor("x", shape, np.dtype(np.int8), quant)]
    ops: list[g.Op] = []
    last = 0
    for i in range(draw(st.integers(2, 4))):
        kernel, stride = draw(st.sampled_from([1, 3, 5])), draw(st.sampled_from([1, 1, 2]))
        _, h, w, c = tensors[last].shape
        same = draw(st.booleans()) or min(h, w) < kernel
        pads = [same_padding(n, kernel, stride, 1) if same else (0, 0) for n in (h, w)]
        out_h, out_w = ((n + sum(p) - kernel) // stride + 1 for n, p in zip((h, w), pads, strict=True))
        depthwise = draw(st.booleans())
        out_c = c if depthwise else draw(st.sampled_from([4, 8, 5]))
        w_shape = (1, kernel, kernel, c) if depthwise else (out_c, kernel, kernel, c)
        weights = rng.integers(-127, 128, w_shape, dtype=np.int8)
        scale = g.Quant(np.full(out_c, 0.02, np.float32), 0, 3 if depthwise else 0)
        tensors.append(g.Tensor(f"w{i}", w_shape, np.dtype(np.int8), scale, weights))
        tensors.append(g.Tensor(f"t{i}", (1, out_h, out_w, out_c), np.dtype(np.int8), quant))
        cls = g.DepthwiseConv2D if depthwise else g.Conv2D
        padding = g.Padding(*pads[0], *pads[1])
        ops.append(
            cls((last, len(tensors) - 2, -1), (len(tensors) - 1,), i, (stride, stride), (1, 1), padding)
        )
        last = len(tensors) - 1
    tensors.append(g.Tensor("y", tensors[last].shape, np.dtype(np.int8), quant))
    ops.append(g.Add((last, last), (len(tensors) - 1,), len(ops)))
    borders = [g.Border(i, tensors[i].name, np.dtype(np.int8)) for i in (0, len(tensors) - 1)]
    return g.Graph("chain", tensors, ops, borders[:1], borders[1:])


def check(net: Network, graph: g.Graph, plan: bytes, data: np.ndarray) -> None:
    """Runs the plan natively; every step's tensor, or its rows, equals the oracle's."""
    expected = run_graph(graph, [data])
    native = NativePlan(plan)
    native.write(net.inputs[0], data)
    for i, step in enumerate(net.steps):
        native.run_step(i)
        assert native.alive(step.output, i + 1)
        wanted = expected[step.graph_output]
        wanted = wanted[:, slice(*step.rows)] if step.rows else wanted
        got = native.read(step.output, net.tensors[step.output].bytes)
        assert np.array_equal(got, wanted.reshape(-1)), f"step {i} {step.kernel} rows {step.rows}"


@given(chains(), st.data())
def test_streamed_chains_are_exact(graph, data):
    net = lower.lower(graph)
    ways = [s for i in range(len(net.steps) - 1) for s in stream.strips_around(net, i)]
    assume(ways)
    streamed = stream.stream(net, data.draw(st.sampled_from(ways)))
    assume(streamed is not None)
    streamed, _ = choose.choose(streamed)
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    check(
        streamed,
        graph,
        serialise.serialise(streamed),
        rng.integers(-128, 128, graph.tensors[0].shape, dtype=np.int8),
    )


@given(chains(), st.integers(40, 99))
def test_a_limit_is_met_exactly_or_refused_with_both_numbers(graph, percent):
    free = compile_graph(graph, slimmed=False)
    limit = free.net.arena_bytes * percent // 100
    try:
        compiled = compile_graph(graph, slimmed=False, limits=choose.Limits(arena_bytes=limit))
    except DoesNotFitError as refused:
        assert f"{limit:,}" in str(refused)
        return
    assert compiled.net.arena_bytes <= limit
    assert compiled.price.cost >= compiled.price.unlimited_cost
    check(compiled.net, graph, compiled.plan, np.full(graph.tensors[0].shape, 77, np.int8))


def expansion() -> g.Graph:
    """Expand, depthwise, project, as at the head of a MobileNetV2: the inner tensors are the large ones."""
    rng = np.random.default_rng(1)
    quant = g.Quant(np.array([0.05], np.float32), 0)
    shapes = [(1, 24, 24, 8), (1, 24, 24, 48), (1, 24, 24, 48), (1, 24, 24, 8)]
    tensors = [g.Tensor(f"t{i}", s, np.dtype(np.int8), quant) for i, s in enumerate(shapes)]

    def weights(shape: tuple[int, ...], axis: int) -> int:
        scale = g.Quant(np.full(shape[axis], 0.01, np.float32), 0, axis)
        tensors.append(
            g.Tensor("w", shape, np.dtype(np.int8), scale, rng.integers(-127, 128, shape, dtype=np.int8))
        )
        return len(tensors) - 1

    ops: list[g.Op] = [
        g.Conv2D((0, weights((48, 1, 1, 8), 0), -1), (1,), 0),
        g.DepthwiseConv2D((1, weights((1, 3, 3, 48), 3), -1), (2,), 1, padding=g.Padding(1, 1, 1, 1)),
        g.Conv2D((2, weights((8, 1, 1, 48), 0), -1), (3,), 2),
    ]
    borders = [g.Border(i, f"t{i}", np.dtype(np.int8)) for i in (0, 3)]
    graph = g.Graph("expansion", tensors, ops, borders[:1], borders[1:])
    # an addition behind it, so that the chain's output is not the network's
    tensors.append(g.Tensor("y", shapes[3], np.dtype(np.int8), quant))
    graph.ops.append(g.Add((3, 0), (len(tensors) - 1,), 3))
    graph.outputs = [g.Border(len(tensors) - 1, "y", np.dtype(np.int8))]
    return graph


def test_streaming_makes_an_expansion_small():
    graph = expansion()
    whole = compile_graph(graph, slimmed=False)
    small = compile_graph(graph, slimmed=False, limits=choose.Limits(arena_bytes=18_000))
    assert whole.net.arena_bytes > 27_000 and small.net.arena_bytes <= 18_000
    assert any(s.rows for s in small.net.steps)
    check(
        small.net,
        graph,
        small.plan,
        np.random.default_rng(2).integers(-128, 128, (1, 24, 24, 8), dtype=np.int8),
    )


def test_what_cannot_be_is_refused():
    with pytest.raises(DoesNotFitError, match="4,000"):
        compile_graph(expansion(), limits=choose.Limits(arena_bytes=4_000))
    with pytest.raises(DoesNotFitError, match="900"):
        compile_graph(expansion(), limits=choose.Limits(plan_bytes=900))


def test_a_limit_of_flash_gives_up_winograd_first():
    rng = np.random.default_rng(1)
    quant = g.Quant(np.array([0.05], np.float32), 0)
    data = rng.integers(-60, 60, (32, 3, 3, 32), dtype=np.int8)
    tensors = [
        g.Tensor("x", (1, 16, 16, 32), np.dtype(np.int8), quant),
        g.Tensor("w", data.shape, np.dtype(np.int8), g.Quant(np.full(32, 0.01, np.float32), 0), data),
        g.Tensor("y", (1, 16, 16, 32), np.dtype(np.int8), quant),
    ]
    borders = [g.Border(i, n, np.dtype(np.int8)) for i, n in ((0, "x"), (2, "y"))]
    op = g.Conv2D((0, 1, -1), (2,), 0, padding=g.Padding(1, 1, 1, 1))
    graph = g.Graph("conv", tensors, [op], borders[:1], borders[1:])
    fast, small = compile_graph(graph), compile_graph(graph, limits=choose.Limits(plan_bytes=12_000))
    assert "winograd" in fast.net.steps[0].kernel and "winograd" not in small.net.steps[0].kernel
    assert len(small.plan) <= 12_000 < len(fast.plan)
