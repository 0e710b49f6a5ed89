"""What a device answers instead of a result, as one of our errors."""

from __future__ import annotations

import struct

from host import defs
from host.errors import DeviceError, DoesNotFitError, HostError

_FLASH_HINT = "`host flash` writes the firmware that belongs to this host"


class RefusedError(DeviceError):
    """A DeviceError with all four numbers that came along; `field` is a name of status.def."""

    def __init__(self, message: str, hint: str, status: str, field: str, numbers: tuple[int, int, int]):
        self.field = field
        self.index, self.needed, self.available = numbers
        super().__init__(message, hint, status=status, detail=self.needed or self.index)


def refusal(command: str, status_code: int, payload: bytes) -> HostError:
    """The error of a response with a status other than 0."""
    status = defs.statuses().get(status_code)
    if status is None:
        return DeviceError(f"{command} failed with the unknown status {status_code}", _FLASH_HINT)
    code, index, needed, available = struct.unpack("<4I", payload[:16].ljust(16, b"\0"))
    if status.name == "PLAN_TOO_LARGE":
        return DoesNotFitError(
            f"the plan needs {needed} bytes, the board has {available} bytes of memory for plans"
        )
    if status.name == "ARENA_TOO_LARGE":
        return DoesNotFitError(
            f"the plan's arena needs {needed} bytes, the board has {available} bytes of memory left for it"
        )
    field = defs.plan_fields().get(code, f"field {code}")
    notes = []
    if code:
        noun = field.split("_")[0]
        notes.append(
            f"{field} of {noun} {index}" if noun in ("tensor", "step") and "table" not in field else field
        )
    elif index:
        notes.append(f"index {index}")
    if status.name.startswith("KERNEL_") and needed:
        names = {k.id: k.name for k in defs.kernels().values()}
        notes.append(f"kernel {names.get(needed, needed)}")
    elif field == "step_params":
        notes.append(f"parameter {needed}")
    elif needed or available:
        notes.append(f"needs {needed}, available {available}")
    message = f"{command}: {status.text}" + (f" ({', '.join(notes)})" if notes else "")
    hint = _FLASH_HINT if status.name in ("PLAN_VERSION", "KERNEL_UNKNOWN", "BAD_COMMAND") else ""
    return RefusedError(message, hint, status.name, field, (index, needed, available))
