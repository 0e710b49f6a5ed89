"""Which process has a device open, where /proc tells: on Linux, of processes that this user may look into."""

from __future__ import annotations

import os
from pathlib import Path

_PROC = Path("/proc")


def holders(device: str, proc: Path = _PROC) -> list[str]:
    """ "process 123, minicom" for every other process that has the device open; empty if nobody or not known."""
    wanted = os.path.realpath(device)
    found = []
    for entry in _folder(proc):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        descriptors = proc / entry / "fd"
        if any(_link(descriptors / fd) == wanted for fd in _folder(descriptors)):
            found.append(describe(int(entry), proc))
    return found


def describe(pid: int, proc: Path = _PROC) -> str:
    """ "process 123, minicom"; without the name where it is not known."""
    try:
        name = (proc / str(pid) / "comm").read_text().strip()
    except OSError:
        name = ""
    return f"process {pid}, {name}" if name else f"process {pid}"


def _folder(path: Path) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except OSError:  # no /proc, another user's process, or one that just ended
        return []


def _link(path: Path) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
