"""Runs a program that writes to a board: its lines as they come, a time limit, and no process left behind."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable

from host.children import end_group


class TimedOut(Exception):
    """The program did not end in time and was ended."""


def run(
    command: list[str],
    on_line: Callable[[str], None],
    timeout_s: float,
    environment: dict[str, str] | None = None,
) -> int:
    """Its exit status. Standard output and error arrive together, a line at a time. Raises TimedOut, OSError."""
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=environment,
        start_new_session=True,  # so that all of it can be ended at once
    )
    late = threading.Event()

    def end_late() -> None:
        late.set()
        end_group(child)

    timer = threading.Timer(timeout_s, end_late)
    timer.daemon = True
    timer.start()
    try:
        assert child.stdout is not None
        for line in child.stdout:
            on_line(line.rstrip())
        status = child.wait()
    finally:
        timer.cancel()
        end_group(child)
    if late.is_set():
        raise TimedOut
    return status
