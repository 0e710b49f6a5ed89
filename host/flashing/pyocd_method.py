"""Writes through a debug probe with pyOCD, in this process.

Two sessions: the first knows the chip only as a Cortex-M and reads who it is and whether it is protected; only when
that fits the board does the second one connect as the board's chip, compare, erase, program, compare again, and reset.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from host import packs
from host.boards import Board
from host.errors import FlashError, PackError
from host.flashing import checks, chips, explain, plan
from host.flashing.choice import quiet_pyocd
from host.flashing.plan import Image, Job, Outcome, Progress, Region
from host.project import build_dir

if TYPE_CHECKING:
    from pyocd.core.session import Session
    from pyocd.probe.debug_probe import DebugProbe

NEEDS_PROBE = True
READS_BACK = True
CONNECT_MODES = ("halt", "under-reset")
READ_BYTES = 4096  # a block of reading back: an ST-Link moves up to 6 KiB at once
ROUNDS = 2  # the second one writes everything, see _write()


def why_not(board: Board) -> str | None:
    """Why pyOCD cannot write this board; None if it can."""
    try:
        target_name(board)
    except PackError as error:
        return error.message
    return None


def how(board: Board) -> str:
    """From where pyOCD knows the board's chip."""
    from pyocd.target.builtin import BUILTIN_TARGETS

    built_in = board.probe is not None and board.probe.pyocd_target.lower() in BUILTIN_TARGETS
    return "it knows the chip" if built_in else "its CMSIS pack is installed"


def target_name(board: Board) -> str:
    """What pyOCD calls the board's chip: built in, or from an installed CMSIS pack. PackError if neither."""
    quiet_pyocd()
    from pyocd.target import normalise_target_type_name
    from pyocd.target.builtin import BUILTIN_TARGETS

    if board.probe is None:
        raise PackError(f"the manifest of {board.id} names no probe")
    name = normalise_target_type_name(board.probe.pyocd_target)
    if name in BUILTIN_TARGETS:
        return name
    if board.cmsis_pack and packs.installed(board.cmsis_pack):
        return normalise_target_type_name(board.cmsis_pack)
    raise PackError(
        f"pyOCD does not know {board.probe.pyocd_target} and no CMSIS pack for it is installed",
        f"`host packs install {board.id}`",
    )


def write(job: Job, progress: Progress, say: plan.Say = lambda text: None) -> Outcome:
    """Brings the flash to what the job says. Raises FlashError's family; HostError before anything is written."""
    target = target_name(job.board)
    probe = _probe(job)
    with explain.pyocd_errors(job.board, probe.unique_id) as state:
        mode = _check_chip(job.board, probe, say)
        with _session(probe, target, mode) as session:
            return _work(job, session, progress, say, state)


def _probe(job: Job) -> DebugProbe:
    from pyocd.core.helpers import ConnectHelper

    found = [p for p in ConnectHelper.get_all_connected_probes(blocking=False) if p.unique_id == job.serial]
    if not found:
        raise FlashError(f"probe {job.serial} is gone", "plug it in again")
    return found[0]


@contextmanager
def _session(probe: DebugProbe, target: str, mode: str) -> Iterator[Session]:
    """An open session. The user's own pyOCD files do not reach it, and it never unlocks a chip."""
    from pyocd.core.session import Session

    options = {
        "target_override": target,
        "auto_unlock": False,  # by default pyOCD erases a protected chip to open it
        "connect_mode": mode,
        "hide_programming_progress": True,
        "no_config": True,
        "project_dir": str(build_dir()),  # where it looks for scripts to run; it also goes there
        "warning.cortex_m_default": False,
    }
    here = os.getcwd()
    try:
        session = Session(probe, options=options)
    finally:
        os.chdir(here)
    with session:
        yield session


def _check_chip(board: Board, probe: DebugProbe, say: plan.Say) -> str:
    """Returns how to connect. Raises WrongBoardError or ProtectedError.

    A chip that sleeps, or whose firmware took the debug pins, answers only while its reset is held.
    """
    from pyocd.core.exceptions import DebugError

    try:
        _identify(board, probe, CONNECT_MODES[0])
        return CONNECT_MODES[0]
    except DebugError:
        say("the chip does not answer; again while its reset is held")
    _identify(board, probe, CONNECT_MODES[1])
    return CONNECT_MODES[1]


def _identify(board: Board, probe: DebugProbe, mode: str) -> None:
    where = chips.registers(board)
    if where is None:
        raise FlashError(
            f"nobody has described how to recognise {board.mcu}", "add it to host/flashing/chips.py"
        )
    from pyocd.core.exceptions import TransferFaultError

    with _session(probe, "cortex_m", mode) as session:
        try:
            idcode = session.target.read32(where.idcode)
        except TransferFaultError:  # another family has nothing there
            raise checks.foreign(board, probe.unique_id) from None
        checks.chip(board, idcode, session.target.read32(chips.CPUID), probe.unique_id)
        checks.protection(board, session.target.read32(where.options))


def _work(job: Job, session: Session, progress: Progress, say: plan.Say, state: explain.State) -> Outcome:
    total = sum(len(image.data) for image in job.images)
    held = _read_all(session, job.images, _counter(progress, "compare", total))
    changed = {
        image.name: _sectors(session, image, None if job.force else got)
        for image, got in zip(job.images, held, strict=True)
    }
    if job.dry_run:
        regions = [_region(i, changed[i.name], plan.TO_WRITE) for i in job.images]
        session.target.reset()
        return Outcome(tuple(regions), verified=False)
    if any(changed.values()):
        behind = _plan_behind(job, session, changed)
        state.writing = True
        held = _write(job, session, changed, progress)
        if behind is not None:
            _restore(job.board, session, behind)
        state.writing = False
    for image, got in zip(job.images, held, strict=True):
        checks.verified(job.board, image, got)
    session.target.reset()
    return Outcome(tuple(_region(i, changed[i.name], plan.WRITTEN) for i in job.images), verified=True)


def _region(image: Image, changed: list[Image], state: str) -> Region:
    return plan.region(
        image, state if changed else plan.UP_TO_DATE, sum(len(sector.data) for sector in changed)
    )


def _write(job: Job, session: Session, changed: dict[str, list[Image]], progress: Progress) -> list[bytes]:
    """Writes the changed sectors and returns what the flash holds then.

    An algorithm may erase more than it was asked to: the one that pyOCD 0.46 has for the STM32H743 erases the sector
    behind as well. If something that was right is wrong afterwards, all of it is written, which erases it all first.
    """
    total = sum(len(image.data) for image in job.images)
    for attempt in range(ROUNDS):
        sectors = [sector for image in job.images for sector in changed[image.name]]
        _program(session, sectors, progress)
        held = _read_all(session, job.images, _counter(progress, "verify", total))
        wrong = [
            image
            for image, got in zip(job.images, held, strict=True)
            if (at := plan.first_difference(image, got)) is not None
            and not any(s.address <= image.address + at < s.end for s in changed[image.name])
        ]
        if not wrong or attempt == ROUNDS - 1:
            break
        for image in job.images:
            changed[image.name] = _sectors(session, image, None)
    return held


def _plan_behind(job: Job, session: Session, changed: dict[str, list[Image]]) -> Image | None:
    """The sector of a plan that this job does not write, if it lies right behind the last sector that is erased."""
    if any(image.name == "plan" for image in job.images):
        return None
    at = max(sector.end for sectors in changed.values() for sector in sectors)
    region = session.target.memory_map.get_region_for_address(at - 1)
    last = region.flash.get_sector_info(at - 1)
    end = last.base_addr + last.size
    region = session.target.memory_map.get_region_for_address(end)
    plan_region = job.board.plan_region
    if region is None or not region.is_flash or not plan_region.address <= end < plan_region.end:
        return None
    size = region.flash.get_sector_info(end).size
    data = _read_all(session, (Image("plan", end, bytes(size)),), lambda count: None)[0]
    return None if data.count(plan.ERASED) == size else Image("plan", end, data)


def _restore(board: Board, session: Session, sector: Image) -> None:
    """Writes a sector back that an erase of the one before it took as well, see _write(); so it needs no erasing."""
    if _read_all(session, (sector,), lambda count: None)[0] == sector.data:
        return
    flash = session.target.memory_map.get_region_for_address(sector.address).flash
    page_bytes = flash.get_page_info(sector.address).size
    flash.init(flash.Operation.PROGRAM)
    for at in range(0, len(sector.data), page_bytes):
        page = sector.data[at : at + page_bytes]
        if page.count(plan.ERASED) < len(page):
            flash.program_page(sector.address + at, list(page))
    flash.cleanup()
    checks.verified(board, sector, _read_all(session, (sector,), lambda count: None)[0])


def _program(session: Session, sectors: list[Image], progress: Progress) -> None:
    from pyocd.flash.loader import MemoryLoader

    total = sum(len(sector.data) for sector in sectors)
    phase, last = "erase", 0.0

    def report(part: float) -> None:
        nonlocal phase, last
        if part < last:  # it goes from 0 to 1 twice: erasing, then programming
            phase = "write"
        last = part
        progress(phase, round(part * total), total)

    loader = MemoryLoader(
        session, progress=report, chip_erase="sector", smart_flash=False, keep_unwritten=False
    )
    for sector in sectors:
        loader.add_data(sector.address, sector.data)
    loader.commit()


def _sectors(session: Session, image: Image, held: bytes | None) -> list[Image]:
    """The image's pieces by erase sectors that differ from what the flash holds (None: all of them)."""
    pieces = []
    at = image.address
    while at < image.end:
        region = session.target.memory_map.get_region_for_address(at)
        if region is None or not region.is_flash or region.flash is None:
            raise FlashError(f"pyOCD knows no flash at {at:#010x} on this chip")
        sector = region.flash.get_sector_info(at)
        end = min(image.end, sector.base_addr + sector.size)
        part = slice(at - image.address, end - image.address)
        if held is None or held[part] != image.data[part]:
            pieces.append(Image(image.name, at, image.data[part]))
        at = end
    return pieces


def _read_all(session: Session, images: tuple[Image, ...], count: Callable[[int], None]) -> list[bytes]:
    held = []
    for image in images:
        data = bytearray()
        while len(data) < len(image.data):
            size = min(READ_BYTES, len(image.data) - len(data))
            data += bytes(session.target.read_memory_block8(image.address + len(data), size))
            count(size)
        held.append(bytes(data))
    return held


def _counter(progress: Progress, stage: str, total: int) -> Callable[[int], None]:
    done = 0

    def count(size: int) -> None:
        nonlocal done
        done += size
        progress(stage, done, total)

    return count
