"""`host inspect`: what a network is, and how it would lie in memory."""

from __future__ import annotations

from typing import Any

import click

from host.commands.common import (
    board_option,
    json_option,
    network_path,
    plan_choices,
    plan_options,
    results,
    screen,
    write_json,
)


@click.command("inspect")
@click.argument("network", metavar="[NET]", required=False)
@board_option
@plan_options
@json_option
def command(network: str | None, board: str, json_file: str | None, **plan: Any) -> None:
    """Show layers, shapes, MACs, parameters, exact slimming and the memory plan of NET.

    NET is a .tflite or .onnx file, a network script (.py) or a catalogue name.

    Without NET: the built-in classifier of handwritten digits.
    """
    from host import experiment
    from host.boards import load_board
    from host.data import digits
    from host.report import tables
    from host.report.description import describe

    with screen() as show:
        path = network_path(network, show) if network else digits.model_path()
        options = experiment.Options(board=board, **plan_choices(**plan))
        target = load_board(board)
        compiled = experiment.compile_for(path, target, options)
    bank = experiment.arena_bank(compiled, target, options)
    if json_file:
        write_json(describe(compiled, bank), json_file)
    if json_file != "-":
        console = results()
        tables.print_network(console, compiled, len(compiled.plan), bank)
        tables.print_slimming(console, compiled)
        tables.print_timeline(console, compiled.net)
