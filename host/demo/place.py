"""Which device `host demo` listens to. Nothing here asks the device who it is: a byte would end its demo."""

from __future__ import annotations

from dataclasses import dataclass

from host import boards
from host.boards import DEFAULT_BOARD, Board
from host.errors import PortError
from host.selection import Surroundings, attached_boards, only_port
from host.transport.model import EMULATE


@dataclass(frozen=True)
class Place:
    """A board and its port. The board of a real port is the one that was named, or not known."""

    board: Board | None
    port: str | None

    @property
    def emulated(self) -> bool:
        """Whether we start the device ourselves and put the network into it."""
        return self.port is None or self.port.startswith(EMULATE)

    @property
    def baud(self) -> int:
        """Of the port: the board's, or the one that most boards use."""
        if self.board:
            return self.board.uart.baud
        rates = [board.uart.baud for board in boards.all_boards()]
        return max(sorted(set(rates)), key=rates.count)


def find_place(board_id: str | None, port: str | None, around: Surroundings | None = None) -> Place:
    """The port that is given; else an emulated board, if one is named or no probe is attached; else the port of the
    only probe, or of the one that is part of the named board. Raises UnknownBoardError, PortError, DeviceError.
    """
    board = boards.load_board(board_id) if board_id else None
    if port == EMULATE and board is None:
        raise PortError("an emulated board must be named", "with --board; `host boards` lists them")
    if port or (board and board.emulated):
        return Place(board, port)
    if board is None and not attached_boards(around):
        return Place(boards.load_board(DEFAULT_BOARD), None)
    return Place(board, only_port(board, around))
