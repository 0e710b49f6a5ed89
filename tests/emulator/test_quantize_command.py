"""`host quantize` as its users meet it: float network in, int8 network out that runs exactly."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from host import errors
from host.api import run
from host.data import digits
from host.model.tflite_import import import_tflite
from host.model.tflite_write import write_tflite
from tests.emulator.test_cli import HOST, refused
from tests.emulator.test_cli import host as command
from tests.float_nets import dequantised, inputs_of, small
from tests.onnx_nets import Maker, reference


@pytest.fixture
def float_digits(tmp_path: Path) -> Path:
    (tmp_path / "float.tflite").write_bytes(write_tflite(dequantised(import_tflite(digits.model_path()))))
    return tmp_path / "float.tflite"


@pytest.fixture
def images(tmp_path: Path) -> Path:
    x, y = digits.test_images()
    np.savez(tmp_path / "images.npz", x=x[::4], y=y[::4])
    return tmp_path / "images.npz"


def test_a_float_tflite_file_runs_exactly_afterwards(float_digits: Path, images: Path, tmp_path: Path):
    out = tmp_path / "int8.tflite"
    arguments = (
        "quantize",
        float_digits,
        "--samples",
        images,
        "-o",
        out,
        "--input-range",
        "0,1",
        "--json",
        "-",
    )
    done = command(*arguments, "--layers")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    result = json.loads(done.stdout)
    assert result["accuracy"]["int8"] >= 0.95 and result["samples"]["count"] == 49
    assert len(result["layers"]) > 10 and result["output"] == str(out)
    assert result["inputs"][0]["dtype"] == "float32"
    done = command("run", out, "--input", images, "--json", "-", "--no-model")
    assert done.returncode == 0, done.stderr
    ran = json.loads(done.stdout)
    assert ran["bit_exact"] is True and ran["correct"] / 49 == pytest.approx(result["accuracy"]["int8"])


def test_a_float_script_with_several_inputs_runs_exactly_afterwards(tmp_path: Path):
    graph = small()
    samples = inputs_of(graph, 8)
    arrays = {b.name: np.stack([s[k][0] for s in samples]) for k, b in enumerate(graph.inputs)}
    np.savez(tmp_path / "samples.npz", **arrays)
    (tmp_path / "net.py").write_text("from tests.float_nets import small\nnetwork = small\n")
    out = tmp_path / "int8.tflite"
    done = command(
        "quantize", tmp_path / "net.py", "-s", tmp_path / "samples.npz", "-o", out, "--per-tensor",
        "--ranges", "percentile:99.9", "--input-type", "int8", "--output-type", "int8",
        "--compare", tmp_path / "samples.npz",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for words in ("percentile:99.9", "8 samples", "SQNR", "dB", str(out)):
        assert words in done.stdout
    assert {b.dtype for b in import_tflite(out).inputs} == {np.dtype(np.int8)}
    report = run(out, arrays, check="layers").report
    assert report.bit_exact is True and report.samples == 8


def test_a_float_onnx_file_runs_exactly_afterwards(tmp_path: Path):
    m = Maker((1, 3, 12, 10))
    x = m.node(
        "Conv",
        ["x", m.random("w0", 8, 3, 3, 3), m.random("b0", 8)],
        "conv",
        pads=[1, 1, 1, 1],
        strides=[2, 2],
    )
    x = m.node("Relu", [x], "relu")
    x = m.node("Conv", [x, m.random("w1", 8, 4, 3, 3)], "grouped", group=2, pads=[1, 1, 1, 1])
    x = m.node("Add", [x, "relu"], "sum")
    x = m.node("ConvTranspose", [x, m.random("w2", 8, 4, 2, 2)], "up", strides=[2, 2])
    x = m.node("GlobalAveragePool", [x], "pooled")
    x = m.node(
        "Gemm", [m.node("Flatten", [x], "flat"), m.random("w3", 5, 4), m.random("b3", 5)], "scores", transB=1
    )
    content = m.bytes(m.node("Softmax", [x], "probabilities"))
    (tmp_path / "net.onnx").write_bytes(content)
    images = np.random.default_rng(2).normal(0, 1, (16, 3, 12, 10)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=images, y=[int(reference(content, i[None])[0].argmax()) for i in images])
    out = tmp_path / "int8.tflite"
    done = command("quantize", tmp_path / "net.onnx", "-s", tmp_path / "x.npz", "-o", out, "--json", "-")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["accuracy"]["float"] == 1.0 and result["accuracy"]["int8"] >= 0.8
    assert result["outputs"][0]["sqnr_db"] > 25 and result["inputs"][0]["shape"] == [1, 3, 12, 10]
    done = command("run", out, "--input", tmp_path / "x.npz", "--json", "-", "--no-model")
    assert json.loads(done.stdout)["correct"] / 16 == result["accuracy"]["int8"]
    ran = run(out, images, check="layers")
    assert ran.report.bit_exact is True
    wanted = np.concatenate([reference(content, i[None])[0] for i in images])
    assert np.abs(ran.outputs[0][:, 0] - wanted).max() <= result["outputs"][0]["max_error"] + 1e-5


def test_refusals_are_one_line(float_digits: Path, images: Path, tmp_path: Path):
    np.save(tmp_path / "bad.npy", np.zeros((2, 5, 5, 1), np.float32))
    np.save(tmp_path / "none.npy", np.zeros((0, 32, 32, 1), np.float32))
    given = ("quantize", float_digits, "--output", tmp_path / "out.tflite", "--samples")
    refused(errors.InputError, *given, tmp_path / "bad.npy", saying=("bad.npy", "[1, 32, 32, 1]"))
    refused(errors.InputError, *given, tmp_path / "nowhere.npy", saying=("nowhere.npy",))
    refused(errors.QuantizeError, *given, tmp_path / "none.npy", saying=("none.npy", "no samples"))
    refused(errors.QuantizeError, *given, images, "--ranges", "all", saying=("minmax",))
    refused(
        errors.UnsupportedError, "quantize", digits.model_path(), "-s", images, saying=("quantised already",)
    )
    nowhere = ("quantize", float_digits, "-s", images, "-o", tmp_path / "no" / "out.tflite")
    refused(errors.OutputError, *nowhere, saying=("cannot write",))
    assert command("quantize", float_digits).returncode == 2
    assert command(*given, images, "--input-range", "1,2").returncode == 2
    assert command("quantize", float_digits, "-s", images, "-o", float_digits).returncode == 2
    assert not (tmp_path / "out.tflite").exists()


def test_interruption_leaves_no_file(float_digits: Path, tmp_path: Path):
    x, _ = digits.test_images()
    np.save(tmp_path / "many.npy", np.concatenate([x] * 40))
    folder = tmp_path / "results"
    folder.mkdir()
    arguments = ("quantize", float_digits, "-s", tmp_path / "many.npy", "-o", folder / "out.tflite")
    process = subprocess.Popen([str(HOST), *map(str, arguments)], stderr=subprocess.PIPE, text=True)
    time.sleep(3)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130 and "interrupted" in stderr
    assert list(folder.iterdir()) == []
