"""`host flash`: firmware and network onto a board."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from host.commands.common import (
    board_option,
    json_option,
    network_path,
    plan_choices,
    plan_options,
    screen,
    write_json,
)


@click.command("flash")
@click.argument("network", metavar="[NET]", required=False)
@board_option
@plan_options
@click.option("--port", "-p", help="Serial port of the board, to check what it runs afterwards.")
@json_option
def command(network: str | None, board: str, port: str | None, json_file: str | None, **plan: Any) -> None:
    """Build the firmware, write it to a board and verify it; with NET, write that network's plan beside it."""
    from host import experiment
    from host.boards import load_board
    from host.flash import flash

    with screen() as show:
        options = experiment.Options(board=board, **plan_choices(**plan))
        compiled = None
        if network:
            compiled = experiment.compile_for(network_path(network, show), load_board(board), options)
        flashed = flash(board, compiled, port, show.say)
    if json_file:
        write_json(asdict(flashed), json_file)
    if json_file != "-":
        plan = f" and {flashed.plan_bytes:,} bytes of plan ({flashed.model})" if flashed.model else ""
        click.echo(f"{flashed.board}: firmware {flashed.build}, {flashed.code_bytes:,} bytes of code{plan}")
