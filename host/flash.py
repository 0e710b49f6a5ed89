"""Writes firmware and plan to a board and makes sure that they are there.

A real board is written by OpenOCD through its probe, as one transaction that verifies what it wrote. An emulated
board has no flash that outlives it: it is started with both in place, which proves image and plan; `host run` does
the same each time. No board has confirmed the OpenOCD path yet: its command line is tested, without a probe.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from host import boards, build
from host.boards import Board
from host.compile import Compiled
from host.devices import open_device, plan_file
from host.errors import FlashError, ToolMissingError
from host.runner import load

OPENOCD = "openocd"
OPENOCD_HINT = "install it: apt-get install openocd (Debian, Ubuntu) or brew install open-ocd (macOS)"
TIMEOUT_S = 120


@dataclass(frozen=True)
class Flashed:
    """What is on the board now. `plan_bytes` is 0 if only the firmware was written."""

    board: str
    build: str
    code_bytes: int
    model: str | None
    plan_bytes: int


def flash(
    board_id: str,
    compiled: Compiled | None,
    port: str | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Flashed:
    """Builds the firmware if need be and writes it, with the network's plan if one is given.

    With a port, or on an emulated board, the device is then asked whether it runs this build and accepts the plan.
    Raises FlashError, ToolMissingError, BuildError, DoesNotFitError, and LinkError if the device does not come up.
    """
    board = boards.load_board(board_id)
    firmware = build.build(board, progress=say)
    plan = compiled.plan if compiled else None
    if not board.emulated:
        images = [firmware.elf] + ([plan_file(board, plan)] if plan is not None else [])
        say(f"writing {board.id}")
        run_openocd(openocd_command(board, *images))
    if board.emulated or port:
        with open_device(board, port, plan=plan, progress=say) as client:
            if client.hello.build != firmware.build_hash:
                raise FlashError(
                    f"{board.id} runs build {client.hello.build}, not {firmware.build_hash} that was just written",
                    "reset the board and try again",
                )
            if compiled:
                load(client, compiled, in_flash=True)
    return Flashed(
        board.id,
        firmware.build_hash,
        firmware.code_bytes,
        compiled.net.name if compiled else None,
        len(plan or b""),
    )


def openocd_command(board: Board, firmware: Path, plan: Path | None = None) -> list[str]:
    """OpenOCD's command line: write, verify, reset, leave. ToolMissingError if OpenOCD is not installed."""
    tool = shutil.which(OPENOCD)
    if not tool:
        raise ToolMissingError(
            "openocd is not installed; it writes to the board through its probe", OPENOCD_HINT
        )
    if board.probe is None:
        raise FlashError(f"the manifest of {board.id} names no probe")
    steps = [f"program {{{firmware}}} verify"]
    if plan is not None:
        steps.append(f"program {{{plan}}} {board.plan_region.address:#x} verify")
    steps += ["reset run", "exit"]
    command = [tool, "-f", "interface/stlink.cfg", "-f", board.probe.openocd_target]
    for step in steps:
        command += ["-c", step]
    return command


def run_openocd(command: list[str]) -> None:
    """Runs it to its end; FlashError carries the line that says why it failed."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise FlashError(
            f"openocd did not end within {TIMEOUT_S} s", "unplug the probe and plug it in again"
        ) from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "rror" in line or "failed" in line]
        reason = (lines or done.stderr.strip().splitlines() or ["no message"])[0].strip()
        raise FlashError(f"openocd failed: {reason}", "is the board plugged in and powered?")
