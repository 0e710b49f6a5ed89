"""Where plan and arena lie: the host's prediction against the firmware itself, under the sanitizers."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host import boards, experiment, runner
from host.compile import Compiled, compile_graph
from host.errors import DoesNotFitError
from host.inputs import Samples, random_inputs
from host.link.client import Client
from host.model.builder import Builder
from host.plan import banks
from host.plan.banks import Demand, Pool
from host.plan.choose import Limits
from host.plan.costs import costs_for
from host.project import firmware_dir
from host.transport.native import NativeTransport
from tests.native_build import ENVIRONMENT, native_firmware

FAST, SLOW = 16 * 1024, 128 * 1024


def device(*pools: int, plan: Path | None = None) -> Client:
    """The firmware with pools of so many bytes."""
    arguments = [str(plan or ""), *map(str, pools)]
    return Client(NativeTransport(native_firmware(), arguments, {**os.environ, **ENVIRONMENT}))


def network(side: int, channels: int = 4) -> Compiled:
    """Its arena grows with the image's side."""
    net = Builder(f"side{side}")
    x = net.input((side, side, channels), scale=0.1)
    rng = np.random.default_rng(1)
    x = net.conv2d(x, rng.normal(0, 0.2, (channels, 3, 3, channels)), scale=0.1, padding="SAME")
    net.output(net.max_pool(x, 2))
    return compile_graph(net.graph())


def check(client: Client, compiled: Compiled, in_flash: bool = False) -> int:
    """Loads, runs, compares every layer with the oracle; the arena's pool."""
    info = runner.load(client, compiled, in_flash)
    samples = Samples([random_inputs(compiled.original, 1)], None, "random")
    for kind in ("output", "layers"):
        measured = runner.measure(client, compiled, info, samples, check=kind)
        assert measured.mismatches == 0, str(measured.first_mismatch)
    return info.arena_pool


def test_the_native_firmware_has_a_fast_and_a_large_pool():
    with device() as client:
        assert client.hello.pools == (FAST, SLOW)
        assert client.hello.pool_bytes == SLOW


def test_the_arena_lies_in_the_fast_pool_if_it_fits_and_behind_the_plan_if_not(tmp_path: Path):
    small, large = network(20), network(80)
    assert small.net.arena_bytes < FAST < large.net.arena_bytes < SLOW
    with device() as client:
        assert [check(client, n) for n in (small, large, small)] == [0, 1, 0]
    for compiled, pool in ((small, 0), (large, 1)):
        file = tmp_path / "plan.bin"
        file.write_bytes(compiled.plan)
        with device(FAST, SLOW, plan=file) as client:
            assert check(client, compiled, in_flash=True) == pool


def test_the_arena_goes_behind_the_plan_when_only_there_is_room():
    compiled = network(20)
    arena = compiled.net.arena_bytes
    room = banks.Demand(len(compiled.plan), len(compiled.net.steps), 0).taken_bytes
    with device(1024, room + arena + 7 & ~7) as client:
        assert check(client, compiled) == 1
    with device(1024, room + arena - 8 & ~7) as client, pytest.raises(DoesNotFitError):
        client.load_plan(compiled.plan)
    with device(room + arena + 7 & ~7) as client:  # one pool holds all
        assert check(client, compiled) == 0


def test_what_fits_nowhere_is_refused_with_both_numbers_by_host_and_device():
    compiled = network(180)
    with device() as client:
        with pytest.raises(DoesNotFitError) as caught:
            runner.load(client, compiled, in_flash=False)
        arena, plan = compiled.net.arena_bytes, len(compiled.plan)
        room = SLOW - Demand(plan, len(compiled.net.steps), 0).taken_bytes
        assert f"needs {arena:,} bytes of RAM in one piece for the arena" in caught.value.message
        assert f"pool 0 {FAST:,}, pool 1 {room:,}" in caught.value.message
        with pytest.raises(DoesNotFitError, match=f"arena needs {arena} bytes, the board has {room} bytes"):
            client.load_plan(compiled.plan)
        with pytest.raises(DoesNotFitError, match=f"the plan needs {SLOW + 4} bytes, the board has {SLOW}"):
            client.load_plan(bytes(SLOW + 4))
        assert check(client, network(20)) == 0


def test_copies_of_weights_lie_with_the_arena():
    compiled = network(20)
    plain = compiled.net.arena_bytes
    copied = compile_graph(compiled.original, limits=Limits(copy_bytes=4096))
    assert copied.net.copy_bytes > 0
    tight = plain + copied.net.copy_bytes
    with device(tight + 7 & ~7, SLOW) as client:
        assert check(client, copied) == 0
    with device(tight - 1 & ~7, SLOW) as client:
        assert check(client, copied) == 1


SMALL = network(20)
sizes = st.integers(0, 40_000).map(lambda n: n // 8 * 8 + 8)


@settings(max_examples=25)
@given(st.lists(sizes, min_size=1, max_size=4))
def test_the_device_does_what_the_host_foretells(pools: list[int]):
    named = [Pool(f"bank{i}", size) for i, size in enumerate(pools)]
    wanted: int | None
    try:
        wanted = banks.place(named, runner.demand(SMALL, in_flash=False))
    except DoesNotFitError:
        wanted = None
    with device(*pools) as client:
        assert client.hello.pools == tuple(pools)
        if wanted is not None:
            assert client.load_plan(SMALL.plan).arena_pool == wanted
            return
        with pytest.raises(DoesNotFitError):
            client.load_plan(SMALL.plan)


@given(st.lists(sizes, min_size=1, max_size=4), st.integers(0, 50_000), st.integers(1, 512), sizes)
def test_nothing_overlaps_and_nothing_is_refused_that_fits(pools, plan_bytes, steps, arena_bytes):
    named = [Pool(f"bank{i}", size) for i, size in enumerate(pools)]
    demand = Demand(plan_bytes, steps, arena_bytes)
    big = banks.largest(named)
    rooms = [size - (demand.taken_bytes if i == big else 0) for i, size in enumerate(pools)]
    possible = rooms[big] >= 0 and any(room >= arena_bytes for room in rooms)
    assert banks.fits(named, demand) == possible
    if possible:
        chosen = banks.place(named, demand)
        assert rooms[chosen] >= arena_bytes
        assert all(room < arena_bytes for room in rooms[:chosen])


def test_both_sides_know_as_many_pools():
    header = (firmware_dir() / "port" / "port.h").read_text()
    assert re.search(r"#define PORT_MAX_POOLS (\d+)u", header)[1] == str(boards.MAX_POOLS)


def test_the_pools_of_a_board_are_what_its_firmware_leaves():
    board = boards.load_board("adafruit_feather_f405")
    assert [p.name for p in banks.pools_of(board)] == ["ccm", "sram"]
    assert banks.pools_of(board)[0].bytes == 64 * 1024 - banks.FIRMWARE_RAM_BYTES
    assert banks.rooms_of(board) == [52 * 1024, 128 * 1024 - 1024]
    one = dataclasses.replace(board, pools=board.pools[1:])
    assert banks.rooms_of(one) == [128 * 1024 - 12 * 1024 - 1024]


def test_a_plan_for_the_fast_bank_is_preferred_if_it_costs_less_than_the_slow_bank(monkeypatch):
    """A network whose fastest kernels need more than the fast bank has; other kernels do with less."""
    board = boards.load_board("disco_f746ng")
    net = Builder("two")
    x = net.input((24, 24, 32), scale=0.1)
    rng = np.random.default_rng(1)
    x = net.conv2d(x, rng.normal(0, 0.1, (32, 3, 3, 32)), scale=0.1, padding="SAME")
    net.output(net.max_pool(x, 2))
    graph, options = net.graph(), experiment.Options(board=board.id)
    monkeypatch.setattr(banks, "CACHED_ARENA", 0.0)
    free = experiment.compile_for(graph, board, options)
    room = free.net.arena_bytes - 4
    tight = dataclasses.replace(board.pools[0], bytes=room // 8 * 8 + banks.FIRMWARE_RAM_BYTES)
    small = dataclasses.replace(board, pools=(tight, board.pools[1]))
    assert experiment.compile_for(graph, small, options).plan == free.plan
    assert experiment.arena_bank(free, small, options) == "sram"
    limited = compile_graph(graph, costs=costs_for(board.id), limits=Limits(None, room, experiment.SLACK))
    dearer = limited.price.cost / free.price.cost - 1
    assert 0 < dearer < 5
    monkeypatch.setattr(banks, "CACHED_ARENA", dearer + 0.01)
    chosen = experiment.compile_for(graph, small, options)
    assert chosen.net.arena_bytes <= room and experiment.arena_bank(chosen, small, options) == "dtcm"
    monkeypatch.setattr(banks, "CACHED_ARENA", dearer - 0.01)
    assert experiment.compile_for(graph, small, options).plan == free.plan


def test_only_tightly_coupled_memory_beside_a_cache_is_worth_a_cost():
    slow = {b.id: banks.slow_penalty(b) for b in boards.all_boards()}
    assert {board for board, penalty in slow.items() if penalty} == {
        b.id for b in boards.all_boards() if b.core == "m7" and not b.emulated
    }
