"""`host inspect`: what a network is, and how it would lie in memory."""

from __future__ import annotations

import click

from host.commands.common import json_option, network_path, results, screen, slim_option, write_json


@click.command("inspect")
@click.argument("network", metavar="[NET]", required=False)
@slim_option
@json_option
def command(network: str | None, slimmed: bool, json_file: str | None) -> None:
    """Show layers, shapes, MACs, parameters, exact slimming and the memory plan of NET.

    NET is a .tflite file or catalogue name.

    Without NET: the built-in classifier of handwritten digits.
    """
    from host.compile import compile_file
    from host.data import digits
    from host.report import tables
    from host.report.description import describe

    with screen() as show:
        path = network_path(network, show) if network else digits.model_path()
        compiled = compile_file(path, slimmed=slimmed)
    if json_file:
        write_json(describe(compiled), json_file)
    if json_file != "-":
        console = results()
        tables.print_network(console, compiled, len(compiled.plan))
        tables.print_slimming(console, compiled)
        tables.print_timeline(console, compiled.net)
