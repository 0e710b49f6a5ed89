"""MLPerf Tiny's commands on emulated boards: same results as the oracle's, times that repeat."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import closing
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from host import runner as frames
from host.boards import load_board
from host.cli import cli
from host.compile import compile_file
from host.data import digits
from host.devices import open_device
from host.experiment import Options, run
from host.inputs import Samples, random_inputs
from host.mlperf.block import plan_region_image
from host.mlperf.dut import Dut
from host.mlperf.models import MODELS, SCORES, UINT8, Model
from host.report.result import RunResult
from host.transport.native import NativeTransport
from host.transport.serial import open_port
from tests.mlperf.conftest import POOLS
from tests.mlperf.runner import BANNER, Runner, expected_results
from tests.mlperf.transcripts import SAMPLES, conversation, kept, network, samples
from tests.native_build import native_firmware

SHARED = Path(os.environ["TINYCONV_SHARED"]) if os.environ.get("TINYCONV_SHARED") else None
HOST = Path(sys.executable).with_name("host")
DIGITS = Model("digits", "digits", UINT8, SCORES, 32 * 32)


@cache
def host_run(name: str) -> RunResult:
    """What `host run` says about all real samples."""
    source = SHARED / "samples" / f"{SAMPLES[name]}.npz"
    options = Options(board="emu_stm32f405", source=str(source), predict=False)
    return run(network(MODELS[name], SHARED), options).result


def _interruptible() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the test run may ignore it


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
    compiled = compile_file(network(model, SHARED))
    client = open_device(load_board("emu_stm32f405"), plan=plan_region_image(compiled, model))
    try:
        runner = Runner(client.transport)
        assert runner.lines() == BANNER
        assert runner.ask("profile")[1] == f"m-model-[{name}]"
        for raw in samples(model, SHARED)[:2]:
            runner.load(raw.tobytes())
            assert runner.infer(1, 0)[1] == expected_results(compiled.original, model, raw)
    finally:
        client.close()


@pytest.mark.skipif(SHARED is None, reason="TINYCONV_SHARED does not name the folder with the networks")
@pytest.mark.parametrize(("name", "few"), [("vww01", 2), ("ic01", 6)])
def test_the_command_gives_the_classes_of_host_run(name, few, tmp_path, monkeypatch):
    model = MODELS[name]
    monkeypatch.setenv("TINYCONV_MODELS", str(SHARED / "models"))
    labels = np.load(SHARED / "samples" / f"{SAMPLES[name]}.npz")["y"]
    rows = [f"{i}.bin, 9, {int(y)}\n" for i, y in enumerate(labels[:few])]
    (tmp_path / "y_labels.csv").write_text("".join(rows))
    for i, raw in enumerate(samples(model, SHARED)[:few]):
        (tmp_path / f"{i}.bin").write_bytes(raw.tobytes())
    arguments = ["mlperf", "--model", name, "--accuracy", "--performance", "--data", str(tmp_path)]
    arguments += ["--json", "-", "--transcript", str(tmp_path / "said.txt"), "--runs", "1"]
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    report = json.loads(done.stdout)
    assert report["model"] == name and report["performance"]["time"] == "one instruction a cycle"
    assert min(report["performance"]["rates"]) > 0 and report["performance"]["inputs"] == min(few, 5)
    done = host_run(name)
    classes = done.classes[:few]
    assert report["accuracy"]["answers"] == classes
    assert report["performance"]["median"] == pytest.approx(done.clock_hz / done.per_inference, rel=0.02)
    right = sum(a == b for a, b in zip(classes, labels, strict=False))
    assert report["accuracy"]["value"] == right / few
    said = (tmp_path / "said.txt").read_text().splitlines()
    assert said[:4] == ["< m-timestamp-mode-performance", "< m-init-done", "< m-ready", "> name%"]


@pytest.mark.skipif(SHARED is None, reason="TINYCONV_SHARED does not name the folder with the networks")
@pytest.mark.parametrize("name", ["vww01", "ic01"])
def test_all_samples_get_the_classes_of_host_run(name, tmp_path):
    """The text goes through the firmware as a process of this computer, host run through the emulator."""
    model = MODELS[name]
    classes = host_run(name).classes
    flash = tmp_path / "flash.bin"
    flash.write_bytes(plan_region_image(compile_file(network(model, SHARED)), model))
    said = []
    with closing(NativeTransport(native_firmware(), [str(flash), *POOLS])) as transport:
        dut = Dut(transport)
        assert dut.hear_banner(10.0) == BANNER
        for raw in samples(model, SHARED):
            dut.load(raw.tobytes())
            said.append(int(np.argmax(dut.infer(1, 0).results)))
    assert len(said) == 24 and said == classes


@pytest.mark.skipif(SHARED is None, reason="TINYCONV_SHARED does not name the folder with the networks")
@pytest.mark.parametrize("name", MODELS)
def test_the_kept_transcripts_are_what_is_said(name):
    model = MODELS[name]
    again = "python -m tests.mlperf.transcripts writes them again"
    assert conversation(model, SHARED) == kept(model).read_text(), again


@pytest.mark.skipif(SHARED is None, reason="TINYCONV_SHARED does not name the folder with the networks")
def test_a_runner_finds_the_board_at_a_terminal(monkeypatch):
    monkeypatch.setenv("TINYCONV_MODELS", str(SHARED / "models"))
    command = [str(HOST), "mlperf", "--model", "kws01"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=_interruptible) as process:
        try:
            path = re.search(r"listens at (\S+) as kws01; Ctrl-C ends", process.stdout.readline())[1]
            for banner in (True, False):  # the port is opened twice; the device starts once
                transport = open_port(path)
                try:
                    dut = Dut(transport)
                    # what came before a port is opened is lost
                    assert dut.hear_banner(2.0 if banner else 0.5) in ([BANNER, []] if banner else [[]])
                    assert dut.profile() == "kws01"
                    dut.load(bytes(490))
                    assert len(dut.infer(1, 0).results) == 12
                finally:
                    transport.close()
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130


@pytest.mark.skipif(SHARED is None, reason="TINYCONV_SHARED does not name the folder with the networks")
@pytest.mark.parametrize("device", [[], ["--board", "nucleo_l4r5zi", "--emulate"]])
def test_energy_mode_listens_at_a_terminal(device, monkeypatch):
    monkeypatch.setenv("TINYCONV_MODELS", str(SHARED / "models"))
    command = [str(HOST), "mlperf", "--model", "ad01", "--energy", *device]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=_interruptible) as process:
        try:
            said = process.stdout.readline()
            path = re.search(r"listens at (\S+) as ad01 in energy mode: 9600 baud, pulses at P", said)[1]
            transport = open_port(path)
            try:
                dut = Dut(transport)
                assert dut.hear_banner(2.0) in (["m-timestamp-mode-energy", *BANNER[1:]], [])
                assert dut.profile() == "ad01" and dut.ask("timestamp") == []
            finally:
                transport.close()
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130


def test_a_board_without_an_energy_pin_has_no_energy_mode():
    compiled = compile_file(digits.model_path())
    client = open_device(load_board("emu_cortex_m7"), plan=plan_region_image(compiled, DIGITS, energy=True))
    try:
        runner = Runner(client.transport)
        assert runner.ask("db load 4") == ["e-[Wrong in the MLPerf block: flags]"]
        assert runner.ask("timestamp")[0].startswith("m-lap-us-")
    finally:
        client.close()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "kws01", "--energy", "--board", "emu_cortex_m7"], "has no energy_pin"),
        (["--model", "kws01", "--energy", "--performance"], "--energy leaves the board to the benchmark"),
        (["--model", "kws02"], "its models are kws01, vww01, ic01, ad01"),
        (["--model", "kws01", "--accuracy"], "--accuracy needs --data"),
        (["--model", "kws01", "--json", "-"], "are for --performance and --accuracy"),
    ],
)
def test_wrong_options(arguments, message):
    done = CliRunner().invoke(cli, ["mlperf", *arguments])
    assert done.exit_code != 0
    assert message in done.output or message in str(done.exception)
