"""Has PlatformIO write: `platformio run -t upload`, which builds and calls `python -m host.flashing` (__main__.py).

For those who work in PlatformIO's editor; the same checks are made, since the upload target ends in this package.
"""

from __future__ import annotations

import os
import re
import sys

from host import build, errors
from host.boards import Board
from host.devices import plan_file
from host.errors import FlashError, HostError, ProbeTimeoutError
from host.flashing import plan, tool
from host.flashing.plan import Job, Outcome, Progress
from host.project import build_dir, root

NEEDS_PROBE = False
VERIFIED = "verified by reading back"
READS_BACK = True  # what the upload target calls does
TIMEOUT_S = 600.0
ARGUMENTS_VARIABLE = "TINYCONV_UPLOAD"
# Written.lines()
_REGION = re.compile(
    r"^(firmware|plan) +0x[0-9a-f]+ +[0-9,]+ bytes  ([a-z ]+)(?:, ([0-9,]+) bytes in changed sectors)?$"
)


def why_not(board: Board) -> str | None:
    """Why PlatformIO cannot write this board; None if it can."""
    return f"the manifest of {board.id} names no probe" if board.probe is None else None


def write(job: Job, progress: Progress, say: plan.Say = lambda text: None) -> Outcome:
    """Runs PlatformIO to its end. Raises what the upload target raised, as far as its exit status tells."""
    if reason := why_not(job.board):
        raise FlashError(reason)
    arguments = []
    for image in job.images:
        if image.name == "plan":
            arguments += ["--plan", str(plan_file(job.board, image.data))]
    arguments += ["--probe", job.serial] if job.serial else []
    arguments += ["--force"] if job.force else []
    arguments += ["--dry-run"] if job.dry_run else []
    build.seed_platformio()
    command = [
        sys.executable,
        "-m",
        "platformio",
        "run",
        "-e",
        job.board.id,
        "-d",
        str(root()),
        "-t",
        "upload",
    ]
    environment = {
        **os.environ,
        ARGUMENTS_VARIABLE: "\n".join(arguments),
        "PLATFORMIO_NO_ANSI": "true",
        "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "false",
        "PLATFORMIO_DISABLE_UPGRADE_CHECK": "true",
    }
    lines: list[str] = []

    def keep(line: str) -> None:
        lines.append(line)
        say(line)

    try:
        status = tool.run(command, keep, TIMEOUT_S, environment)
    except tool.TimedOut:
        raise ProbeTimeoutError(
            f"platformio did not end within {TIMEOUT_S:.0f} s", "unplug the board, plug it in and try again"
        ) from None
    log = build_dir() / "upload.log"
    log.write_text("\n".join(lines) + "\n")
    if status:
        raise failure(lines, str(log))
    return outcome(job, lines)


def outcome(job: Job, lines: list[str]) -> Outcome:
    """What the upload target printed about each image."""
    regions = []
    for match in filter(None, map(_REGION.match, lines)):
        image = next(i for i in job.images if i.name == match[1])
        regions.append(plan.region(image, match[2], int(match[3].replace(",", "")) if match[3] else None))
    if len(regions) != len(job.images):
        raise FlashError("platformio ended without having written", "run `platformio run -t upload` by hand")
    return Outcome(tuple(regions), verified=VERIFIED in lines)


def failure(lines: list[str], log: str) -> HostError:
    """The upload target's own error, of the kind that its exit status says."""
    text = next((line.removeprefix("error: ") for line in lines if line.startswith("error: ")), None)
    if text is None:
        why = next((line for line in lines if "rror" in line), "no message")
        return FlashError(f"platformio failed: {why.strip()}", f"all of it: {log}")
    number = next((int(m[1]) for line in lines if (m := re.search(r"\[upload\] Error (\d+)", line))), 0)
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, HostError)]
    kind = next((k for k in kinds if k.exit_status == number and k is not HostError), FlashError)
    message, _, hint = text.partition("; ")
    return kind(message, hint)
