"""The command `host`: parses, calls, prints; and turns every failure into one line and an exit status."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

import click

from host import __version__
from host.errors import HostError

INTERRUPTED = 130  # 128 + SIGINT, as shells count
TERMINATED = 143  # 128 + SIGTERM
COMMANDS = (
    "run",
    "monitor",
    "flash",
    "packs",
    "demo",
    "export",
    "inspect",
    "tune",
    "profile",
    "quantize",
    "bench",
    "mlperf",
    "ladder",
    "compare-conv",
    "boards",
    "bringup",
    "ports",
    "serve",
    "udev",
    "models",
)


class _Lazy(click.Group):
    """Imports a command's module only when it is asked for, so that --help and errors are quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        from importlib import import_module

        return import_module(f"host.commands.{name.replace('-', '_')}").command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="host")
@click.option("--traceback", is_flag=True, help="Show where an error comes from.")
def cli(traceback: bool) -> None:
    """Run int8 convolution networks on STM32 boards: checked bit for bit, measured, exact.

    With no board attached everything runs on an emulated STM32F405.
    """


def _terminate(number: int, frame: FrameType | None) -> None:
    raise SystemExit(TERMINATED)  # unwinds, so that emulators end with us


def main(arguments: list[str] | None = None) -> None:
    """Entry point of `host`; ends the process with the command's exit status."""
    signal.signal(signal.SIGTERM, _terminate)
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        sys.exit(cli.main(arguments, prog_name="host", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt) as stop:
        why = str(stop.__cause__ or stop)  # click makes an Abort of a KeyboardInterrupt, and ends the line
        begin = "" if isinstance(stop, click.Abort) else "\n"
        print(f"{begin}interrupted: {why}" if why else f"{begin}interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # the reader of our output left, as `head` does; keep Python from complaining at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except HostError as error:
        if "--traceback" in arguments:
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_status)


if __name__ == "__main__":
    main()
