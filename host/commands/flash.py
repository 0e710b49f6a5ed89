"""`host flash`: firmware and network onto a board."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from host.commands.common import (
    emulate_option,
    json_option,
    network_path,
    plan_choices,
    plan_options,
    screen,
    write_json,
)

if TYPE_CHECKING:
    from host.flashing.flash import Flashed

_METHODS = ("pyocd", "openocd", "drag", "platformio")


@click.command("flash")
@click.argument("network", metavar="[NET]", required=False)
@click.option("--board", "-b", help="Board id; without it the board of the one probe that is plugged in.")
@click.option(
    "--probe", "serial", metavar="SERIAL", help="Serial number of the debug probe, or its beginning."
)
@click.option(
    "--method", type=click.Choice(_METHODS), help="How to write; without it the first one that can."
)
@click.option("--port", "-p", help="Serial port of the board, to check what it runs afterwards.")
@emulate_option
@click.option("--force", is_flag=True, help="Write what is up to date as well.")
@click.option(
    "--demo",
    is_flag=True,
    help="With samples behind the plan: the board runs NET by itself and tells its FPS.",
)
@click.option(
    "--input",
    "-i",
    "source",
    metavar="FILE|random:SEED",
    help="Samples for --demo, as `host run` takes them.",
)
@click.option("--samples", type=click.IntRange(1), help="Most samples for --demo.  [default: 40]")
@click.option("--dry-run", is_flag=True, help="Show what would be written, and where; write nothing.")
@plan_options
@json_option
def command(
    network: str | None,
    board: str | None,
    serial: str | None,
    method: str | None,
    port: str | None,
    force: bool,
    demo: bool,
    source: str | None,
    samples: int | None,
    dry_run: bool,
    json_file: str | None,
    **plan: Any,
) -> None:
    """Build the firmware, write it to a board and verify it; with NET, write that network's plan beside it.

    Only what differs is written. One probe is used, of several one must be chosen, and none that is on another board.

    --demo without NET takes the built-in classifier of handwritten digits and its test images.
    """
    from host import experiment
    from host.data import digits
    from host.demo.region import DEFAULT_SAMPLES, demo_region
    from host.flashing.flash import find_board, flash

    if not demo and (source or samples):
        raise click.UsageError("--input and --samples are for --demo")
    with screen() as show:
        target, why = find_board(board, serial)
        options = experiment.Options(board=target.id, source=source, **plan_choices(**plan))
        path = network_path(network, show) if network else digits.model_path() if demo else None
        compiled = experiment.compile_for(path, target, options) if path else None
        region = None
        if demo and compiled:
            given = experiment.load_samples(compiled, options, built_in=network is None)
            region = demo_region(compiled, target, given, samples or DEFAULT_SAMPLES)
        flashed = flash(
            target,
            compiled,
            region=region.image if region else None,
            why_board=why,
            serial=serial,
            port=port,
            method=method,
            force=force,
            dry_run=dry_run,
            progress=show,
            say=show.say,
        )
    if json_file:
        write_json(asdict(flashed), json_file)
    if json_file != "-":
        _print(flashed)
        if region:
            click.echo(
                f"demo: {region.samples} samples from {region.source}; `host demo` shows what the board prints"
            )


def _print(flashed: Flashed) -> None:
    plan = f" and {flashed.plan_bytes:,} bytes of plan ({flashed.model})" if flashed.model else ""
    click.echo(f"{flashed.board}: firmware {flashed.build}, {flashed.code_bytes:,} bytes of code{plan}")
    for line in flashed.lines():
        click.echo(line)
    click.echo("nothing was written" if flashed.dry_run else _proof(flashed))


def _proof(flashed: Flashed) -> str:
    """What is known now, and what is not."""
    if flashed.verified and flashed.answered:
        return "verified by reading back; the board answers with this build"
    if flashed.answered:
        return "the board answers with this build" + (" and this plan" if flashed.plan_bytes else "")
    if flashed.verified:
        return "verified by reading back; not asked over a serial port (--port PORT does)"
    return "not verified: this method cannot read the flash back, and no --port was given"
