"""Where an ONNX tensor's elements lie in ours: NCHW in the file, NHWC here, and nothing moves until it must.

A tensor's axes are split into factors, and memory is an order of factors. Transposing permutes axes, reshaping
splits and regroups factors; both leave memory as it is, so Flatten behind an NHWC image is a different view of
the same bytes, and the weights behind it are permuted instead. Source: own work.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import chain

import numpy as np


@dataclass(frozen=True)
class Layout:
    """memory: the factors' sizes, outermost first, none of them 1. axes[d]: the factors of ONNX axis d.

    A factor is named by its position in memory; an axis lists its factors outermost first, none if its size is 1.
    """

    memory: tuple[int, ...]
    axes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, shape: tuple[int, ...], order: tuple[int, ...] | None = None) -> Layout:
        """An ONNX shape whose axes lie in memory in this order, outermost first; by default as in the file."""
        order = tuple(range(len(shape))) if order is None else order
        kept = [d for d in order if shape[d] != 1]
        axes = tuple((kept.index(d),) if d in kept else () for d in range(len(shape)))
        return cls(tuple(shape[d] for d in kept), axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape in the file."""
        return tuple(math.prod(self.memory[i] for i in axis) for axis in self.axes)

    @property
    def logical(self) -> tuple[int, ...]:
        """All factors in the order of the file's elements."""
        return tuple(chain.from_iterable(self.axes))

    @property
    def as_in_file(self) -> bool:
        """Whether the elements lie in the file's order."""
        return self.logical == tuple(range(len(self.memory)))

    def order_of(self, axes: tuple[int, ...]) -> tuple[int, ...]:
        """The factors if memory had these axes in this order."""
        return tuple(chain.from_iterable(self.axes[d] for d in axes))

    def transposed(self, perm: tuple[int, ...]) -> Layout:
        """The view whose axis d is this one's axis perm[d]."""
        return Layout(self.memory, tuple(self.axes[p] for p in perm))

    def moved(self, order: tuple[int, ...]) -> Layout:
        """The same tensor with its factors in another order in memory."""
        place = {factor: i for i, factor in enumerate(order)}
        axes = tuple(tuple(place[i] for i in axis) for axis in self.axes)
        return Layout(tuple(self.memory[i] for i in order), axes)

    def reshaped(self, shape: tuple[int, ...]) -> Layout | None:
        """The view of another shape with as many elements; None if a factor's bounds cross a new axis's."""
        if self.as_in_file:
            return Layout.of(shape)
        pieces: list[list[int]] = [[] for _ in self.memory]  # the sizes that each factor is split into
        groups: list[list[tuple[int, int]]] = []  # of each new axis: (factor, piece)
        rest = [(i, self.memory[i]) for i in reversed(self.logical)]
        for size in shape:
            group = []
            while size != 1:
                factor, available = rest.pop()
                taken = math.gcd(size, available)
                if taken != min(size, available):
                    return None
                if taken < available:
                    rest.append((factor, available // taken))
                group.append((factor, len(pieces[factor])))
                pieces[factor].append(taken)
                size //= taken
            groups.append(group)
        first = np.cumsum([0, *(len(p) for p in pieces)])
        axes = tuple(tuple(int(first[factor]) + piece for factor, piece in group) for group in groups)
        return Layout(tuple(chain.from_iterable(pieces)), axes)

    def arranged(self, array: np.ndarray) -> np.ndarray:
        """An array of the file's shape as it lies in memory, one dimension a factor."""
        factors = array.reshape([self.memory[i] for i in self.logical])
        return factors.transpose(np.argsort(self.logical)) if self.memory else factors


def merged(memory: tuple[int, ...], order: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(shape, permutation): the fewest dimensions that move memory's factors into `order`."""
    runs: list[list[int]] = []
    for factor in order:
        if runs and factor == runs[-1][-1] + 1:
            runs[-1].append(factor)
        else:
            runs.append([factor])
    by_place = sorted(runs)
    shape = tuple(math.prod(memory[i] for i in run) for run in by_place)
    return shape, tuple(by_place.index(run) for run in runs)
