"""Which probe: never the wrong board.

One probe is used, several must be chosen from, and a probe that says it sits on another board is refused before
anything is sent to the chip.
"""

from __future__ import annotations

import logging

from host import boards
from host.boards import Board
from host.errors import ProbeChoiceError, ProbeMissingError, WrongBoardError
from host.ports import list_ports
from host.probes import Found, Probe, boards_of, find_probes
from host.project import build_dir

PLUG_HINT = "check that the USB cable carries data and leads to the board's ST-LINK socket"
DRIVER_HINT = "Linux: `host udev` tells about permissions; Windows: install ST's USB driver"


def choose(prefix: str | None, found: Found | None = None) -> Probe:
    """The probe of that serial number, or its unique beginning; without one, the only probe.

    Raises ProbeMissingError or ProbeChoiceError.
    """
    found = found or find_probes()
    known = list(found.probes)
    if not known:
        raise _none_found(found, prefix)
    if prefix is not None:
        matching = [p for p in known if p.serial.lower().startswith(prefix.lower())]
        exact = [p for p in matching if p.serial.lower() == prefix.lower()]
        if len(exact) == 1:
            return exact[0]
        if not matching:
            raise ProbeMissingError(
                f"no probe's serial number begins with {prefix}", f"there is {_listed(known)}"
            )
        known = matching
    if len(known) > 1:
        which = f"begin with {prefix}" if prefix else "are plugged in"
        raise ProbeChoiceError(
            f"{len(known)} probes {which}: {_listed(known)}", "choose one with --probe SERIAL"
        )
    return known[0]


def check_board(board: Board, probe: Probe) -> None:
    """Raises WrongBoardError if the probe is part of another board than this one."""
    expected = board.probe.board_ids if board.probe else ()
    if not expected or not probe.board_id or probe.board_id in expected:
        return
    actual = boards_of(probe, boards.all_boards())
    name = actual[0].id if actual else probe.board_name or f"a board with the id {probe.board_id}"
    raise WrongBoardError(
        f"probe {probe.serial} is on {name}, not on {board.id}; nothing was written",
        f"use --board {actual[0].id}, or plug in {board.name}" if actual else f"plug in {board.name}",
    )


def port_of(board: Board, probe: Probe | None) -> str | None:
    """The serial port of the board's own probe. A probe on another board, or none, has no line to this one."""
    if probe is None or board.id not in [b.id for b in boards_of(probe, [board])]:
        return None
    return next((p.device for p in list_ports() if p.serial.upper() == probe.serial.upper()), None)


def _listed(known: list[Probe]) -> str:
    return ", ".join(f"{p.serial} ({p.board_name or p.name})" for p in known)


def _none_found(found: Found, prefix: str | None) -> ProbeMissingError:
    seen = [port.device for port in list_ports() if port.is_stlink]
    if found.refused or seen:
        where = f" of {seen[0]}" if seen else ""
        return ProbeMissingError(
            f"there is an ST-Link{where}, but this user may not open it",
            f"install the udev rules: `host udev`; {DRIVER_HINT}",
        )
    wanted = f" {prefix}" if prefix else ""
    return ProbeMissingError(f"no debug probe{wanted} is plugged in", f"{PLUG_HINT}; {DRIVER_HINT}")


def quiet_pyocd() -> None:
    """pyOCD's log goes to a file of ours, not to the terminal: what matters becomes an error of our own."""
    log = logging.getLogger("pyocd")
    if not any(isinstance(handler, logging.FileHandler) for handler in log.handlers):
        handler = logging.FileHandler(log_file(), mode="w", delay=True)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        log.addHandler(handler)
        log.propagate = False


def log_file() -> str:
    """Where pyOCD's log of the last run is."""
    return str(build_dir() / "pyocd.log")
