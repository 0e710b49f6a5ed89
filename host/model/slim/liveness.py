"""Which channels must stay: the network's inputs and outputs, and what they need, to the least fixed point.

A convolution or fully connected layer does not read a channel of its operand if, in each output channel
that stays and is not constant, the channel's weights are zero, or the channel is constant and adds the same
to every window. The latter goes into the bias. A constant at the zero point adds nothing, anywhere; any
other constant adds less to a window that reaches into the padding, and is read. Output channels that are
constant read nothing: `rebuild` gives them zero weights and a bias that makes the constant.

All other operators tie channels of input and output together (`Link`). If nothing of an output stays, its
operator disappears, and ties nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from host.model import graph as g
from host.model.slim.channels import Link, dims, is_reader, links
from host.model.slim.filters import Filter
from host.model.slim.intervals import Intervals


def live_channels(graph: g.Graph, axes: dict[int, int], intervals: Intervals) -> dict[int, np.ndarray]:
    """bool [channels] by tensor: what stays. All false: nothing needs the tensor."""
    live = {i: np.zeros(dims(graph.tensors[i])[axis], bool) for i, axis in axes.items()}
    for border in (*graph.inputs, *graph.outputs):
        live[border.tensor][:] = True
    rules = [_rule(graph, op, axes, intervals) for op in reversed(graph.ops)]
    while True:
        before = _count(live)
        for rule in rules:
            rule(live)
        # Only when nothing else asks for a channel of an operand is one kept in order not to leave it empty,
        # and what that one needs is marked before the next.
        if _count(live) == before and not any(_keep_one(op, live, intervals) for op in graph.ops):
            return live


def _count(live: dict[int, np.ndarray]) -> int:
    return sum(int(mask.sum()) for mask in live.values())


def _rule(
    graph: g.Graph, op: g.Op, axes: dict[int, int], intervals: Intervals
) -> Callable[[dict[int, np.ndarray]], None]:
    """A function that marks in `live` what the operator needs."""
    y = op.outputs[0]
    if is_reader(graph, op):
        return _Reads(op.inputs[0], y, intervals.filters[y].sources, _reads(graph, op, intervals))
    return _Ties(y, links(graph, op, axes))


@dataclass
class _Ties:
    output: int
    links: list[Link]

    def __call__(self, live: dict[int, np.ndarray]) -> None:
        y = live[self.output]
        if not y.any():
            return
        for link in self.links:
            x = live[link.operand]
            x[link.source[y[link.target]]] = True
            y[link.target[x[link.source]]] = True


@dataclass
class _Reads:
    operand: int
    output: int
    sources: np.ndarray | None
    reads: np.ndarray  # bool [oc, ic]

    def __call__(self, live: dict[int, np.ndarray]) -> None:
        y, x = live[self.output], live[self.operand]
        if self.sources is None:
            x[:] |= y.any()
        else:
            x[self.sources[self.reads[y].any(0)]] = True


def _reads(graph: g.Graph, op: g.Op, intervals: Intervals) -> np.ndarray:
    """Whether output channel oc needs the values of column ic, bool [oc, ic]."""
    filter = intervals.filters[op.outputs[0]]
    reads = (filter.weights != 0).any((0, 1))
    reads[intervals.bounds[op.outputs[0]].constant] = False
    if filter.sources is None:
        return reads
    x, zero = intervals.bounds[op.inputs[0]], graph.tensors[op.inputs[0]].quant.zero_point
    constant = x.constant[filter.sources]
    for column in np.flatnonzero(constant):
        if x.low[filter.sources[column]] == zero:
            reads[:, column] = False
        else:
            reads[:, column] &= ~_uniform(filter, column)
    return reads


def _uniform(filter: Filter, column: int) -> np.ndarray:
    """Whether a constant column adds the same to every window, bool [oc]."""
    sums = filter.window_sums(filter.weights[..., column])
    return (sums == sums[0]).all(0)


def _keep_one(op: g.Op, live: dict[int, np.ndarray], intervals: Intervals) -> bool:
    """Keep a channel of each operand that would be empty; whether there was one. A constant one costs least."""
    if isinstance(op, g.Concatenation) or not live[op.outputs[0]].any():
        return False  # a concatenation does without the operand
    empty = [i for i in op.operands if not live[i].any()]
    for index in empty:
        live[index][np.argmax(intervals.bounds[index].constant)] = True
    return bool(empty)
