"""`host compare-conv`: matrix product, im2col, indirect and Winograd on the convolutions of known networks."""

from __future__ import annotations

import click

from host.commands.common import (
    board_option,
    emulate_option,
    json_option,
    plot_option,
    results,
    screen,
    write_json,
)
from host.errors import InputError, NotExactError


@click.command("compare-conv")
@board_option
@click.option("--port", "-p", help="Serial port or URL of the board; an emulated board needs none.")
@emulate_option
@click.option("--network", metavar="GLOB", default="*", help="resnet18 or squeezenet1.0; default: both.")
@click.option("--shape", metavar="GLOB", default="*", help="Shapes, as the table names them: '3x3 * 64->64'.")
@click.option("--cycles", is_flag=True, help="Compare modelled cycles, with the plan in flash.")
@click.option("--flash", metavar="CHIP", help="With --cycles: l4r5, f405 or none; default: the board's chip.")
@click.option("--mem", metavar="CHIP", help="With --cycles: a Cortex-M7 chip, as in `host profile`.")
@json_option
@plot_option
def command(
    board: str, port: str | None, network: str, shape: str, cycles: bool, flash: str | None, mem: str | None,
    json_file: str | None, plot_file: str | None,
) -> None:  # fmt: skip
    """Compare ways to convolve on all shapes of ResNet-18 and SqueezeNet 1.0, each checked against the oracle.

    Shapes that exceed the board are scaled down, and the table says how.
    """
    from host import plot
    from host.bench.convolutions import compare, select
    from host.boards import load_board
    from host.cyclemodel.model import chip_of
    from host.report.convolutions import draw_comparisons, print_comparisons

    shapes = select(network, shape)
    if not shapes:
        raise InputError(
            "no shape matches", "`host compare-conv --network resnet18` shows how they are named"
        )
    if plot_file:
        plot.check(plot_file)
    the_board = load_board(board)
    chip = chip_of(the_board, flash, None, mem) if cycles or flash or mem else None
    with screen() as show:
        compared = compare(the_board, shapes, port=port, chip=chip, progress=show, say=show.say)
    if json_file:
        write_json(compared.to_json(), json_file)
    if plot_file:
        plot.save(draw_comparisons(compared), plot_file)
    if json_file != "-":
        print_comparisons(results(), compared)
    if compared.bench.wrong:
        worst = compared.bench.wrong[0]
        raise NotExactError(
            f"{len(compared.bench.wrong)} results are wrong, first {worst.kernel} on {worst.case}: {worst.trouble}"
        )
