"""`python -m host.flashing BOARD --firmware FILE [--plan FILE]`: writes files that are built already.

PlatformIO's upload target calls it (firmware/platform/builder/main.py); people use `host flash`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from host import boards
from host.build import Firmware, Sizes
from host.errors import HostError
from host.flashing import plan
from host.flashing.flash import METHODS, choose_way, write_images
from host.flashing.platformio_method import VERIFIED


def main(arguments: list[str] | None = None) -> int:
    """Writes, and prints what became of each image. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m host.flashing", description=__doc__)
    parser.add_argument("board")
    parser.add_argument("--firmware", type=Path, required=True, help="firmware.bin")
    parser.add_argument("--plan", type=Path, help="plan for the flash region of plans")
    parser.add_argument("--method", choices=[name for name in METHODS if name != "platformio"])
    parser.add_argument("--probe", help="serial number of the probe, or its beginning")
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--dry-run", action="store_true")
    given = parser.parse_args(arguments)
    try:
        board = boards.load_board(given.board)
        firmware = Firmware(given.firmware.with_suffix(".elf"), given.firmware, "", Sizes(0, 0, 0))
        images = plan.images(board, firmware, plan.read(given.plan) if given.plan else None)
        way = choose_way(board, given.probe, given.method, given.dry_run)
        written = write_images(board, way, images, "", force=given.force, dry_run=given.dry_run)
    except HostError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    for line in [*written.lines(), *([VERIFIED] if written.verified else [])]:
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
