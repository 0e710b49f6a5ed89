"""`host ladder`: a network from the textbook's loops to the fastest plan, one change at a time."""

from __future__ import annotations

import click

from host.commands.common import (
    board_option,
    emulate_option,
    json_option,
    network_path,
    plot_option,
    results,
    screen,
    write_json,
)
from host.errors import NotExactError


@click.command("ladder")
@click.argument("network", metavar="[NET]", required=False)
@board_option
@click.option("--port", "-p", help="Serial port or URL of the board; an emulated board needs none.")
@emulate_option
@click.option("--rungs", metavar="NAMES", default="all", show_default=True,
              help="Only these: naive,reorder,... with commas.")  # fmt: skip
@click.option("--input", "-i", "source", metavar="FILE|random:SEED", default="random:1", show_default=True,
              help="Samples, as for `host run`.")  # fmt: skip
@click.option("--check", type=click.Choice(("output", "layers")), default="output", show_default=True,
              help="What is compared with the oracle; layers takes long.")  # fmt: skip
@click.option("--model/--no-model", default=True, show_default=True,
              help="Model cycles and frames per second of an STM32F746 at 216 MHz.")  # fmt: skip
@click.option("--flash", metavar="CHIP", help="Model this Cortex-M4 chip too: l4r5, f405 or none.")
@click.option(
    "--mem", metavar="CHIP", help="A Cortex-M7 chip instead of the STM32F746, as in `host profile`."
)
@click.option("--explain", is_flag=True, help="Say of each rung what changed and why that is faster.")
@json_option
@plot_option
def command(
    network: str | None, board: str, port: str | None, rungs: str, source: str, check: str, model: bool,
    flash: str | None, mem: str | None, explain: bool, json_file: str | None, plot_file: str | None,
) -> None:  # fmt: skip
    """Climb from naive loops to the fastest plan of NET: every rung a real build, run and checked.

    Without NET: the built-in classifier of handwritten digits.
    """
    from host import boards, plot
    from host.cyclemodel.model import chip_of
    from host.data import digits
    from host.experiment import Options
    from host.ladder.climb import LADDER_CHIP, climb
    from host.ladder.rungs import select
    from host.report.ladder import draw_ladder, print_ladder

    chosen = select(rungs)
    if plot_file:
        plot.check(plot_file)
    the_board = boards.load_board(board)
    chips = []
    if model and the_board.emulated and not port:
        chips = [chip_of(the_board, mem=mem or LADDER_CHIP)]
        if flash:
            chips.append(chip_of(the_board, flash))
    options = Options(board, port, source, check=check, predict=False)
    with screen() as show:
        path = network_path(network, show) if network else digits.model_path()
        ladder = climb(path, chosen, options, chips=chips, progress=show, say=show.say)
    if json_file:
        write_json(ladder.to_json(), json_file)
    if plot_file:
        plot.save(draw_ladder(ladder), plot_file)
    if json_file != "-":
        print_ladder(results(), ladder, explain)
    if ladder.wrong:
        worst = ladder.wrong[0]
        raise NotExactError(f"{len(ladder.wrong)} rungs are wrong, first {worst.rung.name}: {worst.trouble}")
