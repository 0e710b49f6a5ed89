"""Strategies of separable convolutions: kernels that are outer products; a depthwise one with a 1x1 one behind it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from host.model import graph as g
from tests.kernels import cases_separable
from tests.nets.classic import conv2d_graphs, depthwise_graphs
from tests.nets.common import (
    activations,
    channels,
    make_quant,
    make_tensor,
    seeds,
    weights_and_bias,
    zero_points,
)


@st.composite
def depthwise_outer_graphs(draw: st.DrawFn, unsigned: bool | None = None) -> g.Graph:
    """DEPTHWISE_CONV_2D of kernels that are outer products, now and then but for one weight."""
    graph = draw(depthwise_graphs(unsigned))
    weights = graph.tensors[1]
    _, height, width, count = weights.shape
    rng, kind = np.random.default_rng(draw(seeds)), draw(st.sampled_from(cases_separable.KINDS))
    weights.data = np.moveaxis(cases_separable.outer(rng, kind, count, height, width), 0, 2)[None]
    return graph


@st.composite
def conv2d_outer_graphs(draw: st.DrawFn, unsigned: bool | None = None) -> g.Graph:
    """CONV_2D whose kernels are a column times a row over all channels, now and then but for one weight."""
    graph = draw(conv2d_graphs(unsigned))
    weights = graph.tensors[1]
    count, height, *rest = weights.shape
    rng, kind = np.random.default_rng(draw(seeds)), draw(st.sampled_from(cases_separable.KINDS))
    data = cases_separable.outer(rng, kind, count, height, math.prod(rest))
    graph.tensors[1] = replace(weights, data=data.reshape(weights.shape))
    return graph


@st.composite
def depthwise_separable_graphs(draw: st.DrawFn, unsigned: bool | None = None) -> g.Graph:
    """DEPTHWISE_CONV_2D, then CONV_2D 1x1 that alone reads it."""
    # kernels for many inputs start at 17
    graph = draw(depthwise_graphs(unsigned, st.one_of(channels, st.integers(17, 24))))
    middle = graph.ops[0].outputs[0]
    shape, quant = graph.tensors[middle].shape, graph.tensors[middle].quant
    unsigned = graph.tensors[middle].unsigned
    middle_c, out_c = shape[3], draw(channels)
    w, bias, scale_in, scale_out = draw(
        weights_and_bias(
            (out_c, 1, 1, middle_c),
            0,
            middle_c,
            unsigned=unsigned,
            per_channel=not unsigned and draw(st.booleans()),
        )
    )
    # the multipliers that were drawn, from the scale that the tensor between has
    out_quant = make_quant(scale_out * float(quant.scale[0]) / scale_in, draw(zero_points))
    first = len(graph.tensors)
    graph.tensors += [w, make_tensor("z", (*shape[:3], out_c), out_quant, unsigned)]
    if bias:
        bias.quant = make_quant(np.float32(quant.scale[0]) * w.quant.scale, 0)
        graph.tensors.append(bias)
    inputs = (middle, first, first + 2 if bias else -1)
    graph.ops.append(g.Conv2D(inputs, (first + 1,), 1, activation=draw(activations)))
    graph.outputs = [g.Border(first + 1, "z", graph.outputs[0].dtype)]
    return graph
