"""Where a device puts plan, counts and arena: the same rule as firmware/app/session.c, so that the host knows before.

The largest pool (of equal ones the last) begins with the plan, if it is streamed, and a count for each step; the arena,
with the copies of weights behind it, goes to the first pool that has room, fastest first. In the largest pool it
lies behind plan and counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from host.boards import Board, board_ids, load_board
from host.errors import DoesNotFitError
from host.link.hello import Hello

COUNT_BYTES = 4  # a step's count
ARENA_ALIGN = 8
MOST_STEPS = 256  # whose counts are left out of the limits of a network that is not compiled yet
# RAM that the firmware needs for itself: stack, receive buffer, data. The device has the last word on what fits.
FIRMWARE_RAM_BYTES = 12 * 1024
# What an inference costs more, as a part, with its arena in SRAM behind the data cache of a Cortex-M7. The model of an
# STM32F746 says 2 % (ad01_int8), 19 % (kws_ref_model) to 47 % (pretrainedResnet_quant), and may be 25 % off.
CACHED_ARENA = 0.15


@dataclass(frozen=True)
class Pool:
    """A bank of RAM as far as it is free for plan, counts and arena."""

    name: str
    bytes: int


@dataclass(frozen=True)
class Demand:
    """What a network wants of the pools: bytes of the plan if it is streamed (else 0), steps, arena with copies."""

    plan_bytes: int
    steps: int
    arena_bytes: int

    @property
    def taken_bytes(self) -> int:
        """Of the largest pool, before an arena there."""
        return _align(_align(self.plan_bytes, 4) + COUNT_BYTES * self.steps, ARENA_ALIGN)


def place(pools: Sequence[Pool], demand: Demand) -> int:
    """Index of the pool that holds the arena. Raises DoesNotFitError with what is needed and what there is."""
    big = largest(pools)
    if demand.taken_bytes > pools[big].bytes:
        raise DoesNotFitError(
            f"the plan and its counts need {demand.taken_bytes:,} bytes of RAM in one piece, "
            f"{pools[big].name} has {pools[big].bytes:,}"
        )
    rooms = [p.bytes - (demand.taken_bytes if i == big else 0) for i, p in enumerate(pools)]
    for i, room in enumerate(rooms):
        if demand.arena_bytes <= room:
            return i
    free = ", ".join(f"{p.name} {room:,}" for p, room in zip(pools, rooms, strict=True))
    behind = f" behind a plan of {demand.plan_bytes:,}" if demand.plan_bytes else ""
    raise DoesNotFitError(
        f"needs {demand.arena_bytes:,} bytes of RAM in one piece for the arena, free{behind}: {free}"
    )


def fits(pools: Sequence[Pool], demand: Demand) -> bool:
    """Whether place() finds a place."""
    try:
        place(pools, demand)
    except DoesNotFitError:
        return False
    return True


def largest(pools: Sequence[Pool]) -> int:
    """Index of the pool for plan and counts."""
    return max(range(len(pools)), key=lambda i: (pools[i].bytes, i))


def pools_of(board: Board) -> list[Pool]:
    """A board's pools before it has been asked: the first is what the firmware is thought to leave of its bank."""
    sizes = [bank.bytes for bank in board.pools]
    sizes[0] -= FIRMWARE_RAM_BYTES
    return [Pool(bank.name, size) for bank, size in zip(board.pools, sizes, strict=True)]


def pools_told(hello: Hello) -> list[Pool]:
    """A device's pools with the sizes that it told and the names of its board's manifest, if there is one."""
    known = load_board(hello.board).pools if hello.board in board_ids() else ()
    names = [bank.name for bank in known] + [f"pool {i}" for i in range(len(known), len(hello.pools))]
    return [Pool(name, size) for name, size in zip(names, hello.pools, strict=False)]


def slow_penalty(board: Board) -> float:
    """What an arena outside the fastest bank is thought to cost, as a part of an inference."""
    speeds = [bank.speed for bank in board.pools]
    differs = speeds[0] == "tightly_coupled" and set(speeds[1:]) - {"tightly_coupled"}
    return CACHED_ARENA if board.core == "m7" and differs else 0.0


def rooms_of(board: Board) -> list[int]:
    """The largest arena for each pool, of a plan in flash with no more than MOST_STEPS steps."""
    pools = pools_of(board)
    counts = COUNT_BYTES * MOST_STEPS
    return [pool.bytes - (counts if i == largest(pools) else 0) for i, pool in enumerate(pools)]


def _align(count: int, to: int) -> int:
    return -(-count // to) * to
