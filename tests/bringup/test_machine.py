"""The machine under a board's real image: it starts, answers, resets."""

from __future__ import annotations

import pytest

from host.boards import load_board
from host.build import build
from host.emulate.machine import Machine
from host.link.client import Client

BOARD = "adafruit_feather_f405"


class InProcess:
    """A Transport to a machine in this process: it runs while we wait for an answer."""

    description = "machine"

    def __init__(self, machine: Machine):
        self.machine = machine

    def read(self, timeout: float) -> bytes:
        if not self.machine.line.outgoing:
            self.machine.run(until=lambda: bool(self.machine.line.outgoing), max_instructions=200_000_000)
        return self.machine.line.sent()

    def write(self, data: bytes) -> None:
        self.machine.line.send(data)

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def client() -> Client:
    board = load_board(BOARD)
    client = Client(InProcess(Machine(board, build(board).elf)))
    client.connect()
    return client


def test_the_image_says_hello(client):
    assert client.hello.board == BOARD
    assert client.hello.clock_hz == load_board(BOARD).clock.hz
    assert client.transport.machine.chip.violations == []


def test_bytes_come_back_and_resets_are_survived(client):
    payload = bytes(range(256)) * 3
    for _ in range(3):
        assert client.ping(payload) == payload
        assert client.reset().fault is None
    assert client.transport.machine.resets >= 3
    assert client.transport.machine.chip.violations == []
