"""How far an int8 network is from the float one it was made from: accuracy, and errors in real units."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from host.model import graph as g
from host.oracle.run import quantize_input, run_graph
from host.quantize.floats import run_float
from host.runner import has_classes

Progress = Callable[[str, int, int], None]


@dataclass
class Deviation:
    """Differences between a float tensor and the int8 one, dequantised, over all samples.

    Signal and noise are sums of squares.
    """

    tensor: int
    name: str
    kind: str = ""
    elems: int = 0
    max_error: float = 0.0
    sum_error: float = 0.0
    signal: float = 0.0
    noise: float = 0.0

    def add(self, real: np.ndarray, got: np.ndarray) -> None:
        """Takes in a pair of values."""
        error = np.abs(got.astype(np.float64) - real)
        self.elems += error.size
        self.max_error = max(self.max_error, float(error.max()))
        self.sum_error += float(error.sum())
        self.signal += float(np.square(real, dtype=np.float64).sum())
        self.noise += float(np.square(error).sum())

    @property
    def mean_error(self) -> float:
        """Mean of the absolute differences."""
        return self.sum_error / max(1, self.elems)

    @property
    def sqnr_db(self) -> float | None:
        """Signal to quantisation noise ratio in decibels; None where there is no noise, or no signal."""
        if not self.noise or not self.signal:
            return None
        return 10 * float(np.log10(self.signal / self.noise))

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        return {
            "name": self.name,
            **({"op": self.kind} if self.kind else {}),
            "max_error": self.max_error,
            "mean_error": self.mean_error,
            "sqnr_db": self.sqnr_db,
        }


@dataclass
class Comparison:
    """Float against int8 over samples. Classes are those with the greatest score, for networks with scores."""

    samples: int
    outputs: list[Deviation]
    layers: list[Deviation]
    labels: list[int] | None
    float_classes: list[int] = field(default_factory=list)
    int8_classes: list[int] = field(default_factory=list)

    @property
    def agreement(self) -> float | None:
        """Share of samples that both networks give the same class."""
        return _share(self.float_classes, self.int8_classes)

    @property
    def float_accuracy(self) -> float | None:
        """Share of samples whose class is their label's, of the float network."""
        return _share(self.float_classes, self.labels)

    @property
    def int8_accuracy(self) -> float | None:
        """The same of the int8 network."""
        return _share(self.int8_classes, self.labels)


def _share(classes: list[int], others: list[int] | None) -> float | None:
    if not classes or others is None:
        return None
    return sum(a == b for a, b in zip(classes, others, strict=True)) / len(classes)


def compare(
    real: g.Graph,
    quantised: g.Graph,
    samples: Sequence[Sequence[np.ndarray]],
    labels: Iterable[int] | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> Comparison:
    """Runs both networks, the int8 one by the oracle, over samples of one float array an input."""
    outputs = [Deviation(b.tensor, b.name) for b in quantised.outputs]
    layers = [
        Deviation(op.outputs[0], quantised.tensors[op.outputs[0]].name, op.kind)
        for op in quantised.ops
        if op.outputs[0] < len(real.tensors) and quantised.tensors[op.outputs[0]].dtype == np.int8
    ]
    result = Comparison(len(samples), outputs, layers, None if labels is None else [int(y) for y in labels])
    scored = has_classes(quantised)
    borders = [g.Border(b.tensor, b.name, np.dtype(np.float32)) for b in quantised.inputs]
    for i, sample in enumerate(samples):
        progress("compare", i, len(samples))
        wanted = run_float(real, sample)
        inputs = [quantize_input(quantised, b, x) for b, x in zip(borders, sample, strict=True)]
        values = run_graph(quantised, inputs)
        for each in (*outputs, *layers):
            each.add(wanted[each.tensor], dequantised(quantised.tensors[each.tensor], values[each.tensor]))
        if scored:
            scores = quantised.outputs[0].tensor
            result.float_classes.append(int(np.argmax(wanted[scores])))
            result.int8_classes.append(int(np.argmax(values[scores])))
    progress("compare", len(samples), len(samples))
    return result


def dequantised(tensor: g.Tensor, value: np.ndarray) -> np.ndarray:
    """Real numbers of an int8 value."""
    assert tensor.quant is not None
    return (value.astype(np.float64) - tensor.quant.zero_point) * float(tensor.quant.scale[0])
