"""What every method checks with what it read from the chip, so that all of them say the same."""

from __future__ import annotations

from host.boards import Board
from host.errors import FlashError, ProtectedError, VerifyError, WrongBoardError
from host.flashing import chips, plan
from host.flashing.plan import Image

UNLOCK = "`STM32_Programmer_CLI -c port=SWD -ob RDP=0xAA`, which erases the whole flash"


def chip(board: Board, idcode: int, cpuid: int, probe: str) -> None:
    """Raises WrongBoardError unless DBGMCU_IDCODE is that of the board's chip."""
    expected, actual = chips.dev_id(board), chips.identity(idcode, cpuid)
    if expected is None:
        raise FlashError(
            f"nobody has described how to recognise {board.mcu}", "add it to host/flashing/chips.py"
        )
    if actual == 0:
        raise FlashError(
            f"the chip behind probe {probe} does not say what it is",
            "is the board powered, and does its debug connector lead to the chip?",
        )
    if actual != expected:
        raise WrongBoardError(
            f"the chip behind probe {probe} is {chips.chips_with(actual)} (DEV_ID {actual:#05x}), {board.id} has "
            f"{chips.chips_with(expected)} ({expected:#05x}); nothing was written",
            "name the board that is plugged in with --board",
        )


def foreign(board: Board, probe: str) -> WrongBoardError:
    """The error to raise if the bus has nothing where the board's chip keeps its identity."""
    return WrongBoardError(
        f"the chip behind probe {probe} is no {board.mcu}: it has no identity register where that chip has one; "
        "nothing was written",
        "name the board that is plugged in with --board",
    )


def protection(board: Board, options: int) -> None:
    """Raises ProtectedError if the RDP byte of the option register closes the flash to a debugger."""
    where = chips.registers(board)
    assert where is not None
    level = options >> where.rdp_shift & 0xFF
    if level in (chips.RDP_OPEN, chips.RDP_HALF):
        return
    if level == chips.RDP_FOREVER:
        raise ProtectedError(f"{board.id} is read-protected for good (level 2)", "no tool can change that")
    raise ProtectedError(
        f"{board.id} is read-protected (level 1, RDP {level:#04x}); nothing was read or written",
        f"if nothing on it is worth keeping, unlock it yourself: {UNLOCK}",
    )


def verified(board: Board, image: Image, got: bytes) -> None:
    """Raises VerifyError with the first address that differs."""
    at = plan.first_difference(image, got)
    if at is None:
        return
    count = sum(a != b for a, b in zip(image.data, got, strict=False))
    read = f"{got[at]:02x}" if at < len(got) else "nothing"
    raise VerifyError(
        f"{board.id}: the {image.name} is wrong at {image.address + at:#010x}: wrote {image.data[at]:02x}, "
        f"read {read}; {count:,} of {len(image.data):,} bytes differ",
        "try again with --force; if it stays, the flash is worn out or the supply is weak",
    )
