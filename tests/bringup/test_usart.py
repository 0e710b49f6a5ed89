"""The model of USARTs with ISR, RDR and TDR: divisors, FIFO, overrun, what may not change while it is on."""

from __future__ import annotations

import heapq

import pytest

from host.emulate.peripheral import Options
from tests.bringup.bench import Bench, Core

BYTE_US = 10 * 1e6 / 115200


class Waiting(Core):
    """A core that calls back when its time has come."""

    def __init__(self):
        super().__init__()
        self.due: list = []
        self.interrupts: dict[int, bool] = {}

    def call_at(self, cycles, function) -> None:
        heapq.heappush(self.due, (cycles, len(self.due), function))

    def set_interrupt(self, number: int, level: bool) -> None:
        self.interrupts[number] = level

    def go(self, cycles: int) -> None:
        end = self.count + cycles
        while self.due and self.due[0][0] <= end:
            self.count = max(self.count, self.due[0][0])
            heapq.heappop(self.due)[2]()
        self.count = end


def l4r5(**options) -> Bench:
    """An STM32L4R5 at 4 MHz whose LPUART1 and USART1 have their clocks, PA9 and PA10 on USART1."""
    bench = Bench("stm32l4", "stm32l4r5zit6", "m4", options=Options(**options))
    bench.chip.core = Waiting()
    bench.set("RCC.APB1ENR2", LPUART1EN=1)
    bench.set("RCC.APB2ENR", USART1EN=1)
    bench.set("RCC.AHB2ENR", GPIOAEN=1)
    bench.write("GPIOA.AFRH", 7 << 4 | 7 << 8)
    bench.write("GPIOA.MODER", 0xABFFFFFF & ~(1 << 18) & ~(1 << 20))
    return bench


ON = 1 << 0 | 1 << 2 | 1 << 3 | 1 << 5  # UE, RE, TE, RXNEIE
FIFOEN, OVER8 = 1 << 29, 1 << 15


@pytest.mark.parametrize(
    ("uart", "brr", "presc", "cr1", "baud"),
    [
        ("USART1", 35, 0, 0, 4e6 / 35),
        ("USART1", 0x41, 0, OVER8, 8e6 / 0x42),  # RM0432 48.5.4: three bits of BRR, shifted, with the rest
        ("USART1", 20, 2, 0, 1e6 / 20),
        ("USART1", 15, 0, 0, 0),  # below 16
        ("LPUART1", 0x22C5, 0, 0, 256 * 4e6 / 0x22C5),
        ("LPUART1", 0x2FF, 0, 0, 0),  # RM0432 49.4.7: from 0x300 on
        ("LPUART1", 0x400, 4, 0, 256 * 4e6 / 8 / 0x400),
    ],
)
def test_divisors(uart, brr, presc, cr1, baud):
    bench = l4r5()
    bench.write(f"{uart}.BRR", brr)
    bench.write(f"{uart}.PRESC", presc)
    bench.write(f"{uart}.CR1", cr1)
    assert bench.chip.find(uart).baud() == pytest.approx(baud)
    assert bench.said == []


@pytest.mark.parametrize(("fifo", "kept"), [(0, 1), (FIFOEN, 8)])
def test_what_nobody_reads_is_lost_beyond_the_fifo(fifo, kept):
    bench = l4r5(timed=True)
    core, usart = bench.chip.core, bench.chip.find("USART1")
    bench.write("USART1.BRR", 35)
    bench.write("USART1.CR1", fifo)
    bench.write("USART1.CR1", fifo | ON)
    bench.chip.line.send(bytes(range(20)))
    usart.grant(20)
    core.go(bench.chip.cycles_in(20.5 * BYTE_US))
    assert core.interrupts[37] is True
    assert (usart.received, usart.overruns) == (20, 20 - kept)
    assert bench.read("USART1.ISR") >> 3 & 1, "ORE"
    read = []
    while bench.read("USART1.ISR") >> 5 & 1:
        read.append(bench.read("USART1.RDR"))
    assert read == list(range(kept))
    assert core.interrupts[37] is True, "the overrun keeps the interrupt up"
    bench.write("USART1.ICR", 1 << 3)
    assert core.interrupts[37] is False and not bench.read("USART1.ISR") >> 3 & 1
    assert bench.said == []


def test_bytes_arrive_at_the_line_s_speed_and_not_before():
    bench = l4r5(timed=True)
    core, usart = bench.chip.core, bench.chip.find("USART1")
    bench.write("USART1.BRR", 35)
    bench.write("USART1.CR1", ON)
    bench.chip.line.send(b"ab")
    usart.grant(2)
    core.go(bench.chip.cycles_in(0.95 * BYTE_US))
    assert not bench.read("USART1.ISR") >> 5 & 1
    core.go(bench.chip.cycles_in(0.1 * BYTE_US))
    assert bench.read("USART1.RDR") == ord("a")
    core.go(bench.chip.cycles_in(1.0 * BYTE_US))
    assert bench.read("USART1.RDR") == ord("b")
    assert bench.said == []


@pytest.mark.parametrize(
    ("register", "value", "words"),
    [
        ("BRR", 36, "BRR bits 0x7 change while UE is set"),
        ("PRESC", 1, "PRESC bits 0x1 change while UE is set"),
        ("CR1", ON | FIFOEN, "CR1 bits 0x20000000 change while UE is set"),
        ("CR2", 2 << 12, "CR2 bits 0x2000 change while UE is set"),
    ],
)
def test_what_may_not_change_while_it_is_on(register, value, words):
    bench = l4r5()
    bench.write("USART1.BRR", 35)
    bench.write("USART1.CR1", ON)
    assert bench.said == []
    bench.write(f"USART1.{register}", value)
    assert any(words in what for what in bench.said), bench.said


def test_a_rate_that_is_off_is_told_at_once():
    bench = l4r5()
    bench.write("USART1.BRR", 30)
    bench.write("USART1.CR1", ON)
    assert any("USART1: 133,333 baud, +15.7 % off the line's 115,200" in what for what in bench.said)


def test_an_stm32f7_has_neither_fifo_nor_prescaler():
    bench = Bench("stm32f7", "stm32f746ngh6", "m7")
    usart = bench.chip.find("USART1")
    bench.write("RCC.APB2ENR", 1 << 4)
    bench.write("USART1.CR1", FIFOEN)
    assert any("has no FIFO" in what for what in bench.said)
    assert "PRESC" not in {r.name for r in usart.REGISTERS}
