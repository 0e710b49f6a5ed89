"""The cycle model on a network: it sees the steps that the device counts, and adds up."""

from __future__ import annotations

import json

import pytest

from host import boards, build, errors
from host.compile import compile_file
from host.cyclemodel import model, plugin
from host.data import digits
from host.experiment import Options, run
from host.profile import profile
from tests.emulator.test_cli import host, refused

# Between the device's two looks at its counter lie, beside the step, the call and the looks themselves.
LOOK_INSTRUCTIONS = 30


@pytest.mark.parametrize("board", ["emu_stm32f405", "emu_cortex_m7"])
def test_it_sees_what_the_device_counts(board):
    options = Options(board, source="random:1", place="flash")
    counted = run(digits.model_path(), options).result
    seen = profile(digits.model_path(), options).modelled
    assert len(seen.steps) == len(counted.layers)
    extra = [
        layer.count - step.total.instructions for layer, step in zip(counted.layers, seen.steps, strict=True)
    ]
    assert min(extra) >= 0 and max(extra) <= LOOK_INSTRUCTIONS
    assert max(extra) - min(extra) <= 2


@pytest.mark.parametrize(("board", "mem"), [("emu_stm32f405", None), ("emu_cortex_m7", "f746-axi")])
def test_it_says_the_same_every_time(board, mem):
    board = boards.load_board(board)
    compiled = compile_file(digits.model_path())
    chip, inputs, elf = model.chip_of(board, mem=mem), model.fixed_inputs(compiled), build.build(board).elf
    first, second = (model.simulate(board, chip, compiled, inputs, True, elf) for _ in range(2))
    assert first == second


def test_cycles_add_up():
    options = Options("emu_stm32f405", source="random:1", place="flash")
    none, l4r5 = (profile(digits.model_path(), options, flash=flash).to_json() for flash in ("none", "l4r5"))
    for result in (none, l4r5):
        assert result["modelled"] is True and result["fps_source"] == "model"
        assert result["cycles"] >= result["instructions"]
        assert "plan_run_step" in result["functions"]
        assert result["fps"] == pytest.approx(result["clock_hz"] / result["cycles"], rel=1e-5)
        for parts in (result["layers"], list(result["functions"].values())):
            assert sum(p["instructions"] for p in parts) == result["instructions"]
            assert sum(p["cycles"] for p in parts) == pytest.approx(result["cycles"], abs=len(parts))
        for part in (result, *result["layers"]):
            assert part["split"]["issue"] == part["instructions"]
            assert sum(part["split"].values()) == pytest.approx(part["cycles"], abs=6)
    assert none["instructions"] == l4r5["instructions"]
    assert none["split"]["flash_code"] == none["split"]["flash_data"] == 0
    assert l4r5["split"]["flash_code"] > 0 and l4r5["split"]["flash_data"] > 0


def test_weights_in_ram_wait_less():
    in_flash, in_ram = (
        profile(digits.model_path(), Options("emu_stm32f405", place=place), flash="l4r5").total()
        for place in ("flash", "ram")
    )
    assert in_ram.flash_data < in_flash.flash_data
    assert in_ram.instructions == in_flash.instructions


def test_run_shows_the_modelled_speed_as_such():
    done = host("run", "-i", "random:1", "--json", "-")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["fps_source"] == "model"
    assert result["prediction"]["chip"] == "f405"
    assert result["fps"] == pytest.approx(168e6 / result["prediction"]["cycles"])
    without = json.loads(host("run", "-i", "random:1", "--no-model", "--json", "-").stdout)
    assert without["fps"] is None and without["fps_source"] is None
    text = host("run", "-i", "random:1").stdout
    assert "modelled, not measured" in text and "±15 %" in text


def test_the_command_prints_layers_and_functions():
    done = host("profile", "--flash", "l4r5")
    assert done.returncode == 0, done.stderr
    for words in ("modelled on l4r5", "CONV_2D", "functions", "modelled, not measured", "120 MHz"):
        assert words in done.stdout


def test_what_cannot_be_modelled_is_refused():
    refused(errors.HostError, "profile", "--flash", "l4", saying=("no chip 'l4'", "l4r5"))
    refused(errors.HostError, "profile", "--flash", "h743", saying=("no Cortex-M4",))
    refused(errors.HostError, "profile", "-b", "emu_cortex_m7", "--flash", "l4r5", saying=("Cortex-M7 code",))
    refused(errors.HostError, "profile", "-b", "adafruit_feather_f405", saying=("measures cycles itself",))


def test_a_run_goes_on_without_the_model(monkeypatch):
    def refuse():
        raise errors.BuildError("no such compiler")

    said = []
    monkeypatch.setattr(plugin, "library", refuse)
    monkeypatch.setattr(model, "_own_sources", lambda: b"none that was ever kept")
    result = run(digits.model_path(), Options("emu_stm32f405", source="random:1"), say=said.append).result
    assert result.bit_exact is True
    assert result.fps is None and result.fps_source is None
    assert any("no such compiler" in text for text in said)
