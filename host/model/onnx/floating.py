"""Float networks, for calibration and quantisation: the same operators, every tensor float32 without a scale."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from host.errors import UnsupportedError
from host.model import graph as g
from host.model.onnx.file import read_model
from host.model.onnx.network import Net
from host.model.onnx.walk import add_inputs, walk


def import_onnx_float(source: str | PathLike[str] | bytes, name: str | None = None) -> g.Graph:
    """The float network in an .onnx file (a path, or its bytes); `name` defaults to the path's stem.

    Images are NHWC, weights as `host.model.graph` has them, activation functions fused where the operator before
    them has no other reader (elsewhere a MAX_POOL_2D of 1x1), BatchNormalization folded or a depthwise convolution
    of 1x1. Raises NotAnOnnxError or UnsupportedError, see `host.errors`; InputError if the path cannot be read.
    """
    model = read_model(source)
    for node in model.nodes:
        if node.op in ("QuantizeLinear", "DequantizeLinear") or node.op.startswith("QLinear"):
            raise UnsupportedError(f"{node}: the network is quantised already", "host run takes it as it is")
    net = Net(model, floating=True)
    add_inputs(net, ("float32",))
    walk(net, {})
    return net.graph(name or ("network" if isinstance(source, bytes) else Path(source).stem))
