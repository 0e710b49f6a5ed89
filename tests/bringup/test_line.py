"""Timed bytes: at the manifest's baud rate no byte is lost on the way to a board, while it is busy with others."""

from __future__ import annotations

import pytest

from host.boards import all_boards, load_board
from host.build import build
from host.emulate.bringup import connect
from host.emulate.machine import Machine
from host.emulate.peripheral import Options

BOARDS = [board.id for board in all_boards() if not board.emulated]
PAYLOAD = bytes(i * 7 & 0xFF for i in range(500))


@pytest.mark.parametrize("board_id", BOARDS)
def test_no_byte_is_lost_at_full_baud_rate(board_id):
    board = load_board(board_id)
    machine = Machine(board, build(board).elf, options=Options(timed=True))
    client = connect(machine, most_instructions=10**9)
    begun_us = machine.chip.time_us()
    assert client.ping(PAYLOAD) == PAYLOAD
    (usart,) = [u for u in machine.usarts if u.receives]
    assert usart.overruns == 0
    assert usart.received > len(PAYLOAD)
    assert machine.chip.violations == []
    # There and back a byte takes ten bits each way, so the line was as busy as it can be.
    least_us = 2 * len(PAYLOAD) * 10 * 1e6 / board.uart.baud
    assert least_us < machine.chip.time_us() - begun_us < 1.5 * least_us
