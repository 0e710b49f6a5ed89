"""`host run`: a network on a device, checked and measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

from host import runner
from host.commands.common import (
    DEFAULT_BOARD,
    Screen,
    device_choice,
    device_options,
    json_option,
    network_path,
    plan_choices,
    plan_options,
    results,
    screen,
    write_json,
)
from host.errors import NotExactError, OutputError


@click.command("run")
@click.argument("network", metavar="[NET]", required=False)
@device_options
@click.option(
    "--input",
    "-i",
    "source",
    metavar="FILE|random:SEED",
    help="Samples: .npy, .npz, .png, .jpg or random:SEED.",
)
@click.option("--resize", is_flag=True, help="Resize arrays of images to the network's input.")
@click.option("--runs", type=click.IntRange(1), default=1, show_default=True, help="Inferences per sample.")
@click.option(
    "--check", type=click.Choice(runner.CHECKS), default="output", show_default=True,
    help="Compare the outputs, or every layer's tensor, with the oracle.",
)  # fmt: skip
@click.option(
    "--pipeline", "pipelined", is_flag=True,
    help="Send the next inputs while the device computes; receiving them is counted too.",
)  # fmt: skip
@click.option(
    "--place",
    type=click.Choice(("auto", "ram", "flash")),
    default="auto",
    show_default=True,
    help="Where the plan lies on the device.",
)
@plan_options
@click.option("--output", metavar="FILE", help="Save the outputs of all samples as .npy or .npz.")
@click.option(
    "--firmware",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Emulate this ELF file instead of our build.",
)
@click.option(
    "--model/--no-model", "predict", default=True, help="Model the speed of an emulated board's chip."
)
@json_option
def command(
    network: str | None, board: str | None, port: str | None, source: str | None, resize: bool, runs: int, check: str,
    pipelined: bool, place: str, output: str | None, firmware: Path | None, predict: bool, json_file: str | None,
    **plan: Any,
) -> None:  # fmt: skip
    """Run NET on a board and check every output.

    NET is a .tflite or .onnx file, a network script (.py) or a name of `host models list`.

    Without NET: the built-in classifier of handwritten digits, on its test images.
    """
    from host import experiment
    from host.report.tables import print_run

    device = device_choice(board or (DEFAULT_BOARD if firmware else None), port)
    options = experiment.Options(
        board=device.board.id, port=device.port, source=source, resize=resize, runs=runs, check=check,
        pipelined=pipelined, place=place, firmware=firmware, predict=predict, **plan_choices(**plan),
    )  # fmt: skip
    with screen() as show:
        path = _path(network, show)
        outcome = experiment.run(path, options, progress=show, say=show.say, built_in=network is None)
    if output:
        _save(outcome.outputs, output)
    if json_file:
        write_json(outcome.result.to_json(), json_file)
    if json_file != "-":
        print_run(results(), outcome.result)
    if outcome.result.bit_exact is False:
        raise NotExactError(f"the device's result is not exact: {outcome.result.first_mismatch}")


def _path(network: str | None, show: Screen) -> Path:
    if network is not None:
        return network_path(network, show)
    from host.data import digits

    return digits.model_path()


def _save(outputs: list[list[np.ndarray]], file: str) -> None:
    """One array per network output, samples along the first dimension."""
    arrays = [np.stack(per_sample) for per_sample in zip(*outputs, strict=True)]
    try:
        if file.endswith(".npz") or len(arrays) > 1:
            np.savez_compressed(file, **{f"output{i}": a for i, a in enumerate(arrays)})
        else:
            np.save(file, arrays[0])
    except OSError as error:
        raise OutputError(f"cannot write {file}: {error.strerror}") from error
