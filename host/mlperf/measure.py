"""The benchmark's two modes without energy, as its runner does them: performance and accuracy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from host.mlperf.dataset import Entry
from host.mlperf.dut import Dut
from host.mlperf.models import SQUARED_ERROR, Model

INPUTS = 5  # of which the median counts
LEAST_S = 10.0
WARM_UPS = 10

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Performance:
    """Inferences a second of each input by the device's clock; the median is the benchmark's figure."""

    runs: int
    rates: tuple[float, ...]

    @property
    def median(self) -> float:
        """What counts."""
        return median(self.rates)


def performance(
    dut: Dut, inputs: Sequence[bytes], progress: Progress, runs: int | None = None, warm_ups: int = WARM_UPS
) -> Performance:
    """Times `runs` inferences over each input; without `runs`, as many as take LEAST_S."""
    rates = []
    for done, data in enumerate(inputs):
        progress("performance", done, len(inputs))
        dut.load(data)
        if runs is None:
            one = dut.infer(1, 1).us
            runs = max(10, -int(-LEAST_S * 1.05e6 // max(one, 1)))
        timed = dut.infer(runs, warm_ups)
        rates.append(timed.runs / (max(timed.us, 1) / 1e6))
    assert runs is not None
    return Performance(runs, tuple(rates))


@dataclass(frozen=True)
class Accuracy:
    """`metric` is "top-1" or "AUC"; `value` from 0 to 1. `answers` are each entry's class, or its score."""

    metric: str
    value: float
    answers: tuple[float, ...]


def accuracy(dut: Dut, model: Model, entries: Sequence[Entry], progress: Progress) -> Accuracy:
    """One inference an input. Of equal highest scores the first is taken."""
    answers = []
    for done, entry in enumerate(entries):
        progress("accuracy", done, len(entries))
        results = []
        for data in entry.inputs:
            dut.load(data)
            results.append(dut.infer(1, 0).results)
        if model.result_kind == SQUARED_ERROR:
            answers.append(float(np.mean(results)))
        else:
            answers.append(int(np.argmax(results[0])))
    labels = [entry.label for entry in entries]
    if model.result_kind == SQUARED_ERROR:
        return Accuracy("AUC", area_under_curve(answers, labels), tuple(answers))
    right = sum(answer == label for answer, label in zip(answers, labels, strict=True))
    return Accuracy("top-1", right / len(entries), tuple(answers))


def area_under_curve(scores: Sequence[float], labels: Sequence[int]) -> float:
    """Of the receiver operating characteristic: how often an anomaly (label not 0) scores higher than a normal one,
    ties half; NaN without one of each.
    """
    array, odd = np.array(scores), np.array(labels) != 0
    pairs = array[odd][:, None] - array[~odd][None, :]
    return float(((pairs > 0) + 0.5 * (pairs == 0)).mean()) if pairs.size else float("nan")
