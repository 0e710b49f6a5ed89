"""The trained network as an int8 graph, in TensorFlow Lite's scheme.

Weights: one scale an output channel (one for all in the classifier, as TensorFlow Lite's own converter does it).
Activations: the range seen on the calibration images. The formulas are those of host.model.scales.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from host.data.digits.network import BLOCKS, CLASSES, DigitNet, Unit, to_input
from host.model import graph as g
from host.model import scales

# A pixel 0..255 is the real number pixel / 255, so the int8 input is the pixel minus 128.
INPUT_QUANT = g.Quant(np.array([1 / 255], np.float32), -128)


def calibrate(net: DigitNet, x: np.ndarray) -> dict[str, g.Quant]:
    """Scale and zero point of every stored tensor: its least and greatest value over the images x."""
    quants: dict[str, g.Quant] = {}

    def tap(name: str, value: torch.Tensor) -> None:
        quants[name] = scales.activation_quant(float(value.min()), float(value.max()))

    with torch.no_grad():
        net(to_input(x), tap)
    return quants


@dataclass
class _Builder:
    """A graph that grows operator by operator; methods take and return tensor indices."""

    quants: dict[str, g.Quant]
    graph: g.Graph = field(default_factory=lambda: g.Graph("digits", [], [], [], []))

    def tensor(self, name: str, shape: tuple[int, ...], quant: g.Quant) -> int:
        """A new activation."""
        self.graph.tensors.append(g.Tensor(name, shape, np.dtype(np.int8), quant))
        return len(self.graph.tensors) - 1

    def constant(self, name: str, data: np.ndarray, quant: g.Quant) -> int:
        """A new weight or bias tensor."""
        self.graph.tensors.append(g.Tensor(name, data.shape, data.dtype, quant, data))
        return len(self.graph.tensors) - 1

    def parameters(
        self,
        name: str,
        x: int,
        real: tuple[np.ndarray, np.ndarray],
        order: tuple[int, ...],
        per_channel: bool = True,
    ) -> tuple[int, int]:
        """(weights, bias) of an operator that reads x.

        `real` is weights [oc,...] and bias [oc] as PyTorch has them, `order` transposes to the graph's.
        """
        weights, bias = real
        input_scale = self.graph.tensors[x].quant.scale
        # without the bias: these are the scales of the network that was shipped
        scale = scales.weight_scales(weights, None, float(input_scale[0]), 0, per_channel=per_channel)
        q = scales.quantise_weights(weights, scale, 0)
        bias_scale = input_scale * scale
        q_bias = scales.quantise_bias(bias, bias_scale)
        q = np.ascontiguousarray(q.transpose(order))
        return (
            self.constant(f"{name}/weights", q, g.Quant(scale, 0, order.index(0))),
            self.constant(f"{name}/bias", q_bias, g.Quant(bias_scale, 0)),
        )

    def conv(self, name: str, x: int, unit: Unit, activation: str) -> int:
        """A convolution of the network with its batch norm folded in."""
        op, order = g.Conv2D, (0, 2, 3, 1)  # [oc,ic,kh,kw] to [oc,kh,kw,ic]
        if unit.depthwise:
            op, order = g.DepthwiseConv2D, (1, 2, 3, 0)  # [c,1,kh,kw] to [1,kh,kw,c]
        real, stride = unit.folded(), unit.stride
        n, h, w, _ = self.graph.tensors[x].shape
        padding = {1: g.Padding(), 3: g.Padding(0, 1, 0, 1) if stride == 2 else g.Padding(1, 1, 1, 1)}
        parameters = self.parameters(name, x, real, order)
        y = self.tensor(name, (n, h // stride, w // stride, len(real[1])), self.quants[name])
        options = {"stride": (stride, stride), "padding": padding[unit.kernel], "activation": activation}
        return self.op(op, (x, *parameters), y, **options)

    def op(self, cls: type[g.Op], inputs: tuple[int, ...], y: int, **options: object) -> int:
        """Any other operator, writing y."""
        self.graph.ops.append(cls(inputs, (y,), len(self.graph.ops), **options))
        return y


def quantise(net: DigitNet, calibration: np.ndarray) -> g.Graph:
    """The int8 graph of a trained network; `calibration` is uint8 [n,32,32,1], none of them test images."""
    b = _Builder(calibrate(net, calibration))
    tensors = b.graph.tensors
    x = b.tensor("image", (1, 32, 32, 1), INPUT_QUANT)
    b.graph.inputs = [g.Border(x, "image", np.dtype(np.int8))]
    x = b.conv("stem", x, net.stem, "RELU")
    for i, (_, _, shortcut) in enumerate(BLOCKS):
        name, before = f"block{i}", x
        x = b.conv(f"{name}/depthwise", x, net.depthwise[i], "RELU")
        x = b.conv(f"{name}/pointwise", x, net.pointwise[i], "NONE" if shortcut else "RELU")
        if shortcut:
            y = b.tensor(f"{name}/add", tensors[x].shape, b.quants[f"{name}/add"])
            x = b.op(g.Add, (before, x), y, activation="RELU")
    _, h, w, c = tensors[x].shape
    y = b.tensor("pool", (1, 1, 1, c), tensors[x].quant)
    x = b.op(g.AveragePool2D, (x,), y, kernel=(h, w), stride=(h, w))
    x = b.op(g.Reshape, (x,), b.tensor("flat", (1, c), tensors[x].quant))
    real = tuple(p.detach().double().numpy() for p in (net.classifier.weight, net.classifier.bias))
    parameters = b.parameters("logits", x, real, (0, 1), per_channel=False)
    x = b.op(g.FullyConnected, (x, *parameters), b.tensor("logits", (1, CLASSES), b.quants["logits"]))
    x = b.op(g.Softmax, (x,), b.tensor("probabilities", (1, CLASSES), scales.SOFTMAX_QUANT))
    b.graph.outputs = [g.Border(x, "probabilities", np.dtype(np.int8))]
    return b.graph


def count(graph: g.Graph) -> tuple[int, int, int]:
    """(multiply-accumulates of one inference, bytes of weights, bytes of biases)."""
    macs = weight_bytes = bias_bytes = 0
    for op in graph.ops:
        if isinstance(op, g.Conv2D | g.DepthwiseConv2D | g.FullyConnected):
            weights, bias, y = (graph.tensors[t] for t in (*op.inputs[1:], *op.outputs))
            # Each output needs the weights of its channel.
            macs += y.elems * weights.elems // y.shape[-1]
            weight_bytes += weights.data.nbytes
            bias_bytes += bias.data.nbytes
    return macs, weight_bytes, bias_bytes
