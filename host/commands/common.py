"""What several commands share: finding a network's file, progress on a terminal, JSON output."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from host import catalogue
from host.boards import DEFAULT_BOARD
from host.errors import ModelMissingError, OutputError

if TYPE_CHECKING:
    from host.selection import Device

STANDARD_OUTPUT = "-"
BOARD_VARIABLE = "TINYCONV_BOARD"

board_option = click.option(
    "--board", "-b", default=DEFAULT_BOARD, show_default=True, help="Board id; `host boards` lists them."
)
_PORT_HELP = (
    "Serial port of the board, or socket://HOST:PORT or rfc2217://HOST:PORT; `host ports` lists them."
)
emulate_option = click.option(
    "--emulate",
    "port",
    flag_value="emulate://",
    help="Run the board's own image on models of its chip; short for --port emulate://.",
)
_DEVICE_HELP = (
    "Board id; `host boards` lists them. Default: the board that is attached, or emu_stm32f405 if none is."
)


def device_options(command: Callable) -> Callable:
    """--board and --port, for commands that use a device; device_choice() resolves what they leave open."""
    for option in (
        emulate_option,
        click.option("--port", "-p", metavar="PORT", help=_PORT_HELP),
        click.option(
            "--board", "-b", metavar="ID", envvar=BOARD_VARIABLE, show_envvar=True, help=_DEVICE_HELP
        ),
    ):
        command = option(command)
    return command


def device_choice(board: str | None, port: str | None) -> Device:
    """The device that these options mean; says on standard error which one it is if it had to be found."""
    from host.selection import select_device

    return select_device(board, port, say=lambda text: click.echo(text, err=True))


json_option = click.option(
    "--json", "json_file", metavar="FILE", help="Write the result as JSON; - is standard output."
)
plot_option = click.option(
    "--plot", "plot_file", metavar="FILE", help="Draw the result to a .png or .svg file."
)
slim_option = click.option(
    "--slim/--no-slim",
    "slimmed",
    default=True,
    show_default=True,
    help="Remove channels that cannot change any output, exactly.",
)


def plan_options(command: Callable) -> Callable:
    """What decides about a plan: kernels, slimming, and limits of flash and RAM; see plan_choices()."""
    for option in (
        click.option(
            "--arena", "arena_bytes", metavar="BYTES", type=click.IntRange(1), help="Most RAM for tensors."
        ),
        click.option(
            "--flash", "plan_bytes", metavar="BYTES", type=click.IntRange(1), help="Most flash for the plan."
        ),
        click.option(
            "--ram-weights",
            "copy_bytes",
            metavar="BYTES",
            type=click.IntRange(0),
            default=0,
            help="RAM beside the arena for copies of the weights that gain most.",
        ),
        slim_option,
        click.option(
            "--kernels",
            metavar="NAMES",
            default="all",
            show_default=True,
            help="ref: only the plain ones; or names and patterns, with commas: use these wherever they can. "
            "'*depthwise_pointwise*' fuses each depthwise convolution with the 1x1 convolution behind it.",
        ),
    ):
        command = option(command)
    return command


def plan_choices(
    kernels: str, slimmed: bool, arena_bytes: int | None, plan_bytes: int | None, copy_bytes: int
) -> dict[str, Any]:
    """The plan options as fields of experiment.Options."""
    return {
        "kernels": kernels,
        "slimmed": slimmed,
        "arena_bytes": arena_bytes,
        "plan_bytes": plan_bytes,
        "copy_bytes": copy_bytes,
    }


PIPE_WIDTH = 200  # columns of tables that go to a file or a pipe


def results() -> Console:
    """Where results are printed; wide enough for every table if it is no terminal."""
    return Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)


class Screen:
    """Progress bars on standard error if that is a terminal, silence otherwise."""

    def __init__(self, progress: Progress):
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Shows that `done` of `total` are done in a stage."""
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(stage, total=total)
        self._progress.update(self._tasks[stage], completed=done, total=total)

    def say(self, text: str) -> None:
        """Shows one line above the bars, on a terminal only."""
        if not self._progress.disable:
            self._progress.console.print(text, style="dim", highlight=False)


@contextmanager
def screen() -> Iterator[Screen]:
    """Shows progress until the end of the block, then leaves no trace of it."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield Screen(progress)


def network_path(name: str, show: Screen) -> Path:
    """The file of a network that the user named by its path or by its name in the catalogue.

    Raises ModelMissingError, DownloadError.
    """
    path = Path(name)
    if path.is_file():
        return path
    if name in catalogue.entries():
        return catalogue.get(name, lambda done, total: show(f"fetch {name}", done, total))
    raise ModelMissingError(
        f"no file {name!r}, and no network of that name in the catalogue",
        "`host models list` shows the catalogue",
    )


def write_json(value: Any, file: str) -> None:
    """Writes one JSON document to a file, or to standard output for `-`."""
    text = json.dumps(value, indent=2) + "\n"
    if file == STANDARD_OUTPUT:
        sys.stdout.write(text)
    else:
        try:
            Path(file).write_text(text)
        except OSError as error:
            raise OutputError(f"cannot write {file}: {error.strerror}") from error
