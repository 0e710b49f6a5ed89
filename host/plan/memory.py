"""Memory planner: gives every activation tensor and every scratch buffer a place in the arena.

Buffers whose lifetimes overlap must not overlap in memory; everything else may. The problem is dynamic
storage allocation (NP-hard); greedy first fit in a few good orders, then a seeded local search on the order,
reaches the lower bound (the largest sum of bytes alive in one step) on almost every network.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

ALIGN = 4
SEARCH_ROUNDS = 300


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


def place(buffers: Sequence[Buffer], seed: int = 0) -> Placement:
    """Places the buffers; the same input gives the same result on every machine."""
    if not buffers:
        return Placement((), 0, 0)
    bound = _lower_bound(buffers)
    indices = range(len(buffers))
    neighbours = [[j for j in indices if j != i and _meet(buffers[i], buffers[j])] for i in indices]
    orders = [
        sorted(indices, key=lambda i: (-buffers[i].bytes, buffers[i].first)),
        sorted(indices, key=lambda i: (-buffers[i].bytes * (buffers[i].last - buffers[i].first + 1), i)),
        sorted(indices, key=lambda i: (-(buffers[i].last - buffers[i].first), -buffers[i].bytes)),
        sorted(indices, key=lambda i: (buffers[i].first, -buffers[i].bytes)),
    ]
    results = [(*_first_fit(buffers, order, neighbours), order) for order in orders]
    arena, offsets, order = min(results, key=lambda r: r[0])
    rng = random.Random(seed)
    for _ in range(SEARCH_ROUNDS):
        if arena == bound:
            break
        trial = list(order)
        mover = trial.pop(rng.randrange(len(trial)))
        trial.insert(rng.randrange(len(trial) + 1), mover)
        trial_arena, trial_offsets = _first_fit(buffers, trial, neighbours)
        if trial_arena <= arena:
            arena, offsets, order = trial_arena, trial_offsets, trial
    return Placement(tuple(offsets), arena, bound)


def _meet(a: Buffer, b: Buffer) -> bool:
    return a.first <= b.last and b.first <= a.last


def _lower_bound(buffers: Sequence[Buffer]) -> int:
    return max(
        sum(align(b.bytes) for b in buffers if b.first <= t <= b.last) for t in {b.first for b in buffers}
    )


def _first_fit(
    buffers: Sequence[Buffer], order: Sequence[int], neighbours: list[list[int]]
) -> tuple[int, list[int]]:
    """Each buffer at the lowest offset that is free for its lifetime, in that order."""
    offsets = [-1] * len(buffers)
    arena = 0
    for i in order:
        taken = sorted(
            (offsets[j], offsets[j] + align(buffers[j].bytes)) for j in neighbours[i] if offsets[j] >= 0
        )
        offset, size = 0, align(buffers[i].bytes)
        for begin, end in taken:
            if begin - offset >= size:
                break
            offset = max(offset, end)
        offsets[i] = offset
        arena = max(arena, offset + size)
    return arena, offsets
