"""Which board, and where it is: what --board and --port leave open is found out by looking at what is attached.

The answer is checked with HELLO before a real board is used without a port: nothing runs on the wrong one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from host import boards, ports, probes
from host.boards import DEFAULT_BOARD, Board
from host.errors import (
    DeviceError,
    HostError,
    LinkError,
    PortChoiceError,
    PortError,
    ProtocolMismatchError,
    UnknownBoardError,
)
from host.link.client import Client
from host.link.hello import Hello
from host.ports import Attached, SerialPort
from host.probes import Found
from host.transport.model import EMULATE
from host.transport.serial import open_port

# A board that is there answers within milliseconds; one that runs a network by itself, after the frame it is at.
_ASK_TIMEOUTS_S = (0.1, 0.2, 0.5, 1.0, 2.0)
_ASKED_AT_ONCE = 8

Say = Callable[[str], None]


@dataclass(frozen=True)
class Device:
    """A board and its port; without one it is an emulated board that has to be started."""

    board: Board
    port: str | None


@dataclass(frozen=True)
class Answer:
    """What said hello at a port, or why nothing did."""

    hello: Hello | None = None
    error: HostError | None = None


@dataclass(frozen=True)
class Surroundings:
    """How to find out what is attached; tests put their own functions here."""

    list_ports: Callable[[], Sequence[SerialPort]] = ports.list_ports
    find_probes: Callable[[], Found] = probes.find_probes
    ask: Callable[[str], Answer] = lambda port: ask(port)


REAL = Surroundings()


def select_device(
    board_id: str | None, port: str | None, say: Say = lambda text: None, around: Surroundings | None = None
) -> Device:
    """The device that the user means.

    - A port that is given is used; without a board, HELLO tells which one it is.
    - An emulated board needs no port.
    - A real board without a port: the ST-Link that sits on such a board, or the only one, if the board answers so.
    - Neither: the only attached ST-Link's board, and `say` tells so; with none attached DEFAULT_BOARD.

    Raises UnknownBoardError; PortChoiceError if no port or several fit; DeviceError if another board answers;
    LinkError if none does.
    """
    around = around or REAL
    board = boards.load_board(board_id) if board_id else None
    if port is not None:
        return Device(board or _board_at(port, say, around), port)
    if board and board.emulated:
        return Device(board, None)
    attached = attached_boards(around)
    if board:
        return Device(board, _port_of(board, attached, around))
    if not attached:
        return Device(boards.load_board(DEFAULT_BOARD), None)
    if len(attached) > 1:
        raise PortChoiceError(
            f"{len(attached)} boards are attached: {_listed(attached, around)}",
            f"choose one with --port (`host ports --ask` says which is which), or emulate: --board {DEFAULT_BOARD}",
        )
    port = attached[0].device
    answer = around.ask(port)
    if answer.hello is None:
        raise _silent(port, answer.error, _board_of(attached[0], around))
    found = _known(answer.hello, port)
    say(f"using {found.id} at {port}")
    return Device(found, port)


def only_port(board: Board | None = None, around: Surroundings | None = None) -> str:
    """The port of the only attached ST-Link, or of the one whose probe is part of `board`; no board is asked.

    Raises PortChoiceError if there is none, or several; DeviceError if the only one is part of another board.
    """
    around = around or REAL
    attached = attached_boards(around)
    what = f"{board.id} is a real board, and no" if board else "no"
    if not attached:
        raise PortChoiceError(
            f"{what} ST-Link with a serial port is attached",
            "plug it in, or name a port with --port; `host ports` lists them",
        )
    if board:
        mine, others = _by_probe(board, attached, around)
        if len(attached) == 1 and others:
            actual = _board_of(attached[0], around)
            name = actual.id if actual else "another board"
            raise DeviceError(f"the probe of {attached[0].device} is part of {name}, not of a {board.id}")
        attached = mine or attached
    if len(attached) > 1:
        raise PortChoiceError(
            f"{len(attached)} boards are attached: {_listed(attached, around)}", "choose one with --port"
        )
    return attached[0].device


def attached_boards(around: Surroundings | None = None) -> list[SerialPort]:
    """The ports of boards with an ST-Link, one a board."""
    return _one_a_probe([p for p in (around or REAL).list_ports() if p.is_stlink])


def ask(port: str) -> Answer:
    """Says hello at a port, for at most about seven seconds a baud rate; never raises a HostError."""
    answer = Answer()
    for baud in _bauds(port):
        try:
            client = Client(open_port(port, baud))
        except HostError as error:
            return Answer(error=error)
        try:
            return Answer(client.connect(_ASK_TIMEOUTS_S))
        except HostError as error:
            answer = Answer(error=error)
            if not isinstance(error, LinkError):
                break
        finally:
            client.close()
    return answer


def ask_all(devices: Sequence[str], asking: Callable[[str], Answer] = ask) -> list[Answer]:
    """Says hello at each of the ports, several at once."""
    with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
        return list(pool.map(asking, devices))


def _bauds(port: str) -> list[int]:
    """Baud rates that our boards use, the most common one first; only one where it means nothing."""
    counts: dict[int, int] = {}
    for board in boards.all_boards():
        counts[board.uart.baud] = counts.get(board.uart.baud, 0) + 1
    rates = sorted(counts, key=lambda baud: (-counts[baud], baud))
    return rates[:1] if port.startswith("socket://") else rates


def _one_a_probe(found: Sequence[SerialPort]) -> list[SerialPort]:
    """A probe with two ports has the board's at the first; ports come sorted by their place on the USB."""
    first: dict[str, SerialPort] = {}
    for port in found:
        first.setdefault(port.serial or port.device, port)
    return list(first.values())


def _board_at(port: str, say: Say, around: Surroundings) -> Board:
    if port == EMULATE:
        raise UnknownBoardError("an emulated board must be named", "with --board; `host boards` lists them")
    answer = around.ask(port)
    if answer.hello is None:
        raise _silent(port, answer.error, None)
    found = _known(answer.hello, port)
    say(f"{found.id} answers at {port}")
    return found


def _port_of(board: Board, attached: Sequence[SerialPort], around: Surroundings) -> str:
    """The port of the one attached board of that kind."""
    if not attached:
        raise PortChoiceError(
            f"{board.id} is a real board, and no ST-Link with a serial port is attached",
            "plug it in, name its port with --port (`host ports`), or run its image on models of its chip: --emulate",
        )
    candidates = attached
    if len(attached) > 1:
        mine, others = _by_probe(board, attached, around)
        candidates = mine or [port for port in attached if port not in others]
        if len(candidates) > 1:
            candidates = _by_hello(board, candidates, around)
        if not candidates:
            raise PortChoiceError(
                f"none of the {len(attached)} attached boards is a {board.id}: {_listed(attached, around)}",
                "`host ports --ask` says which is which",
            )
        if len(candidates) > 1:
            raise PortChoiceError(
                f"several boards may be the {board.id}: {_listed(candidates, around)}",
                "choose one with --port",
            )
    port = candidates[0].device
    answer = around.ask(port)
    if answer.hello is None:
        raise _silent(port, answer.error, board)
    if answer.hello.board != board.id:
        raise DeviceError(
            f"the board at {port} is a {answer.hello.board}, not a {board.id}",
            f"use --board {answer.hello.board}, or attach the other board",
        )
    return port


def _by_probe(
    board: Board, attached: Sequence[SerialPort], around: Surroundings
) -> tuple[list[SerialPort], list[SerialPort]]:
    """Ports whose probe sits on such a board, and those whose probe certainly sits on another."""
    rows = ports.join(attached, around.find_probes(), boards.all_boards(), holders_of=lambda device: [])
    told = {row.port: row for row in rows if row.port}
    mine = [p for p in attached if board.id in told[p.device].boards]
    others = [p for p in attached if told[p.device].board_id and p not in mine]
    return mine, others


def _by_hello(board: Board, candidates: Sequence[SerialPort], around: Surroundings) -> list[SerialPort]:
    """Ports where such a board answers; if none does, those where no board answers."""
    answers = ask_all([p.device for p in candidates], around.ask)
    pairs = list(zip(candidates, answers, strict=True))
    return [p for p, a in pairs if a.hello and a.hello.board == board.id] or [
        p for p, a in pairs if not a.hello
    ]


def _board_of(port: SerialPort, around: Surroundings) -> Board | None:
    """The board that the port's probe says it is part of."""
    known = boards.all_boards()
    rows = ports.join([port], around.find_probes(), known, holders_of=lambda device: [])
    row: Attached = rows[0]
    return next((b for b in known if (b.id,) == row.boards), None)


def _known(hello: Hello, port: str) -> Board:
    if hello.board not in boards.board_ids():
        raise UnknownBoardError(
            f"the board at {port} says that it is a {hello.board!r}, which no manifest describes",
            "`host boards` lists the known ones",
        )
    return boards.load_board(hello.board)


def _silent(port: str, error: HostError | None, board: Board | None) -> HostError:
    """The error for a port where nothing said hello."""
    if isinstance(error, ProtocolMismatchError | PortError):
        return error
    if board:
        return LinkError(
            f"the {board.id} at {port} does not answer",
            f"write the firmware with `host flash --board {board.id}`, or press its reset button",
        )
    return LinkError(
        f"the board at {port} does not answer",
        f"write the firmware with `host flash --board BOARD`, or emulate: --board {DEFAULT_BOARD}",
    )


def _listed(found: Sequence[SerialPort], around: Surroundings) -> str:
    """Ports for people, with the boards that their probes say they are part of."""
    rows = ports.join(found, around.find_probes(), boards.all_boards(), holders_of=lambda device: [])
    told = {row.port: ", ".join(row.boards) or row.board_name for row in rows}
    parts = [(told[p.device], f"ST-Link {p.kind}", p.serial or "no serial number") for p in found]
    return ", ".join(
        f"{p.device} ({', '.join(filter(None, part))})" for p, part in zip(found, parts, strict=True)
    )
