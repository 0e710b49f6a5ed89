"""`host ports`: serial ports and debug probes, and the boards that they belong to."""

from __future__ import annotations

from dataclasses import asdict

import click
from rich.table import Table

from host.commands.common import json_option, results, screen, write_json


@click.command("ports")
@click.option("--ask", "asking", is_flag=True, help="Say hello at every port and show which board answers.")
@json_option
def command(asking: bool, json_file: str | None) -> None:
    """List serial ports and debug probes, those of ST-Links first.

    A port and its probe are one row. Nothing is sent to a port unless --ask is given.
    """
    from host import ports, probes, selection
    from host.boards import all_boards
    from host.udev import hint

    found = probes.find_probes()
    rows = ports.join(ports.list_ports(), found, all_boards())
    answers: dict[str, selection.Answer] = {}
    if asking:
        devices = [row.port for row in rows if row.port]
        with screen() as show:
            show.say(f"saying hello at {len(devices)} ports")
            answers = dict(zip(devices, selection.ask_all(devices), strict=True))
    if json_file:
        write_json([asdict(row) | _said(answers.get(row.port), asking) for row in rows], json_file)
    if found.refused:
        click.echo(f"a probe is attached that you may not open; {hint()}", err=True)
    if json_file == "-":
        return
    if not rows:
        click.echo(
            "no serial ports and no probes; an emulated board needs none: host run --board emu_stm32f405"
        )
        return
    table = Table(box=None, pad_edge=False)
    headers = ["port", "probe", "serial number", "board", "drive", "in use by", "USB", "description"]
    for header in [*headers[:4], "answers", *headers[4:]] if asking else headers:
        table.add_column(header)
    for row in rows:
        answer = [_answered(answers.get(row.port))] if asking else []
        table.add_row(
            row.port or "-", f"ST-Link {row.kind}" if row.kind else "probe" if row.probe else "", row.probe,
            ", ".join(row.boards) or row.board_name, *answer, row.drive, row.busy,
            " ".join(filter(None, (row.vid_pid, row.location))), row.description,
        )  # fmt: skip
    results().print(table)


def _answered(answer) -> str:
    if answer is None:
        return ""
    if answer.hello:
        return f"{answer.hello.board}, build {answer.hello.build}"
    return "nothing"


def _said(answer, asking: bool) -> dict:
    """Fields of `--json` that only --ask fills."""
    if not asking:
        return {}
    if answer is None:
        return {"answer": None, "error": None}
    hello = answer.hello
    return {
        "answer": {"board": hello.board, "build": hello.build, "emulated": hello.emulated} if hello else None,
        "error": str(answer.error) if answer.error else None,
    }
