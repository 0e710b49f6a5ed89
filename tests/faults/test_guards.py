"""Debug builds tell the step that wrote outside the arena; without a fault they run as others do."""

from __future__ import annotations

import pytest

from host import runner
from host.errors import DeviceError
from host.link.client import Client
from tests.faults.board import Board, Mutation
from tests.faults.networks import nets

GUARDS = ("-DTINYCONV_GUARDS=1",)
RUN_STEP = "plan_run_step(&session->plan, step);"
BEHIND = "guards_end(&session->plan)[{}] ^= step == 1;"
BEFORE = "session->plan.arena[-{}] ^= step == 1;"


def work(**options) -> None:
    board = Board(flags=GUARDS, **options)
    try:
        with Client(board.line(), clock=board.now) as client:
            for net in nets():
                info = runner.load(client, net.compiled, in_flash=False)
                done = runner.measure(client, net.compiled, info, net.samples)
                assert done.mismatches == 0
    finally:
        board.close()


def test_nothing_is_told_without_a_fault():
    work()


@pytest.mark.parametrize("write", [BEHIND.format(0), BEHIND.format(15), BEFORE.format(1), BEFORE.format(16)])
def test_a_step_that_writes_outside_is_told(write):
    mutation = Mutation("app/run_handlers.c", RUN_STEP, RUN_STEP + write)
    with pytest.raises(DeviceError, match="wrote outside the arena") as e:
        work(mutation=mutation)
    assert (e.value.status, e.value.index) == ("MEMORY_OVERWRITTEN", 1)
