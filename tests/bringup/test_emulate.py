"""`--emulate`: every real board's own image, in the emulator's process, with link and network."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from host.boards import all_boards, load_board
from host.build import build
from host.data import digits
from host.devices import open_device
from host.emulate import families
from host.errors import EmulatorError, ToolMissingError
from host.experiment import Options, run
from host.transport.model import EMULATE, ModelTransport

SHARED = os.environ.get("TINYCONV_SHARED")
BOARDS = [board.id for board in all_boards() if not board.emulated]


def emulated(board: str, **options) -> Options:
    return Options(board=board, port=EMULATE, **options)


@pytest.mark.parametrize("board", BOARDS)
def test_the_digits_are_exact(board):
    result = run(digits.model_path(), emulated(board, source="random:1", check="layers")).result
    assert result.bit_exact is True, str(result.first_mismatch)
    assert (result.emulated, result.counter, result.measured_fps) == (True, "instructions", None)
    assert result.clock_hz == load_board(board).clock.hz
    assert result.firmware["clock_source"] in ("PLL from crystal", "PLL from internal oscillator")


@pytest.mark.skipif(SHARED is None, reason="TINYCONV_SHARED does not name the folder with the networks")
@pytest.mark.parametrize("board", BOARDS)
def test_kws_is_exact(board):
    network = Path(SHARED) / "models" / "kws_ref_model.tflite"
    result = run(network, emulated(board, source="random:1")).result
    assert result.bit_exact is True, str(result.first_mismatch)


def test_a_session_of_many_images_is_exact_and_right():
    result = run(digits.model_path(), emulated("nucleo_f446re"), built_in=True).result
    assert result.bit_exact is True
    assert result.correct >= 0.95 * result.samples and result.samples >= 100


def test_counts_are_the_same_every_time():
    runs = [run(digits.model_path(), emulated("nucleo_f446re", source="random:7")).result for _ in range(2)]
    assert runs[0].per_inference == runs[1].per_inference > 0
    assert [x.count for x in runs[0].layers] == [x.count for x in runs[1].layers]


def test_a_raw_image_runs_too():
    raw = build(load_board("nucleo_f446re")).bin
    result = run(digits.model_path(), emulated("nucleo_f446re", source="random:1", firmware=raw)).result
    assert result.bit_exact is True
    assert result.code_bytes == raw.stat().st_size


def test_another_board_s_image_ends_with_the_rule_that_it_breaks():
    image = build(load_board("disco_f746ng")).elf
    with (
        pytest.raises(EmulatorError, match=r"breaks a rule of the chip: .*, at PC 0x"),
        open_device("nucleo_f446re", EMULATE, firmware=image),
    ):
        pass


def test_an_instruction_counts_as_it_does_in_qemu():
    """The same code on the same core, in QEMU's image of the board and in the board's own."""
    options = Options(board="emu_stm32f405", source="random:7", predict=False)
    in_qemu = run(digits.model_path(), options).result
    here = run(digits.model_path(), emulated("adafruit_feather_f405", source="random:7")).result
    assert [layer.kernel for layer in here.layers] == [layer.kernel for layer in in_qemu.layers]
    assert [layer.count for layer in here.layers] == [layer.count for layer in in_qemu.layers]
    assert here.per_inference == in_qemu.per_inference


def test_the_emulator_dies_during_a_conversation():
    with open_device("nucleo_f446re", EMULATE) as client:
        found = subprocess.run(
            ["pgrep", "-g", str(client.transport._shell.pid), "-f", "host.emulate --board"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        for process in found.stdout.split():
            if int(process) != client.transport._shell.pid:
                os.kill(int(process), signal.SIGKILL)
        with pytest.raises(EmulatorError, match=r"emulator \(nucleo_f446re\) ended by SIGKILL"):
            client.ping()


def test_a_family_without_model(monkeypatch):
    monkeypatch.setattr(families, "has_model", lambda family: False)
    with pytest.raises(EmulatorError, match="no register model of the family stm32f4"):
        open_device("nucleo_f446re", EMULATE, firmware=Path("none.elf"))


def test_unicorn_is_missing(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *rest: None if name == "unicorn" else True)
    with pytest.raises(ToolMissingError, match="pip install 'unicorn"):
        ModelTransport(load_board("nucleo_f446re"), Path("none.elf"))
