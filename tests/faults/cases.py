"""Seeded cases: a host works with a device while the line is bad, the device is reset, the host is killed.

Whatever happens, an operation ends with exact data or in one of our errors within a bounded time, and once the fault is
over the next host has exact results without a power cycle. A case is its seed and nothing else.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from host import runner
from host.errors import HostError
from host.inputs import Samples
from host.link.client import Client
from host.link.session import ANSWER_TIMEOUT_S, ATTEMPTS
from tests.faults.board import Board, Line
from tests.faults.networks import Net, nets
from tests.faults.proxy import Noise, Rates

FRAME_BOUND_S = ATTEMPTS * (ANSWER_TIMEOUT_S + 1.5)
"""Longest that one request may take to fail: time-outs, and as long again to let a flooded line settle."""

MOST_RUNS = 6


class WrongError(AssertionError):
    """A property does not hold."""


class HostKilled(BaseException):
    """The host ends here, as by SIGKILL: nothing in it gets to clean up."""


@dataclass
class Outcome:
    """How a case went: operations by their end ("exact", or the error's class), and simulated seconds."""

    seed: int
    ends: Counter = field(default_factory=Counter)
    seconds: float = 0.0


class _MortalLine:
    """The line of a host that is killed after so many bytes."""

    def __init__(self, inner: Line, bytes_left: int):
        self.inner, self.bytes_left = inner, bytes_left
        self.description = inner.description

    def _live(self, count: int) -> None:
        self.bytes_left -= count
        if self.bytes_left < 0:
            raise HostKilled

    def write(self, data: bytes) -> None:
        """A part of it may still go out."""
        if self.bytes_left < len(data):
            self.inner.write(data[: self.bytes_left])
        self._live(len(data))
        self.inner.write(data)

    def read(self, timeout: float) -> bytes:
        """See Transport."""
        data = self.inner.read(timeout)
        self._live(len(data))
        return data

    def close(self) -> None:
        """See Transport."""
        self.inner.close()


class Case:
    """One case; run() raises WrongError if a property does not hold."""

    def __init__(self, seed: int, rates: Rates | None = None, **board_options):
        self.rng = rng = random.Random(seed)
        self.outcome = Outcome(seed)
        self.nets = nets()
        flashed = rng.choice(self.nets).compiled.plan if rng.random() < 0.3 else b""
        self.board = Board(
            baud=rng.choice((115_200, 921_600)),
            step_s=rng.choice((1e-5, 1e-3, 0.4)),
            flash_plan=flashed,
            **board_options,
        )
        self.board.garbage = rng.randrange(256)
        self.noises: list[Noise] = []
        self.rates = rates or (Rates.draw(rng) if rng.random() < 0.75 else Rates())
        self.killed_host = rng.random() < 0.3
        if rng.random() < 0.4:
            self.board.reset_after = self._somewhere()
        self.cut = rng.random() < 0.2

    def _somewhere(self) -> int:
        return int(10 ** self.rng.uniform(1, 4.3))

    def run(self) -> Outcome:
        """The whole case."""
        try:
            self._under_faults()
            self._after_faults()
        finally:
            self.outcome.seconds = self.board.now()
            self.board.close()
        return self.outcome

    def _under_faults(self) -> None:
        for _ in range(self.rng.randint(1, 3)):
            self.noises = [Noise(self.rates, self.rng) for _ in range(2)]
            line = self.board.line(*self.noises)
            if self.cut:
                line.cut_after = self._somewhere()
            transport = _MortalLine(line, self._somewhere()) if self.killed_host else line
            client = Client(transport, clock=self.board.now)
            try:
                self._one_host(client)
            except HostKilled:
                self.outcome.ends["killed"] += 1

    def _one_host(self, client: Client) -> None:
        self._try(client.connect, ATTEMPTS + 4)
        for _ in range(self.rng.randint(1, 3)):
            try:
                client.hello  # noqa: B018 - raises if there was none
            except HostError:
                if not self._try(client.connect, ATTEMPTS + 4):
                    return
            net = self.rng.choice(self.nets)
            frames = (len(net.compiled.plan) + sum(t.nbytes for t in net.samples.tensors[0])) // 900 + 20
            if not self._try(lambda net=net: self._infer(client, net), frames) and self.rng.random() < 0.7:
                self._try(client.connect, ATTEMPTS + 4)

    def _after_faults(self) -> None:
        for noise in self.noises:
            noise.on = False
        self.board.reset_after = None
        client = Client(self.board.line(), clock=self.board.now)
        try:
            client.connect()
            self._infer(client, self.rng.choice(self.nets))
        except HostError as error:
            raise WrongError(f"the next host has trouble on a good line: {error!r}") from error
        self.outcome.ends["recovered"] += 1

    def _try(self, operation, frames: int) -> bool:
        begin = self.board.now()
        bound = frames * FRAME_BOUND_S + MOST_RUNS * 16 * 0.4
        try:
            operation()
        except HostError as error:
            self.outcome.ends[type(error).__name__] += 1
            return False
        finally:
            if self.board.now() - begin > bound:
                raise WrongError(f"took {self.board.now() - begin:.0f} simulated seconds, bound {bound:.0f}")
        self.outcome.ends["exact"] += 1
        return True

    def _infer(self, client: Client, net: Net) -> None:
        """What `host run` does, with some of the samples, and the comparison."""
        rng = self.rng
        in_flash = runner.flash_holds(client, net.compiled)
        info = runner.load(client, net.compiled, in_flash)
        chosen = [rng.randrange(len(net.outputs)) for _ in range(rng.randint(1, 3))]
        samples = Samples([net.samples.tensors[i] for i in chosen], None, "")
        check = "layers" if rng.random() < 0.1 else "none"
        runs = rng.choice((1, 1, MOST_RUNS // 2))
        done = runner.measure(
            client, net.compiled, info, samples, runs=runs, check=check, pipelined=rng.random() < 0.6
        )
        if done.mismatches:
            raise WrongError(f"a layer is wrong: {done.first_mismatch}")
        for sample, got in zip(chosen, done.int8_outputs, strict=True):
            for wanted, value in zip(net.outputs[sample], got, strict=True):
                if not np.array_equal(wanted, value):
                    raise WrongError(f"{net.samples.source}: sample {sample} is silently wrong")
        if len(done.totals) != runs * len(chosen):
            raise WrongError(f"{len(done.totals)} totals of {runs * len(chosen)} runs")


def run_case(seed: int, **options) -> Outcome:
    """Raises WrongError with the seed. Options are Case's."""
    try:
        return Case(seed, **options).run()
    except WrongError as error:
        raise WrongError(
            f"seed {seed}: {error} (again: python -m tests.soak --seed {seed} --cases 1)"
        ) from error
