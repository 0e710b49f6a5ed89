"""A slice of compare-conv on the emulated board."""

from __future__ import annotations

import json

from host import errors
from tests.emulator.test_cli import host, refused


def test_ways_are_exact_and_compared(tmp_path):
    out, figure = tmp_path / "c.json", tmp_path / "c.png"
    done = host(
        "compare-conv",
        "--network",
        "squeezenet1.0",
        "--shape",
        "* 13x13 64->256",
        "--json",
        out,
        "--plot",
        figure,
    )
    assert done.returncode == 0, done.stderr
    assert "1x1 13x13 64->256" in done.stdout and "3x3 13x13 64->256" in done.stdout
    assert figure.read_bytes().startswith(b"\x89PNG")
    by_shape = {shape["shape"]: shape for shape in json.loads(out.read_text())["shapes"]}
    product, window = (by_shape[f"{k}x{k} 13x13 64->256"]["methods"] for k in (1, 3))
    assert set(product) == {"gemm", "im2col", "indirect"}
    assert set(window) == {"gemm", "im2col", "indirect", "winograd"}
    for result in (*product.values(), *window.values()):
        assert result["exact"] is True and result["count"] > 0
    assert window["winograd"]["count"] < window["indirect"]["count"]
    assert window["winograd"]["plan_bytes"] > 3 * window["indirect"]["plan_bytes"]
    matrix = by_shape["3x3 13x13 64->256"]["run_im2col_matrix_bytes"]
    assert window["im2col"]["scratch_bytes"] < window["indirect"]["scratch_bytes"] < matrix


def test_wrong_arguments_are_one_line():
    refused(errors.InputError, "compare-conv", "--network", "vgg", saying=("no shape matches", "resnet18"))
    refused(errors.InputError, "compare-conv", "--plot", "c.gif", saying=("c.gif", ".png"))
