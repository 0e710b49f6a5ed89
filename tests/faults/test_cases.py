"""Ten thousand seeded cases a run; `python -m tests.soak` runs more, or one again."""

from __future__ import annotations

import pytest

from host.errors import DeviceError
from host.link.client import Client
from host.link.frame import Frame, encode
from host.runner import load, measure
from tests.faults.board import Board
from tests.faults.cases import run_case
from tests.faults.networks import nets

CASES = 10_000
GROUP = 500


@pytest.mark.parametrize("first", range(0, CASES, GROUP))
def test_every_case_ends_well(first):
    for seed in range(first, first + GROUP):
        assert run_case(seed).ends["recovered"] == 1


@pytest.fixture
def board():
    board = Board(step_s=1.0)
    yield board
    board.close()


def loaded(board: Board) -> Client:
    client = Client(board.line(), clock=board.now)
    client.connect()
    load(client, nets()[0].compiled, in_flash=False)
    client.write_tensor(nets()[0].compiled.net.inputs[0], nets()[0].samples.tensors[0][0].tobytes())
    return client


def test_a_new_host_ends_the_run_of_a_dead_one(board):
    client = loaded(board)
    board.lines[0].write(encode(Frame(0x30, client.session._sequence, bytes(4) + b"\1\0\0\0")))
    before = board.now()
    with Client(board.line(), clock=board.now) as new:
        assert board.now() - before < 1.5, "one step, not three"
        with pytest.raises(DeviceError, match="memory holds something else"):
            new.read_tensor(nets()[0].compiled.net.outputs[0], 1)


def test_a_run_goes_on_whatever_else_arrives(board):
    client = loaded(board)
    line = board.lines[0]
    write = line.write

    def write_more(data: bytes) -> None:
        """What an old conversation left, our own HELLO once more, and rubbish, right behind the request."""
        write(data + encode(Frame(0x01, 1, client.hello.session.to_bytes(4, "little"))) + b"rubbish\0")

    line.write = write_more
    assert client.run().steps_done == len(nets()[0].compiled.net.steps)


def test_progress_keeps_a_long_run_alive(board):
    board = board
    client = Client(board.line(), clock=board.now)
    client.connect()
    done = load(client, nets()[0].compiled, in_flash=False)
    result = measure(client, nets()[0].compiled, done, nets()[0].samples, check="layers")
    assert result.mismatches == 0 and board.now() > 12
