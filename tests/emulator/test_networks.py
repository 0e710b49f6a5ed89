"""Whole networks on the device: every layer exact, real samples classified as LiteRT does, counts repeatable."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from host.data import digits
from host.experiment import Options, run
from host.model.tflite_import import import_tflite
from host.oracle.run import dequantize_output
from tests.litert import Reference

SHARED = Path(os.environ["TINYCONV_SHARED"]) if os.environ.get("TINYCONV_SHARED") else None
NETWORKS = ("kws_ref_model", "vww_96_int8", "pretrainedResnet_quant", "ad01_int8", "te_vww")
# Samples of each network, and how many of them a test run takes: the emulated line carries about 20 KB/s.
SAMPLES = {
    "kws_ref_model": ("kws_1", 1),
    "vww_96_int8": ("vww_24", 24),
    "pretrainedResnet_quant": ("cifar10_24", 24),
    "ad01_int8": ("ad_8windows", 8),
    "te_vww": ("vww_24", 24),
}

needs_shared = pytest.mark.skipif(
    SHARED is None, reason="TINYCONV_SHARED does not name the folder with the networks"
)


def test_the_digits_are_classified_exactly(board):
    outcome = run(digits.model_path(), Options(**board), built_in=True)
    result = outcome.result
    assert result.bit_exact is True
    assert result.correct is not None and result.correct >= 0.95 * result.samples
    assert len(result.classes) == result.samples >= 100


def test_the_digits_are_exact_in_every_layer_with_plain_kernels_too(board):
    for kernels in ("all", "ref"):
        options = Options(**board, source="random:3", check="layers", kernels=kernels)
        assert run(digits.model_path(), options).result.bit_exact is True


@pytest.mark.needs("instructions")  # cycles of a real board vary with its memory's state
def test_counts_are_the_same_every_time(board):
    options = Options(**board, source="random:7")
    first, second = (run(digits.model_path(), options).result for _ in range(2))
    assert first.per_inference == second.per_inference > 0
    assert [x.count for x in first.layers] == [x.count for x in second.layers]
    assert sum(x.count for x in first.layers) == first.per_inference


def test_many_runs_count_as_one(board):
    once, thrice = (
        run(digits.model_path(), Options(**board, source="random:7", runs=n)).result for n in (1, 3)
    )
    assert thrice.bit_exact is True
    if once.emulated:
        assert once.per_inference == thrice.per_inference


@pytest.mark.parametrize("core_board", ["emu_cortex_m7"])
def test_the_digits_are_exact_on_other_cores(core_board):
    options = Options(board=core_board, source="random:1", check="layers")
    first, second = (run(digits.model_path(), options).result for _ in range(2))
    assert first.bit_exact is True
    assert first.per_inference == second.per_inference > 0


@needs_shared
@pytest.mark.parametrize("core_board", ["emu_cortex_m7"])
def test_kws_is_exact_on_other_cores(core_board):
    options = Options(board=core_board, source="random:1", check="layers")
    assert run(SHARED / "models" / "kws_ref_model.tflite", options).result.bit_exact is True


@needs_shared
@pytest.mark.parametrize("network", NETWORKS)
def test_every_layer_is_exact(board, network):
    options = Options(**board, source="random:1", check="layers")
    result = run(SHARED / "models" / f"{network}.tflite", options).result
    assert result.bit_exact is True, str(result.first_mismatch)


@needs_shared
@pytest.mark.parametrize("network", NETWORKS)
def test_real_samples_give_what_litert_gives(board, network):
    file, count = SAMPLES[network]
    model = SHARED / "models" / f"{network}.tflite"
    samples = SHARED / "samples" / f"{file}.npz"
    outcome = run(model, Options(**board, source=str(samples), resize=network == "te_vww"))
    assert outcome.result.bit_exact is True, str(outcome.result.first_mismatch)
    assert outcome.result.samples == count
    graph = import_tflite(model)
    reference = Reference(model.read_bytes())
    border = graph.inputs[0]
    for i, (sample,) in enumerate(outcome.samples.tensors):
        (wanted,) = reference.run([dequantize_output(graph, border, sample)])
        assert np.array_equal(outcome.outputs[i][0], wanted), f"sample {i}"
        if outcome.result.classes:
            assert outcome.result.classes[i] == int(np.argmax(wanted))
