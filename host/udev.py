"""Linux: rules for udev, so that the user at the screen, and the groups for such devices, may use ST-Link probes.

A serial port belongs to the group dialout on Debian, Ubuntu and Fedora, a USB probe to root alone. The rules give the
person who is logged in at the computer both (`uaccess`), and the group plugdev the probes, for those who log in
over the network. ModemManager is told to leave the ports alone: it says AT to every port that appears, for seconds.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from host.errors import HostError, OutputError, PortDeniedError
from host.ports import STLINK_KINDS, STLINK_VENDOR

# uaccess is acted on by 73-seat-late.rules, so the name must sort before it.
RULES_PATH = Path("etc/udev/rules.d/60-tinyconv-stlink.rules")
_HEAD = """\
# ST-Link debug probes and their serial ports. Written by `host udev --install`, removed by `host udev --remove`.
ACTION=="remove", GOTO="tinyconv_end"
"""
_TAIL = 'LABEL="tinyconv_end"\n'
_TIMEOUT_S = 30


def rules() -> str:
    """The file's text: two rules a USB product, one for the probe, one for its serial ports."""
    lines = []
    for kind, products in STLINK_KINDS.items():
        lines.append(f"\n# ST-Link {kind}\n")
        for product in products:
            usb = f'ATTR{{idVendor}}=="{STLINK_VENDOR:04x}", ATTR{{idProduct}}=="{product:04x}"'
            lines.append(
                f'SUBSYSTEM=="usb", ENV{{DEVTYPE}}=="usb_device", {usb}, MODE="0660", GROUP="plugdev", TAG+="uaccess", '
                'ENV{ID_MM_DEVICE_IGNORE}="1"\n'
            )
            parent = usb.replace("ATTR{", "ATTRS{")
            lines.append(f'SUBSYSTEM=="tty", {parent}, TAG+="uaccess", ENV{{ID_MM_PORT_IGNORE}}="1"\n')
    return _HEAD + "".join(lines) + "\n" + _TAIL


def state(root: Path = Path("/")) -> str:
    """`installed`, `outdated` (another text is there) or `missing`."""
    try:
        return "installed" if (root / RULES_PATH).read_text() == rules() else "outdated"
    except OSError:
        return "missing"


def install(root: Path = Path("/")) -> Path:
    """Writes the rules below `root`; the file. Raises PortDeniedError, with the command to type, for lack of rights."""
    path = root / RULES_PATH
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            file.write(rules())
            os.fchmod(file.fileno(), 0o644)
        os.replace(file.name, path)
    except PermissionError:
        raise _needs_root(path, "--install") from None
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
    return path


def remove(root: Path = Path("/")) -> bool:
    """Deletes the rules; False if there were none. Raises as install()."""
    path = root / RULES_PATH
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except PermissionError:
        raise _needs_root(path, "--remove") from None
    except OSError as error:
        raise OutputError(f"cannot remove {path}: {error.strerror}") from error
    return True


def reload() -> bool:
    """Makes udev read its rules again and apply them to what is plugged in; False where there is no udev to tell.

    Raises HostError if udev refuses.
    """
    tool = shutil.which("udevadm")
    if tool is None:
        return False
    for arguments in (
        ["control", "--reload"],
        ["trigger", "--action=change", "--subsystem-match=usb", f"--attr-match=idVendor={STLINK_VENDOR:04x}"],
        ["trigger", "--action=change", "--subsystem-match=tty"],
    ):
        try:
            done = subprocess.run([tool, *arguments], capture_output=True, text=True, timeout=_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise HostError(f"udevadm {arguments[0]} did not end within {_TIMEOUT_S} s") from None
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no message"])[0]
            raise HostError(
                f"the file is changed, but udevadm {arguments[0]} failed: {reason}",
                "unplug the board and plug it in again",
            )
    return True


def command(option: str) -> str:
    """What to type to run this `host` as root: sudo has a PATH of its own, so the program's whole path."""
    beside = Path(sys.executable).with_name("host")
    program = str(beside) if beside.exists() else shutil.which("host") or "host"
    return f"sudo {shlex.join([program, 'udev', option])}"


def hint() -> str:
    """What to do about a permission that lacks, on this system."""
    if not sys.platform.startswith("linux"):
        return "give this user the right to open it"
    if state() == "installed":
        return (
            "the udev rules are installed, so unplug the board and plug it in again; who works over ssh joins the "
            "groups: sudo usermod -aG dialout,plugdev $USER, then logs in again"
        )
    return (
        "install the udev rules, `host udev --install`, or join the port's group: sudo usermod -aG dialout $USER, "
        "then log in again"
    )


def _needs_root(path: Path, option: str) -> PortDeniedError:
    return PortDeniedError(f"changing {path} needs root", command(option))
