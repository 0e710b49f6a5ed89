"""`host boards`: the boards that we know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from host.commands.common import json_option, results, screen, write_json

if TYPE_CHECKING:
    from host.boards import Board
    from host.sizes import BoardSizes

KIB = 1024


@click.command("boards")
@click.option(
    "--sizes",
    "with_sizes",
    is_flag=True,
    help="Build every board's firmware; tell what it takes and leaves of flash and RAM.",
)
@json_option
def command(with_sizes: bool, json_file: str | None) -> None:
    """List boards: core, clock, memory, and whether they are emulated."""
    from host.boards import all_boards

    boards = all_boards()
    measured: list[BoardSizes] = []
    if with_sizes:
        from host.sizes import sizes

        with screen() as show:
            measured = list(sizes(boards, show))
    if json_file:
        told = [s.to_json() for s in measured] or [{} for _ in boards]
        write_json([{**_facts(b), **more} for b, more in zip(boards, told, strict=True)], json_file)
    if json_file == "-":
        return
    results().print(_sizes_table(measured) if with_sizes else _table(boards))


def _table(boards: Sequence[Board]) -> Table:
    table = Table(box=None, pad_edge=False)
    for header in ("board", "name", "core"):
        table.add_column(header)
    for header in ("MHz", "RAM", "for plans"):
        table.add_column(header, justify="right")
    table.add_column("")
    for b in boards:
        table.add_row(
            b.id, b.name, f"cortex-{b.core}", f"{b.clock.hz / 1e6:.0f}", f"{b.ram_bytes // KIB} KB",
            f"{b.plan_region.bytes // KIB} KB", "emulated" if b.emulated else "",
        )  # fmt: skip
    return table


def _sizes_table(measured: Sequence[BoardSizes]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("board")
    for header in ("flash", "of", "RAM for itself"):
        table.add_column(header, justify="right")
    table.add_column("RAM left for networks")
    table.add_column("code in TCM", justify="right")
    for s in measured:
        hot = s.board.hot_code
        table.add_row(
            s.board.id, f"{s.sizes.code_bytes:,}", f"{s.board.firmware_region.bytes:,}", f"{s.sizes.ram_bytes:,}",
            ", ".join(f"{p.name} {p.bytes:,}" for p in s.pools),
            f"{s.sizes.hot_bytes:,} of {hot.bytes:,}" if hot else "",
        )  # fmt: skip
    return table


def _facts(board: Board) -> dict[str, Any]:
    return {
        "id": board.id,
        "name": board.name,
        "core": f"cortex-{board.core}",
        "clock_hz": board.clock.hz,
        "ram_bytes": board.ram_bytes,
        "pools": {bank.name: bank.bytes for bank in board.pools},
        "hot_code": board.hot_code.name if board.hot_code else None,
        "plan_bytes": board.plan_region.bytes,
        "emulated": board.emulated,
    }
