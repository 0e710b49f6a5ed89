"""Which device `host demo` listens to. Nothing here asks the device who it is: a byte would end its demo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from host import boards, ports
from host.boards import Board
from host.errors import PortError
from host.ports import SerialPort

DEFAULT_BOARD = "emu_stm32f405"
EMULATE = "emulate://"


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


def find_place(
    board_id: str | None,
    port: str | None,
    list_ports: Callable[[], Sequence[SerialPort]] = ports.list_ports,
) -> Place:
    """The port that is given; else an emulated board, if one is named or no probe is attached; else the only probe's
    port. Raises UnknownBoardError, PortError.
    """
    board = boards.load_board(board_id) if board_id else None
    if port == EMULATE and board is None:
        raise PortError("which board's image shall be emulated?", "name it with --board")
    if port or (board and board.emulated):
        return Place(board, port)
    attached = {p.serial or p.device: p.device for p in reversed(list_ports()) if p.is_stlink}
    if len(attached) == 1:
        return Place(board, next(iter(attached.values())))
    if attached:
        raise PortError(
            f"{len(attached)} boards are attached: {', '.join(sorted(attached.values()))}",
            "choose one with --port",
        )
    if board:
        raise PortError(
            f"{board.id} is a real board, and no ST-Link with a serial port is attached",
            "plug it in, name its port with --port, or take --emulate",
        )
    return Place(boards.load_board(DEFAULT_BOARD), None)
