"""`host flash` on a real board: OpenOCD's command line and its failures, with a script in OpenOCD's place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from host.boards import load_board
from host.errors import FlashError, ToolMissingError
from host.flash import openocd_command, run_openocd

BOARD = "adafruit_feather_f405"


@pytest.fixture
def openocd(tmp_path, monkeypatch):
    """Puts a script named openocd before everything on PATH; returns a function that sets what it does."""

    def install(body: str) -> Path:
        script = tmp_path / "openocd"
        script.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{tmp_path}/arguments"\n{body}\n')
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        return tmp_path / "arguments"

    return install


def test_firmware_and_plan_are_written_verified_and_started(openocd, tmp_path):
    arguments = openocd("exit 0")
    run_openocd(openocd_command(load_board(BOARD), tmp_path / "firmware.elf", tmp_path / "plan.bin"))
    lines = arguments.read_text().splitlines()
    assert lines == [
        "-f", "interface/stlink.cfg", "-f", "target/stm32f4x.cfg",
        "-c", f"program {{{tmp_path}/firmware.elf}} verify",
        "-c", f"program {{{tmp_path}/plan.bin}} 0x8040000 verify",
        "-c", "reset run", "-c", "exit",
    ]  # fmt: skip


def test_firmware_alone(openocd, tmp_path):
    openocd("exit 0")
    command = openocd_command(load_board(BOARD), tmp_path / "firmware.elf")
    assert sum("program" in part for part in command) == 1


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("Info : x\nError: open failed\n", "Error: open failed"),
        ("** Verify Failed **\nembedded:startup.tcl: checksum mismatch failed", "failed"),
        ("", "no message"),
    ],
)
def test_a_failure_says_why_in_one_line(openocd, tmp_path, message, shown):
    openocd(f"printf '{message}' >&2; exit 1")
    with pytest.raises(FlashError) as failed:
        run_openocd(openocd_command(load_board(BOARD), tmp_path / "firmware.elf"))
    assert shown in str(failed.value) and "\n" not in str(failed.value)


def test_without_openocd(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissingError, match="apt-get install openocd"):
        openocd_command(load_board(BOARD), tmp_path / "firmware.elf")


def test_an_emulated_board_has_no_probe(openocd, tmp_path):
    openocd("exit 0")
    with pytest.raises(FlashError, match="no probe"):
        openocd_command(load_board("emu_stm32f405"), tmp_path / "firmware.elf")
