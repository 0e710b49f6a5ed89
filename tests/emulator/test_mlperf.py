"""MLPerf Tiny's commands on emulated boards: same results as the oracle's, times that repeat."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from host import runner as frames
from host.boards import load_board
from host.compile import compile_file
from host.data import digits
from host.devices import open_device
from host.inputs import Samples, random_inputs
from host.mlperf.block import plan_region_image
from host.mlperf.models import MODELS, SCORES, UINT8, Model
from tests.mlperf.runner import BANNER, Runner, expected_results

SHARED = Path(os.environ["TINYCONV_SHARED"]) if os.environ.get("TINYCONV_SHARED") else None
DIGITS = Model("digits", "digits", UINT8, SCORES, 32 * 32)
SAMPLES = {"kws01": "kws_1", "vww01": "vww_24", "ic01": "cifar10_24", "ad01": "ad_8windows"}


@pytest.mark.parametrize("board_id", ["emu_stm32f405", "emu_cortex_m7"])
def test_text_then_frames_then_text(board_id):
    board, compiled = load_board(board_id), compile_file(digits.model_path())
    raw = digits.test_images()[0][0].reshape(-1)
    client = open_device(board, plan=plan_region_image(compiled, DIGITS))
    try:
        runner = Runner(client.transport)
        assert runner.lines() == BANNER
        assert runner.ask("name") == [f"m-name-dut-[tinyconv {board_id}]"]
        expected = expected_results(compiled.original, DIGITS, raw)
        runner.load(raw.tobytes())
        runs = [runner.infer(4, 1) for _ in range(2)]
        assert [result for _, result in runs] == [expected] * 2
        assert abs(runs[0][0] - runs[1][0]) <= 1, "the time of four inferences repeats"
        client.connect()
        info = frames.load(client, compiled, in_flash=True)
        samples = Samples([random_inputs(compiled.original, 1)], None, "random")
        measured = frames.measure(client, compiled, info, samples)
        assert measured.mismatches == 0 and client.session.counts.errors == 0
        runner.load(raw.tobytes())
        assert runner.infer(1, 0)[1] == expected
    finally:
        client.close()


@pytest.mark.skipif(SHARED is None, reason="TINYCONV_SHARED does not name the folder with the networks")
@pytest.mark.parametrize("name", MODELS)
def test_the_benchmarks_networks_on_real_samples(name):
    model = MODELS[name]
    compiled = compile_file(SHARED / "models" / f"{model.catalogue}.tflite")
    samples = np.load(SHARED / "samples" / f"{SAMPLES[name]}.npz")["x"]
    client = open_device(load_board("emu_stm32f405"), plan=plan_region_image(compiled, model))
    try:
        runner = Runner(client.transport)
        assert runner.lines() == BANNER
        assert runner.ask("profile")[1] == f"m-model-[{name}]"
        for sample in samples[:2]:
            raw = np.ascontiguousarray(sample.reshape(-1).astype(model.raw_dtype))
            runner.load(raw.tobytes())
            assert runner.infer(1, 0)[1] == expected_results(compiled.original, model, raw)
    finally:
        client.close()
