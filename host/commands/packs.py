"""`host packs`: CMSIS packs, from which pyOCD takes chips that it does not know."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
from rich.table import Table

from host.commands.common import json_option, results, screen, write_json
from host.errors import PackError


@click.group("packs")
def command() -> None:
    """CMSIS packs: which boards need one to be flashed with pyOCD, and which are installed."""


@command.command("list")
@json_option
def list_packs(json_file: str | None) -> None:
    """Show for each board whether pyOCD knows its chip, by itself or from an installed pack."""
    from host import boards, packs

    rows = packs.support(boards.all_boards())
    if json_file:
        write_json([asdict(row) for row in rows], json_file)
    if json_file == "-":
        return
    table = Table(box=None, pad_edge=False)
    for header in ("board", "pyOCD's name", "known", "device of the pack", "pack"):
        table.add_column(header)
    for row in rows:
        known = row.source if row.source != "none" else "no"
        pack = (row.pack + ("" if row.installed else ", not installed")) if row.pack else "not in the index"
        table.add_row(row.board, row.target, known, row.device, pack)
    results().print(table)
    if missing := [row.board for row in rows if row.source == "none"]:
        click.echo(f"`host packs install BOARD` for {', '.join(missing)}; or flash with OpenOCD")


@command.command("update")
def update() -> None:
    """Fetch the descriptions of all packs, some 14 MB."""
    from host import packs

    with screen() as show:
        count = packs.update(show)
    click.echo(f"{count:,} devices are known")


@command.command("install")
@click.argument("board", metavar="[BOARD]", required=False)
@click.option("--from", "file", metavar="FILE", type=click.Path(path_type=Path), help="Take this .pack file.")
def install(board: str | None, file: Path | None) -> None:
    """Install the pack of BOARD's chip, from the network or from a file."""
    from host import packs
    from host.boards import load_board

    if file is None and board is None:
        raise click.UsageError("name a board, or a file with --from")
    device = load_board(board).cmsis_pack if board else None
    if board and device is None:
        raise PackError(f"the manifest of {board} names no device of a CMSIS pack")
    if file is None:
        assert device is not None
        with screen() as show:
            pack = packs.install(device, show)
        click.echo(f"{pack} is installed, it has {device}")
        return
    pack, devices = packs.install_file(file)
    click.echo(f"{pack} is installed, it has {len(devices)} devices")
    if device and device not in devices:
        raise PackError(f"{pack} does not have {device} of {board}", f"it has {', '.join(devices[:5])} ...")


@command.command("check")
@click.argument("board", metavar="[BOARD]", required=False)
@json_option
def check(board: str | None, json_file: str | None) -> None:
    """Compare BOARD's manifest, or every board's for which a pack is known, with the pack's facts."""
    from host import packs
    from host.boards import all_boards, load_board
    from host.packcheck import check as facts_of

    chosen = [load_board(board)] if board else [b for b in all_boards() if b.probe]
    found = {}
    for each in chosen:
        if board or (each.cmsis_pack and packs.find(each.cmsis_pack)):
            found[each.id] = facts_of(each)
    if not found:
        raise PackError(
            "no pack is known for any board", "`host packs update`, or `host packs install BOARD`"
        )
    if json_file:
        write_json({name: [asdict(fact) for fact in facts] for name, facts in found.items()}, json_file)
    if json_file != "-":
        table = Table(box=None, pad_edge=False)
        for header in ("board", "what", "manifest", "pack", ""):
            table.add_column(header)
        for name, facts in found.items():
            for fact in facts:
                verdict = {True: "agrees", False: "DIFFERS", None: ""}[fact.agrees]
                table.add_row(name, fact.what, fact.manifest, fact.pack, verdict)
        results().print(table)
    wrong = [
        f"{name}: {fact.what}" for name, facts in found.items() for fact in facts if fact.agrees is False
    ]
    if wrong:
        raise PackError(
            f"manifest and pack differ: {', '.join(wrong)}", "one of them is wrong: look into the manual"
        )
