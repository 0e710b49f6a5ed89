"""A real board's own image in the register-model emulator (host/emulate), in a process of its own."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from host.boards import Board
from host.emulate import families
from host.errors import EmulatorError, ToolMissingError
from host.project import root
from host.transport.process import CHILD_SOCKET_FD, ChildProcess

EMULATE = "emulate://"


class ModelTransport(ChildProcess):
    """An emulated chip that runs a board's image; it exists from here to close().

    `elf` is an ELF file or a raw image (.bin), `plan` what the board's region for plans holds. `extra` are more
    arguments of `python -m host.emulate`. The image is the board's and does not know that it is emulated: its cycle
    counter counts instructions, so `counts_instructions` tells the client.
    """

    counts_instructions = True

    def __init__(self, board: Board, elf: Path, *, plan: Path | None = None, extra: Sequence[str] = ()):
        families.load(board.family)
        if importlib.util.find_spec("unicorn") is None:
            raise ToolMissingError(
                "the instruction emulator unicorn is not installed", "pip install 'unicorn>=2.1,<3'"
            )
        command = [sys.executable, "-m", "host.emulate", "--board", board.id, "--elf", str(elf)]
        command += ["--fd", str(CHILD_SOCKET_FD), *(["--plan", str(plan)] if plan else []), *extra]
        paths = [str(root()), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        super().__init__(command, f"emulator ({board.id})", EmulatorError, environment)
