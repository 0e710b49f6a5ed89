"""Fused steps: depthwise and pointwise in one, exact, and without the tensor between them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from host import defs, native
from host.bench.case import Case
from host.bench.separable import depthwise_separable
from host.compile import compile_graph
from host.model import graph as g
from host.oracle.run import run_graph
from host.plan import choose, fuse, lower
from tests import nets
from tests.kernels.test_twins import expect_same
from tests.native_plan import NativePlan

KERNELS = [k.name for k in defs.kernels().values() if k.op == fuse.OP]


def run_natively(compiled, inputs: list[np.ndarray]) -> np.ndarray:
    """The first output of the plan, flat."""
    plan, net = NativePlan(compiled.plan), compiled.net
    for tensor, data in zip(net.inputs, inputs, strict=True):
        plan.write(tensor, data)
    for i in range(len(net.steps)):
        plan.run_step(i)
    return plan.read(net.outputs[0], net.tensors[net.outputs[0]].bytes)


@pytest.mark.parametrize("kernel", KERNELS)
def test_fused_steps_equal_the_oracle(kernel):
    @given(nets.STRATEGIES["depthwise_separable"](), st.integers(1, 9), st.data())
    def check(graph: g.Graph, rows: int, data: st.DataObject) -> None:
        net = lower.lower(graph)
        if net.steps[0].op != "depthwise":
            return  # a multiplier that lowering makes groups of
        (pair,) = fuse.pairs(net)
        fused = fuse.fuse(net, [pair], rows)
        assert len(fused.steps) == len(net.steps) - 1 and len(fused.tensors) == len(net.tensors) - 1
        if kernel not in choose.candidates_of(fused.steps[0]):
            return
        compiled = compile_graph(graph, lambda name: name == kernel, slimmed=False)
        assert [s.kernel for s in compiled.net.steps] == [kernel]
        inputs = data.draw(nets.inputs_for(graph))
        expected = run_graph(graph, inputs)[graph.outputs[0].tensor]
        expect_same(run_natively(compiled, inputs), expected.reshape(-1), kernel)

    check()


def with_mean(graph: g.Graph) -> g.Graph:
    """The block's input stays needed: its mean is a second output."""
    x = graph.tensors[0]
    graph.tensors.append(g.Tensor("mean", (1, x.shape[3]), x.dtype, x.quant))
    graph.ops.append(g.Mean((0,), (len(graph.tensors) - 1,), 2, (1, 2)))
    graph.outputs.append(g.Border(len(graph.tensors) - 1, "mean", x.dtype))
    return graph


def followed_by_convolution(graph: g.Graph) -> g.Graph:
    """The network with a 5x5 convolution, as large as its output, behind it."""
    (border,), count = graph.outputs, len(graph.tensors)
    before = graph.tensors[border.tensor]
    channels = before.shape[3]
    rng = np.random.default_rng(count)
    weights = rng.integers(-127, 128, (channels, 5, 5, channels), dtype=np.int8)
    quant = g.Quant(np.full(channels, 0.01, np.float32), 0)
    graph.tensors += [replace(before), g.Tensor("w", weights.shape, weights.dtype, quant, weights)]
    graph.ops.append(g.Conv2D((border.tensor, count + 1, -1), (count,), 9, padding=g.Padding(2, 2, 2, 2)))
    graph.outputs = [g.Border(count, "behind", np.dtype(np.int8))]
    return graph


def block(case: Case) -> tuple[g.Graph, int, int]:
    """The case's network, and the bytes of a row and of all of the tensor between."""
    graph = case.graph()
    shape = graph.tensors[graph.ops[0].outputs[0]].shape
    return graph, math.prod(shape[2:]), math.prod(shape)


@pytest.mark.parametrize(
    ("case", "needed"),
    [
        (depthwise_separable(24, 12, 32, 8), True),  # otherwise the depthwise would be in place
        (depthwise_separable(24, 24, 32, 32, kernel=5, stride=2), False),
        (depthwise_separable(24, 12, 32, 32, multiplier=2), False),
    ],
    ids=["input needed", "5x5 stride 2", "multiplier 2"],
)
@pytest.mark.parametrize("rows", [1, 4])
def test_the_tensor_between_takes_no_memory_but_a_strip(case, needed, rows):
    graph, row_bytes, middle_bytes = block(case)
    if needed:
        graph = with_mean(graph)
    net = lower.lower(graph)
    two, _ = choose.choose(net)
    (pair,) = fuse.pairs(net)
    fused, _ = choose.choose(fuse.fuse(net, [pair], rows))
    depthwise, step = two.steps[0], fused.steps[0]
    assert depthwise.kernel in fuse.part_kernels(step.kernel)
    out_bytes = two.tensors[two.outputs[0]].bytes if needed else 0
    overlap = 0 if needed else native.gap_bytes(step.kernel, step.packed_params)
    strip = step.scratch_bytes - depthwise.scratch_bytes
    assert two.arena_bytes - fused.arena_bytes == middle_bytes - strip - out_bytes - overlap
    assert strip == rows * row_bytes


def test_of_reference_kernels_all_of_it_is_saved_but_a_pixel():
    graph, _, middle_bytes = block(depthwise_separable(24, 12, 32, 32, multiplier=2))
    graph = with_mean(graph)
    two = compile_graph(graph, choose.reference_only, slimmed=False).net
    fused = compile_graph(graph, lambda name: name == KERNELS[-1] or "mean" in name, slimmed=False).net
    assert two.arena_bytes - fused.arena_bytes == middle_bytes - 64


def test_a_limit_is_met_by_fusing():
    graph, _, middle_bytes = block(depthwise_separable(24, 24, 32, 32, kernel=5, stride=2))
    fast = compile_graph(graph, slimmed=False)
    limit = fast.net.arena_bytes - middle_bytes // 2
    small = compile_graph(graph, slimmed=False, limits=choose.Limits(arena_bytes=limit))
    assert [s.op for s in small.net.steps] == [fuse.OP]
    assert small.net.arena_bytes <= limit and small.price.cost < 1.1 * fast.price.cost
    inputs = [np.random.default_rng(1).integers(-128, 128, graph.tensors[0].shape, dtype=np.int8)]
    expected = run_graph(graph, inputs)[graph.outputs[0].tensor]
    assert np.array_equal(run_natively(small, inputs), expected.reshape(-1))


def test_they_are_asked_for_by_name():
    graph, *_ = block(depthwise_separable(12, 12, 32, 32))

    def steps(kernels: str) -> list[str]:
        return [s.op for s in compile_graph(graph, choose.admission(kernels), slimmed=False).net.steps]

    assert steps("*depthwise_pointwise*") == [fuse.OP]
    assert steps("*depthwise_pointwise*,*winograd*") == [fuse.OP]
    for kernels in ("all", "ref", "*bytepairs*", "depthwise*", "*"):
        assert steps(kernels) == ["depthwise", "conv2d"]


def test_only_a_lone_pointwise_convolution_is_fused():
    graph, *_ = block(depthwise_separable(12, 12, 8, 8))
    assert len(list(fuse.pairs(lower.lower(graph)))) == 1
    seen = graph.copy()
    seen.outputs = [*graph.outputs, g.Border(3, "middle", np.dtype(np.int8))]
    assert not list(fuse.pairs(lower.lower(seen)))
    strided = graph.copy()
    strided.ops[1].stride = (2, 2)
    strided.tensors[6].shape = (1, 6, 6, 8)
    assert not list(fuse.pairs(lower.lower(strided)))
    twice = with_mean(graph.copy())
    twice.ops[2].inputs = (3,)
    assert not list(fuse.pairs(lower.lower(twice)))


def test_slack_is_spent_on_fusing():
    graph, *_ = block(depthwise_separable(24, 24, 32, 32, kernel=5, stride=2))
    # costly layers of small tensors behind it, so that the block is a small part of the work
    for _ in range(3):
        graph = followed_by_convolution(graph)
    fast = compile_graph(graph, slimmed=False)
    small = compile_graph(graph, slimmed=False, limits=choose.Limits(slack=0.02))
    assert fuse.OP in [s.op for s in small.net.steps] and fuse.OP not in [s.op for s in fast.net.steps]
    assert small.net.arena_bytes < fast.net.arena_bytes
    assert small.price.cost <= 1.02 * fast.price.cost
