"""The bring-up proof of every real board: up to its first HELLO the image breaks no rule of the chip's manual."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from host.boards import Board, all_boards, load_board
from host.build import build
from host.cli import cli
from host.emulate.bringup import FALLBACK_BAUD_TOLERANCE, Proof, prove, run_before
from host.emulate.gpio import pin_of
from host.emulate.machine import Machine
from host.emulate.peripheral import Options
from host.errors import EmulatorError
from tests.bringup.wiring import WIRING

BOARDS = [board.id for board in all_boards() if not board.emulated]


def options_of(board: Board, **more) -> Options:
    wiring = WIRING[board.id]
    return Options(wiring=(wiring.tx, wiring.rx), **more)


def proved(board_id: str, full_speed: bool = True, **more) -> Proof:
    board = load_board(board_id)
    return prove(board, build(board).elf, options_of(board, **more), full_speed=full_speed)


def first(proof: Proof, kind: str) -> int:
    return next(i for i, event in enumerate(proof.events) if event.kind == kind)


@pytest.mark.parametrize("board_id", BOARDS)
def test_the_board_comes_up_right(board_id):
    proof = proved(board_id)
    assert proof.failures() == []
    assert len(proof.checks) >= 14
    assert proof.frequencies["sysclk"] >= load_board(board_id).clock.hz
    assert proof.uart == WIRING[board_id].usart


@pytest.mark.parametrize("board_id", BOARDS)
def test_the_supply_and_the_wait_states_come_before_the_clock(board_id):
    proof = proved(board_id)
    order = [event.kind for event in proof.events]
    assert first(proof, "scale") < first(proof, "pll") < first(proof, "switch"), order
    assert first(proof, "latency") < first(proof, "switch"), order


@pytest.mark.parametrize("board_id", BOARDS)
def test_the_manifest_names_the_pins_of_the_manual(board_id):
    board, wiring = load_board(board_id), WIRING[board_id]
    assert (board.uart.tx, board.uart.rx, board.uart.af) == (wiring.tx, wiring.rx, wiring.af), wiring.source
    assert board.energy_pin == wiring.energy


def test_without_its_crystal_every_board_uses_the_internal_oscillator_at_full_speed():
    for board_id in BOARDS:
        if not load_board(board_id).clock.crystal_hz:
            continue
        proof = proved(board_id, crystal_starts=False, full_speed=False)
        assert proof.failures() == [], board_id
        assert proof.hello.clock_source == "crystal failed, internal oscillator", board_id
        assert proof.hello.clock_hz == load_board(board_id).clock.hz, board_id


@pytest.mark.parametrize(
    "board_id", ["nucleo_f446re", "disco_f746ng", "nucleo_h743zi", "nucleo_l4r5zi", "nucleo_u575zi_q"]
)
def test_without_its_pll_a_board_talks_at_the_clock_of_reset(board_id):
    tolerance = FALLBACK_BAUD_TOLERANCE
    proof = proved(board_id, pll_locks=False, baud_tolerance=tolerance, full_speed=False)
    assert proof.failures() == []
    assert proof.hello.clock_source == "reset default"
    assert proof.hello.clock_hz == proof.frequencies.get("cpu", proof.frequencies["hclk"])


@pytest.mark.parametrize("board_id", BOARDS)
def test_the_board_comes_up_without_a_reset_before(board_id):
    """A debugger or a boot loader jumps to the image while the chip is as it left itself."""
    board = load_board(board_id)
    proof = prove(board, build(board).elf, options_of(board), prepare=run_before)
    failures = [
        line for line in proof.failures() if "peripheral clocks are on during the over-drive" not in line
    ]
    assert failures == []


def test_the_command_prints_the_steps_and_the_verdict():
    done = CliRunner().invoke(cli, ["bringup", "nucleo_f446re"])
    assert done.exit_code == 0, done.output
    for words in ("PLL on: 8 MHz", "system clock PLL, 180 MHz", "ok  HELLO is answered", "USART2"):
        assert words in done.output
    assert "NO" not in done.output


def test_the_command_writes_json_and_fails_with_a_reason():
    runner = CliRunner()
    done = runner.invoke(cli, ["bringup", "nucleo_f446re", "--json", "-"])
    value = json.loads(done.output)
    assert value["passed"] is True and value["frequencies_hz"]["sysclk"] == 180_000_000
    assert [event["kind"] for event in value["events"]][:2] == ["vectors", "fpu"]
    with pytest.raises(EmulatorError, match="exists only in QEMU"):
        runner.invoke(cli, ["bringup", "emu_stm32f405"], catch_exceptions=False, standalone_mode=False)


def test_another_board_s_pins_do_not_reach_the_probe():
    board = load_board("nucleo_f446re")
    proof = prove(board, build(board).elf, Options(wiring=("PC10", "PC11")))
    assert not proof.passed
    assert any("HELLO is answered" in line for line in proof.failures())


def test_the_pins_are_in_the_alternate_function_of_the_datasheet():
    board = load_board("nucleo_l4r5zi")
    machine = Machine(board, build(board).elf, options=options_of(board))
    machine.run()
    for pin in ("PG7", "PG8"):
        port, number = pin_of(machine.chip, pin)
        assert (port.mode(number), port.alternate(number)) == (2, WIRING[board.id].af)
