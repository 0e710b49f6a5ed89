"""Opens a device: starts an emulated board with its firmware, or connects to the port of a real one."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from host import boards, build
from host.boards import Board
from host.errors import DoesNotFitError, PortError
from host.link.client import Client
from host.project import build_dir
from host.transport.base import Transport
from host.transport.emulator import EmulatorTransport
from host.transport.model import EMULATE, ModelTransport
from host.transport.serial import open_port

KEPT_PLANS = 8


def open_device(
    board: Board | str,
    port: str | None = None,
    *,
    plan: bytes | None = None,
    firmware: Path | None = None,
    progress: Callable[[str], None] | None = None,
    extra: Sequence[str] = (),
    counted: bool = True,
) -> Client:
    """A client that is not connected yet; close() ends an emulator with it.

    An emulated board gets the firmware that is built now (or the ELF file `firmware`), and `plan` in its flash; so does
    a real one whose port is EMULATE: then its own image runs on models of its chip (host/emulate). A real board,
    or an emulator that somebody else started, is reached through `port` and keeps what was flashed.
    `extra` are more arguments for the emulator; without `counted` QEMU runs without -icount and counts nothing right.
    Raises what building, starting and opening raise: BuildError, ToolMissingError, EmulatorError, PortError.
    """
    if isinstance(board, str):
        board = boards.load_board(board)
    if is_emulated(board, port):
        elf = firmware or build.build(board, progress=progress).elf
        return Client(_emulator(board, plan, elf, extra, counted))
    if port:
        return Client(open_port(port, board.uart.baud))
    raise PortError(
        f"{board.id} is a real board: name its serial port with --port", "`host ports` lists the ports"
    )


def is_emulated(board: Board, port: str | None) -> bool:
    """Whether we start the device ourselves: it then runs our build and may be given a plan in its flash."""
    return port == EMULATE or (board.emulated and not port)


def _emulator(board: Board, plan: bytes | None, elf: Path, extra: Sequence[str], counted: bool) -> Transport:
    file = plan_file(board, plan) if plan is not None else None
    if board.emulator is None:
        return ModelTransport(board, elf, plan=file, extra=extra)
    return EmulatorTransport(
        elf,
        machine=board.emulator.machine,
        icount_shift=board.emulator.icount_shift if counted else None,
        plan=file,
        plan_address=board.plan_region.address,
        extra=extra,
    )


def plan_file(board: Board, plan: bytes) -> Path:
    """A file with the plan, named by its contents; a few are kept, since an emulator may still want to read one."""
    if len(plan) > board.plan_region.bytes:
        raise DoesNotFitError(
            f"the plan needs {len(plan):,} bytes of flash, {board.id} has {board.plan_region.bytes:,} for plans"
        )
    folder = build_dir() / "plans"
    folder.mkdir(exist_ok=True)
    path = folder / f"{hashlib.sha256(plan).hexdigest()[:16]}.bin"
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        file.write(plan)
    os.replace(file.name, path)
    older = sorted(folder.glob("*.bin"), key=lambda p: p.stat().st_mtime, reverse=True)[KEPT_PLANS:]
    for stale in older:
        stale.unlink(missing_ok=True)
    return path
