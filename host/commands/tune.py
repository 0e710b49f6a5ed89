"""`host tune`: measure every kernel on every layer of a network and keep the winners."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table

from host.commands.common import (
    device_choice,
    device_options,
    json_option,
    network_path,
    results,
    screen,
    slim_option,
    write_json,
)


@click.command("tune")
@click.argument("network", metavar="[NET]", required=False)
@device_options
@click.option(
    "--flash", metavar="CHIP", help="Rank by modelled cycles with this chip's flash: l4r5, f405 or none."
)
@slim_option
@click.option(
    "--save", metavar="FILE", type=click.Path(path_type=Path), help="Also write the table to a file."
)
@json_option
def command(
    network: str | None, board: str | None, port: str | None, flash: str | None, slimmed: bool, save: Path | None,
    json_file: str | None,
) -> None:  # fmt: skip
    """Time every kernel that supports a layer, on the device, for all layers of NET; later runs use the fastest.

    Without NET: the built-in classifier of handwritten digits.
    """
    from host import tune
    from host.cyclemodel.model import chip_of
    from host.data import digits
    from host.plan.costs import keep, tuned_path

    device = device_choice(board, port)
    with screen() as show:
        path = network_path(network, show) if network else digits.model_path()
        chip = chip_of(device.board, flash) if flash else None
        costs, tuned = tune.tune(
            path, device.board.id, port=device.port, chip=chip, slimmed=slimmed, progress=show, say=show.say
        )
    kept = tuned_path(device.board.id)
    keep(costs, kept)
    if save:
        costs.save(save)
    if json_file:
        layers = [{"index": t.index, "op": t.step.op_kind, "costs": dict(t.ranking)} for t in tuned]
        write_json(
            {"schema": 1, "board": device.board.id, "unit": costs.unit, "kept": str(kept), "layers": layers},
            json_file,
        )
    if json_file == "-":
        return
    table = Table(
        title=f"{path.stem} on {device.board.id}, {costs.unit}",
        title_justify="left",
        pad_edge=False,
        box=None,
    )
    for header in ("#", "operator", "fastest"):
        table.add_column(header, no_wrap=True)
    for header in ("cost", "second costs", "candidates"):
        table.add_column(header, justify="right", no_wrap=True)
    for t in tuned:
        margin = f"{t.margin:.2f} times" if t.margin else "-"
        name, cost = t.ranking[0]
        table.add_row(str(t.index), t.step.op_kind, name, f"{cost:,}", margin, str(len(t.ranking)))
    console = results()
    console.print(table)
    console.print(f"\nkept in {kept}", highlight=False)
