"""`host models`: the catalogue of public networks."""

from __future__ import annotations

import click
from rich.table import Table

from host import catalogue
from host.commands.common import json_option, results, screen, write_json


@click.group("models")
def command() -> None:
    """Public networks to try: list them, get them."""


@command.command("list")
@json_option
def list_models(json_file: str | None) -> None:
    """Show the catalogue: name, size, licence, source, and whether this computer has the file."""
    rows = [(entry, catalogue.find(entry.name)) for entry in catalogue.entries().values()]
    if json_file:
        write_json([vars(e) | {"path": str(p) if p else None} for e, p in rows], json_file)
    if json_file == "-":
        return
    table = Table(box=None, pad_edge=False)
    for header in ("name", "what", "licence"):
        table.add_column(header)
    table.add_column("bytes", justify="right")
    table.add_column("here")
    for entry, path in rows:
        table.add_row(entry.name, entry.title, entry.licence, f"{entry.bytes:,}", "yes" if path else "no")
    console = results()
    console.print(table)
    console.print()
    for entry, _ in rows:
        console.print(
            f"{entry.name}: {entry.source}\n  SHA-256 {entry.sha256}", highlight=False, soft_wrap=True
        )


@command.command("get")
@click.argument("names", nargs=-1, required=True)
def get_models(names: tuple[str, ...]) -> None:
    """Fetch networks, check their hashes and print where they are."""
    with screen() as show:
        paths = [catalogue.get(n, lambda done, total, n=n: show(f"fetch {n}", done, total)) for n in names]
    for path in paths:
        click.echo(path)
