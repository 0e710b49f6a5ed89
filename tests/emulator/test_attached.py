"""The attached board is the default: commands as users type them, an emulated board in the place of an ST-Link."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from host import selection
from host.commands import monitor, run
from host.devices import open_device
from host.errors import LinkError
from host.ports import SerialPort
from host.probes import Found
from tests.fake_device import FakeDevice
from tests.serial_line import SerialLine

BOARD = "emu_stm32f405"


@pytest.fixture
def attach(monkeypatch):
    """Makes the ports at these paths the only ST-Links of this computer."""

    def only(*paths: str) -> None:
        found = [
            SerialPort(path, "STM32 STLink", "0483:374b", f"S{i}", True, "V2-1")
            for i, path in enumerate(paths)
        ]
        monkeypatch.setattr(
            selection, "REAL", selection.Surroundings(lambda: found, lambda: Found(()), selection.ask)
        )
        monkeypatch.delenv("TINYCONV_BOARD")

    return only


def test_the_attached_board_runs_what_no_option_names_a_board_for(attach):
    client = open_device(BOARD)
    with SerialLine(client.transport) as line:
        attach(line.path)
        done = CliRunner().invoke(run.command, ["--input", "random:1", "--json", "-"], catch_exceptions=False)
        assert done.exit_code == 0
        assert done.stderr == f"using {BOARD} at {line.path}\n"
        result = json.loads(done.stdout)
        assert result["bit_exact"] is True and result["board"] == BOARD
        assert result["plan_place"] == "ram"  # a port: nobody may write the flash behind it
        watched = CliRunner().invoke(
            monitor.command, ["--frames", "2", "--json", "-"], catch_exceptions=False
        )
        assert [json.loads(text)["frame"] for text in watched.stdout.splitlines()] == [1, 2]
    client.close()


def test_a_board_that_answers_nothing_is_not_replaced_by_an_emulated_one(attach, monkeypatch):
    monkeypatch.setattr(selection, "_ASK_TIMEOUTS_S", (0.02, 0.02))
    silent = FakeDevice(latency_s=0)
    silent.mute = True
    with SerialLine(silent) as line:
        attach(line.path)
        done = CliRunner().invoke(run.command, ["--input", "random:1"])
    assert isinstance(done.exception, LinkError) and "host flash --board BOARD" in str(done.exception)
