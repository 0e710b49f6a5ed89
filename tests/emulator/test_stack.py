"""A stack that grows into its guard, on QEMU, which has the core's real MPU: the next HELLO says so."""

from __future__ import annotations

import socket
import struct

import pytest

from host.boards import load_board
from host.build import build
from host.devices import open_device
from host.errors import HostError
from host.link.client import Client

SP, PC = 13, 15
UDF = 0xDE00


class Debugger:
    """GDB's remote protocol, as far as it is needed: halt, write a register or memory, go on."""

    def __init__(self, path: str):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(10)
        self._socket.connect(path)
        self._received = b""

    def ask(self, command: str) -> str:
        """The answer to a command; that the core has stopped may be told at any time."""
        self.send(command)
        while True:
            while b"#" not in self._received[:-2]:
                self._received += self._socket.recv(4096)
            packet, self._received = self._received.split(b"#", 1)
            self._received = self._received[2:]
            self._socket.sendall(b"+")
            answer = packet.split(b"$", 1)[1].decode()
            if command == "?" or not answer.startswith("T"):
                return answer

    def send(self, command: str) -> None:
        """A command that gets no answer yet."""
        self._socket.sendall(f"${command}#{sum(command.encode()) & 0xFF:02x}".encode())

    def close(self) -> None:
        """QEMU goes on without us."""
        self.ask("D")
        self._socket.close()


@pytest.mark.parametrize("board_id", ["emu_stm32f405", "emu_cortex_m7"])
def test_a_stack_in_its_guard_is_told(board_id, tmp_path):
    board = load_board(board_id)
    path = str(tmp_path / "gdb")
    client = open_device(board, firmware=build(board).elf, extra=("-gdb", f"unix:{path},server=on,wait=off"))
    with client:
        before = client.hello
        bottom = board.pools[0].address
        debugger = Debugger(path)
        debugger.ask("?")
        debugger.ask("qXfer:features:read:target.xml:0,ffb")  # only then single registers can be written
        # The frame of the fault that the undefined instruction makes would begin in the guard.
        scratch = board.pools[0].end - 64
        assert debugger.ask(f"M{scratch:x},2:{struct.pack('<H', UDF).hex()}") == "OK"
        assert debugger.ask(f"P{SP:x}={struct.pack('<I', bottom + 40).hex()}") == "OK"
        assert debugger.ask(f"P{PC:x}={struct.pack('<I', scratch).hex()}") == "OK"
        debugger.close()
        fault = _hello_after_reset(client).fault
    assert before.fault is None and 0 < before.stack_used < before.stack_bytes
    assert fault is not None and str(fault).startswith("stack overflow")


def _hello_after_reset(client: Client):
    for attempt in range(3):
        try:
            return client.connect()
        except HostError:
            if attempt == 2:
                raise
    raise AssertionError
