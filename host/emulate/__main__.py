"""The emulator as a process of its own: `python -m host.emulate --board B --elf F [--plan F] --fd N`.

The serial line is the socket that was inherited as file descriptor N. It ends when the other side closes, or with one
line on standard error and status 1 at the first broken rule of the chip's manual.
"""

from __future__ import annotations

import argparse
import queue
import signal
import socket
import sys
import threading
import time
from pathlib import Path

from host.boards import load_board
from host.emulate.ltdc import Ltdc
from host.emulate.machine import Machine
from host.emulate.peripheral import Options, Violation
from host.errors import EmulatorError, HostError

RECEIVE_BYTES = 65536
LOOK_S = 0.05  # how long bytes of a firmware that never sleeps may wait


def main(arguments: list[str] | None = None) -> int:
    """Runs until the host hangs up; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m host.emulate", description=__doc__.splitlines()[0])
    parser.add_argument("--board", required=True)
    parser.add_argument("--elf", required=True, type=Path, help="the firmware, an ELF file or a raw .bin")
    parser.add_argument("--plan", type=Path, help="what the board's flash region for plans holds")
    parser.add_argument("--fd", required=True, type=int, help="the socket that is the serial line")
    parser.add_argument("--slow", type=int, help="a rate of the line, besides the manifest's")
    parser.add_argument("--timed", action="store_true", help="bytes take their time on the line")
    parser.add_argument(
        "--screenshot",
        type=Path,
        help="where the display's picture is put (.png) at the end of each line that is sent",
    )
    chosen = parser.parse_args(arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the host ends us
    try:
        board = load_board(chosen.board)
        plan = chosen.plan.read_bytes() if chosen.plan else None
        machine = Machine(board, chosen.elf, plan, Options(timed=chosen.timed))
        if chosen.slow:
            machine.line.rates += (chosen.slow,)
        machine.chip.on_violation = _refuse
        for violation in machine.chip.violations:
            _refuse(violation)
        if chosen.screenshot:
            _photograph(machine, chosen.screenshot)
        _serve(machine, socket.socket(fileno=chosen.fd))
    except HostError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _refuse(violation: Violation) -> None:
    raise EmulatorError(f"the firmware breaks a rule of the chip: {violation}")


def _photograph(machine: Machine, file: Path) -> None:
    """From now on, what the display shows when a line of text ends is in the file before the host reads that line."""
    from PIL import Image

    display = next((p for p in machine.chip.peripherals if isinstance(p, Ltdc)), None)
    if display is None or display.panel is None:
        raise EmulatorError(f"{machine.board.id} has no display that is modelled")

    def keep(byte: int) -> None:
        if byte == ord("\n"):
            part = file.with_name(f".{file.name}.part")
            Image.fromarray(display.picture(lambda at, n: bytes(machine.uc.mem_read(at, n)))).save(
                part, "PNG"
            )
            part.replace(file)

    machine.line.on_byte = keep


def _serve(machine: Machine, line: socket.socket) -> None:
    """Runs the machine with its serial line on the socket."""
    arrived: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def listen() -> None:
        while True:
            try:
                data = line.recv(RECEIVE_BYTES)
            except OSError:
                data = b""
            arrived.put(data)
            machine.attend()
            if not data:
                return

    def send() -> None:
        if machine.line.outgoing:
            try:
                line.sendall(machine.line.sent())
            except OSError:
                machine.stop()

    def fetch(wait: bool) -> bool:
        """Hands over what has arrived; whether there was something."""
        found = False
        while wait or not arrived.empty():
            wait = False
            data = arrived.get()
            if not data:
                machine.stop()
                return False
            machine.line.send(data)
            found = True
        return found

    def look() -> None:
        """A firmware that computes for long does not sleep: what it has sent goes on its way all the same."""
        while True:
            time.sleep(LOOK_S)
            if machine.line.outgoing:
                machine.attend()

    machine.on_sleep = send
    machine.on_attend = lambda: (send(), fetch(False))
    machine.on_idle = lambda: fetch(True)
    for task in (listen, look):
        threading.Thread(target=task, daemon=True).start()
    machine.run()


if __name__ == "__main__":
    sys.exit(main())
