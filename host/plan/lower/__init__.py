"""Lowers a graph to steps: one rule an operator, which fills in a kernel's integer parameters and raw weights.

A rule is a function (graph, op, net) -> None that appends steps; `RULES` maps operator classes to rules. All numbers
come from host.oracle.params, so the device computes with the oracle's own integers.
"""

from __future__ import annotations

from collections.abc import Callable

from host.errors import UnsupportedError
from host.model import graph as g
from host.plan.lower import binary, convolutions, deformable, others
from host.plan.lower.common import storage
from host.plan.network import Network


def lower(graph: g.Graph) -> Network:
    """Steps and storage of the whole graph. Raises UnsupportedError for what no kernel could express."""
    net = Network(graph.name, graph.source_sha256, [], [], [], [])
    net.inputs = [storage(graph, net, b.tensor) for b in graph.inputs]
    for op in graph.ops:
        RULES[type(op)](graph, op, net)
    if not net.steps:
        raise UnsupportedError("the network computes nothing: it has no operator that a device would run")
    written = set(net.inputs) | {s.output for s in net.steps}
    for border in graph.outputs:
        if net.storage.get(border.tensor) not in written:
            raise UnsupportedError(f"output {border.name!r} is a constant")
    net.outputs = [net.storage[b.tensor] for b in graph.outputs]
    return net


RULES: dict[type[g.Op], Callable[..., None]] = {
    g.Conv2D: convolutions.convolution,
    g.DepthwiseConv2D: convolutions.convolution,
    g.TransposedConv2D: convolutions.transposed_convolution,
    g.DeformableConv2D: deformable.deformable,
    g.FullyConnected: convolutions.fully_connected,
    g.Add: others.add,
    g.AveragePool2D: others.pool,
    g.MaxPool2D: others.pool,
    g.Mean: others.mean,
    g.Pad: others.pad,
    g.Reshape: others.reshape,
    g.Softmax: others.softmax,
    g.Transpose: others.transpose,
    g.Concatenation: others.concatenation,
    g.ResizeNearest: others.resize_nearest,
    g.Quantize: others.quantize,
    **binary.RULES,
}
