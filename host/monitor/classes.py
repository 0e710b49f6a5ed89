"""What the outputs of a network mean: a class and how sure the network is, or how well it restored its input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from host.model import graph as g
from host.runner import has_classes


@dataclass(frozen=True)
class Verdict:
    """`index` is the class and `confidence` between 0 and 1, or None for a network without classes.

    `confidence` is the network's own softmax, dequantised, or the softmax of its dequantised scores if it ends so.
    `error` is the mean squared difference between input and output of a network that restores its input.
    """

    index: int | None = None
    confidence: float | None = None
    error: float | None = None


def verdict(graph: g.Graph, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> Verdict:
    """Of one sample's tensors: `inputs` and `outputs` hold the quantised values of the graph's borders."""
    if has_classes(graph):
        tensor = graph.outputs[0].tensor
        scores = outputs[0].reshape(-1)
        return Verdict(index=int(np.argmax(scores)), confidence=_confidence(graph, tensor, scores))
    if len(graph.inputs) == len(graph.outputs) == 1 and inputs[0].size == outputs[0].size:
        there, back = (
            dequantise(graph, border.tensor, array.reshape(-1))
            for border, array in ((graph.inputs[0], inputs[0]), (graph.outputs[0], outputs[0]))
        )
        if there is not None and back is not None:
            return Verdict(error=float(np.mean((there - back) ** 2)))
    return Verdict()


def dequantise(graph: g.Graph, tensor: int, array: np.ndarray) -> np.ndarray | None:
    """Real values, float64; None for a tensor without a scale."""
    quant = graph.tensors[tensor].quant
    if quant is None:
        return None
    return (array.astype(np.float64) - quant.zero_point) * float(quant.scale[0])


def _confidence(graph: g.Graph, tensor: int, scores: np.ndarray) -> float | None:
    values = dequantise(graph, tensor, scores)
    if values is None:
        return None
    if not any(isinstance(op, g.Softmax) and tensor in op.outputs for op in graph.ops):
        powers = np.exp(values - values.max())
        values = powers / powers.sum()
    return float(np.clip(values.max(), 0.0, 1.0))
