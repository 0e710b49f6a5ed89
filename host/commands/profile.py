"""`host profile`: where a network's cycles would go on a real chip, by the cycle model."""

from __future__ import annotations

from pathlib import Path

import click

from host.commands.common import (
    board_option,
    json_option,
    network_path,
    results,
    screen,
    slim_option,
    write_json,
)


@click.command("profile")
@click.argument("network", metavar="[NET]", required=False)
@board_option
@click.option("--flash", metavar="CHIP", help="Cortex-M4 chip whose flash is modelled: l4r5, f405 or none.")
@click.option("--core", type=click.Choice(("m4", "m7")), help="Model this core; default: the board's.")
@click.option(
    "--mem", metavar="CHIP",
    help="Cortex-M7 chip whose memory is modelled: ideal, f746-axi, f746-itcm, f767, h743 or h743-400.",
)  # fmt: skip
@click.option("--clock", metavar="HZ", type=click.FloatRange(1), help="Clock for the frames per second.")
@click.option("--input", "-i", "source", metavar="FILE|random:SEED", help="Sample; of several, the first.")
@click.option("--resize", is_flag=True, help="Resize arrays of images to the network's input.")
@click.option("--place", type=click.Choice(("auto", "ram", "flash")), default="auto", show_default=True,
              help="Where the plan lies on the device.")  # fmt: skip
@click.option("--kernels", metavar="NAMES", default="all", show_default=True,
              help="As for `host run`.")  # fmt: skip
@slim_option
@click.option("--ram-weights", "copy_bytes", metavar="BYTES", type=click.IntRange(0), default=0,
              help="RAM beside the arena for copies of weights.")  # fmt: skip
@click.option("--arena", "arena_bytes", metavar="BYTES", type=click.IntRange(1), help="Most RAM for tensors.")
@click.option("--plan", "plan_bytes", metavar="BYTES", type=click.IntRange(1),
              help="Most flash for the plan; `--flash BYTES` of the other commands.")  # fmt: skip
@click.option("--firmware", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Profile this ELF file instead of our build.")  # fmt: skip
@json_option
def command(
    network: str | None, board: str, flash: str | None, core: str | None, mem: str | None, clock: float | None,
    source: str | None, resize: bool, place: str, kernels: str, slimmed: bool, copy_bytes: int, arena_bytes: int | None,
    plan_bytes: int | None, firmware: Path | None, json_file: str | None,
) -> None:  # fmt: skip
    """Show the modelled cycles of NET by layer and function, and what they are spent on.

    NET runs on an emulated board, which counts what is executed; a model of the chip's core, flash and caches turns
    that into cycles. Nothing is measured on hardware. Without NET: the built-in classifier of handwritten digits.
    """
    from host import experiment
    from host.data import digits
    from host.profile import profile
    from host.report.profile import print_profile

    options = experiment.Options(
        board=board, source=source, resize=resize, place=place, kernels=kernels, slimmed=slimmed,
        copy_bytes=copy_bytes, arena_bytes=arena_bytes, plan_bytes=plan_bytes, firmware=firmware,
    )  # fmt: skip
    with screen() as show:
        path = network_path(network, show) if network else digits.model_path()
        clock_hz = round(clock) if clock else None
        done = profile(path, options, flash=flash, core=core, mem=mem, clock_hz=clock_hz, say=show.say)
    if json_file:
        write_json(done.to_json(), json_file)
    if json_file != "-":
        print_profile(results(), done)
