"""Networks composed in Python: operators with numpy weights, shapes worked out, mistakes named.

    net = Builder("edge")
    x = net.input((32, 32, 3), scale=1 / 128)
    x = net.conv2d(x, weights, bias, scale=0.05, stride=2, activation="RELU")
    net.output(x)
    network = net.graph()

Shapes are [h, w, c]; the batch of one in front is added. Weights are in TensorFlow Lite's layouts, see each method.

A network is quantised or float, as its inputs are. Quantised: every tensor has a scale and a zero point, those of
an operator's output are its `scale` and `zero_point`; weights are int8 with a `weight_scale` (one, or one a channel),
or real numbers, which are quantised symmetrically for each output channel; a bias is int32, or real. Float: an input
without a scale; no scale is given anywhere, and `host quantize` finds them.

Every mistake is a NetworkError (see host.errors).
"""

from __future__ import annotations

from host.model.builder.binary import Binary
from host.model.builder.convolutions import Convolutions
from host.model.builder.core import Value
from host.model.builder.others import Others

__all__ = ["Builder", "Value"]


class Builder(Convolutions, Binary, Others):
    """A network under construction: methods take and return `Value`s, graph() gives the result."""
