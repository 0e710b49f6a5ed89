"""The hardware-in-the-loop bench itself, on two emulated boards at once: results by device, and one dies."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from host import build
from host.boards import load_board
from host.project import root

# QEMU, and a real board's image on models of its chip.
BOARDS = {"qemu": "emu_stm32f405", "model": "nucleo_f446re"}
RIG = """
[[device]]
name = "qemu"
board = "emu_stm32f405"

[[device]]
name = "model"
board = "nucleo_f446re"
port = "emulate://"
"""
EMULATOR = {
    "qemu": r"^\S*qemu-system-arm .*netduinoplus2",
    "model": r"^\S*python\S* .*-m host\.emulate .*nucleo_f446re",
}


def rig(folder: Path) -> Path:
    file = folder / "rig.toml"
    file.write_text(RIG)
    return file


def start(folder: Path, *arguments: str) -> subprocess.Popen:
    for board in BOARDS.values():
        build.build(load_board(board))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    return subprocess.Popen(
        [
            sys.executable, "-m", "pytest", "tests/hil", "--rig", str(rig(folder)), "-q", "-n", "2",
            "--hil-json", str(folder / "hil.json"), "--junitxml", str(folder / "hil.xml"), *arguments,
        ],
        cwd=root(), env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def devices(folder: Path) -> dict[str, dict]:
    found = json.loads((folder / "hil.json").read_text())
    assert found["schema"] == 1
    return {device["name"]: device for device in found["devices"]}


def test_two_boards_in_parallel(tmp_path):
    done = start(tmp_path, "-k", "test_hello or full_window or many_runs or clock_is")
    output, _ = done.communicate(timeout=500)
    assert done.returncode == 0, output
    found = devices(tmp_path)
    assert set(found) == set(BOARDS)
    assert [t["message"] for t in found["qemu"]["tests"] if t["outcome"] == "skipped"] == [
        "needs clock, which qemu has not"
    ]
    for name, device in found.items():
        skipped = 1 if name == "qemu" else 0
        assert (device["board"], device["failed"], device["skipped"]) == (BOARDS[name], 0, skipped)
        assert device["passed"] + device["skipped"] == 4
        assert device["build"] == build.build(load_board(BOARDS[name])).build_hash
        assert device["clock_hz"] == load_board(BOARDS[name]).clock.hz
        assert (device["counter"], device["emulated"], device["icache"]) == (
            "instructions",
            True,
            name == "model",
        )
        counts = {t["name"].split("::")[1].split("[")[0]: t.get("count") for t in device["tests"]}
        assert counts["test_many_runs_count_as_one"] > 100_000
        assert counts["test_hello"] == 0
        line = f"{name}: {4 - skipped} passed, 0 failed, {skipped} skipped; firmware {device['build']}"
        assert line in output
    cases = ElementTree.parse(tmp_path / "hil.xml").iter("testcase")
    properties = [{p.get("name"): p.get("value") for p in case.iter("property")} for case in cases]
    assert len(properties) == 8
    assert {p["device"] for p in properties} == set(BOARDS)
    assert [p["build"] == found[p["device"]]["build"] for p in properties if "build" in p] == [True] * 7


def processes_below(parent: int, pattern: str) -> list[int]:
    """Of all processes that the parent started, directly or not, those whose command line has the pattern."""
    listed = subprocess.run(
        ["ps", "-ewwo", "pid,ppid,args"], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()[1:]]
    below, grew = {parent}, True
    while grew:
        new = {int(pid) for pid, ppid, _ in rows if int(ppid) in below} - below
        below |= new
        grew = bool(new)
    return [int(pid) for pid, _, args in rows if int(pid) in below and re.search(pattern, args)]


@pytest.mark.parametrize("victim", list(BOARDS))
def test_a_killed_emulator_fails_only_its_own_tests_and_says_why(tmp_path, victim):
    other = next(name for name in BOARDS if name != victim)
    run = start(tmp_path, "-k", "bad_line or damage or full_window or every_reset")
    end = time.monotonic() + 300
    while not (found := processes_below(run.pid, EMULATOR[victim])):
        assert run.poll() is None, run.stdout.read()
        assert time.monotonic() < end, "no emulator was started"
        time.sleep(0.02)
    os.kill(found[0], signal.SIGKILL)
    output, _ = run.communicate(timeout=500)
    assert run.returncode == 1, output
    hurt, unhurt = (devices(tmp_path)[name] for name in (victim, other))
    assert unhurt["failed"] == 0 and unhurt["passed"] > 4, output
    failed = [t for t in hurt["tests"] if t["outcome"] == "failed"]
    assert len(failed) == 1, output
    assert re.search(r"emulator \(\w+\) ended by SIGKILL", failed[0]["message"]), failed
    assert hurt["passed"] == unhurt["passed"] - 1


@pytest.mark.parametrize(
    ("text", "message"),
    [('[[device]]\nboard = "nucleo"\n', "no board is named 'nucleo'"), ("[[device]]\n", "board: is missing")],
)
def test_a_wrong_rig_is_one_line(tmp_path, text, message):
    (tmp_path / "rig.toml").write_text(text)
    command = [sys.executable, "-m", "pytest", "tests/hil", "-q", "--rig", str(tmp_path / "rig.toml")]
    done = subprocess.run(command, cwd=root(), capture_output=True, text=True)
    assert done.returncode != 0
    assert message in done.stdout + done.stderr
