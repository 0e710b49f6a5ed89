"""MLPerf's energy mode in each family's image, on the register models: a slow line, and pulses in place of times."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from host.boards import load_board
from host.build import build
from host.compile import Compiled, compile_graph
from host.emulate.bringup import MOST_INSTRUCTIONS, Line
from host.emulate.gpio import OUTPUT, PULL_UP, pin_of
from host.emulate.machine import Machine
from host.link.client import SLOW_BAUD, Client
from host.mlperf.block import plan_region_image
from host.mlperf.models import INT8, SCORES, Model
from host.model.builder import Builder
from tests.bringup.test_bringup import options_of
from tests.bringup.wiring import ONE_OF_EACH_FAMILY, WIRING
from tests.mlperf.runner import BANNER, Runner, expected_results

SMALL = Model("small", "small", INT8, SCORES, 24)
ENERGY_BANNER = ["m-timestamp-mode-energy", *BANNER[1:]]
RAW = np.arange(-12, 12, dtype=np.int8)


class Wire(Line):
    """A machine's line whose other end may change its rate."""

    def __init__(self, machine: Machine):
        super().__init__(machine, 10 * MOST_INSTRUCTIONS)
        self.opened_at = machine.line.baud

    def set_baud(self, baud: int | None = None) -> None:
        self._machine.line.rates = (baud or self.opened_at,)
        self._machine.chip.generation += 1  # the USART looks again


@dataclass
class Monitor:
    """Watches the energy pin: when it goes low, and for how long, in microseconds."""

    machine: Machine
    falls: list[float] = field(default_factory=list)
    widths: list[float] = field(default_factory=list)
    low: bool = False

    def __post_init__(self) -> None:
        self.gpio, self.pin = pin_of(self.machine.chip, WIRING[self.machine.board.id].energy)
        write = self.gpio.write

        def watched(offset: int, value: int, size: int) -> None:
            write(offset, value, size)
            self.look()

        self.gpio.write = watched

    @property
    def is_output(self) -> bool:
        return self.gpio.mode(self.pin) == OUTPUT

    def look(self) -> None:
        low = self.is_output and not self.gpio.values["ODR"] >> self.pin & 1
        if low == self.low:
            return
        self.low = low
        now = self.machine.chip.time_us()
        if low:
            self.falls.append(now)
        else:
            self.widths.append(now - self.falls[-1])


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    rng = np.random.default_rng(1)
    net = Builder("dense")
    x = net.input((24,), scale=1 / 16, zero_point=3)
    net.output(net.fully_connected(x, rng.normal(0, 0.2, (10, 24)), scale=1 / 8, zero_point=-5))
    return compile_graph(net.graph())


def start(board_id: str, compiled: Compiled, energy: bool = True) -> tuple[Machine, Monitor]:
    board = load_board(board_id)
    region = plan_region_image(compiled, SMALL, energy)
    machine = Machine(board, build(board).elf, region, options_of(board))
    return machine, Monitor(machine)


@pytest.mark.parametrize("board_id", ONE_OF_EACH_FAMILY)
def test_times_are_pulses_and_the_line_is_slow(board_id, compiled):
    machine, monitor = start(board_id, compiled)
    machine.line.rates += (SLOW_BAUD,)
    runner = Runner(Wire(machine))
    assert runner.lines() == ENERGY_BANNER
    assert len(monitor.falls) == 1
    gpio, pin = monitor.gpio, monitor.pin
    assert gpio.values["OTYPER"] >> pin & 1 == 1 and gpio.pull(pin) == PULL_UP
    assert runner.ask("name") == [f"m-name-dut-[tinyconv {board_id}]"]
    assert runner.ask("timestamp") == [] and len(monitor.falls) == 2
    runner.load(RAW.tobytes())
    expected = expected_results(compiled.original, SMALL, RAW)
    took = []
    for runs in (100, 200):
        assert runner.ask(f"infer {runs} 1") == [
            "m-warmup-start-1", "m-warmup-done", f"m-infer-start-{runs}", "m-infer-done", expected,
        ]  # fmt: skip
        took.append(monitor.falls[-1] - monitor.falls[-2])
    assert len(monitor.falls) == len(monitor.widths) == 6
    assert min(monitor.widths) > 1000 and max(monitor.widths) < 5000
    rest = took[1] - 2 * (took[1] - took[0])
    assert 0 < rest < 5000, "between the edges are the inferences and the pulse"
    assert machine.chip.violations == [] and machine.line.baud == SLOW_BAUD


@pytest.mark.parametrize("board_id", ONE_OF_EACH_FAMILY)
def test_a_host_at_the_usual_rate_ends_the_mode_until_the_next_start(board_id, compiled):
    machine, monitor = start(board_id, compiled)
    wire = Wire(machine)
    client = Client(wire, wire.clock)
    assert client.connect().board == board_id and machine.line.baud == load_board(board_id).uart.baud
    assert client.ping(b"there") == b"there"
    assert client.session.counts.errors == 0
    pulses = len(monitor.falls)
    assert Runner(wire).ask("timestamp")[0].startswith("m-lap-us-") and len(monitor.falls) == pulses
    client.connect()
    client.restart()
    wire.set_baud(SLOW_BAUD)
    wire.read(1.0)  # what RESET's answer has left
    assert Runner(wire).ask("name") == [f"m-name-dut-[tinyconv {board_id}]"]
    assert len(monitor.falls) == pulses + 1
    rates = [str(v) for v in machine.chip.violations if "off the line's" not in str(v)]
    assert rates == []


def test_without_it_the_pin_is_left_alone(compiled):
    machine, monitor = start("nucleo_f446re", compiled, energy=False)
    runner = Runner(Wire(machine))
    assert runner.lines() == BANNER
    runner.load(RAW.tobytes())
    runner.infer(1, 0)
    assert monitor.falls == [] and not monitor.is_output
    assert machine.chip.violations == []


def test_the_lpuart_needs_its_prescaler(compiled):
    """120 MHz are more than 4,096 times 9600 baud."""
    machine, _ = start("nucleo_l4r5zi", compiled)
    machine.line.rates += (SLOW_BAUD,)
    machine.chip.intercept = lambda peripheral, register, value: None if register.name == "PRESC" else value
    machine.run(until=lambda: len(machine.line.outgoing) > 40)
    assert any("off the line's" in str(violation) for violation in machine.chip.violations)
