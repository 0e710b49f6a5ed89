"""The firmware as a process of this computer, on its standard input and output."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from host.errors import LinkError
from host.transport.process import ChildProcess


class NativeTransport(ChildProcess):
    """A native build of the firmware; it exists from here to close()."""

    def __init__(self, executable: Path, arguments: Sequence[str] = (), env: dict[str, str] | None = None):
        super().__init__(
            [str(executable), *arguments], f"native firmware ({executable.name})", LinkError, env
        )
