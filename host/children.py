"""Ending a child process together with everything that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import time

END_TIMEOUT_S = 5.0


def end_group(child: subprocess.Popen) -> None:
    """Ends a session leader and all below it, kindly at first. Returns when they are gone."""
    end = time.monotonic() + END_TIMEOUT_S
    try:
        os.killpg(child.pid, signal.SIGTERM)
        while time.monotonic() < end:
            child.poll()
            os.killpg(child.pid, 0)  # raises when nobody is left
            time.sleep(0.01)
        os.killpg(child.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
        pass
    child.wait()
