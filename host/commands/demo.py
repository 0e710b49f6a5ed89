"""`host demo`: watch a device that runs its network by itself."""

from __future__ import annotations

from contextlib import closing, nullcontext
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from host.commands.common import (
    BOARD_VARIABLE,
    Screen,
    json_option,
    network_path,
    plan_choices,
    plan_options,
    screen,
    write_json,
)

if TYPE_CHECKING:
    from host.demo.place import Place
    from host.demo.region import DemoRegion

END_LINES = 3  # a document has an end
SCHEMA = 1


@click.command("demo")
@click.argument("network", metavar="[NET]", required=False)
@click.option(
    "--board", "-b", metavar="ID", envvar=BOARD_VARIABLE, help="Board id; `host boards` lists them."
)
@click.option("--port", "-p", metavar="PORT", help="Where the board is; nothing is sent to it.")
@click.option("--emulate", is_flag=True, help="Run the board's own image in the register-model emulator.")
@click.option(
    "--input", "-i", "source", metavar="FILE|random:SEED", help="Samples, as `host run` takes them."
)
@click.option("--resize", is_flag=True, help="Resize arrays of images to the network's input.")
@click.option("--samples", type=click.IntRange(1), help="Most samples that go into flash.  [default: 40]")
@click.option(
    "--lines",
    type=click.IntRange(1),
    help="End after so many lines.  [default: never; 3 with --json or --screenshot]",
)
@click.option("--screenshot", metavar="FILE", help="Save what the emulated board's display shows as .png.")
@click.option(
    "--firmware",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Emulate this ELF file instead of our build.",
)
@plan_options
@json_option
def command(
    network: str | None, board: str | None, port: str | None, emulate: bool, source: str | None, resize: bool,
    samples: int | None, lines: int | None, screenshot: str | None, firmware: Path | None, json_file: str | None,
    **plan: Any,
) -> None:  # fmt: skip
    """Show what a device in demo mode prints: the network in its flash runs over inputs in its flash.

    On a real board that is what `host flash NET --demo` wrote; the first byte that a host sends ends it, so this
    command only listens. An emulated board gets NET and samples now; without NET, the built-in classifier of
    handwritten digits and its test images.
    """
    from host.demo.lines import on_emulator
    from host.demo.place import EMULATE, find_place
    from host.demo.screenshot import Screenshot
    from host.demo.watch import EMULATED_SILENCE_S, SILENCE_S, watch
    from host.devices import open_device
    from host.transport.serial import open_port

    if emulate and port:
        raise click.UsageError("--emulate is short for --port emulate://: give one of them")
    place = find_place(board, EMULATE if emulate else port)
    photo = Screenshot(screenshot, place) if screenshot else None
    shown = []
    with screen() as show:
        if place.emulated:
            region = _region(network, place, source, resize, samples, plan, show)
            assert place.board is not None
            client = open_device(
                place.board,
                place.port,
                plan=region.image,
                firmware=firmware,
                progress=show.say,
                extra=photo.arguments if photo else (),
            )
            transport = client.transport
        else:
            _refuse_emulator_choices(network, source, samples, firmware)
            region = None
            transport = open_port(place.port or "", place.baud)
    with closing(transport), photo or nullcontext():
        silence = EMULATED_SILENCE_S if place.emulated else SILENCE_S
        for line in islice(watch(transport, silence), lines or (END_LINES if json_file or photo else None)):
            if place.port and place.emulated and place.board:
                line = on_emulator(line, place.board.clock.hz)
            shown.append(line)
            if json_file != "-":
                click.echo(str(line))
    if json_file:
        write_json(
            {
                "schema": SCHEMA,
                "board": place.board.id if place.board else None,
                "port": place.port,
                "samples": region.samples if region else None,
                "source": region.source if region else None,
                "lines": [line.to_json() for line in shown],
            },
            json_file,
        )


def _region(
    network: str | None, place: Place, source: str | None, resize: bool, samples: int | None, plan: dict, show: Screen
) -> DemoRegion:  # fmt: skip
    from host import experiment
    from host.data import digits
    from host.demo.region import DEFAULT_SAMPLES, demo_region

    assert place.board is not None
    options = experiment.Options(
        board=place.board.id, port=place.port, source=source, resize=resize, **plan_choices(**plan)
    )
    path = network_path(network, show) if network else digits.model_path()
    compiled = experiment.compile_for(path, place.board, options)
    given = experiment.load_samples(compiled, options, built_in=network is None)
    return demo_region(compiled, place.board, given, samples or DEFAULT_SAMPLES)


def _refuse_emulator_choices(*choices: Any) -> None:
    if any(choice is not None for choice in choices):
        raise click.UsageError(
            "a real board shows what is in its flash: NET, --input, --samples and --firmware are for emulated ones; "
            "`host flash NET --demo` writes a board"
        )
