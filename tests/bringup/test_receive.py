"""No byte is lost on a line at full rate: bytes that take their time, the real interrupt, and frames parsed meanwhile.

One instruction takes one cycle here. What the models leave out, an exception's entry and exit (24 cycles) and the
waiting for the flash, is little beside a byte's 1800 cycles at 921600 baud and 180 MHz.
"""

from __future__ import annotations

import pytest

from host.boards import load_board
from host.build import build
from host.emulate.bringup import connect
from host.emulate.machine import Machine
from host.emulate.peripheral import Options
from host.emulate.system import FIRST_IRQ
from host.emulate.usart import _Usart
from host.link.client import Client
from host.link.session import Request
from tests.bringup.wiring import ONE_OF_EACH_FAMILY

PAYLOADS = [bytes((i * 7 + k) & 0xFF for k in range(900)) for i in range(6)]
MOST_ISR_INSTRUCTIONS = 40  # a byte
MOST_INSTRUCTIONS = 500_000_000


def timed(board_id: str, baud: int | None = None, **more) -> Machine:
    """A machine with timed bytes. With a `baud` both ends run at what the USART can do next to it."""
    board = load_board(board_id)
    machine = Machine(board, build(board).elf, options=Options(timed=True, **more))
    if baud is not None:

        def intercept(peripheral, register, value):
            if register.name != "BRR":
                return value
            clocks = machine.chip.clock.uart_hz(peripheral.name) * (
                256 if peripheral.name == "LPUART1" else 1
            )
            divisor = round(clocks / baud)
            machine.line.rates = (clocks / divisor,)
            return divisor

        machine.chip.intercept = intercept
    return machine


def usart_of(machine: Machine) -> _Usart:
    return next(usart for usart in machine.usarts if usart.receives)


def pings(client: Client) -> list[bytes]:
    """Sends all payloads without waiting for each answer, as much as the window allows."""
    return client._exchange([Request("PING", payload) for payload in PAYLOADS])


@pytest.mark.parametrize(
    ("board_id", "baud"),
    [("nucleo_f446re", None), *((board_id, 2_000_000) for board_id in ONE_OF_EACH_FAMILY)],
)
def test_no_byte_of_a_full_window_is_lost(board_id, baud, record_property):
    machine = timed(board_id, baud)
    client = connect(machine, MOST_INSTRUCTIONS)
    begin_us, usart = machine.chip.time_us(), usart_of(machine)
    assert pings(client) == PAYLOADS
    took_us = machine.chip.time_us() - begin_us
    assert sum(map(len, PAYLOADS)) > client.hello.rx_window_bytes
    assert usart.overruns == 0
    assert usart.received > sum(map(len, PAYLOADS))
    assert client.session.resent_frames == 0
    assert took_us > sum(map(len, PAYLOADS)) * 10e6 / machine.line.baud, "bytes took less than their time"
    per_byte = machine.spent[FIRST_IRQ + usart.irq] / usart.received
    print(f"{board_id}: {per_byte:.1f} instructions of the interrupt a byte at {machine.line.baud:,.0f} baud")
    record_property("isr_instructions_per_byte", per_byte)
    assert 10 < per_byte <= MOST_ISR_INSTRUCTIONS
    assert machine.chip.violations == []


@pytest.mark.parametrize(("board_id", "kept"), [("nucleo_f446re", 1), ("nucleo_h743zi", 16)])
def test_bytes_that_nobody_fetches_are_lost_beyond_the_fifo(board_id, kept):
    """The model can tell a lost byte: here the interrupt is never enabled."""
    machine = timed(board_id)
    machine.chip.intercept = lambda _, register, value: None if register.name.startswith("ISER") else value
    machine.run()
    machine.line.send(bytes(range(1, 41)))
    machine.run()
    usart = usart_of(machine)
    assert (usart.received, usart.overruns) == (40, 40 - kept)
