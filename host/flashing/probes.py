"""Debug probes on this computer, and the rule for choosing one: never the wrong board.

One probe is used, several must be chosen from, and a probe that says it sits on another board is refused before
anything is sent to the chip.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from host import boards
from host.boards import Board
from host.errors import ProbeChoiceError, ProbeMissingError, WrongBoardError
from host.project import build_dir

PLUG_HINT = "check that the USB cable carries data, plug it into the board's ST-LINK socket"


@dataclass(frozen=True)
class ProbeInfo:
    """A probe. `board_id` is what an on-board ST-Link says about its board, four hexadecimal digits."""

    serial: str
    description: str
    board_id: str | None
    board_name: str | None

    def __str__(self) -> str:
        """One entry of a list for people."""
        return f"{self.serial} ({self.board_name or self.description})"


def list_probes() -> list[ProbeInfo]:
    """Every probe that pyOCD sees, by serial number. A probe that does not tell about itself is listed as well."""
    quiet_pyocd()
    from pyocd.core.helpers import ConnectHelper

    found = []
    for probe in ConnectHelper.get_all_connected_probes(blocking=False):
        try:
            # asking an ST-Link for its board opens it, and fails if it is busy
            info, board_id = probe.associated_board_info, getattr(probe, "board_id", None)
        except Exception:
            info = board_id = None
        found.append(
            ProbeInfo(
                probe.unique_id,
                probe.description,
                None if board_id in (None, "", "0000") else board_id.upper(),
                info.name if info else None,
            )
        )
    return sorted(found, key=lambda p: p.serial)


def choose(prefix: str | None, found: list[ProbeInfo] | None = None) -> ProbeInfo:
    """The probe of that serial number, or its unique beginning; without one, the only probe.

    Raises ProbeMissingError or ProbeChoiceError.
    """
    found = list_probes() if found is None else found
    if not found:
        raise _none_found(prefix)
    if prefix is not None:
        matching = [p for p in found if p.serial.lower().startswith(prefix.lower())]
        exact = [p for p in matching if p.serial.lower() == prefix.lower()]
        if len(exact) == 1:
            return exact[0]
        if not matching:
            raise ProbeMissingError(
                f"no probe's serial number begins with {prefix}", f"there is {_listed(found)}"
            )
        found = matching
    if len(found) > 1:
        which = f"begin with {prefix}" if prefix else "are plugged in"
        raise ProbeChoiceError(
            f"{len(found)} probes {which}: {_listed(found)}", "choose one with --probe SERIAL"
        )
    return found[0]


def check_board(board: Board, probe: ProbeInfo) -> None:
    """Raises WrongBoardError if the probe is part of another board than this one."""
    expected = board.probe.board_id if board.probe else None
    if expected is None or probe.board_id is None or probe.board_id == expected:
        return
    actual = board_with(probe.board_id)
    name = actual.id if actual else probe.board_name or f"a board with the id {probe.board_id}"
    raise WrongBoardError(
        f"probe {probe.serial} is on {name}, not on {board.id}; nothing was written",
        f"use --board {actual.id}, or plug in {board.name}" if actual else f"plug in {board.name}",
    )


def board_with(board_id: str | None) -> Board | None:
    """The board whose manifest has this probe's board id."""
    for board in boards.all_boards():
        if board_id and board.probe and board.probe.board_id == board_id:
            return board
    return None


def _listed(found: list[ProbeInfo]) -> str:
    return ", ".join(map(str, found))


def _none_found(prefix: str | None) -> ProbeMissingError:
    from host.ports import list_ports

    wanted = f" {prefix}" if prefix else ""
    seen = [port.device for port in list_ports() if port.is_stlink]
    if seen:
        return ProbeMissingError(
            f"the ST-Link{wanted} of {seen[0]} cannot be opened: this user has no permission",
            "Linux: install the udev rules with `host udev`; Windows: install ST's USB driver",
        )
    return ProbeMissingError(
        f"no debug probe{wanted} is plugged in",
        f"{PLUG_HINT}; Linux without udev rules: `host udev`; Windows: install ST's USB driver",
    )


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
