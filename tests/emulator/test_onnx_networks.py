"""ONNX networks on the device: a PyTorch network that onnxruntime quantised, and every operator of the importer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from host.data import digits
from host.errors import FloatModelError, NotAnOnnxError, UnsupportedError
from host.experiment import Options, run
from tests.emulator.test_cli import refused
from tests.onnx_nets import Maker, reference
from tests.unit.test_onnx_rounding import QDQ

DATA = Path(__file__).parents[1] / "data"
FORMS = ("digits_qdq", "digits_qoperator")
# Operators whose results the network on the device sees in another layout than the file, or that need several steps.
OPERATORS = (
    "average_pool_counts_pads",
    "concat",
    "conv_wide_pads",
    "flatten_gemm",
    "normalization",
    "shuffle",
)
OPERATORS += ("softmax_rescaled", "conv_groups", "transposed", "resize", "relu_rescaled")
SAMPLES = 24
# Each layer may be a step off where it rounds, and passes that on: of the scores, one step at most in these networks.
STEPS = 1


@pytest.mark.parametrize("form", FORMS)
def test_every_layer_is_exact(board, form: str) -> None:
    result = run(DATA / f"{form}.onnx", Options(**board, source="random:1", check="layers")).result
    assert result.bit_exact is True, str(result.first_mismatch)


@pytest.mark.parametrize("form", FORMS)
def test_digits_are_classified_as_by_onnxruntime(board, tmp_path: Path, form: str) -> None:
    images, labels = digits.test_images()
    file = tmp_path / "digits.npz"
    floats = (images[:SAMPLES].astype(np.float32) / 255).transpose(0, 3, 1, 2)
    np.savez(file, x=floats, y=labels[:SAMPLES])
    outcome = run(DATA / f"{form}.onnx", Options(**board, source=str(file)))
    assert outcome.result.bit_exact is True, str(outcome.result.first_mismatch)
    assert outcome.result.samples == SAMPLES and outcome.result.correct >= 0.9 * SAMPLES
    step = _step(form)
    for x, (got,), label in zip(floats, outcome.outputs, outcome.result.classes, strict=True):
        (want,) = reference(DATA / f"{form}.onnx", x[None])
        assert got.shape == want.shape and got.dtype == want.dtype
        assert np.abs(got - want).max() <= (STEPS + 0.01) * step
        assert want[0, label] >= want.max() - 2 * STEPS * step


def _step(form: str) -> float:
    from host.model.onnx import import_onnx

    graph = import_onnx(DATA / f"{form}.onnx")
    return float(graph.tensors[graph.outputs[0].tensor].quant.scale[0])


def test_images_are_taken_as_pixels(board, tmp_path: Path) -> None:
    """uint8 images [n,h,w,c] and floats 0..1 [n,c,h,w] are the same samples of this network."""
    images, _ = digits.test_images()
    pixels, floats = tmp_path / "pixels.npy", tmp_path / "floats.npy"
    np.save(pixels, images[:2])
    np.save(floats, (images[:2].astype(np.float32) / 255).transpose(0, 3, 1, 2))
    first, second = (
        run(DATA / "digits_qoperator.onnx", Options(**board, source=str(file), predict=False))
        for file in (pixels, floats)
    )
    for a, b in zip(first.outputs, second.outputs, strict=True):
        np.testing.assert_array_equal(a[0], b[0])


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_are_exact(board, tmp_path: Path, name: str) -> None:
    m = Maker((1, 4, 12, 10))
    file = tmp_path / f"{name}.onnx"
    file.write_bytes(m.bytes(QDQ[name][0](m)))
    result = run(file, Options(**board, source="random:1", check="layers", predict=False)).result
    assert result.bit_exact is True, str(result.first_mismatch)


def test_errors_are_one_line_with_a_status(tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    file.write_bytes(b"hello")
    m = Maker((1, 4))
    real, unknown = tmp_path / "float.onnx", tmp_path / "unknown.onnx"
    real.write_bytes(m.bytes(m.node("Relu", ["x"], "y")))
    m = Maker((1, 4))
    unknown.write_bytes(m.bytes(m.requantized(m.node("Sigmoid", [m.requantized("x", 0.1, 0)], "y"), 0.1, 0)))
    refused(NotAnOnnxError, "run", file, saying=("net.onnx: not an ONNX file",))
    refused(FloatModelError, "run", real, saying=("float.onnx", "floating point", "host quantize"))
    refused(UnsupportedError, "inspect", unknown, saying=("unknown.onnx: Sigmoid 'y_node': not supported",))
