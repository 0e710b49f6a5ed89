"""The serial ports of this computer."""

from __future__ import annotations

from dataclasses import dataclass

from serial.tools import list_ports as _pyserial

_STLINK_VENDOR = 0x0483
# V1, V2, V2-1 and its variants without mass storage, V3 and its variants: OpenOCD's interface/stlink.cfg.
_STLINK_PRODUCTS = frozenset(
    (0x3744, 0x3748, 0x374B, 0x374D, 0x374E, 0x374F, 0x3752, 0x3753, 0x3754, 0x3755, 0x3757)
)


@dataclass(frozen=True)
class SerialPort:
    """One port; `vid_pid` is "0483:374b" or empty if it is not on USB."""

    device: str
    description: str
    vid_pid: str
    serial: str
    is_stlink: bool


def list_ports() -> list[SerialPort]:
    """All ports, the virtual ports of ST-Link probes first."""
    found = [
        SerialPort(
            port.device,
            "" if port.description in (None, "n/a") else port.description,
            f"{port.vid:04x}:{port.pid:04x}" if port.vid is not None else "",
            port.serial_number or "",
            port.vid == _STLINK_VENDOR and port.pid in _STLINK_PRODUCTS,
        )
        for port in _pyserial.comports()
    ]
    return sorted(found, key=lambda p: (not p.is_stlink, not p.vid_pid, p.device))
