"""What is to be written: images with their addresses, and what became of each."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from host.boards import Board
from host.build import Firmware
from host.errors import DoesNotFitError, FlashError

ERASED = 0xFF
Progress = Callable[[str, int, int], None]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Image:
    """Bytes for the flash. `name` is firmware or plan."""

    name: str
    address: int
    data: bytes

    @property
    def end(self) -> int:
        """First address after it."""
        return self.address + len(self.data)

    @property
    def crc32(self) -> int:
        """CRC-32 of its bytes."""
        return zlib.crc32(self.data)


@dataclass(frozen=True)
class Job:
    """One call of a method. `serial` and `drive`, the folder of its USB drive, are the chosen probe's; None and empty
    if there is none or the method finds its own way.

    Without `dry_run` the flash holds `images` afterwards; with it, nothing is written. `force` writes what is up to
    date as well.
    """

    board: Board
    images: tuple[Image, ...]
    serial: str | None = None
    drive: str = ""
    force: bool = False
    dry_run: bool = False


WRITTEN, UP_TO_DATE, TO_WRITE, UNKNOWN = "written", "up to date", "to be written", "unknown"
PROVED = "proved"  # in the emulator, which keeps nothing


@dataclass(frozen=True)
class Region:
    """What became of an image, or would: `changed_bytes` counts whole erase sectors, None if the tool does not tell."""

    name: str
    address: int
    bytes: int
    crc32: str
    state: str
    changed_bytes: int | None = None


@dataclass(frozen=True)
class Outcome:
    """What a method did. `verified`: the flash was read back and is what it should be."""

    regions: tuple[Region, ...]
    verified: bool


def images(board: Board, firmware: Firmware, plan: bytes | None) -> tuple[Image, ...]:
    """Firmware and, if there is one, plan. Raises DoesNotFitError if either is larger than its region."""
    parts = [Image("firmware", board.firmware_region.address, read(firmware.bin))]
    if plan is not None:
        parts.append(Image("plan", board.plan_region.address, plan))
    for image, region in zip(parts, (board.firmware_region, board.plan_region), strict=False):
        if len(image.data) > region.bytes:
            raise DoesNotFitError(
                f"the {image.name} has {len(image.data):,} bytes, {board.id} has {region.bytes:,} of flash for it"
            )
    return tuple(parts)


def read(path: Path) -> bytes:
    """The bytes of a built file."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise FlashError(f"cannot read {path}: {error.strerror}") from None


def joined(parts: tuple[Image, ...]) -> Image:
    """One image from the first byte to the last; gaps are left erased."""
    first, last = min(p.address for p in parts), max(p.end for p in parts)
    data = bytearray([ERASED]) * (last - first)
    for part in parts:
        data[part.address - first : part.end - first] = part.data
    return Image("+".join(p.name for p in parts), first, bytes(data))


def region(image: Image, state: str, changed_bytes: int | None = None) -> Region:
    """An image's entry in the outcome."""
    return Region(image.name, image.address, len(image.data), f"{image.crc32:08x}", state, changed_bytes)


def first_difference(image: Image, got: bytes) -> int | None:
    """Index of the first byte that differs, None if all are equal."""
    if got == image.data:
        return None
    for i, (a, b) in enumerate(zip(image.data, got, strict=False)):
        if a != b:
            return i
    return min(len(image.data), len(got))
