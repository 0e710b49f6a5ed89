"""The cases notice what they are there for: firmware or host with one rule less gives a wrong result, soon."""

from __future__ import annotations

import inspect
import sys
import types

import pytest

from host.link import client, session
from host.link import frame as wire
from tests.faults.board import Mutation
from tests.faults.cases import WrongError, run_case
from tests.faults.proxy import Rates

MOST_CASES = 3000
ECHOES = Rates(echo=0.3, piece_bytes=2000, max_delay_s=0.3)

FIRMWARE = {
    "no checksum": (
        Mutation("link/frame.c", "- FRAME_CRC_BYTES) != crc) return false;", "- FRAME_CRC_BYTES) != crc) {}"),
        None,
    ),
    "old requests are taken": (
        Mutation("app/receive.c", "    return lead > MAX_SEQUENCE_LEAD;\n", "    return false;\n"),
        ECHOES,
    ),
    "received bytes stay where the next plan goes": (
        Mutation("app/session.c", "    port_keep_received(NULL, 0); /* what", "    /* what"),
        None,
    ),
}


def found(**options) -> bool:
    for seed in range(MOST_CASES):
        try:
            run_case(seed, **options)
        except WrongError:
            return True
    return False


@pytest.mark.parametrize("name", FIRMWARE)
def test_firmware_without_a_rule_is_found_out(name):
    mutation, rates = FIRMWARE[name]
    assert found(mutation=mutation, rates=rates)


def test_a_host_that_reads_damaged_answers_is_found_out(monkeypatch):
    monkeypatch.setattr(wire.zlib, "crc32", lambda data, *_: int.from_bytes(data[-1:], "little") * 0)
    assert found()


def test_a_host_that_takes_answers_of_any_number_is_found_out(monkeypatch):
    text, rule = inspect.getsource(session), "if item.sequence == sequences[0] and item.command"
    assert text.count(rule) == 1
    changed = types.ModuleType("changed_session")
    monkeypatch.setitem(sys.modules, changed.__name__, changed)
    exec(compile(text.replace(rule, "if item.command"), session.__file__, "exec"), changed.__dict__)
    changed.Request = session.Request  # the client's
    monkeypatch.setattr(client, "Session", changed.Session)
    assert found(rates=ECHOES)
