"""The debug probes of this computer, as pyOCD finds them over USB, and what board each sits on.

A probe has a port only if it is an ST-Link of a board (V2-1, V3); host/ports.py ties the two together. Listing opens
each ST-Link for a moment to read its board id, where its firmware can tell; a probe that another program debugs with
tells nothing then but its serial number.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from host.boards import Board

NO_BOARD = "0000"  # of a probe that is sold alone


@dataclass(frozen=True)
class Probe:
    """`serial` is the USB serial number as pyOCD gives it to its --probe; `name` the product's.

    `board_id` has four hexadecimal digits, `board_name` is the vendor's name of that board, `drive` where its USB
    drive is mounted; each is empty if unknown.
    """

    serial: str
    name: str
    board_id: str = ""
    board_name: str = ""
    drive: str = ""


@dataclass(frozen=True)
class Found:
    """What a look at the USB gave; `refused` says that there is a probe that this user may not open."""

    probes: tuple[Probe, ...]
    refused: bool = False


def find_probes() -> Found:
    """All probes that pyOCD knows; none where it is not installed or finds no libusb."""
    try:
        from pyocd.board.board_ids import BOARD_ID_TO_INFO
        from pyocd.core.helpers import ConnectHelper
    except ImportError:
        return Found(())
    with _messages() as messages:
        drives = _drives()
        found = []
        for probe in ConnectHelper.get_all_connected_probes(blocking=False, print_wait_message=False):
            board_id = _board_id(probe)
            info = BOARD_ID_TO_INFO.get(board_id)
            found.append(
                Probe(
                    probe.unique_id, probe.product_name or "", board_id, info.name if info else "",
                    drives.get(probe.unique_id.upper(), ""),
                )
            )  # fmt: skip
    refused = any("udev rule" in text for text in messages)
    return Found(tuple(sorted(found, key=lambda p: p.serial)), refused)


def boards_of(probe: Probe, known: Sequence[Board]) -> tuple[Board, ...]:
    """The boards that this probe is soldered to, by the manifests' board ids or the vendor's name of it."""
    by_id = [b for b in known if probe.board_id and b.probe and probe.board_id in b.probe.board_ids]
    name = probe.board_name.lower().replace("-", "_")
    return tuple(by_id or [b for b in known if b.id == name])


def _board_id(probe) -> str:
    from pyocd.core.exceptions import Error

    try:
        board_id = (getattr(probe, "board_id", None) or "").upper()
        return "" if board_id == NO_BOARD else board_id
    except (Error, OSError, AssertionError):  # held by a debugger, or unplugged meanwhile
        return ""


def _drives() -> dict[str, str]:
    """Mount points of the probes' USB drives, by serial number."""
    from pyocd.probe.stlink.detect.factory import create_mbed_detector

    detector = create_mbed_detector()
    try:
        volumes = detector.list_mbeds() if detector else []
    except OSError:
        return {}
    return {v["target_id_usb_id"].upper(): v["mount_point"] for v in volumes if v.get("target_id_usb_id")}


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@contextmanager
def _messages() -> Iterator[list[str]]:
    """pyOCD's complaints, kept from the terminal: one about permissions becomes a hint of ours."""
    logger, handler = logging.getLogger("pyocd"), _Kept()
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield handler.messages
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
