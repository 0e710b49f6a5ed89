"""Real processes and what happens to them."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable

PATIENCE_S = 60.0
POLL_S = 0.01


def interruptible() -> None:
    """For Popen's preexec_fn: Ctrl-C works in the child even if this test run ignores it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _processes() -> list[tuple[int, int, int, str]]:
    """(pid, parent, group, command line) of all that are no zombies."""
    done = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,pgid=,stat=,args="], capture_output=True, text=True, check=True
    )
    rows = [line.split(None, 4) for line in done.stdout.splitlines()]
    return [
        (int(row[0]), int(row[1]), int(row[2]), row[4])
        for row in rows
        if len(row) == 5 and not row[3].startswith("Z")
    ]


def living(group: int) -> list[str]:
    """Command lines of a process group's members."""
    return [args for _, _, pgid, args in _processes() if pgid == group]


def children(pid: int, word: str = "") -> list[int]:
    """Children of a process, theirs and so on, whose program's name has this word."""
    rows = _processes()
    family, found = {pid}, []
    for _ in rows:
        new = {p for p, parent, _, _ in rows if parent in family} - family
        if not new:
            break
        family |= new
    for p, _, _, args in rows:
        if p in family and p != pid and word in args.split()[0]:
            found.append(p)
    return found


def wait_for(condition: Callable[[], object]) -> None:
    """Until it is true; a test that waits in vain fails."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("nothing happened")
        time.sleep(POLL_S)
