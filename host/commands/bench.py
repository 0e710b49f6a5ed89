"""`host bench`: what every kernel costs on a grid of shapes."""

from __future__ import annotations

from pathlib import Path

import click

from host.commands.common import device_choice, device_options, json_option, results, screen, write_json
from host.errors import InputError, NotExactError, RegressionError

DEFAULT_THRESHOLD_PERCENT = 1.0


@click.command("bench")
@device_options
@click.option("--link", is_flag=True, help="The serial line instead: what share of its rate transfers reach.")
@click.option("--op", metavar="GLOB", default="*", help="Operators, as in params.def: conv2d, depthwise, ...")
@click.option("--kernel", metavar="GLOB", default="*", help="Kernels: '*winograd*', '*_ref'.")
@click.option(
    "--shape", metavar="GLOB", default="*", help="Shapes, as the table names them: 'pointwise*64->64'."
)
@click.option("--cycles", is_flag=True, help="Model cycles too, with the plan in flash.")
@click.option("--flash", metavar="CHIP", help="With --cycles: l4r5, f405 or none; default: the board's chip.")
@click.option("--mem", metavar="CHIP", help="With --cycles: a Cortex-M7 chip, as in `host profile`.")
@json_option
@click.option("--save", metavar="FILE", help="Keep the result for --compare.")
@click.option("--costs", metavar="FILE", type=click.Path(path_type=Path),
              help="Add the results to a table of costs, as plans choose by: host/data/costs.json.")  # fmt: skip
@click.option("--compare", metavar="FILE", type=click.Path(path_type=Path),
              help="Compare with a saved result; a regression ends with exit status 29.")  # fmt: skip
@click.option("--threshold", metavar="PERCENT", type=click.FloatRange(0), default=DEFAULT_THRESHOLD_PERCENT,
              show_default=True, help="How much more than before is a regression.")  # fmt: skip
def command(
    board: str | None, port: str | None, link: bool, op: str, kernel: str, shape: str, cycles: bool, flash: str | None,
    mem: str | None, json_file: str | None, save: str | None, costs: Path | None, compare: Path | None,
    threshold: float,
) -> None:  # fmt: skip
    """Count every kernel on a grid of shapes, each result checked against the oracle.

    A kernel whose output is wrong gets no number, and the exit status tells.
    """
    if link:
        _bench_link(board, port, json_file)
        return
    from host.bench import compare as comparison
    from host.bench.measure import bench, select
    from host.cyclemodel.model import chip_of
    from host.plan.costs import keep
    from host.report.bench import print_bench, print_changes

    saved = comparison.load(compare) if compare else None
    selection = select(op, kernel, shape)
    if not selection:
        raise InputError(
            "no kernel and shape matches", "`host bench --shape 'fc*'` shows how shapes are named"
        )
    device = device_choice(board, port)
    the_board = device.board
    chip = chip_of(the_board, flash, None, mem) if cycles or flash or mem else None
    with screen() as show:
        done = bench(the_board, selection, port=device.port, chip=chip, progress=show, say=show.say)
    changed = comparison.changes(done, saved) if saved else []
    for file in (json_file, save):
        if file:
            write_json(done.to_json(), file)
    if costs:
        keep(done.costs(), costs)
    if json_file != "-":
        print_bench(results(), done)
        if saved:
            print_changes(results(), changed, threshold)
    if done.wrong:
        worst = done.wrong[0]
        raise NotExactError(
            f"{len(done.wrong)} results are wrong, first {worst.kernel} on {worst.case}: {worst.trouble}"
        )
    worse = [c for c in changed if c.percent > threshold]
    if worse:
        c = worse[0]
        raise RegressionError(
            f"{len(worse)} results got worse by more than {threshold:g} %, most {c.result.kernel} on {c.result.case}: "
            f"{c.percent:+.1f} % {c.unit}"
        )


def _bench_link(board: str | None, port: str | None, json_file: str | None) -> None:
    from host.bench.link import measure
    from host.devices import is_emulated, open_device
    from host.report.bench import link_json, print_link

    device = device_choice(board, port)
    if is_emulated(device.board, device.port):
        raise InputError(
            f"{device.board.id} is emulated: its line has no rate",
            "name a board's port with --port; `python -m tests.line_rate` measures a simulated line",
        )
    with screen() as show, open_device(device.board, device.port) as client:
        show.say(f"each transfer takes a few seconds at {device.board.uart.baud:,} baud")
        rates = measure(client, device.board.uart.baud)
    if json_file:
        write_json(link_json(rates), json_file)
    if json_file != "-":
        print_link(results(), rates)
