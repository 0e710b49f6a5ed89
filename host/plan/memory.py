"""Memory planner: gives every activation tensor and every scratch buffer a place in the arena.

Buffers whose lifetimes overlap must not overlap in memory; everything else may. An exception are a step's input
and output if its kernel reads ahead of what it writes: the input may then lie `gap` bytes or more behind the
output's begin, over its end.

The problem is dynamic storage allocation (NP-hard); greedy first fit in a few good orders, then a seeded local
search on the order, reaches the lower bound (the most bytes that one step needs) on almost every network.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

ALIGN = 4
SEARCH_ROUNDS = 150


@dataclass(frozen=True)
class Buffer:
    """`bytes` needed from step `first` to step `last`, both included; -1 is before the first step."""

    name: str
    bytes: int
    first: int
    last: int


@dataclass(frozen=True)
class Placement:
    """Offsets in bytes, one per buffer, and the arena that holds them.

    `bound_bytes` is what no placement can go below: the most bytes that are alive in one step.
    """

    offsets: tuple[int, ...]
    arena_bytes: int
    bound_bytes: int


def align(count: int) -> int:
    """Rounded up to the arena's alignment."""
    return -(-count // ALIGN) * ALIGN


def place(
    buffers: Sequence[Buffer],
    ahead: Mapping[tuple[int, int], int] | None = None,
    enough: int = 0,
    seed: int = 0,
) -> Placement:
    """Places the buffers; the same arguments give the same result on every machine.

    `ahead[o, i]` is the gap in bytes with which buffer i, a step's input, may overlap buffer o, its output. An arena of
    `enough` bytes need not be made smaller.
    """
    if not buffers:
        return Placement((), 0, 0)
    problem = _Problem(buffers, ahead or {})
    bound = problem.lower_bound()
    indices = range(len(buffers))
    orders = [
        sorted(indices, key=lambda i: (-buffers[i].bytes, buffers[i].first)),
        sorted(indices, key=lambda i: (-buffers[i].bytes * (buffers[i].last - buffers[i].first + 1), i)),
        sorted(indices, key=lambda i: (-(buffers[i].last - buffers[i].first), -buffers[i].bytes)),
        sorted(indices, key=lambda i: (buffers[i].first, -buffers[i].bytes)),
        sorted(indices, key=lambda i: (-buffers[i].first, -buffers[i].bytes)),
    ]
    results = [(*problem.first_fit(order), order) for order in orders]
    arena, offsets, order = min(results, key=lambda r: r[0])
    rng = random.Random(seed)
    for _ in range(SEARCH_ROUNDS):
        if arena <= max(bound, enough):
            break
        # what reaches highest is in the way: let it, or something at random, choose its place earlier
        tops = [i for i in indices if offsets[i] + align(buffers[i].bytes) == arena]
        mover = rng.choice(tops) if rng.random() < 0.5 else rng.randrange(len(order))
        trial = [i for i in order if i != mover]
        trial.insert(rng.randrange(len(trial) + 1), mover)
        trial_arena, trial_offsets = problem.first_fit(trial)
        if trial_arena <= arena:
            arena, offsets, order = trial_arena, trial_offsets, trial
    return Placement(tuple(offsets), arena, bound)


class _Problem:
    """Sizes and, for every buffer, the others that live at some time with it."""

    def __init__(self, buffers: Sequence[Buffer], ahead: Mapping[tuple[int, int], int]):
        self._buffers = buffers
        self._sizes = [align(b.bytes) for b in buffers]
        self._gaps = {pair: align(gap) for pair, gap in ahead.items()}

    @cached_property
    def _neighbours(self) -> list[list[int]]:
        buffers = self._buffers
        return [
            [j for j, b in enumerate(buffers) if j != i and a.first <= b.last and b.first <= a.last]
            for i, a in enumerate(buffers)
        ]

    def lower_bound(self) -> int:
        """The most bytes that one step needs."""
        return max(self._needs(t) for t in {b.first for b in self._buffers})

    def _needs(self, step: int) -> int:
        """Bytes alive in a step, with its output over its input where that is allowed."""
        alive = sum(n for b, n in zip(self._buffers, self._sizes, strict=True) if b.first <= step <= b.last)
        for (out, source), gap in self._gaps.items():
            if self._buffers[out].first == step:
                both = self._sizes[out] + self._sizes[source]
                alive -= max(0, both - max(self._sizes[out], gap + self._sizes[source]))
        return alive

    def first_fit(self, order: Sequence[int]) -> tuple[int, list[int]]:
        """Arena and offsets if each buffer takes the lowest place that is free for its lifetime, in that order."""
        offsets = [-1] * len(order)
        arena = 0
        for i in order:
            placed = [j for j in self._neighbours[i] if offsets[j] >= 0]
            candidates = {0}
            for j in placed:
                candidates.add(offsets[j] + self._sizes[j])
                if (j, i) in self._gaps:
                    candidates.add(offsets[j] + self._gaps[j, i])
            offset = next(
                c for c in sorted(candidates) if all(self._apart(i, c, j, offsets[j]) for j in placed)
            )
            offsets[i] = offset
            arena = max(arena, offset + self._sizes[i])
        return arena, offsets

    def _apart(self, i: int, at: int, j: int, other: int) -> bool:
        """Whether buffer i at `at` and buffer j at `other` do not disturb each other."""
        if at + self._sizes[i] <= other or other + self._sizes[j] <= at:
            return True
        if (i, j) in self._gaps:
            return other - at >= self._gaps[i, j]
        return (j, i) in self._gaps and at - other >= self._gaps[j, i]
