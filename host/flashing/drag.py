"""Copies one file to the USB drive of a board's ST-Link, which writes it to the flash and restarts the chip.

The drive takes .bin files for the beginning of the flash, so firmware and plan go as one file with erased bytes
between them. It answers a failure with a file FAIL.TXT when it appears again; nothing can be read back through it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import time
from pathlib import Path

from host.boards import Board
from host.errors import (
    DoesNotFitError,
    FlashError,
    ProbeChoiceError,
    ProbeLostError,
    ProbeMissingError,
    ProbeTimeoutError,
    ProtectedError,
)
from host.flashing import checks, plan
from host.flashing.explain import PARTIAL
from host.flashing.plan import Job, Outcome, Progress

MOUNTS = Path("/proc/self/mounts")  # Linux
NEEDS_PROBE = False
READS_BACK = False
FILE_NAME = "TINYCONV.BIN"  # the drive is FAT without long names on older ST-Links
FAILURE_NAME = "FAIL.TXT"
PIECE_BYTES = 32 * 1024
# The drive goes and comes back when the ST-Link has written the flash, within a few seconds.
RETURN_TIMEOUT_S = 20.0
POLL_S = 0.2


def why_not(board: Board) -> str | None:
    """Why this way is closed for the board; None if it is open."""
    if board.probe is None or board.probe.drive is None:
        return f"{board.id} has no USB drive that is known"
    if not mounted(board.probe.drive):
        return f"no drive {board.probe.drive} is mounted"
    return None


def require(job: Job) -> Path:
    """The folder where the drive is mounted: that of the chosen probe, else by the board's label.

    Raises ProbeMissingError, ProbeChoiceError, FlashError.
    """
    board = job.board
    if job.drive:
        return Path(job.drive)
    if board.probe is None or board.probe.drive is None:
        raise FlashError(f"the manifest of {board.id} names no USB drive", "use another --method")
    found = mounted(board.probe.drive)
    if not found:
        raise ProbeMissingError(
            f"no drive {board.probe.drive} is mounted",
            "plug the board in; without a desktop, mount the drive yourself",
        )
    if len(found) > 1:
        raise ProbeChoiceError(
            f"{len(found)} drives are named {board.probe.drive}: {', '.join(map(str, found))}",
            "choose one with --probe SERIAL, or unplug all boards but one",
        )
    return found[0]


def mounted(label: str) -> list[Path]:
    """Folders where a volume of that label is mounted; a desktop adds a digit to the second one."""
    return sorted(
        path for path in mount_points() if path.name.rstrip("0123456789") == label.rstrip("0123456789")
    )


def mount_points() -> list[Path]:
    """Where volumes are mounted, on Linux and macOS; the folder's last part is the volume's label."""
    if MOUNTS.is_file():
        folders = [line.split()[1] for line in MOUNTS.read_text().splitlines()]
        # the kernel writes a space as \040
        return [Path(re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), folder)) for folder in folders]
    return [path for path in Path("/Volumes").glob("*") if path.is_dir()]


def write(job: Job, progress: Progress, say: plan.Say = lambda text: None) -> Outcome:
    """Copies, flushes, and waits for what the drive says. Raises FlashError's family, DoesNotFitError."""
    folder = require(job)
    image = plan.joined(job.images)
    with contextlib.suppress(OSError):  # of an earlier try
        (folder / FAILURE_NAME).unlink()
    _copy(folder, image.data, progress)
    _watch(folder, job.board)
    return Outcome(tuple(plan.region(i, plan.WRITTEN) for i in job.images), verified=False)


def _copy(folder: Path, data: bytes, progress: Progress) -> None:
    try:
        with open(folder / FILE_NAME, "wb", buffering=0) as file:
            for at in range(0, len(data), PIECE_BYTES):
                file.write(data[at : at + PIECE_BYTES])
                progress("write", min(at + PIECE_BYTES, len(data)), len(data))
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EFBIG):
            raise DoesNotFitError(f"{len(data):,} bytes do not fit on {folder}") from None
        if error.errno in (errno.EIO, errno.ENODEV, errno.ENOENT, errno.ENXIO):
            raise ProbeLostError(
                f"{folder} went away while writing; {PARTIAL}", "plug it in and run `host flash` again"
            ) from None
        raise FlashError(f"cannot write {folder}: {error.strerror}", "is it mounted for this user?") from None


def _watch(folder: Path, board: Board) -> None:
    """Waits until the drive has come back, or taken the file away, and reads its verdict."""
    end = time.monotonic() + RETURN_TIMEOUT_S
    gone = False
    while time.monotonic() < end:
        try:
            if (folder / FAILURE_NAME).is_file():
                raise _verdict((folder / FAILURE_NAME).read_text(errors="replace"), board)
            if not folder.is_dir():
                gone = True
            elif gone or not (folder / FILE_NAME).exists():
                return
        except OSError:
            gone = True
        time.sleep(POLL_S)
    if gone:
        raise ProbeTimeoutError(
            f"{folder} did not come back within {RETURN_TIMEOUT_S:.0f} s, so whether the ST-Link wrote is not known",
            "mount it and look for FAIL.TXT, or name the board's serial port with --port",
        )
    raise ProbeTimeoutError(
        f"the ST-Link took the file on {folder} and did nothing within {RETURN_TIMEOUT_S:.0f} s",
        "unplug the board, plug it in and try again",
    )


def _verdict(text: str, board: Board) -> FlashError:
    """What FAIL.TXT says, as an error."""
    line = " ".join(text.split()) or "FAIL.TXT is empty"
    if "protect" in line.lower():
        return ProtectedError(
            f"the ST-Link could not write {board.id}: {line}", f"unlock the chip yourself: {checks.UNLOCK}"
        )
    return FlashError(
        f"the ST-Link could not write {board.id}: {line}",
        "is the board powered, and not held by a debugger? unplug it and plug it in again",
    )
