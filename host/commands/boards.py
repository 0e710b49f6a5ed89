"""`host boards`: the boards that we know."""

from __future__ import annotations

import click
from rich.table import Table

from host.commands.common import json_option, results, write_json


@click.command("boards")
@json_option
def command(json_file: str | None) -> None:
    """List boards: core, clock, memory, and whether they are emulated."""
    from host.boards import all_boards

    boards = all_boards()
    if json_file:
        write_json([_facts(b) for b in boards], json_file)
    if json_file == "-":
        return
    table = Table(box=None, pad_edge=False)
    for header in ("board", "name", "core"):
        table.add_column(header)
    for header in ("MHz", "RAM", "for plans"):
        table.add_column(header, justify="right")
    table.add_column("")
    for b in boards:
        table.add_row(
            b.id, b.name, f"cortex-{b.core}", f"{b.clock.hz / 1e6:.0f}", f"{b.ram_bytes // 1024} KB",
            f"{b.plan_region.bytes // 1024} KB", "emulated" if b.emulated else "",
        )  # fmt: skip
    results().print(table)


def _facts(board) -> dict:
    return {
        "id": board.id,
        "name": board.name,
        "core": f"cortex-{board.core}",
        "clock_hz": board.clock.hz,
        "ram_bytes": board.ram_bytes,
        "plan_bytes": board.plan_region.bytes,
        "emulated": board.emulated,
    }
