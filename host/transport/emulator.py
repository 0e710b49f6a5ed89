"""QEMU as a device. It talks over an inherited socket pair: no port to choose, nobody else can connect."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from host.errors import EmulatorError
from host.transport.process import CHILD_SOCKET_FD, ChildProcess, find_tool

QEMU = "qemu-system-arm"
QEMU_HINT = "install it: apt-get install qemu-system-arm (Debian, Ubuntu) or brew install qemu (macOS)"


class EmulatorTransport(ChildProcess):
    """An emulated board that runs an ELF file; it exists from here to close().

    `machine` is QEMU's name of it. With `icount_shift` s one instruction takes 2^s ns of emulated time, so
    that counts are the same on every machine. `plan` is placed at `plan_address`, as if it had been flashed,
    and survives a reset of the device.
    """

    def __init__(
        self,
        elf: Path,
        *,
        machine: str,
        icount_shift: int | None = 0,
        plan: Path | None = None,
        plan_address: int = 0,
        extra: Sequence[str] = (),
    ):
        command = [find_tool(QEMU, QEMU_HINT), "-nodefaults", "-no-user-config", "-display", "none"]
        command += ["-machine", machine, "-kernel", str(elf)]
        if icount_shift is not None:
            command += ["-icount", f"shift={icount_shift}"]
        if plan is not None:
            command += ["-device", f"loader,file={quote(plan)},addr={plan_address:#x},force-raw=on"]
        command += ["-chardev", f"socket,id=link,fd={CHILD_SOCKET_FD}", "-serial", "chardev:link"]
        # QEMU's CPU thread and its I/O thread hand over at every byte. Across processors that takes 50 us, on
        # one 18 us (measured: 20 KB/s against 50 KB/s), and they have little to do at the same time.
        super().__init__([*command, *extra], f"emulator ({machine})", EmulatorError, one_cpu=True)


def quote(path: Path) -> str:
    """A path in an option: QEMU's parser ends a value at a comma, and reads two as one."""
    return str(path).replace(",", ",,")
