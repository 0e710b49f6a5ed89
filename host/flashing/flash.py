"""`host flash` as a library function: builds, chooses method and probe, writes, and asks the board.

An emulated board has no flash that outlives it: it is started with image and plan in place, which proves both.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import ModuleType

from host import boards, build
from host.boards import DEFAULT_BOARD, Board
from host.compile import Compiled
from host.devices import is_emulated
from host.errors import FlashError, ProbeMissingError
from host.flashing import answer, choice, plan, pyocd_method
from host.flashing.plan import Image, Job, Outcome, Progress, Region
from host.probes import Probe, boards_of, find_probes
from host.runner import no_progress

METHODS = {  # in the order of preference: its module and what messages call it
    "pyocd": ("pyocd_method", "pyOCD"),
    "openocd": ("openocd", "OpenOCD"),
    "drag": ("drag", "the ST-Link's USB drive"),
    "platformio": ("platformio_method", "PlatformIO"),
}
EMULATED = "emulator"


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a method did and why it was chosen. `verified`: the flash was read back and is what it should be."""

    method: str
    why: str
    probe: str | None
    port: str | None
    regions: tuple[Region, ...]
    verified: bool

    def lines(self) -> list[str]:
        """Method and regions for people."""
        via = f", probe {self.probe}" if self.probe else ""
        lines = [f"method {self.method} ({self.why}){via}"]
        for part in self.regions:
            changed = f", {part.changed_bytes:,} bytes in changed sectors" if part.changed_bytes else ""
            lines.append(f"{part.name:<9} {part.address:#010x} {part.bytes:>9,} bytes  {part.state}{changed}")
        return lines


@dataclass(frozen=True, kw_only=True)
class Flashed(Written):
    """What is on the board now, or would be (`dry_run`). `plan_bytes` is 0 if only the firmware was meant.

    `answered`: the board said over its serial port (or in the emulator) that it runs this build and, with a plan,
    that it accepts it.
    """

    board: str
    build: str
    code_bytes: int
    model: str | None
    plan_bytes: int
    dry_run: bool
    answered: bool


@dataclass(frozen=True)
class Way:
    """A method, why it is the one, and the probe that it goes through (None: it needs none, or none is there)."""

    method: str
    why: str
    probe: Probe | None


def find_board(board_id: str | None, serial: str | None = None) -> tuple[Board, str]:
    """The board to write, and how it was found.

    Without a name the one probe that is plugged in decides, by the board id that an on-board ST-Link knows; if
    nothing is plugged in, it is the emulated board. Raises UnknownBoardError, ProbeMissingError, ProbeChoiceError,
    FlashError.
    """
    if board_id is not None:
        return boards.load_board(board_id), "asked for"
    found = find_probes()
    if not found.probes and not found.refused and serial is None:
        return boards.load_board(DEFAULT_BOARD), "no debug probe is plugged in and no board was named"
    probe = choice.choose(serial, found)
    on = boards_of(probe, boards.all_boards())
    if not on:
        what = (
            f"says it is on {probe.board_name}" if probe.board_name else "does not say which board it is on"
        )
        raise FlashError(
            f"probe {probe.serial} {what}", "name the board with --board; `host boards` lists them"
        )
    return on[0], f"probe {probe.serial} is on it"


def choose_method(board: Board, wanted: str | None = None) -> tuple[str, str]:
    """The method's name and why it is the one. Raises FlashError if none can write this board.

    PlatformIO is never chosen unasked: its upload target calls these methods too.
    """
    if wanted:
        return wanted, "asked for"
    reasons = []
    for name in METHODS:
        if name == "platformio":
            continue
        reason = method_module(name).why_not(board)
        if reason is None:
            return name, "; ".join(reasons) or pyocd_method.how(board)
        reasons.append(reason)
    raise FlashError(
        f"nothing can write {board.id}: {'; '.join(reasons)}", f"`host packs install {board.id}`"
    )


def choose_way(
    board: Board, serial: str | None = None, method: str | None = None, dry_run: bool = False
) -> Way:
    """Method and probe. A dry run does without a probe. Raises what choose_method() and choosing a probe raise."""
    name, why = choose_method(board, method)
    module = method_module(name)
    if not module.NEEDS_PROBE and serial is None:
        return Way(name, why, None)
    try:
        probe = choice.choose(serial)
    except ProbeMissingError:
        if dry_run:
            return Way(name, why, None)
        raise
    choice.check_board(board, probe)
    return Way(name, why, probe)


def method_module(name: str) -> ModuleType:
    """A method's module: `why_not(board)`, `write(job, progress, say)`, NEEDS_PROBE and READS_BACK."""
    return importlib.import_module(f"host.flashing.{METHODS[name][0]}")


def flash(
    board: Board,
    compiled: Compiled | None,
    *,
    region: bytes | None = None,
    why_board: str = "asked for",
    serial: str | None = None,
    port: str | None = None,
    method: str | None = None,
    force: bool = False,
    dry_run: bool = False,
    progress: Progress = no_progress,
    say: Callable[[str], None] = lambda text: None,
) -> Flashed:
    """Builds the firmware if need be and writes it, with the network's plan if one is given.

    `region` is what the board's flash region for plans gets if that is more than the plan: plan and demo block. The
    board is then asked whether it runs this build and accepts the plan, over `port`, over the port of its on-board
    probe, or in the emulator; with a `region` it is restarted, so that its demo runs. Raises FlashError and its
    kinds, ToolMissingError, BuildError, DoesNotFitError, and LinkError if the device does not come up.
    """
    emulated = board.emulated or is_emulated(board, port)
    way = None if emulated else choose_way(board, serial, method, dry_run)
    firmware = build.build(board, progress=say)
    network = region or (compiled.plan if compiled else None)
    images = plan.images(board, firmware, network)
    if way is None:
        state = plan.UNKNOWN if dry_run else plan.PROVED
        regions = tuple(plan.region(image, state) for image in images)
        written = Written(
            method=EMULATED, why=why_board, probe=None, port=port, regions=regions, verified=False
        )
    else:
        written = write_images(
            board,
            way,
            images,
            firmware.build_hash,
            port or choice.port_of(board, way.probe),
            force=force,
            dry_run=dry_run,
            progress=progress,
            say=say,
        )
    asked = not dry_run and (emulated or written.port is not None)
    if asked:
        answer.require(board, written.port, firmware, network, say, restart=region is not None)
    return Flashed(
        **vars(written),
        board=board.id,
        build=firmware.build_hash,
        code_bytes=firmware.code_bytes,
        model=compiled.net.name if compiled else None,
        plan_bytes=len(network or b""),
        dry_run=dry_run,
        answered=asked,
    )


def write_images(
    board: Board,
    way: Way,
    images: tuple[Image, ...],
    build_hash: str,
    port: str | None = None,
    *,
    force: bool = False,
    dry_run: bool = False,
    progress: Progress = no_progress,
    say: plan.Say = lambda text: None,
) -> Written:
    """Writes images to a real board and verifies them; the board itself is not asked afterwards.

    `port` serves methods that cannot read the flash back: what the board says it holds is not written again.
    Raises FlashError and its kinds, ToolMissingError.
    """
    say(f"with {METHODS[way.method][1]}: {way.why}")
    job = Job(board, images, force=force, dry_run=dry_run)
    if way.probe:
        job = replace(job, serial=way.probe.serial, drive=way.probe.drive)
    outcome = _write(method_module(way.method), job, port, build_hash, progress, say)
    return Written(
        method=way.method,
        why=way.why,
        probe=job.serial,
        port=port,
        regions=outcome.regions,
        verified=outcome.verified,
    )


def _write(
    module: ModuleType, job: Job, port: str | None, build_hash: str, progress: Progress, say: plan.Say
) -> Outcome:
    """Has the method do it. What the board itself says it holds is skipped if the method cannot read the flash."""
    if job.dry_run and module.NEEDS_PROBE and job.serial is None:
        return _all(job.images, plan.UNKNOWN)
    if not module.READS_BACK:
        held = answer.held(job.board, port, build_hash, job.images) if port else set()
        if len(held) == len(job.images) and not job.force:
            return _all(job.images, plan.UP_TO_DATE)
        if job.dry_run:
            return _all(job.images, plan.TO_WRITE if port else plan.UNKNOWN)
    return module.write(job, progress, say)


def _all(images: tuple[Image, ...], state: str) -> Outcome:
    return Outcome(
        tuple(plan.region(i, state, 0 if state == plan.UP_TO_DATE else None) for i in images), False
    )
