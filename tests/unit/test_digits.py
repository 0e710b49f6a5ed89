"""The built-in network and its images: what was shipped is what host/data/digits/README.md says."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from host.data import digits
from host.model import graph as g
from host.model.tflite_import import import_tflite
from host.oracle.run import run_graph
from tests.litert import Reference

# Enough for every class; the oracle's equality with LiteRT in general is test_oracle_litert.py's matter.
LITERT_IMAGES = 20


@pytest.fixture(scope="module")
def graph() -> g.Graph:
    return import_tflite(digits.model_path())


@pytest.fixture(scope="module")
def oracle_outputs(graph: g.Graph) -> np.ndarray:
    """int8 [n,10] for the shipped images."""
    x, _ = digits.test_images()
    output = graph.outputs[0].tensor
    return np.concatenate([run_graph(graph, [image[None]])[output] for image in digits.to_input(x)])


def test_model_hash() -> None:
    got = hashlib.sha256(digits.model_path().read_bytes()).hexdigest()
    assert got == digits.MODEL_SHA256
    readme = (digits.model_path().parent / "README.md").read_text(encoding="utf-8")
    assert digits.MODEL_SHA256 in readme


def test_files_are_small() -> None:
    assert digits.model_path().stat().st_size < 40_000
    assert digits.model_path().with_name(digits.IMAGES).stat().st_size < 120_000


def test_images() -> None:
    x, y = digits.test_images()
    assert (x.dtype, x.shape) == (np.uint8, (195, 32, 32, 1))
    assert (y.dtype, y.shape) == (np.uint8, (195,))
    counts = np.bincount(y, minlength=len(digits.CLASS_NAMES))
    assert len(counts) == 10 and counts.min() >= 18 and counts.max() <= 20, counts
    assert x.max() == 255 and x.min() == 0
    assert len(np.unique(x.reshape(len(x), -1), axis=0)) == len(x)


def test_to_input_shifts_by_128() -> None:
    x = np.array([0, 1, 127, 128, 255], np.uint8)
    assert digits.to_input(x).dtype == np.int8
    np.testing.assert_array_equal(digits.to_input(x), [-128, -127, -1, 0, 127])


def test_network(graph: g.Graph) -> None:
    (image,), (probabilities,) = graph.inputs, graph.outputs
    x, y = graph.tensors[image.tensor], graph.tensors[probabilities.tensor]
    assert (image.dtype, x.shape, x.quant.zero_point) == (np.int8, (1, 32, 32, 1), -128)
    assert (probabilities.dtype, y.shape, y.quant.zero_point) == (np.int8, (1, 10), -128)
    assert x.quant.scale[0] == np.float32(1 / 255) and y.quant.scale[0] == 1 / 256
    kinds = {op.kind for op in graph.ops}
    assert {"CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "FULLY_CONNECTED", "SOFTMAX"} <= kinds


def test_accuracy(oracle_outputs: np.ndarray) -> None:
    _, y = digits.test_images()
    wrong = np.flatnonzero(oracle_outputs.argmax(1) != y)
    # README.md: 98.46 % of 195, exactly, for the arithmetic is.
    assert len(wrong) == 3, f"images {wrong} are wrong"


def test_oracle_equals_litert(oracle_outputs: np.ndarray) -> None:
    reference = Reference(digits.model_path().read_bytes())
    x, _ = digits.test_images()
    for i, image in enumerate(digits.to_input(x[:LITERT_IMAGES])):
        (expected,) = reference.run([image[None]])
        np.testing.assert_array_equal(oracle_outputs[i], expected[0], err_msg=f"image {i}")
