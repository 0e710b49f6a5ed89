"""Grouped convolution on the host: the rewrite to a depthwise one, and slimming, which leaves groups alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.compile import compile_graph
from host.model import graph as g
from host.model.rewrites import rewrite, split_groups
from host.oracle.run import run_graph
from tests import nets
from tests.native_plan import NativePlan
from tests.nets.classic import conv2d_graphs

INT8 = np.dtype("int8")


def network(groups: int, group_c: int, group_out: int) -> g.Graph:
    """A 3x3 convolution with scales per channel, no padding."""
    rng = np.random.default_rng(groups)
    in_c, out_c = groups * group_c, groups * group_out
    tensors = [
        g.Tensor("x", (1, 6, 7, in_c), INT8, nets.make_quant(0.05, 7)),
        g.Tensor("w", (out_c, 3, 3, group_c), INT8, nets.make_quant(rng.uniform(0.001, 0.003, out_c), 0),
                 rng.integers(-127, 128, (out_c, 3, 3, group_c)).astype(np.int8)),
        g.Tensor("y", (1, 4, 5, out_c), INT8, nets.make_quant(0.03, -4)),
    ]  # fmt: skip
    return nets.one_operator("grouped", tensors, g.Conv2D((0, 1, -1), (2,), 0, groups=groups))


@given(st.data())
def test_groups_of_one_channel_become_depthwise(data: st.DataObject) -> None:
    graph = data.draw(st.integers(2, 5).flatmap(lambda groups: conv2d_graphs(None, groups)))
    inputs = data.draw(nets.inputs_for(graph))
    expected = run_graph(graph, inputs)[graph.outputs[0].tensor]
    split = graph.copy()
    split_groups(split)
    (op,) = split.ops
    assert isinstance(op, g.DepthwiseConv2D) == (graph.tensors[graph.ops[0].inputs[1]].shape[3] == 1)
    np.testing.assert_array_equal(run_graph(split, inputs)[graph.outputs[0].tensor], expected)
    assert split.total_macs == graph.total_macs


def test_the_plan_has_the_depthwise_kernels() -> None:
    for group_c, op in ((1, "depthwise"), (2, "conv2d")):
        for group_out in (1, 3):
            (step,) = compile_graph(network(4, group_c, group_out)).net.steps
            assert step.op == op, (group_c, group_out)
            assert not step.kernel.endswith("_ref") or op == "depthwise"


def test_macs_are_those_of_the_groups() -> None:
    graph = network(4, 2, 3)
    assert graph.total_macs == 4 * 5 * 12 * 9 * 2


def test_slimming_leaves_groups_alone() -> None:
    """A channel of zeros would go from a plain convolution."""
    graph = network(2, 3, 4)
    graph.tensors[1].data[3] = 0
    slimmed, _ = rewrite(graph)
    assert slimmed.tensors[1].shape == graph.tensors[1].shape
    x = np.random.default_rng(1).integers(-128, 128, (1, 6, 7, 6), INT8)
    np.testing.assert_array_equal(run_graph(slimmed, [x])[2], run_graph(graph, [x])[2])


@pytest.mark.parametrize(
    ("kernel", "stride", "multiplier", "op"),
    [
        (3, 1, 2, "depthwise"),
        (3, 2, 1, "depthwise"),
        (3, 2, 2, "conv2d"),
        (5, 1, 3, "conv2d"),
        (5, 1, 1, "depthwise"),
    ],
)
def test_multiplied_channels_have_a_fast_kernel(kernel: int, stride: int, multiplier: int, op: str) -> None:
    rng = np.random.default_rng(kernel)
    size, c = (11 - kernel) // stride + 1, 3 * multiplier
    tensors = [
        g.Tensor("x", (1, 11, 11, 3), INT8, nets.make_quant(0.05, 7)),
        g.Tensor("w", (1, kernel, kernel, c), INT8, nets.make_quant(rng.uniform(0.001, 0.003, c), 0, 3),
                 rng.integers(-127, 128, (1, kernel, kernel, c)).astype(np.int8)),
        g.Tensor("y", (1, size, size, c), INT8, nets.make_quant(0.03, -4)),
    ]  # fmt: skip
    layer = g.DepthwiseConv2D((0, 1, -1), (2,), 0, (stride, stride), multiplier=multiplier)
    compiled = compile_graph(nets.one_operator("multiplied", tensors, layer))
    (step,) = compiled.net.steps
    assert (
        step.op == op and not step.kernel.endswith("_ref") and step.macs == size * size * c * kernel * kernel
    )
    x = rng.integers(-128, 128, (1, 11, 11, 3), INT8)
    plan = NativePlan(compiled.plan)
    plan.write(compiled.net.inputs[0], x)
    plan.run_step(0)
    got = plan.read(compiled.net.outputs[0], size * size * c)
    np.testing.assert_array_equal(
        got, run_graph(compiled.graph, [x])[compiled.graph.outputs[0].tensor].ravel()
    )
