"""`host monitor`: a network on a device, watched live."""

from __future__ import annotations

from contextlib import ExitStack, closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from host.commands.common import (
    DEFAULT_BOARD,
    device_choice,
    device_options,
    network_path,
    plan_choices,
    plan_options,
    screen,
)
from host.errors import InputError, NotExactError

if TYPE_CHECKING:
    from host.compile import Compiled
    from host.experiment import Options
    from host.monitor.sources import Source


@click.command("monitor")
@click.argument("network", metavar="[NET]", required=False)
@device_options
@click.option("--input", "-i", "source", metavar="SOURCE",
              help="A .npy, .npz or image file, a folder of images, random:SEED, or camera[:NUMBER] with OpenCV. "
              "All but a camera begin again when they end.")  # fmt: skip
@click.option("--resize", is_flag=True, help="Resize arrays of images to the network's input.")
@click.option("--frames", "--runs", type=click.IntRange(1), metavar="N", help="End after N frames.")
@click.option("--check", is_flag=True, help="Compare every output with the oracle.")
@click.option("--labels", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Names of the classes, one a line.")  # fmt: skip
@click.option("--every", type=click.IntRange(1), metavar="N",
              help="To a pipe: a line every N frames instead of one a second.")  # fmt: skip
@click.option(
    "--json", "json_file", metavar="FILE", help="One JSON object a frame and line; - is standard output."
)
@plan_options
@click.option(
    "--firmware",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Emulate this ELF file instead of our build.",
)
@click.option(
    "--model/--no-model", "predict", default=True, help="Model the speed of an emulated board's chip."
)
def command(
    network: str | None, board: str | None, port: str | None, source: str | None, resize: bool, frames: int | None,
    check: bool, labels: Path | None, every: int | None, json_file: str | None, firmware: Path | None, predict: bool,
    **plan: Any,
) -> None:  # fmt: skip
    """Watch NET run on a board: speed on the device and end to end, class, heat of the layers, trouble on the line.

    On a terminal a block that is redrawn, in a pipe one line a second. Ctrl-C ends it.

    Without NET: the built-in classifier of handwritten digits, on its test images.
    """
    from host import experiment
    from host.data import digits
    from host.monitor import watch
    from host.monitor.show import shown
    from host.monitor.state import Setting, State

    device = device_choice(board or (DEFAULT_BOARD if firmware else None), port)
    options = experiment.Options(
        board=device.board.id, port=device.port, source=source, resize=resize, firmware=firmware, predict=predict,
        **plan_choices(**plan),
    )  # fmt: skip
    with ExitStack() as stack:
        with screen() as show:
            path = network_path(network, show) if network else digits.model_path()
            compiled = experiment.compile_for(path, device.board, options)
            inputs = stack.enter_context(closing(_source(compiled, options, built_in=network is None)))
            in_flash = experiment.lies_in_flash(compiled, device.board, options)
            prediction = experiment.prediction(compiled, device.board, in_flash, options, show.say)
            loaded = stack.enter_context(
                experiment.loaded(compiled, device.board, options, progress=show, say=show.say)
            )
        names = _names(labels) if labels else digits.CLASS_NAMES if network is None else ()
        setting = Setting(
            compiled.net.name, loaded.client.hello, device.port or "", inputs.description, watch.layers(compiled),
            tuple(names), prediction,
        )  # fmt: skip
        state = State(setting)
        show_state = stack.enter_context(shown(json_file, every))
        for frame in islice(watch.watch(loaded.client, compiled, inputs, check=check), frames):
            state.add(frame)
            show_state(state)
    if state.inexact:
        raise NotExactError(
            f"{state.inexact} of {state.compared} frames are not exact: {state.first_difference}"
        )


def _source(compiled: Compiled, options: Options, built_in: bool) -> Source:
    from host import experiment
    from host.monitor import sources

    if options.source is None and built_in:
        return sources.Fixed(experiment.load_samples(compiled, options, built_in=True))
    return sources.open_source(
        options.source or experiment.DEFAULT_SOURCE, compiled.original, resize=options.resize
    )


def _names(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a readable list of names ({error})") from error
