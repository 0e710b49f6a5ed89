"""Layouts against numpy: whatever views a tensor goes through, its memory holds what the file's array has."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from host.model.onnx.layout import Layout, merged

shapes = st.lists(st.sampled_from([1, 2, 3, 4, 6]), min_size=1, max_size=4).map(tuple)


@st.composite
def reshapes(draw: st.DrawFn, elems: int) -> tuple[int, ...]:
    """A shape of so many elements."""
    shape = []
    while elems > 1 and len(shape) < 5:
        part = draw(st.sampled_from([n for n in range(1, elems + 1) if elems % n == 0]))
        shape.append(part)
        elems //= part
    return (*shape, elems)


@given(st.data())
def test_views_are_those_of_numpy(data: st.DataObject) -> None:
    shape = data.draw(shapes)
    order = tuple(data.draw(st.permutations(range(len(shape)))))
    array = np.arange(math.prod(shape)).reshape(shape)
    layout, memory = Layout.of(shape, order), array.transpose(order).ravel()
    for _ in range(data.draw(st.integers(0, 4))):
        match data.draw(st.sampled_from(["reshape", "transpose", "move"])):
            case "reshape":
                wanted = data.draw(reshapes(array.size))
                viewed = layout.reshaped(wanted)
                if viewed is None:  # its bytes must move first
                    assert not layout.as_in_file
                    continue
                layout, array = viewed, array.reshape(wanted)
            case "transpose":
                perm = tuple(data.draw(st.permutations(range(array.ndim))))
                layout, array = layout.transposed(perm), array.transpose(perm)
            case "move":
                factors = tuple(data.draw(st.permutations(range(len(layout.memory)))))
                short, perm = merged(layout.memory, factors)
                memory = memory.reshape(short).transpose(perm).ravel()
                layout = layout.moved(factors)
        assert layout.shape == array.shape and 1 not in layout.memory
        np.testing.assert_array_equal(layout.arranged(array).ravel(), memory)


def test_flattening_an_image_is_a_view() -> None:
    layout = Layout.of((1, 4, 3, 5), (0, 2, 3, 1)).reshaped((1, 60))
    assert layout == Layout((3, 5, 4), ((), (2, 0, 1)))


def test_splitting_across_a_factor_is_none() -> None:
    assert Layout.of((4, 6), (1, 0)).reshaped((8, 3)) is not None
    assert Layout.of((4, 6), (1, 0)).reshaped((3, 8)) is None
