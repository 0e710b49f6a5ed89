"""Where things are: the checkout that this package belongs to, and the folder for what we build from it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from host.errors import HostError


@cache
def root() -> Path:
    """The checkout: the folder that holds platformio.ini, firmware/ and boards/."""
    here = Path(__file__).resolve().parent.parent
    if not (here / "platformio.ini").is_file():
        raise HostError(
            f"the firmware's sources are not beside the package in {here}",
            "run it from a checkout, installed with ./dev or pip install -e",
        )
    return here


def firmware_dir() -> Path:
    """C sources of the device."""
    return root() / "firmware"


def boards_dir() -> Path:
    """Board manifests."""
    return root() / "boards"


def build_dir() -> Path:
    """Everything that is built or cached; deleting it costs only time."""
    path = root() / ".pio"
    path.mkdir(exist_ok=True)
    return path
