"""What only a board's own image shows: its clock, its caches, cycles that can be trusted, and that it comes back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from host.boards import load_board
from host.data import digits
from host.experiment import Options, run
from host.link.hello import Hello

RESETS = 20
SPREAD = 0.02  # of cycles: caches and flash accelerators begin each run in another state


@pytest.mark.needs("clock")
def test_the_clock_is_the_manifests_and_did_not_fall_back(dut) -> None:
    wanted = load_board(dut.hello.board).clock
    source = "PLL from crystal" if wanted.crystal_hz else "PLL from internal oscillator"
    assert (dut.hello.clock_hz, dut.hello.clock_source) == (wanted.hz, source)


@pytest.mark.needs("clock")
def test_caches_are_on(dut) -> None:
    assert dut.hello.icache
    if load_board(dut.hello.board).core == "m7":
        assert dut.hello.dcache


@pytest.mark.needs("cycles")
def test_cycles_hardly_vary(board) -> None:
    results = [run(digits.model_path(), Options(**board, source="random:7")).result for _ in range(5)]
    cycles = [r.per_inference for r in results]
    assert min(cycles) > 0
    assert max(cycles) <= min(cycles) * (1 + SPREAD), cycles


def test_it_comes_back_from_every_reset(dut) -> None:
    first = lasting(dut.hello)
    for i in range(RESETS):
        assert lasting(dut.reset()) == first, f"reset {i}"
        assert dut.ping(bytes(range(200))) == bytes(range(200))


def lasting(hello: Hello) -> Hello:
    """What a reset must not change."""
    return replace(hello, session=0, stack_used=0, reset_cause="")
