"""What every board's firmware takes of its memories, and what it leaves for networks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from host import build
from host.boards import Board
from host.plan.banks import Pool
from host.runner import Progress, no_progress


@dataclass(frozen=True)
class BoardSizes:
    """A built firmware: `sizes` of its sections, and the pools of RAM that are left, fastest first."""

    board: Board
    sizes: build.Sizes
    pools: tuple[Pool, ...]

    def to_json(self) -> dict[str, Any]:
        """For `host boards --sizes --json`."""
        return {
            "code_bytes": self.sizes.code_bytes,
            "code_region_bytes": self.board.firmware_region.bytes,
            "own_ram_bytes": self.sizes.ram_bytes,
            "free": {pool.name: pool.bytes for pool in self.pools},
            "hot_code_bytes": self.sizes.hot_bytes,
        }


def sizes(boards: Sequence[Board], progress: Progress = no_progress) -> Iterator[BoardSizes]:
    """Builds each board's firmware if need be. Raises what building raises."""
    for done, board in enumerate(boards):
        progress(f"building {board.id}", done, len(boards))
        found = build.build(board).sizes
        left = [bank.bytes for bank in board.pools]
        left[0] -= found.ram_bytes
        yield BoardSizes(board, found, tuple(Pool(b.name, n) for b, n in zip(board.pools, left, strict=True)))
        progress(f"building {board.id}", len(boards), len(boards))
