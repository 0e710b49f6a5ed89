"""The whole firmware answers the benchmark's commands, as a process under the sanitizers, among frames too."""

from __future__ import annotations

import os
import random
import struct
from pathlib import Path

import numpy as np
import pytest

from host import runner as frames
from host.compile import compile_file, compile_graph
from host.errors import DeviceError
from host.inputs import Samples, random_inputs
from host.link.client import Client
from host.mlperf.block import plan_region_image
from host.mlperf.models import FLOAT32, INT8, MODELS, SCORES, SQUARED_ERROR, Model, random_raw
from host.model.builder import Builder
from tests.mlperf.conftest import DIGITS
from tests.mlperf.runner import expected_results
from tests.mlperf.transcripts import network, samples

SHARED = Path(os.environ["TINYCONV_SHARED"]) if os.environ.get("TINYCONV_SHARED") else None
HELP = """ULPMark for tinyML Firmware V0.0.1

help         : Print this information
name         : Print the name of the device
timestsamp   : Generate a timetsamp
db SUBCMD    : Manipulate a generic byte buffer
  load N     : Allocate N bytes and set load counter
  db HH[HH]* : Load 8-bit hex byte(s) until N bytes
  print [N=16] [offset=0]
             : Print N bytes at offset as hex
infer N [W=0]: Load input, execute N inferences after W warmup loops
results      : Return the result fp32 vector"""


def dense(inputs: int, outputs: int, seed: int = 1):
    """A fully connected layer."""
    rng = np.random.default_rng(seed)
    net = Builder("dense")
    x = net.input((inputs,), scale=1 / 16, zero_point=3)
    net.output(net.fully_connected(x, rng.normal(0, 0.2, (outputs, inputs)), scale=1 / 8, zero_point=-5))
    return net.graph()


@pytest.mark.skipif(SHARED is None, reason="TINYCONV_SHARED does not name the folder with the networks")
@pytest.mark.parametrize("name", MODELS)
def test_the_benchmarks_networks_are_exact(start, name):
    model = MODELS[name]
    compiled = compile_file(network(model, SHARED))
    runner = start(plan_region_image(compiled, model))
    assert runner.ask("profile") == [
        "m-profile-[ULPMark for tinyML Firmware V0.0.1]",
        f"m-model-[{name}]",
    ]
    for seed, (runs, warm_ups) in enumerate([(1, 0), (3, 2)]):
        raw = random_raw(model, seed)
        runner.load(raw.tobytes())
        expected = expected_results(compiled.original, model, raw)
        assert runner.infer(runs, warm_ups)[1] == expected
        assert runner.ask("results") == [expected]
    for raw in samples(model, SHARED):
        runner.load(raw.tobytes())
        assert runner.infer(1, 0)[1] == expected_results(compiled.original, model, raw)


def test_the_fixed_replies(start, region):
    runner = start(region)
    assert runner.ask("name") == ["m-name-dut-[tinyconv native]"]
    assert runner.ask("  name  ") == ["m-name-dut-[tinyconv native]"]
    assert runner.ask("help") == HELP.split("\n")
    assert runner.ask("") == ["e-[Unknown command: ]"]
    assert runner.ask("Name x") == ["e-[Unknown command: Name]"]
    first, second = (int(runner.ask("timestamp")[0].removeprefix("m-lap-us-")) for _ in range(2))
    assert 0 <= first <= second


def test_the_buffer(start, region):
    runner = start(region)
    assert runner.ask("db") == ["e-[Command 'db' requires a subcommand]"]
    assert runner.ask("db load") == ["e-[Command 'db load' requires the # of bytes]"]
    for wrong in ("0", "-3", "x"):
        assert runner.ask(f"db load {wrong}") == ["e-[Command 'db load' must be >0 bytes]"]
    no_room = ["e-[Command 'db' has no room for bytes; 'db load' makes some]"]
    assert runner.ask("db 00") == no_room and runner.ask("db print") == []
    for more in (1025, 2**31 - 1, 10**15):
        said = min(more, 2**31 - 1)
        assert runner.ask(f"db load {more}") == [f"e-[Supplied buffer size {said} exceeds maximum of 1024]"]
    assert runner.ask("db 00") == no_room
    assert runner.ask("db load 10") == ["m-[Expecting 10 bytes]"]
    assert runner.ask("db 0A1bFf") == []
    assert runner.ask("db 123") == ["e-[Insufficent number of hex digits]"]
    assert runner.ask("db 7fx0") == ["e-[Invalid hex digit 'x0']"]
    assert runner.ask("db print") == ["m-buffer-0a-1b-ff-7f-00-00-00-00", "m-buffer-00-00", ""]
    assert runner.ask("infer 1") == ["e-[No whole input is loaded; 'db load' begins one]"]
    assert runner.ask("db 0102030405060708090a") == ["m-load-done"]
    assert runner.ask("db print") == ["m-buffer-0a-1b-ff-7f-01-02-03-04", "m-buffer-05-06", ""]
    assert runner.ask("db 00") == no_room
    assert runner.ask("infer 1") == ["e-[No whole input is loaded; 'db load' begins one]"]  # 10 of 1024
    assert runner.ask("db load 8") == ["m-[Expecting 8 bytes]"]
    assert runner.ask("db print") == ["m-buffer-00-00-00-00-00-00-00-00"]
    assert runner.ask("x" * 81) == ["e-[Command exceeds 80 characters]"]


def test_numbers_of_inferences(start, region):
    runner = start(region)
    assert runner.ask("results") == ["e-[No inference has run]"]
    for wrong in ("0", "-1", "x"):
        assert runner.ask(f"infer {wrong}") == ["e-[Inference iterations must be >0]"]
    assert runner.ask("infer 1 -1") == ["e-[Inference warmup must be >=0]"]
    runner.load(bytes(DIGITS.elems))
    for command, runs, warm_ups in (("infer", 1, 10), ("infer 2", 2, 10), ("infer 2 0", 2, 0)):
        lines = runner.ask(command)
        assert lines[0] == f"m-warmup-start-{warm_ups}" and lines[2] == f"m-infer-start-{runs}"


def test_floats_are_quantised_as_the_benchmark_does_it(start):
    model = Model("auto", "auto", FLOAT32, SQUARED_ERROR, 24)
    compiled = compile_graph(dense(24, 24))
    runner = start(plan_region_image(compiled, model))
    halves = (np.arange(24, dtype="<f4") - 12.5) / 16  # exactly between two steps
    clamped = np.array([1e5, -1e5, 1e-45, -0.0, 7.9, -8.3] * 4, "<f4")
    for raw in (halves, random_raw(model, 5), clamped):
        runner.load(raw.tobytes())
        assert runner.infer(1, 1)[1] == expected_results(compiled.original, model, raw)
    for huge in (1e15, -3e38):  # squares that no text shows, and that no float holds
        runner.load(np.full(24, huge, "<f4").tobytes())
        assert runner.infer(1, 0)[1] == "m-results-[inf]"
    for bad in (np.nan, np.inf, -np.inf):
        raw = halves.copy()
        raw[17] = bad
        runner.load(raw.tobytes())
        assert runner.ask("infer 1") == ["e-[The input holds a number that is not finite]"]


@pytest.mark.parametrize("spare", [0, 24, 119, 120])
def test_too_little_ram_for_the_buffer_is_said(start, spare):
    model = Model("auto", "auto", FLOAT32, SQUARED_ERROR, 24)
    compiled = compile_graph(dense(24, 24))
    arena = struct.unpack_from("<I", compiled.plan, 16)[0]
    counts = -(-4 * len(compiled.net.steps) // 8) * 8
    pool = counts + -(-arena // 8) * 8 + spare // 8 * 8
    runner = start(plan_region_image(compiled, model), str(pool))
    if spare // 8 * 8 >= 120:  # 24 floats and 24 elements
        runner.load(bytes(96))
    else:
        assert runner.ask("db load 96") == ["e-[The plan leaves too little RAM for an input]"]
        assert runner.ask("infer 1") == ["e-[No whole input is loaded; 'db load' begins one]"]


def test_frames_and_text_do_not_disturb_each_other(start, region, compiled):
    runner = start(region, banner=False)
    with Client(runner.transport) as client:  # the banner is dropped
        assert client.ping(b"x%") == b"x%"
        raw = random_raw(DIGITS, 3)
        expected = expected_results(compiled.original, DIGITS, raw)
        for text_first in (False, True):
            if text_first:
                runner.ask("name")
            else:
                client.connect()
            runner.load(raw.tobytes())
            assert runner.infer(1, 0)[1] == expected
            with pytest.raises(DeviceError) as e:
                client.ping(b"name%")
            assert e.value.status == "RESTARTED"
            client.connect()
            assert client.ping(b"name%") == b"name%"
            assert runner.ask("results") == [expected]
        assert client.session.counts.errors == 0


def test_a_host_that_loads_a_plan_takes_the_buffer(start, region, compiled):
    runner = start(region)
    client = Client(runner.transport)
    raw = random_raw(DIGITS, 3)
    runner.load(raw.tobytes())
    client.connect()
    done = frames.load(client, compiled, in_flash=False)
    assert runner.ask("infer 1") == ["e-[No whole input is loaded; 'db load' begins one]"]
    tensors = [random_inputs(compiled.original, seed) for seed in (1, 2)]
    measured = frames.measure(client, compiled, done, Samples(tensors, None, "random"))
    assert measured.mismatches == 0
    runner.load(raw.tobytes())
    assert runner.infer(1, 0)[1] == expected_results(compiled.original, DIGITS, raw)
    client.connect()
    with pytest.raises(DeviceError) as e:
        client.load_plan(b"no plan")
    assert e.value.status != "RESTARTED"


def test_a_host_ends_inferences_without_end(start, region):
    runner = start(region)
    runner.load(bytes(DIGITS.elems))
    runner.transport.write(b"infer 1 2000000000%")
    assert runner.transport.read(10).startswith(b"m-warmup")
    client = Client(runner.transport)
    client.connect()
    assert client.ping(b"there") == b"there"


def test_energy_mode_tells_no_times(start, compiled):
    runner = start(plan_region_image(compiled, DIGITS, energy=True), banner=False)
    assert runner.lines() == ["m-timestamp-mode-energy", "m-init-done", "m-ready"]
    assert runner.ask("timestamp") == []
    raw = random_raw(DIGITS, 4)
    runner.load(raw.tobytes())
    expected = expected_results(compiled.original, DIGITS, raw)
    said = ["m-warmup-start-1", "m-warmup-done", "m-infer-start-2", "m-infer-done", expected]
    assert runner.ask("infer 2 1") == said
    client = Client(runner.transport)
    client.connect()  # ends the mode
    assert runner.ask("timestamp")[0].startswith("m-lap-us-")


def test_a_reset_forgets_everything(start, region):
    runner = start(region)
    runner.load(bytes(DIGITS.elems))
    runner.infer(1, 0)
    client = Client(runner.transport)
    client.connect()
    client.reset()
    assert runner.ask("results") == ["e-[No inference has run]"]
    assert runner.ask("infer 1") == ["e-[No whole input is loaded; 'db load' begins one]"]


def test_random_commands_never_stop_it(start):
    """Words, numbers and rubbish in any order; the sanitizers watch."""
    compiled = compile_graph(dense(24, 24))
    model = Model("small", "small", INT8, SCORES, 24)
    runner = start(plan_region_image(compiled, model))
    rng = random.Random(7)
    words = [
        "db",
        "load",
        "print",
        "infer",
        "results",
        "name",
        "profile",
        "help",
        "timestamp",
        "0",
        "24",
        "7",
    ]
    words += ["1", "2", "-1", "00", "ff0080", "zz", "abc", "9" * 30, "x" * 90, ""]
    for _ in range(3000):
        reply = runner.ask(" ".join(rng.choice(words) for _ in range(rng.randint(0, 4))))
        assert all(line == "" or line[:2] in ("m-", "e-") for line in reply) or reply == HELP.split("\n")
    raw = random_raw(model, 1)
    runner.load(raw.tobytes())
    assert runner.infer(2, 1)[1] == expected_results(compiled.original, model, raw)
