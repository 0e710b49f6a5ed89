"""What range of real numbers each tensor of a float network takes over samples, one sample at a time.

Min/max keeps the extremes. Percentile keeps a histogram and cuts the tails: the range holds that share of all values,
half of the rest is cut at each end and will saturate. Zero belongs to every range.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from host.errors import QuantizeError
from host.model import graph as g
from host.quantize.floats import run_float

DEFAULT_PERCENT = 99.99
BINS = 4096  # to each side of zero
Range = tuple[float, float]
Progress = Callable[[str, int, int], None]


class MinMax:
    """Least and largest value."""

    def __init__(self) -> None:
        self.low = self.high = 0.0

    def add(self, values: np.ndarray) -> None:
        """Takes in values."""
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))

    def range(self) -> Range:
        """The range of all values so far."""
        return self.low, self.high


class Histogram(MinMax):
    """Counts in bins around zero whose width, a power of two, doubles when a value lies beyond the last one."""

    def __init__(self, percent: float):
        super().__init__()
        self.percent, self.width = percent, 0.0
        self.counts = np.zeros(2 * BINS, np.int64)

    def add(self, values: np.ndarray) -> None:
        """Takes in values."""
        super().add(values)
        peak = max(-self.low, self.high)
        if not peak:
            return  # all are zero so far; zero is in every range
        if not self.width:
            self.width = 2.0 ** (math.floor(math.log2(peak / BINS)) + 1)
        while peak >= self.width * BINS:
            halves = self.counts.reshape(2, BINS // 2, 2).sum(2)
            self.counts[:] = 0
            self.counts[BINS // 2 : BINS], self.counts[BINS : BINS + BINS // 2] = halves
            self.width *= 2
        bins = np.floor(values.ravel().astype(np.float64) / self.width).astype(np.int64) + BINS
        self.counts += np.bincount(bins, minlength=2 * BINS)

    def range(self) -> Range:
        """The range without the tails, to the width of a bin."""
        total = int(self.counts.sum())
        if not total:
            return self.low, self.high
        sums = np.cumsum(self.counts)
        cut = total * (100 - self.percent) / 200  # at each end
        first = int(np.searchsorted(sums, cut, side="right"))
        last = int(np.searchsorted(sums, total - cut, side="left"))
        low, high = (first - BINS) * self.width, (last + 1 - BINS) * self.width
        return min(max(low, self.low), 0.0), max(min(high, self.high), 0.0)


def observer_of(spec: str) -> Callable[[], MinMax]:
    """What makes an observer for `minmax`, `percentile` or `percentile:P`, P above 50 and up to 100.

    Raises QuantizeError for anything else.
    """
    if spec == "minmax":
        return MinMax
    match = re.fullmatch(r"percentile(?::(\d+(?:\.\d+)?))?", spec)
    percent = float(match[1] or DEFAULT_PERCENT) if match else 0.0
    if not 50 < percent <= 100:
        raise QuantizeError(f"ranges {spec!r}", "give minmax, percentile or percentile:99.9")
    return lambda: Histogram(percent)


def calibrate(
    graph: g.Graph,
    samples: Sequence[Sequence[np.ndarray]],
    observer: Callable[[], MinMax] = MinMax,
    progress: Progress = lambda stage, done, total: None,
) -> dict[int, Range]:
    """The range of every tensor by index, over samples of one array an input.

    Raises QuantizeError if there is no sample, or a tensor is not finite.
    """
    if not len(samples):
        raise QuantizeError("there are no samples", "give some of what the network will see")
    observers: dict[int, MinMax] = {}
    for i, sample in enumerate(samples):
        progress("calibrate", i, len(samples))
        values = run_float(graph, sample)
        for index in _observed(graph):
            if not np.isfinite(values[index]).all():
                raise QuantizeError(f"tensor {graph.tensors[index].name} is not finite in sample {i}")
            observers.setdefault(index, observer()).add(values[index])
    progress("calibrate", len(samples), len(samples))
    return {index: each.range() for index, each in observers.items()}


def _observed(graph: g.Graph) -> Iterable[int]:
    """Inputs and all that operators write, and constants that flow like them; not bits."""
    seen = [border.tensor for border in graph.inputs]
    for op in graph.ops:
        seen += [i for i in op.operands if graph.tensors[i].data is not None]
        seen += op.outputs
    return dict.fromkeys(i for i in seen if graph.tensors[i].dtype == np.float32)
