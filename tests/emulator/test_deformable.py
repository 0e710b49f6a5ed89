"""Deformable convolutions on the device with tensors of 16 bits; the kernels alone are in test_kernels.py."""

from __future__ import annotations

import numpy as np
import pytest

from host.api import run
from tests.unit.test_deformable_networks import int16_network


@pytest.mark.parametrize("kernels", ["all", "ref"])
def test_int16_offsets_as_input_and_constant(board, kernels):
    report = run(int16_network(), check="layers", kernels=kernels, **board).report
    assert report.bit_exact is True


@pytest.mark.parametrize("value", [-(2**15), -1, 2**15 - 1])
def test_offsets_at_the_ends_of_int16(board, value):
    graph = int16_network()
    x = np.random.default_rng(6).integers(-128, 128, (9, 7, 6), dtype=np.int8)
    moves = np.full((9, 7, 36), value, np.int16)
    assert run(graph, {"x": x, "moves": moves}, **board).report.bit_exact is True


def test_offsets_as_floats_are_pixels(board):
    """The user gives pixels; they are quantised with the input's scale."""
    graph = int16_network()
    x = np.random.default_rng(7).integers(-128, 128, (9, 7, 6), dtype=np.int8)
    moves = np.full((9, 7, 36), 0.5, np.float32)
    floats = run(graph, {"x": x, "moves": moves}, **board)
    steps = run(graph, {"x": x, "moves": np.full(moves.shape, 256, np.int16)}, **board)
    np.testing.assert_array_equal(floats.outputs[0], steps.outputs[0])
