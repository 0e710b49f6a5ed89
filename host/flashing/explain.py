"""Turns what pyOCD and libusb raise into one line that says what is wrong and what to do."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from host.boards import Board
from host.errors import (
    FlashError,
    HostError,
    ProbeBusyError,
    ProbeLostError,
    ProbeMissingError,
    ProbeTimeoutError,
)
from host.flashing.choice import log_file

PARTIAL = "the board now holds a partial firmware"
_GONE = (errno.ENODEV, errno.EIO, errno.ENXIO, errno.EPIPE)
_GONE_TEXTS = ("no such device", "disconnected", "input/output error", "pipe error", "entity not found")


@dataclass
class State:
    """Where a method stands: between `writing` being set and cleared the flash is neither old nor finished."""

    writing: bool = False


@contextmanager
def pyocd_errors(board: Board, serial: str) -> Iterator[State]:
    """Raises a HostError for whatever pyOCD or libusb raise inside the block."""
    state = State()
    try:
        yield state
    except HostError:
        raise
    except KeyboardInterrupt:
        if state.writing:
            raise KeyboardInterrupt(f"{PARTIAL}; run `host flash` again") from None
        raise
    except Exception as error:
        raise _explained(error, board, serial, state.writing) from error


def _explained(error: Exception, board: Board, serial: str, writing: bool) -> FlashError:
    from pyocd.core import exceptions

    chain = list(_chain(error))
    text = " ".join(str(e) for e in chain).lower()
    codes = {getattr(e, "errno", None) for e in chain}
    partial = f"; {PARTIAL}" if writing else "; nothing was written"
    if (
        any(isinstance(e, exceptions.ProbeDisconnected) for e in chain)
        or codes & set(_GONE)
        or _has(text, _GONE_TEXTS)
    ):
        return ProbeLostError(
            f"probe {serial} was unplugged while {'writing' if writing else 'connected'}{partial}",
            "plug it in and run `host flash` again",
        )
    if errno.EBUSY in codes or "resource busy" in text:
        return ProbeBusyError(
            f"probe {serial} is in use by another program", "end the debugger or IDE that holds it"
        )
    if errno.EACCES in codes or "access denied" in text or "insufficient permissions" in text:
        return ProbeMissingError(
            f"probe {serial} cannot be opened: this user has no permission",
            "Linux: install the udev rules with `host udev`; Windows: is another program using it?",
        )
    late = errno.ETIMEDOUT in codes or isinstance(error, exceptions.TimeoutError)
    if late or _has(text, ("timed out", "timeout")):
        return ProbeTimeoutError(
            f"{board.id} did not answer in time: {_one_line(error)}{partial}",
            "unplug the board, plug it in and run `host flash` again",
        )
    if isinstance(error, exceptions.FlashFailure):
        return FlashError(
            f"the flash of {board.id} refused: {_one_line(error)}; {PARTIAL}", "run `host flash` again"
        )
    if isinstance(error, exceptions.DebugError):
        return FlashError(
            f"probe {serial} gets no answer from the chip: {_one_line(error)}{partial}",
            "is the board powered, and does its debug connector lead to the chip?",
        )
    if isinstance(error, exceptions.ProbeError):
        return FlashError(f"probe {serial}: {_one_line(error)}{partial}", "unplug it and plug it in again")
    return FlashError(f"pyOCD failed: {_one_line(error)}{partial}", f"its log: {log_file()}")


def _has(text: str, parts: tuple[str, ...]) -> bool:
    return any(part in text for part in parts)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if text else type(error).__name__
