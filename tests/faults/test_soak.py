"""`python -m tests.soak` as a process: one line a case that went wrong, and an end that leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from host.project import root
from tests.faults.processes import children, interruptible, living, wait_for

TIMEOUT_S = 120


def soak(*arguments: str) -> subprocess.Popen[str]:
    """Its own process group, as in a terminal."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.soak", *arguments], cwd=root(), text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=interruptible,
    )  # fmt: skip


def test_it_tells_how_many_were_right():
    with soak("--cases", "20", "--jobs", "2") as process:
        out, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, err
    assert out.startswith("20 of 20 cases right, ")


@pytest.mark.parametrize("number,status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_is_one_line_and_leaves_no_worker(number, status):
    with soak("--cases", "1000000", "--jobs", "2") as process:
        wait_for(lambda: len(children(process.pid, "python")) == 2)
        if number == signal.SIGINT:
            os.killpg(process.pid, number)  # Ctrl-C reaches all of them
        else:
            process.send_signal(number)
        out, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, out) == (status, "")
    assert err.strip() == ("interrupted" if number == signal.SIGINT else "")
    assert not living(process.pid)
