"""PlatformIO's upload target: the program that it calls, on the simulated chip; and how its output is read back."""

from __future__ import annotations

import sys

import pytest

from host import errors
from host.flashing import __main__ as upload
from host.flashing import platformio_method, tool
from tests.debug.boards import F7, f767, refused


@pytest.fixture
def platformio(bench, capsys, monkeypatch):
    """PlatformIO that has built already: it calls the upload target's program with what builder/main.py gives it."""
    calls = []

    def run(command, on_line, timeout_s, environment):
        calls.append(command)
        given = environment[platformio_method.ARGUMENTS_VARIABLE]
        arguments = [F7, "--firmware", str(bench.firmware.bin), *(given.split("\n") if given else [])]
        status = upload.main(arguments)
        out, err = capsys.readouterr()
        for line in [*out.splitlines(), *err.splitlines()]:
            on_line(line)
        if status:
            on_line(f"*** [upload] Error {status}")
        return int(status != 0)

    monkeypatch.setattr(tool, "run", run)
    return calls


def test_it_builds_and_uploads(bench, platformio, host):
    chip = f767()
    bench.plug(chip)
    status, out, err = host("--board", F7, "--method", "platformio")
    assert (status, err) == (0, "")
    assert platformio[0][:6] == [sys.executable, "-m", "platformio", "run", "-e", F7]
    assert platformio[0][-2:] == ["-t", "upload"]
    assert chip.array.data[:40_000] == bench.image
    assert "method platformio (asked for)" in out and "verified by reading back" in out
    assert "40,000 bytes  written, 40,000 bytes in changed sectors" in out
    status, out, _ = host("--board", F7, "--method", "platformio")
    assert status == 0 and "40,000 bytes  up to date" in out


def test_plan_probe_and_dry_run_reach_the_upload_target(bench, platformio, host):
    from host.data import digits

    first, second = f767(), f767()
    bench.plug(first, "AAA1")
    bench.plug(second, "BBB2")
    network = str(digits.model_path())
    status, out, err = host(network, "--board", F7, "--method", "platformio", "--probe", "BBB", "--dry-run")
    assert (status, err) == (0, "")
    assert out.count("to be written") == 2 and "plan      0x08040000" in out and "probe BBB2" in out
    assert first.resets == 0 and second.array.programmed_bytes == 0


@pytest.mark.parametrize(
    ("prepare", "error", "words"),
    [
        (lambda bench: None, errors.ProbeMissingError, ("no debug probe is plugged in",)),
        (lambda bench: bench.plug(f767(0x00)), errors.ProtectedError, ("read-protected", "STM32_Programmer_CLI")),
        (lambda bench: bench.plug(f767(), board_id="0813"), errors.WrongBoardError, ("is on test_h743",)),
    ],
)  # fmt: skip
def test_its_failures_keep_their_kind(bench, platformio, host, prepare, error, words):
    prepare(bench)
    refused(host("--board", F7, "--method", "platformio"), error, *words)


def test_a_failure_of_platformio_itself(bench, host, monkeypatch):
    def run(command, on_line, timeout_s, environment):
        on_line("firmware/app/main.c:1:1: error: unknown type name 'x'")
        return 1

    monkeypatch.setattr(tool, "run", run)
    refused(
        host("--board", F7, "--method", "platformio"), errors.FlashError, "unknown type name", "upload.log"
    )


def test_it_says_nothing_of_having_written(bench, host, monkeypatch):
    monkeypatch.setattr(tool, "run", lambda *_: 0)
    refused(host("--board", F7, "--method", "platformio"), errors.FlashError, "without having written")


def test_it_takes_too_long(bench, host, monkeypatch):
    def run(*_):
        raise tool.TimedOut

    monkeypatch.setattr(tool, "run", run)
    refused(
        host("--board", F7, "--method", "platformio"), errors.ProbeTimeoutError, "did not end within 600 s"
    )


def test_an_upload_by_hand_shows_one_line(bench, capsys):
    assert upload.main([F7, "--firmware", str(bench.folder / "no.bin")]) == errors.FlashError.exit_status
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: cannot read ") and err.count("\n") == 1
