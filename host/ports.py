"""The serial ports of this computer, and which probe and board each belongs to.

A port of an ST-Link and its probe are one USB device: they have the same serial number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from serial.tools import list_ports as _pyserial

from host.boards import Board
from host.probes import Found, Probe, boards_of
from host.transport.holder import holders

STLINK_VENDOR = 0x0483
# USB product ids by kind: OpenOCD's interface/stlink.cfg and pyOCD's probe/stlink/usb.py. V2 has no port.
STLINK_KINDS = {
    "V1": (0x3744,),
    "V2": (0x3748,),
    "V2-1": (0x374A, 0x374B, 0x3752),
    "V3": (0x374D, 0x374E, 0x374F, 0x3753, 0x3754, 0x3755, 0x3757),
}
_KIND_OF_PRODUCT = {product: kind for kind, products in STLINK_KINDS.items() for product in products}


@dataclass(frozen=True)
class SerialPort:
    """One port; `vid_pid` is "0483:374b" or empty if it is not on USB, `location` its place in the USB tree.

    `kind` is the ST-Link's, V2-1 or V3, or empty.
    """

    device: str
    description: str
    vid_pid: str
    serial: str
    is_stlink: bool
    kind: str = ""
    location: str = ""


@dataclass(frozen=True)
class Attached:
    """A row of `host ports`: a port, a probe, or both.

    `boards` are the ids of our boards that the probe is part of: one, none if it cannot be told. `board_name` is what
    the vendor calls the board, `drive` where its USB drive is mounted, `busy` the program that has the port open.
    """

    port: str
    description: str
    vid_pid: str
    location: str
    kind: str
    probe: str
    board_id: str
    board_name: str
    boards: tuple[str, ...]
    drive: str
    busy: str

    @property
    def is_stlink(self) -> bool:
        """Whether a board's ST-Link is at the other end."""
        return bool(self.kind)


def list_ports() -> list[SerialPort]:
    """All ports, the virtual ports of ST-Link probes first."""
    found = [
        SerialPort(
            port.device,
            "" if port.description in (None, "n/a") else port.description,
            f"{port.vid:04x}:{port.pid:04x}" if port.vid is not None else "",
            port.serial_number or "",
            port.vid == STLINK_VENDOR and port.pid in _KIND_OF_PRODUCT,
            _KIND_OF_PRODUCT.get(port.pid, "") if port.vid == STLINK_VENDOR else "",
            getattr(port, "location", None) or "",
        )
        for port in _pyserial.comports()
    ]
    return sorted(found, key=lambda p: (not p.is_stlink, not p.vid_pid, p.location, p.device))


def join(
    ports: Sequence[SerialPort],
    probes: Found,
    boards: Sequence[Board],
    holders_of: Callable[[str], list[str]] = holders,
) -> list[Attached]:
    """Ports with their probes, then probes without a port."""
    by_serial = {probe.serial.upper(): probe for probe in probes.probes}
    rows = []
    for port in ports:
        probe = by_serial.get(port.serial.upper()) if port.serial else None
        busy = ", ".join(holders_of(port.device))
        rows.append(_row(port, probe or Probe(port.serial if port.is_stlink else "", ""), boards, busy))
    seen = {port.serial.upper() for port in ports}
    rows += [_row(None, probe, boards, "") for probe in probes.probes if probe.serial.upper() not in seen]
    return rows


def _row(port: SerialPort | None, probe: Probe, boards: Sequence[Board], busy: str) -> Attached:
    return Attached(
        port=port.device if port else "",
        description=port.description if port else probe.name,
        vid_pid=port.vid_pid if port else "",
        location=port.location if port else "",
        kind=port.kind if port else "",
        probe=probe.serial,
        board_id=probe.board_id,
        board_name=probe.board_name,
        boards=tuple(board.id for board in boards_of(probe, boards)),
        drive=probe.drive,
        busy=busy,
    )
