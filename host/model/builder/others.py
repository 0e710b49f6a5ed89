"""Operators without weights of a network under construction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from host.errors import NetworkError
from host.model import graph as g
from host.model import scales
from host.model.builder.core import FLOAT_HINT, Core, Value, activation_name, make_quant, scale_of
from host.model.windows import Pair, pair, window


class Others(Core):
    """Arithmetic, pools and means, and what only moves values: there the scale stays the input's."""

    def constant(
        self, values: ArrayLike, *, scale: float | None = None, zero_point: int = 0, name: str | None = None
    ) -> Value:
        """A constant for add(), shape [h, w, c]: int8 with a scale, real numbers to be quantised, or float."""
        values = np.asarray(values)[None]
        quant = None if scale is None else make_quant(scale, zero_point, np.dtype("int8"))
        if quant is None:
            values = values.astype(np.float32)
        elif values.dtype != np.int8:
            values = scales.quantise(values, quant)
        return self._add(name or "constant", values.shape, quant, values.dtype, values)

    def add(
        self,
        a: Value,
        b: Value,
        *,
        activation: str = "NONE",
        scale: float | None = None,
        zero_point: int = 0,
        name: str | None = None,
    ) -> Value:
        """Sum of two tensors of one shape."""
        self._plain(a, b)
        if a.shape != b.shape:
            raise NetworkError(f"add() of {list(a.shape)} and {list(b.shape)}: the shapes must be equal")
        op = g.Add((a.index, b.index), (), 0, activation_name(activation))
        return self._append(op, a, a.shape[1:], scale, zero_point, name)

    def softmax(self, x: Value, *, beta: float = 1.0, name: str | None = None) -> Value:
        """Softmax over the last dimension; its scale is 1/256, its zero point -128."""
        self._plain(x)
        quant = None if x.real else scales.SOFTMAX_QUANT
        return self._append_like(g.Softmax((x.index,), (), 0, beta), x, x.shape, name, quant)

    def requantize(self, x: Value, *, scale: float, zero_point: int = 0, name: str | None = None) -> Value:
        """The same numbers with another scale."""
        self._plain(x)
        if x.real:
            raise NetworkError("requantize() of a float tensor", FLOAT_HINT)
        return self._append(g.Quantize((x.index,), (), 0), x, x.shape[1:], scale, zero_point, name)

    # --- Pools and means.

    def average_pool(self, x: Value, kernel: int | Pair, **options: object) -> Value:
        """Mean of windows; options as for max_pool()."""
        return self._pool(g.AveragePool2D, x, kernel, **options)

    def max_pool(self, x: Value, kernel: int | Pair, **options: object) -> Value:
        """Largest of windows; stride (the kernel's size if not given), padding ("VALID"), activation, name."""
        return self._pool(g.MaxPool2D, x, kernel, **options)

    def _pool(
        self,
        kind: type[g.Pool2D],
        x: Value,
        kernel: int | Pair,
        *,
        stride: int | Pair | None = None,
        padding: str | int | g.Padding = "VALID",
        activation: str = "NONE",
        name: str | None = None,
    ) -> Value:
        channels = self._image(x)
        kernel = pair(kernel, "kernel")
        stride = kernel if stride is None else pair(stride, "stride")
        padding, out = window(x.shape[1:3], kernel, stride, (1, 1), padding)
        op = kind((x.index,), (), 0, kernel, stride, padding, activation_name(activation))
        return self._append_like(op, x, (1, *out, channels), name)

    def mean(
        self,
        x: Value,
        axes: Sequence[int] = (1, 2),
        *,
        keep_dims: bool = False,
        scale: float | None = None,
        zero_point: int = 0,
        name: str | None = None,
    ) -> Value:
        """Mean over axes, the batch being axis 0; the scale is the input's if none is given."""
        self._plain(x)
        rank = len(x.shape)
        if not axes or any(not 1 <= a % rank < rank or not -rank <= a < rank for a in axes):
            raise NetworkError(
                f"mean() over axes {list(axes)} of {list(x.shape)}; the batch is not one of them"
            )
        reduced = tuple(sorted({a % rank for a in axes}))
        shape = tuple(
            1 if d in reduced else n for d, n in enumerate(x.shape) if keep_dims or d not in reduced
        )
        quant = x.tensor.quant if scale is None or x.real else make_quant(scale, zero_point, np.dtype("int8"))
        if x.real and scale is not None:
            raise NetworkError("a float network has no scales", FLOAT_HINT)
        return self._append_like(g.Mean((x.index,), (), 0, reduced), x, shape, name, quant)

    # --- What only moves values; the scale stays.

    def pad(self, x: Value, pads: Sequence[Pair], *, name: str | None = None) -> Value:
        """Adds (before, after) zeros to each dimension but the batch."""
        self._plain(x)
        pairs = tuple((int(a), int(b)) for a, b in pads)
        if len(pairs) != len(x.shape) - 1 or any(min(p) < 0 for p in pairs):
            raise NetworkError(f"pad() {list(pads)} of {list(x.shape)}: needs {len(x.shape) - 1} pairs")
        pairs = ((0, 0), *pairs)
        shape = tuple(n + a + b for n, (a, b) in zip(x.shape, pairs, strict=True))
        return self._append_like(g.Pad((x.index,), (), 0, pairs), x, shape, name)

    def reshape(self, x: Value, shape: Sequence[int], *, name: str | None = None) -> Value:
        """Another shape, without the batch, for the same values; one dimension may be -1."""
        self._plain(x)
        known = int(np.prod([n for n in shape if n != -1], dtype=np.int64))
        sizes = tuple(int(x.tensor.elems // max(known, 1)) if n == -1 else int(n) for n in shape)
        fits = int(np.prod(sizes, dtype=np.int64)) == x.tensor.elems and min(sizes, default=1) > 0
        if list(shape).count(-1) > 1 or not fits:
            raise NetworkError(f"reshape() of {list(x.shape)} to {list(shape)}")
        return self._append_like(g.Reshape((x.index,), (), 0), x, (1, *sizes), name)

    def flatten(self, x: Value, *, name: str | None = None) -> Value:
        """All values in one dimension."""
        return self.reshape(x, (-1,), name=name)

    def transpose(self, x: Value, perm: Sequence[int], *, name: str | None = None) -> Value:
        """Output dimension d is input dimension perm[d], the batch being 0 and staying where it is."""
        self._plain(x)
        perm = tuple(int(p) for p in perm)
        if sorted(perm) != list(range(len(x.shape))) or perm[0] != 0:
            raise NetworkError(f"transpose() {list(perm)} of {list(x.shape)}: the batch stays the first")
        shape = tuple(x.shape[p] for p in perm)
        return self._append_like(g.Transpose((x.index,), (), 0, perm), x, shape, name)

    def concatenate(self, values: Sequence[Value], axis: int = -1, *, name: str | None = None) -> Value:
        """Tensors side by side along an axis, all of one scale and zero point."""
        self._plain(*values)
        shapes = [list(v.shape) for v in values]
        rank = len(shapes[0]) if shapes else 0
        if not values or not -rank <= axis < rank or axis % rank == 0:
            raise NetworkError(f"concatenate() of {shapes} along axis {axis}")
        axis %= rank
        rest = {(*v.shape[:axis], *v.shape[axis + 1 :]) for v in values}
        if len(rest) > 1 or any(len(v.shape) != rank for v in values):
            raise NetworkError(f"concatenate() of {shapes}: they must be equal but in axis {axis}")
        if len({scale_of(v) for v in values}) > 1:
            raise NetworkError("concatenate() of tensors with different scales", "requantize() them to one")
        shape = list(values[0].shape)
        shape[axis] = sum(v.shape[axis] for v in values)
        op = g.Concatenation(tuple(v.index for v in values), (), 0, axis)
        return self._append_like(op, values[0], tuple(shape), name)

    def resize_nearest(
        self,
        x: Value,
        size: int | Pair,
        *,
        align_corners: bool = False,
        half_pixel_centers: bool = False,
        name: str | None = None,
    ) -> Value:
        """An image of another (height, width) by its nearest pixels."""
        channels = self._image(x)
        out = pair(size, "size")
        op = g.ResizeNearest((x.index,), (), 0, align_corners, half_pixel_centers)
        return self._append_like(op, x, (1, *out, channels), name)
