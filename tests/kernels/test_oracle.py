"""Every kernel that suits a lowered network of one operator, against the numpy oracle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host import defs, native
from host.errors import UnsupportedError
from host.model import graph as g
from host.oracle.run import run_graph
from host.plan import choose, pack
from host.plan.lower import lower
from host.plan.network import Network, Step
from tests import nets
from tests.kernels.test_twins import expect_same


def run_step(net: Network, step: Step, kernel: str, values: dict[int, np.ndarray]) -> np.ndarray:
    """The step's output on this machine, flat."""
    definition = defs.kernels()[kernel]
    inputs = [values[i] for i in step.inputs]
    return native.run(
        kernel,
        step.packed_params,
        inputs,
        pack.weights(definition, step),
        pack.channels(definition, step),
        net.tensors[step.output].bytes,
        before=values.get(step.output),
    )


@pytest.mark.parametrize("name", nets.STRATEGIES)
def test_equals_the_oracle(name: str) -> None:
    @settings(max_examples=2 * settings().max_examples)
    @given(nets.STRATEGIES[name](), st.data())
    def check(graph: g.Graph, data: st.DataObject) -> None:
        inputs = data.draw(nets.inputs_for(graph))
        try:
            net = lower(graph)
        except UnsupportedError:
            return
        values = {i: t.data.ravel() for i, t in enumerate(net.tensors) if t.data is not None}
        values |= {t: x.ravel() for t, x in zip(net.inputs, inputs, strict=True)}
        expected = run_graph(graph, inputs)
        for step in net.steps:
            candidates = choose.candidates_of(step)
            bad = native.params_valid(step.op, step.packed_params)
            assert candidates, f"no kernel for {step.op} {step.params}: {bad}"
            outputs = [run_step(net, step, kernel, values) for kernel in candidates]
            for kernel, output in zip(candidates, outputs, strict=True):
                expect_same(output, outputs[-1], f"{kernel} against its twin, {step.params}")
            values[step.output] = outputs[-1]
        last = graph.outputs[0].tensor
        expect_same(values[net.storage[last]], expected[last].ravel(), f"{name}: {net.steps}")

    check()
