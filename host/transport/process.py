"""Child processes that never outlive us, with a socket to talk over.

However this process ends, also by SIGKILL, the child is killed: a small shell is its parent and reads from
a pipe, the lifeline, whose other end only we hold; when we are gone the read ends and the shell kills the
child. (PR_SET_PDEATHSIG would need Linux, and fires when the *thread* that started the child ends.) Shell and
child form a session of their own, so that Ctrl-C in the terminal reaches us alone and we end them in order.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence

from host.errors import HostError, ToolMissingError
from host.transport.duplex import Duplex

# In: 0 our socket's other end, 1 the lifeline, 2 the file for messages. The child has the socket as 0, 1, 3.
_SUPERVISOR = """
exec 3<&0 4<&1
"$@" <&3 >&3 4<&- &
child=$!
{ read -r _ <&4; kill -KILL $child; } </dev/null >/dev/null 2>&1 3<&- &
watch=$!
exec 3<&- 4<&- </dev/null >/dev/null
wait $child
status=$?
kill -KILL $watch
exit $status
"""

CHILD_SOCKET_FD = 3
_WRITE_TIMEOUT_S = 10.0
_END_TIMEOUT_S = 2.0


class ChildProcess:
    """A running child and the socket to it; a Transport."""

    def __init__(
        self,
        command: Sequence[str],
        description: str,
        error: Callable[[str], HostError],
        env: dict[str, str] | None = None,
        one_cpu: bool = False,
    ):
        """`error` makes the exception for a child that ended by itself, from a one-line message.

        `one_cpu` keeps all threads of the child on one processor, where the system can do that.
        """
        self.description = description
        self._error = error
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115  close() closes it
        ours, theirs = socket.socketpair()
        self._line = Duplex(ours)
        lifeline_end, self._lifeline = os.pipe()
        try:
            with _on_one_cpu() if one_cpu else contextlib.nullcontext():
                self._shell = subprocess.Popen(
                    ["/bin/sh", "-c", _SUPERVISOR, "tinyconv-supervisor", *command],
                    stdin=theirs,
                    stdout=lifeline_end,
                    stderr=self._messages,
                    start_new_session=True,
                    env=env,
                )
        except BaseException:
            os.close(self._lifeline)
            self._line.close()
            self._messages.close()
            raise
        finally:
            theirs.close()
            os.close(lifeline_end)
        self._open = True
        atexit.register(self.close)

    def __enter__(self) -> ChildProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, timeout: float) -> bytes:
        """See Transport."""
        try:
            return self._line.read(timeout)
        except (OSError, ValueError):  # ValueError: it is closed here
            raise self._ended() from None

    def write(self, data: bytes) -> None:
        """See Transport."""
        try:
            self._line.write(data, _WRITE_TIMEOUT_S)
        except TimeoutError:
            raise self._error(f"{self.description} takes no more bytes") from None
        except (OSError, ValueError):
            raise self._ended() from None

    def close(self) -> None:
        """Kills the child and everything that it started. Returns when they are gone; safe to call again."""
        if not self._open:
            return
        self._open = False
        atexit.unregister(self.close)
        os.close(self._lifeline)
        try:
            self._shell.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._shell.pid, signal.SIGKILL)
            self._shell.wait()
        self._line.close()
        self._messages.close()

    def _ended(self) -> HostError:
        if not self._open:
            return self._error(f"{self.description} is closed")
        end = time.monotonic() + _END_TIMEOUT_S
        while self._shell.poll() is None and time.monotonic() < end:
            time.sleep(0.005)
        self._messages.seek(0)
        lines = self._messages.read().decode("utf-8", "replace").strip().splitlines()
        status = self._shell.returncode
        how = f"with status {status}" if status is not None else "its connection"
        if status is not None and (status < 0 or status > 128):
            number = -status if status < 0 else status - 128
            with contextlib.suppress(ValueError):
                how = f"by {signal.Signals(number).name}"
        return self._error(f"{self.description} ended {how}" + (f": {lines[-1].strip()}" if lines else ""))


@contextlib.contextmanager
def _on_one_cpu() -> Iterator[None]:
    """Children that are started in here by this thread inherit one processor."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(allowed)[os.getpid() % len(allowed)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def find_tool(name: str, hint: str) -> str:
    """Full path of a program on PATH, or ToolMissingError with the hint."""
    path = shutil.which(name)
    if path is None:
        raise ToolMissingError(f"{name} is not installed", hint)
    return path
