"""`host udev`: permission to use ST-Link probes on Linux."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from host.errors import HostError


@click.command("udev")
@click.option("--print", "action", flag_value="print", help="Print the rules.")
@click.option(
    "--install", "action", flag_value="install", help="Write them below /etc and apply them; needs root."
)
@click.option("--remove", "action", flag_value="remove", help="Delete them again; needs root.")
@click.option("--root", type=click.Path(file_okay=False, path_type=Path), default="/", show_default=True,
              help="Folder in place of /, for building an image; udev is then not told.")  # fmt: skip
def command(action: str | None, root: Path) -> None:
    """Let users open ST-Link probes and their serial ports: udev rules, Linux only.

    Without an option: say whether the rules are there.
    """
    from host import udev

    if action == "print":
        click.echo(udev.rules(), nl=False)
        return
    if not sys.platform.startswith("linux"):
        raise HostError("udev is Linux's", "macOS and Windows need no rules for ST-Link probes")
    path = root / udev.RULES_PATH
    if action is None:
        state = udev.state(root)
        advice = "" if state == "installed" else f"; {udev.command('--install')}"
        click.echo(f"{path}: {state}{advice}")
        return
    if action == "remove" and not udev.remove(root):
        click.echo(f"{path}: there is none")
        return
    if action == "install":
        udev.install(root)
    done = f"{path}: {'written' if action == 'install' else 'removed'}"
    if root != Path("/"):
        click.echo(done)
    elif udev.reload():
        click.echo(f"{done}, and applied to what is plugged in")
    else:
        click.echo(f"{done}; there is no udevadm here to apply it, so unplug boards and plug them in again")
