"""Row streaming: a chain of convolutions computed a few rows at a time, so that its inner tensors never exist whole.

Tensors are HWC, so some rows of one are a range of its bytes. A chain of steps is repeated for every strip of output
rows: the first reads a view of the chain's input, the last writes a view of its output, and what is between needs
memory for a strip only. Rows that two strips need are computed twice; all the rest is the same, and so is every bit.

The plan's format has views for this (firmware/runtime/PLAN.md); kernels know nothing of it.
Source: patch-based inference (MCUNetV2, Lin 2021), with strips as patches.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from host.plan.network import NetTensor, Network, Step

WINDOWED = ("conv2d", "depthwise")
LONGEST_CHAIN = 4
ROWS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24)


@dataclass(frozen=True)
class Strips:
    """Steps first..last, computed for `rows` rows of the last one's output at a time."""

    first: int
    last: int
    rows: int


def strips_around(net: Network, step: int) -> Iterator[Strips]:
    """Every way to stream a chain that the step is part of."""
    for first in range(max(0, step - LONGEST_CHAIN + 1), step + 1):
        for last in range(max(step, first + 1), min(len(net.steps), first + LONGEST_CHAIN)):
            if _is_chain(net, first, last):
                height = net.steps[last].params["out_h"]
                yield from (Strips(first, last, rows) for rows in ROWS if rows < height)


def _is_chain(net: Network, first: int, last: int) -> bool:
    """Whether each step's output is read by the next one alone."""
    steps = net.steps[first : last + 1]
    if any(s.op not in WINDOWED or s.rows is not None for s in steps):
        return False
    if net.tensors[steps[0].inputs[0]].data is not None or steps[-1].output in net.outputs:
        return False
    for before, after in pairwise(steps):
        if (
            len(net.readers(before.output)) != 1
            or after.inputs[0] != before.output
            or before.output in net.outputs
        ):
            return False
    return True


def stream(net: Network, strips: Strips) -> Network | None:
    """The network with that chain in strips; None if rows do not begin at multiples of four bytes."""
    chain = net.steps[strips.first : strips.last + 1]
    height = chain[-1].params["out_h"]
    tensors, steps = list(net.tensors), []
    for begin in range(0, height, strips.rows):
        spans = _spans(chain, begin, min(height, begin + strips.rows))
        if spans is None:
            return None
        source = _view(tensors, chain[0].inputs[0], *spans[0])
        for step, (read, written) in zip(chain, pairwise(spans), strict=True):
            if step is chain[-1]:
                target = _view(tensors, step.output, *written)
            else:
                target = _rows_alone(tensors, step.output, *written)
            if source is None or target is None:
                return None
            steps.append(_strip_step(step, source, target, read, written))
            source = target
    steps = [*net.steps[: strips.first], *steps, *net.steps[strips.last + 1 :]]
    return replace(net, tensors=tensors, steps=steps).without_unused()


def _spans(chain: list[Step], begin: int, end: int) -> list[tuple[int, int]] | None:
    """Rows of the chain's input, of every inner tensor and of its output that these output rows are made of."""
    spans = [(begin, end)]
    for step in reversed(chain):
        p = step.params
        begin, end = spans[0]
        extent = (p["kernel_h"] - 1) * p["dilation_h"] + 1
        low = max(0, begin * p["stride_h"] - p["pad_top"])
        high = min(p["in_h"], (end - 1) * p["stride_h"] - p["pad_top"] + extent)
        if low >= high:
            return None
        spans.insert(0, (low, high))
    return spans


def _view(tensors: list[NetTensor], parent: int, begin: int, end: int) -> int | None:
    """The tensor that is these rows of another; the other itself if they are all of it."""
    whole = tensors[parent]
    row_bytes = whole.shape[2] * whole.shape[3] * whole.elem_bytes
    if (begin, end) == (0, whole.shape[1]):
        return parent
    if begin * row_bytes % 4:
        return None
    tensors.append(
        replace(
            whole,
            name=f"{whole.name} rows {begin}:{end}",
            shape=(1, end - begin, *whole.shape[2:]),
            view=(parent, begin * row_bytes),
        )
    )
    return len(tensors) - 1


def _rows_alone(tensors: list[NetTensor], model: int, begin: int, end: int) -> int:
    """A tensor of its own for these rows of one that will not exist."""
    whole = tensors[model]
    tensors.append(
        replace(whole, name=f"{whole.name} rows {begin}:{end}", shape=(1, end - begin, *whole.shape[2:]))
    )
    return len(tensors) - 1


def _strip_step(
    step: Step, source: int, target: int, read: tuple[int, int], written: tuple[int, int]
) -> Step:
    """The step for some rows: the same windows, with padding only where the image ends."""
    p = step.params
    rows = written[1] - written[0]
    params = p | {
        "in_h": read[1] - read[0],
        "out_h": rows,
        "pad_top": read[0] - (written[0] * p["stride_h"] - p["pad_top"]),
    }
    return replace(
        step,
        inputs=(source, *step.inputs[1:]),
        output=target,
        params=params,
        macs=step.macs * rows // p["out_h"],
        in_shape=(1, params["in_h"], *step.in_shape[2:]),
        out_shape=(1, rows, *step.out_shape[2:]),
        rows=written,
    )
