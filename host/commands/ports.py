"""`host ports`: the serial ports of this computer."""

from __future__ import annotations

import click
from rich.table import Table

from host.commands.common import json_option, results, write_json


@click.command("ports")
@json_option
def command(json_file: str | None) -> None:
    """List serial ports, those of ST-Link probes first."""
    from host.ports import list_ports

    ports = list_ports()
    if json_file:
        write_json([vars(p) for p in ports], json_file)
    if json_file == "-":
        return
    if not ports:
        click.echo("no serial ports; an emulated board needs none: host run --board emu_stm32f405")
        return
    table = Table(box=None, pad_edge=False)
    for header in ("port", "description", "USB id", "serial number", "probe"):
        table.add_column(header)
    for port in ports:
        table.add_row(
            port.device, port.description, port.vid_pid, port.serial, "ST-Link" if port.is_stlink else ""
        )
    results().print(table)
