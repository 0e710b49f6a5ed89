"""`host export`: a network as C for a product's own firmware."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from host.commands.common import (
    board_option,
    json_option,
    network_path,
    plan_choices,
    plan_options,
    screen,
    write_json,
)


@click.command("export")
@click.argument("network", metavar="[NET]", required=False)
@click.option(
    "--to",
    "folder",
    metavar="FOLDER",
    required=True,
    type=click.Path(path_type=Path),
    help="Where to write it.",
)
@board_option
@plan_options
@click.option(
    "--example/--no-example",
    default=True,
    show_default=True,
    help="Add a program that compares an inference with the reference.",
)
@click.option("--force", is_flag=True, help="Write into a folder that holds other files; they stay.")
@json_option
def command(
    network: str | None, folder: Path, board: str, example: bool, force: bool, json_file: str | None, **plan: Any
) -> None:  # fmt: skip
    """Write NET as a folder of C: its plan, the kernels that it needs, and an interface of five functions.

    It compiles with plain arm-none-eabi-gcc and gives the same bits as `host run`. The board decides which kernels are
    cheapest. NET is a .tflite or .onnx file, a network script (.py) or a catalogue name.

    Without NET: the built-in classifier of handwritten digits.
    """
    from host import experiment
    from host.boards import load_board
    from host.data import digits
    from host.export.folder import export

    with screen() as show:
        path = network_path(network, show) if network else digits.model_path()
        options = experiment.Options(board=board, **plan_choices(**plan))
        target = load_board(board)
        compiled = experiment.compile_for(path, target, options)
        exported = export(compiled, target, folder, example=example, force=force)
    if json_file:
        write_json({**exported.to_json(), "folder": str(folder)}, json_file)
    if json_file != "-":
        code = "not measured: arm-none-eabi-gcc is not installed"
        if exported.code:
            code = (
                f"{exported.code.checked_bytes:,} bytes, {exported.code.trusted_bytes:,} without checks of the plan "
                f"({exported.code.compiler} -O2)"
            )
        click.echo(
            f"{compiled.net.name} for Cortex-{target.core.upper()}: {len(exported.files)} files in {folder}"
        )
        click.echo(f"kernels  {', '.join(exported.kernels)}")
        click.echo(f"code     {code}")
        click.echo(f"plan     {len(compiled.plan):,} bytes")
        click.echo(f"arena    {compiled.net.arena_bytes:,} bytes of RAM")
