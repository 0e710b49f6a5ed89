"""`host bringup`: a board's start-up, step by step, on models of its chip."""

from __future__ import annotations

import click
from rich.table import Table

from host.commands.common import json_option, results, screen, write_json
from host.errors import EmulatorError


@click.command("bringup")
@click.argument("board", metavar="BOARD")
@click.option("--no-crystal", is_flag=True, help="The crystal, or the clock signal, never comes.")
@click.option("--no-pll", is_flag=True, help="The PLL never locks.")
@json_option
def command(board: str, no_crystal: bool, no_pll: bool, json_file: str | None) -> None:
    """Run the image of BOARD from reset to its first HELLO on models of the chip, and check every rule on the way.

    Ends with the emulator's status if a rule of the chip's manual is broken or a fact of the board does not come true.
    """
    from host import build
    from host.boards import load_board
    from host.emulate.bringup import FALLBACK_BAUD_TOLERANCE, prove, refuse_unmodelled
    from host.emulate.peripheral import Options

    the_board = load_board(board)
    refuse_unmodelled(the_board)
    with screen() as show:
        firmware = build.build(the_board, progress=show.say)
        tolerance = FALLBACK_BAUD_TOLERANCE if no_pll else Options.baud_tolerance
        options = Options(crystal_starts=not no_crystal, pll_locks=not no_pll, baud_tolerance=tolerance)
        proof = prove(the_board, firmware.elf, options, full_speed=not (no_crystal or no_pll))
    if json_file:
        write_json(proof.to_json(), json_file)
    if json_file != "-":
        console = results()
        steps = Table(box=None, pad_edge=False)
        for header, justify in (
            ("time, us", "right"),
            ("instructions", "right"),
            ("PC", "left"),
            ("step", "left"),
        ):
            steps.add_column(header, justify=justify)
        for event in proof.events:
            steps.add_row(f"{event.time_us:,.1f}", f"{event.at:,}", f"0x{event.pc:08x}", event.what)
        console.print(steps)
        console.print()
        clocks = ", ".join(f"{name} {hz / 1e6:g} MHz" for name, hz in proof.frequencies.items())
        console.print(
            f"{clocks}; {proof.uart or 'no USART'} {proof.baud:,.0f} baud from {proof.uart_hz / 1e6:g} MHz"
        )
        for check in proof.checks:
            console.print(
                f"{'ok' if check.passed else 'NO':4}{check.name}"
                + ("" if check.passed else f": {check.found}")
            )
        for violation in proof.violations:
            console.print(f"NO  {violation}")
    if not proof.passed:
        failures = proof.failures()
        raise EmulatorError(
            f"{board} does not come up right: {failures[0]}", f"{len(failures)} findings in all"
        )
