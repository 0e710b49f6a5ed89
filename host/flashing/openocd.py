"""Writes through an ST-Link with OpenOCD, one process that checks, compares, writes, verifies and resets.

openocd.tcl is the script; what it prints on lines that begin with "tinyconv" tells how far it came, and OpenOCD's own
lines why it went no further. OpenOCD does not tell how many sectors it erased.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from host.boards import Board
from host.errors import (
    FlashError,
    ProbeBusyError,
    ProbeLostError,
    ProbeMissingError,
    ProbeTimeoutError,
    ToolMissingError,
    VerifyError,
)
from host.flashing import checks, chips, plan, tool
from host.flashing.choice import PLUG_HINT
from host.flashing.explain import PARTIAL
from host.flashing.plan import Image, Job, Outcome, Progress
from host.probes import find_probes
from host.project import build_dir

NEEDS_PROBE = True
READS_BACK = True
OPENOCD = "openocd"
INSTALL_HINT = "install it: apt-get install openocd (Debian, Ubuntu) or brew install open-ocd (macOS)"
SCRIPT = Path(__file__).with_name("openocd.tcl")
TIMEOUT_S = 300.0  # 2 MiB at an ST-Link/V2's 10 to 20 KB/s of writing
_MARK = "tinyconv "
_NO_ANSWER = (
    "init mode failed",
    "unable to connect to the target",
    "examination failed",
    "interrogation failed",
)
_DIFFERENCE = re.compile(r"diff \d+ address (0x[0-9a-f]+)\. Was (0x[0-9a-f]+) instead of (0x[0-9a-f]+)", re.I)


def why_not(board: Board) -> str | None:
    """Why OpenOCD cannot write this board; None if it can."""
    if board.probe is None:
        return f"the manifest of {board.id} names no probe"
    if shutil.which(OPENOCD) is None:
        return "openocd is not installed"
    return None


def require(board: Board) -> str:
    """Path of the program. Raises ToolMissingError or FlashError."""
    path = shutil.which(OPENOCD)
    if path is None:
        raise ToolMissingError(
            "openocd is not installed; it writes to the board through its probe", INSTALL_HINT
        )
    if board.probe is None:
        raise FlashError(f"the manifest of {board.id} names no probe")
    return path


def write(job: Job, progress: Progress, say: plan.Say = lambda text: None) -> Outcome:
    """Brings the flash to what the job says. Raises FlashError's family, ToolMissingError."""
    program = require(job.board)
    with tempfile.TemporaryDirectory() as folder:
        files = [_file(Path(folder), image) for image in job.images]
        talk, status = _run(command(program, job, files), job, progress)
        if status and talk.no_answer:
            say("the chip does not answer; again while its reset is held")
            talk, status = _run(command(program, job, files, under_reset=True), job, progress)
    if status or not talk.done:
        raise talk.failure()
    return talk.outcome()


def _run(line: list[str], job: Job, progress: Progress) -> tuple[_Talk, int]:
    talk = _Talk(job, progress)
    try:
        status = tool.run(line, talk.line, TIMEOUT_S)
    except tool.TimedOut:
        partial = f"; {PARTIAL}" if talk.writing else ""
        raise ProbeTimeoutError(
            f"openocd did not end within {TIMEOUT_S:.0f} s{partial}",
            "unplug the board, plug it in and try again",
        ) from None
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"{PARTIAL}; run `host flash` again" if talk.writing else "") from None
    talk.keep(status)
    return talk, status


def command(program: str, job: Job, files: list[Path], under_reset: bool = False) -> list[str]:
    """OpenOCD's command line; `under_reset` for a chip that sleeps, or whose firmware took the debug pins."""
    where, dev_id = chips.registers(job.board), chips.dev_id(job.board)
    assert job.board.probe is not None
    if where is None or dev_id is None:
        raise FlashError(
            f"nobody has described how to recognise {job.board.mcu}", "add it to host/flashing/chips.py"
        )
    images = " ".join(
        f"{image.name} {{{path.as_posix()}}} {image.address:#x}"
        for image, path in zip(job.images, files, strict=True)
    )
    variables = {
        "images": f"{{{images}}}",
        "idcode": f"{where.idcode:#x}",
        "cpuid": f"{chips.CPUID:#x}",
        "options": f"{where.options:#x}",
        "dev_id": f"{dev_id:#x}",
        "shift": str(where.rdp_shift),
        "open_levels": f"{{{chips.RDP_OPEN} {chips.RDP_HALF}}}",
        "force": str(int(job.force)),
        "dry_run": str(int(job.dry_run)),
    }
    line = [program, "-f", "interface/stlink.cfg"]
    if job.serial:
        line += ["-c", f"adapter serial {job.serial}"]
    line += ["-f", job.board.probe.openocd_target]
    line += ["-c", "reset_config srst_only srst_nogate connect_assert_srst"] if under_reset else []
    line += ["-c", "; ".join(f"set {name} {value}" for name, value in variables.items())]
    return [*line, "-f", str(SCRIPT)]


def _file(folder: Path, image: Image) -> Path:
    path = folder / f"{image.name}.bin"
    path.write_bytes(image.data)
    return path


class _Talk:
    """What OpenOCD said, and how far the script came."""

    def __init__(self, job: Job, progress: Progress):
        self._job, self._progress = job, progress
        self._lines: list[str] = []
        self._states: dict[str, str] = {}
        self._total = sum(len(image.data) for image in job.images)
        self._done_bytes = {"compare": 0, "write": 0, "verify": 0}
        self.writing = self.done = False
        self._verified: set[str] = set()
        self._current = ""
        self._idcode: int | None = None
        self._cpuid = 0
        self._options: int | None = None

    def line(self, text: str) -> None:
        """One line of OpenOCD's."""
        self._lines.append(text)
        if not text.startswith(_MARK):
            return
        word, *rest = text.removeprefix(_MARK).split()
        value = rest[0] if rest else ""
        if word == "cpuid":
            self._cpuid = int(value, 0)
        elif word == "idcode":
            self._idcode = int(value, 0)
        elif word == "options":
            self._options = int(value, 0)
        elif word in ("same", "differs"):
            self._states[value] = word
            self._count("compare", value)
        elif word == "writing":
            self.writing, self._current = True, value
            self._count("write", value)
        elif word == "verifying":
            self._current = value
        elif word == "verified":
            self._verified.add(value)
            self._count("verify", value)
        elif word == "done":
            self.done = True

    def _count(self, stage: str, name: str) -> None:
        self._done_bytes[stage] += sum(len(i.data) for i in self._job.images if i.name == name)
        self._progress(stage, self._done_bytes[stage], self._total)

    @property
    def no_answer(self) -> bool:
        """Whether OpenOCD reached the probe, but not the chip."""
        text = "\n".join(self._lines).lower()
        return self._idcode is None and any(word in text for word in _NO_ANSWER)

    def keep(self, status: int) -> None:
        """Leaves all lines and the exit status in a file."""
        self._log().write_text("\n".join([*self._lines, f"exit status {status}"]) + "\n")

    def _log(self) -> Path:
        return build_dir() / "openocd.log"

    def outcome(self) -> Outcome:
        """After success."""
        to_do = plan.TO_WRITE if self._job.dry_run else plan.WRITTEN
        regions = [
            plan.region(image, plan.UP_TO_DATE, 0)
            if self._states.get(image.name) == "same"
            else plan.region(image, to_do)
            for image in self._job.images
        ]
        return Outcome(tuple(regions), verified=len(self._verified) == len(self._job.images))

    def failure(self) -> FlashError:
        """After failure: what OpenOCD's lines and the script's progress say together."""
        job, text = self._job, "\n".join(self._lines).lower()
        serial = job.serial or "the ST-Link"
        partial = f"; {PARTIAL}" if self.writing else "; nothing was written"
        try:
            if self._idcode is not None:
                checks.chip(job.board, self._idcode, self._cpuid, serial)
            if self._options is not None:
                checks.protection(job.board, self._options)
        except FlashError as error:
            return error
        if "libusb_error_access" in text or "access denied" in text:
            return ProbeMissingError(
                f"probe {serial} cannot be opened: this user has no permission",
                "Linux: install the udev rules with `host udev`",
            )
        if "open failed" in text:
            return ProbeMissingError(
                "openocd finds no ST-Link", f"{PLUG_HINT}; Linux without udev rules: `host udev`"
            )
        if job.serial and job.serial not in [p.serial for p in find_probes().probes]:
            return ProbeLostError(
                f"probe {serial} was unplugged while {'writing' if self.writing else 'connected'}{partial}",
                "plug it in and run `host flash` again",
            )
        if self._idcode is None and "rror" not in text:
            # 0.12 tells only its debug log that it could not claim the interface
            return ProbeBusyError(
                f"openocd cannot use probe {serial} and does not say why{partial}",
                "it is most likely in use by another program: end the debugger or IDE that holds it",
            )
        if difference := _DIFFERENCE.search("\n".join(self._after_writing())):
            address, read, wrote = (int(n, 0) for n in difference.groups())
            return VerifyError(
                f"{job.board.id}: the {self._current} is wrong at {address:#010x}: wrote {wrote:02x}, read {read:02x}",
                "try again with --force; if it stays, the flash is worn out or the supply is weak",
            )
        if self.no_answer:
            return FlashError(
                f"probe {serial} gets no answer from the chip{partial}",
                "is the board powered, and does its debug connector lead to the chip?",
            )
        if "can't find" in text and ".cfg" in text:
            return FlashError(
                f"openocd does not know {job.board.probe.openocd_target if job.board.probe else 'the chip'}",
                "it is older than the chip: install a newer one, or use --method pyocd",
            )
        return FlashError(f"openocd failed: {self._reason()}{partial}", f"all of it: {self._log()}")

    def _after_writing(self) -> list[str]:
        at = next((i for i, line in enumerate(self._lines) if line.startswith(f"{_MARK}verifying")), None)
        return [] if at is None else self._lines[at:]

    def _reason(self) -> str:
        lines = [line for line in self._lines if line.startswith(("Error", "** ")) or "rror:" in line]
        return (lines or [line for line in self._lines if line] or ["no message"])[0].strip()
