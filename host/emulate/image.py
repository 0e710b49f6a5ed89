"""What is in a chip's flash: the firmware, from an ELF file or a raw image, and perhaps a plan."""

from __future__ import annotations

from pathlib import Path

from host.boards import Board
from host.errors import EmulatorError

ERASED = 0xFF


def flash_contents(board: Board, firmware: Path, plan: bytes | None = None) -> dict[int, bytearray]:
    """Contents of each flash bank, by its address, as after `host flash`: erased wherever nothing was written.

    firmware: an ELF file, whose segments go to their physical addresses, or what objcopy made of it (.bin), which goes
    to the beginning of the firmware's bank. Raises EmulatorError.
    """
    banks = {b.address: bytearray([ERASED]) * b.bytes for b in board.memory if b.kind == "flash"}
    if firmware.suffix == ".bin":
        pieces = [(board.firmware_region.address, firmware.read_bytes())]
    else:
        pieces = _segments(firmware)
    if plan is not None:
        pieces.append((board.plan_region.address, plan))
    for address, data in pieces:
        for bank in board.memory:
            if bank.kind == "flash" and bank.address <= address and address + len(data) <= bank.end:
                offset = address - bank.address
                banks[bank.address][offset : offset + len(data)] = data
                break
        else:
            raise EmulatorError(
                f"{firmware.name}: 0x{address:08x}, {len(data)} bytes, is no flash of {board.id}"
            )
    return banks


def _segments(elf: Path) -> list[tuple[int, bytes]]:
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        with open(elf, "rb") as file:
            headers = ELFFile(file).iter_segments()
            return [(s["p_paddr"], s.data()) for s in headers if s["p_type"] == "PT_LOAD" and s["p_filesz"]]
    except OSError as error:
        raise EmulatorError(f"cannot read {elf}: {error.strerror}") from None
    except ELFError as error:
        raise EmulatorError(f"{elf} is not an ELF file: {error}") from None
