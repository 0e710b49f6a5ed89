"""`host monitor` on the emulated board: in a pipe, under a terminal, and interrupted."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import time

import numpy as np
import pytest

from host import errors
from host.data import digits
from tests.emulator.test_cli import HOST, TIMEOUT_S, host, refused

NO_MODEL = ("--no-model",)


class Terminal:
    """`host` under a pseudo terminal of 100 columns and 40 rows."""

    def __init__(self, *arguments: object):
        import fcntl
        import struct
        import termios

        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 40, 100, 0, 0))
        env = os.environ | {"TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"}
        self.process = subprocess.Popen(
            [HOST, *map(str, arguments)], stdin=theirs, stdout=theirs, stderr=theirs, env=env
        )
        os.close(theirs)
        self.screen = ""

    def until(self, words: str) -> None:
        """Reads until these words were drawn."""
        end = time.monotonic() + TIMEOUT_S
        while words not in self.screen and time.monotonic() < end and self._read():
            pass
        assert words in self.screen

    def end(self) -> int:
        """Reads to the end; the exit status."""
        while self._read():
            pass
        os.close(self._ours)
        return self.process.wait(TIMEOUT_S)

    def _read(self) -> bool:
        if not select.select([self._ours], [], [], TIMEOUT_S)[0]:
            return False
        data = b""
        with contextlib.suppress(OSError):  # EIO: the other end is closed
            data = os.read(self._ours, 65536)
        self.screen += data.decode("utf-8", "replace")
        return bool(data)


def descendants(pid: int) -> dict[int, str]:
    """Processes below one, with their command lines."""
    listed = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,args="], capture_output=True, text=True
    ).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()]
    found, fresh = {}, {pid}
    while fresh:
        fresh = {int(row[0]) for row in rows if int(row[1]) in fresh}
        found |= {int(row[0]): row[2] for row in rows if int(row[0]) in fresh}
    return found


def alive(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return bool(done.stdout.strip()) and not done.stdout.startswith("Z")


def test_a_pipe_gets_plain_lines_that_are_exact():
    done = host("monitor", "--frames", 6, "--every", 2, "--check")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    lines = done.stdout.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["frame 2", "frame 4", "frame 6"]
    for line in lines:
        assert "\x1b" not in line and "right" in line and "  exact  0 link errors, 0 repeats" in line
        # what an emulated board does in a second is no speed of a board
        assert "modelled, not measured" in line and "on the device" not in line


def test_json_gives_one_object_a_frame(tmp_path):
    images, labels = digits.test_images()
    np.savez(tmp_path / "three.npz", x=images[:3], y=labels[:3])
    done = host(
        "monitor", "--input", tmp_path / "three.npz", "--runs", 4, "--json", "-", "--check", *NO_MODEL
    )
    assert done.returncode == 0 and done.stderr == "", done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [r["input"] for r in records] == [f"three.npz[{i}]" for i in (0, 1, 2, 0)]
    assert [r["class"] for r in records] == [int(labels[i]) for i in (0, 1, 2, 0)]
    assert all(
        r["exact"] is True and r["label"] == r["class"] and 0.5 < r["confidence"] <= 1 for r in records
    )
    assert all(r["count"] == sum(r["layers"]) and r["counter"] == "instructions" for r in records)
    assert all(r["fps"] is None and r["fps_source"] is None and r["emulated"] is True for r in records)
    assert (
        records[0]["count"]
        == json.loads(host("run", "--input", "random:1", "--json", "-", *NO_MODEL).stdout)["per_inference"]
    )


def test_a_terminal_gets_a_block():
    terminal = Terminal("monitor", "--frames", 3, "--check", *NO_MODEL)
    assert terminal.end() == 0
    for words in (
        "digits",
        "emulated",
        "instructions, speed not known",
        "end to end",
        "layers",
        "no errors",
        "yes",
    ):
        assert words in terminal.screen, words
    assert "3 frames compared" in terminal.screen
    assert terminal.screen.count("\x1b[?25l") == terminal.screen.count("\x1b[?25h") > 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_told_and_gives_the_terminal_back(number):
    terminal = Terminal("monitor", *NO_MODEL)
    terminal.until("frame 2")
    before = descendants(terminal.process.pid)
    assert before
    terminal.process.send_signal(number)
    assert terminal.end() == 128 + number
    assert terminal.screen.rindex("\x1b[?25h") > terminal.screen.rindex("\x1b[?25l")
    assert not [p for p in before if alive(p)], "a process stays behind"


def test_a_device_that_vanishes_ends_it_with_its_reason():
    terminal = Terminal("monitor", *NO_MODEL)
    terminal.until("frame 2")
    (qemu,) = [
        p
        for p, args in descendants(terminal.process.pid).items()
        if args.startswith(("qemu", "/usr/bin/qemu"))
    ]
    os.kill(qemu, signal.SIGKILL)
    assert terminal.end() == errors.EmulatorError.exit_status
    assert "error: emulator (netduinoplus2) ended by SIGKILL" in terminal.screen
    assert terminal.screen.rindex("\x1b[?25h") > terminal.screen.rindex("\x1b[?25l")


def test_a_reader_that_leaves_ends_it():
    with subprocess.Popen(
        [HOST, "monitor", "--json", "-", *NO_MODEL], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert json.loads(process.stdout.readline())["frame"] == 1
        process.stdout.close()
        assert process.wait(TIMEOUT_S) == 1
        assert process.stderr.read() == ""


def test_bad_inputs_are_refused_before_anything_starts(tmp_path):
    refused(errors.InputError, "monitor", "--input", tmp_path, saying=("no images", ".png"))
    refused(errors.InputError, "monitor", "--input", tmp_path / "x.npy", saying=("no input file",))
    refused(
        errors.OutputError, "monitor", "--frames", 1, "--json", tmp_path / "a" / "b", saying=("cannot write",)
    )
