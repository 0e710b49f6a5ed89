"""The demo's picture, drawn into memory: as it was the last time it was looked at, and inside its memory always."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from host.compile import compile_graph
from host.demo.block import HEADER, demo_block
from host.inputs import Samples, random_inputs
from host.oracle.run import run_graph
from host.project import firmware_dir
from tests.demo.draw import lcd
from tests.demo.probe import CYCLES, ENOUGH, HEIGHT, INSTRUCTIONS, WIDTH
from tests.demo.test_block import FIELDS
from tests.nets import any_graph

PICTURE = firmware_dir() / "display" / "lcd.png"
BOARD = {
    "counter_kind": CYCLES,
    "clock_hz": 216_000_000,
    "frames": 10,
    "count": 6_922_220,
    "right": 24,
    "labelled": 24,
}


def scores_of(compiled, sample) -> bytes:
    return run_graph(compiled.original, sample)[compiled.original.outputs[0].tensor].astype(np.int8).tobytes()


def same(picture: np.ndarray, file: Path) -> None:
    with Image.open(file) as image:
        expected = np.asarray(image.convert("RGB"))
    assert picture.shape == expected.shape
    different = np.argwhere((picture != expected).any(axis=2))
    assert not len(different), (
        f"{len(different)} pixels differ, the first at y, x = {different[0]}: "
        f"{picture[tuple(different[0])]}, expected {expected[tuple(different[0])]}; look at the picture, and if it is "
        f"right: python -m tests.demo.draw"
    )


def test_the_picture_of_the_docs(probe):
    """Example numbers: the instructions that QEMU counts, as if each took a cycle."""
    same(lcd(probe), PICTURE)


def test_what_is_seen(probe, compiled, samples):
    """The input's ink, green for right and red for wrong, and the bar of the class."""
    block = demo_block(compiled, samples, list("0123456789"))
    scores = scores_of(compiled, samples.tensors[3])
    right = probe.draw(block, scores, sample=3, **BOARD)
    input_area = right[36:220, 10:194].astype(int)
    image = samples.tensors[3][0].reshape(32, 32).astype(int) + 128
    nearest = image[np.arange(184) * 32 // 184][:, np.arange(184) * 32 // 184]
    assert np.abs(input_area - nearest[..., None]).max() <= 1  # 240 greys for 256
    ink = right[36:60, 206:476]
    assert (ink == (0x3F, 0xD2, 0x7A)).all(axis=2).sum() == 9 * 14  # "3" has 14 pixels, three times as large
    wrong = probe.draw(block, scores, sample=2, **BOARD)
    assert (wrong[36:60, 206:476] == (0xF0, 0x56, 0x3C)).all(axis=2).sum() == 9 * 14
    column = right[94:156, 206 + 3 * 26 + 5]
    assert (column == (0xFF, 0xB6, 0x38)).all(axis=1).sum() == round(
        (int(np.frombuffer(scores, np.int8)[3]) + 128) * 62 / 255
    )


def test_an_emulated_board_shows_no_speed(probe, compiled, samples):
    """The two pictures differ where the speed stands, and nowhere else."""
    block = demo_block(compiled, samples, list("0123456789"))
    scores = scores_of(compiled, samples.tensors[0])
    board = probe.draw(block, scores, **BOARD)
    emulated = probe.draw(block, scores, **{**BOARD, "counter_kind": INSTRUCTIONS})
    rows, columns = np.nonzero((board != emulated).any(axis=2))
    assert rows.min() >= 178 and rows.max() < 234 and columns.min() >= 206


@pytest.mark.parametrize("spare", [0, 1, WIDTH * HEIGHT, ENOUGH - 1])
def test_too_little_memory(probe, compiled, samples, spare):
    assert probe.draw(demo_block(compiled, samples), bytes(10), spare_bytes=spare) is None


@pytest.mark.parametrize("size", [(128, 64), (64, 480), (1, 1), (800, 480)])
def test_other_displays(probe, compiled, samples, size):
    """What does not fit is cut off; the sanitizers see any byte outside."""
    width, height = size
    block = demo_block(compiled, samples, list("0123456789"))
    spare = width * height + 31
    assert probe.draw(block, bytes(10), width=width, height=height, spare_bytes=spare, **BOARD).shape == (
        height,
        width,
        3,
    )


@settings(max_examples=25)
@given(
    any_graph(),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.sampled_from([CYCLES, INSTRUCTIONS, 0]),
)
def test_any_network(probe, graph, clock_hz, count, kind):
    try:
        compiled = compile_graph(graph)
    except Exception as error:
        assert "nothing" in str(error)
        return
    samples = Samples([random_inputs(compiled.original, 1)], None, "random")
    block = demo_block(compiled, samples)
    values = dict(zip(FIELDS, HEADER.unpack_from(block), strict=True))
    scores = scores_of(compiled, samples.tensors[0]) if values["class_count"] else b""
    probe.draw(block, scores, counter_kind=kind, clock_hz=clock_hz, frames=1, count=count)


@pytest.mark.parametrize(
    ("height", "width", "channels"), [(1, 1024, 1), (1024, 1, 1), (16, 64, 1), (8, 128, 1), (341, 1, 3)]
)
def test_pictures_of_any_shape(probe, compiled, samples, height, width, channels):
    block = bytearray(demo_block(compiled, samples))
    struct.pack_into("<3H", block, 46, height, width, channels)
    assert probe.draw(bytes(block), bytes(10), **BOARD) is not None
