"""What slimming removed and why, and how the remaining tensors relate to the file's."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from host.model import graph as g
from host.model.slim.intervals import Intervals
from host.oracle import params

# Why a channel could go. All but the last: its value is one constant.
REASONS = {
    "clamped": "every sum lies beyond a clamp",
    "rounded": "every sum rounds to one value",
    "multiplier 0": "the rescale flushes every sum to zero",
    "zero weights": "all weights are zero",
    "constant input": "computed from constants",
    "unread": "nothing reads it",
}


@dataclass(frozen=True)
class Kept:
    """The channels of a tensor that are left: indices along `axis` of the whole tensor."""

    axis: int
    channels: np.ndarray


@dataclass(frozen=True)
class SlimmedLayer:
    """One operator of the file that lost channels of its output, or of its input; `reasons` count the former."""

    op_index: int
    kind: str
    name: str
    channels_before: int
    channels_after: int
    macs_before: int
    macs_after: int
    reasons: dict[str, int]


@dataclass(frozen=True)
class Slimming:
    """What was removed: `layers` that changed, and `kept` channels by index of a tensor that shrank."""

    layers: list[SlimmedLayer] = field(default_factory=list)
    kept: dict[int, Kept] = field(default_factory=dict)

    def remaining(self, tensor: int, value: np.ndarray) -> np.ndarray:
        """The part of the whole tensor's value that is left of it."""
        kept = self.kept.get(tensor)
        return value if kept is None else np.take(value, kept.channels, kept.axis)

    def whole_index(self, tensor: int, at: tuple[int, ...]) -> tuple[int, ...]:
        """Where an element of the remaining tensor is in the whole one."""
        kept = self.kept.get(tensor)
        if kept is None:
            return at
        return (*at[: kept.axis], int(kept.channels[at[kept.axis]]), *at[kept.axis + 1 :])


def explain(
    old: g.Graph, new: g.Graph, intervals: Intervals, live: dict[int, np.ndarray]
) -> list[SlimmedLayer]:
    """An entry for every operator that changed."""
    after = {op.outputs[0]: new.macs(op) for op in new.ops}
    layers = []
    for op in old.ops:
        y = op.outputs[0]
        macs, mask = old.macs(op), live[y]
        if not mask.all() or after[y] != macs:
            layers.append(
                SlimmedLayer(
                    op_index=op.index,
                    kind=op.kind,
                    name=old.tensors[y].name,
                    channels_before=len(mask),
                    channels_after=int(mask.sum()),
                    macs_before=macs,
                    macs_after=after.get(y, 0),
                    reasons=_reasons(old, op, intervals, ~mask),
                )
            )
    return layers


def _reasons(graph: g.Graph, op: g.Op, intervals: Intervals, removed: np.ndarray) -> dict[str, int]:
    """How many of the removed output channels went for which reason, the first that applies."""
    y = op.outputs[0]
    constant = intervals.bounds[y].constant
    tests = {"unread": ~constant}
    if y in intervals.sums:
        weights, sums, low = intervals.filters[y].weights, intervals.sums[y], intervals.bounds[y].low
        clamps = params.activation_range(graph.tensors[y], op.activation)  # type: ignore[attr-defined]
        if not isinstance(op, g.FullyConnected):
            tests["multiplier 0"] = params.conv_requant(graph, op).multiplier == 0  # type: ignore[arg-type]
        tests["zero weights"] = (weights == 0).all((0, 1, 3))
        tests["constant input"] = sums.constant
        tests["clamped"] = np.isin(low, clamps)
        tests["rounded"] = constant
    else:
        tests["constant input"] = constant
    counts, left = {}, removed.copy()
    for reason, holds in tests.items():
        counts[reason] = int((left & holds).sum())
        left &= ~holds
    return {reason: count for reason, count in counts.items() if count}
