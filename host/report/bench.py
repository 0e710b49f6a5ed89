"""The tables of `host bench`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from host.bench.compare import Change
from host.bench.link import Rate
from host.bench.measure import Bench, Result


def print_bench(console: Console, bench: Bench) -> None:
    """One row a kernel and shape, the fastest kernel of each shape marked."""
    unit = bench.counter
    cycles = f"cycles modelled on {bench.chip.name}" if bench.chip else ""
    title = f"kernels on {bench.board}, {unit} per MAC, or per element of the largest tensor where there are no MACs"
    table = Table(title=title, title_justify="left", pad_edge=False, box=None)
    for header in ("shape", "kernel"):
        table.add_column(header, no_wrap=True)
    for header in ("MACs", unit, "per MAC", *((cycles, "per MAC") if cycles else ()), "plan", "scratch"):
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("")
    fastest = {}
    for r in bench.results:
        if r.count is not None and (r.case not in fastest or _cost(r) < _cost(fastest[r.case])):
            fastest[r.case] = r
    shape = None
    for r in bench.results:
        first = "" if r.case == shape else r.case
        shape = r.case
        row = [first, r.kernel, f"{r.macs:,}" if r.macs else "-", _number(r.count), _rate(r.rate)]
        if cycles:
            row += [_number(r.cycles), _rate(r.cycle_rate)]
        row += [f"{r.plan_bytes:,}", f"{r.scratch_bytes:,}", _remark(r, fastest.get(r.case) is r)]
        table.add_row(*row)
    console.print(table)


def print_changes(console: Console, changes: list[Change], threshold_percent: float) -> None:
    """What differs from a saved bench by more than the threshold."""
    shown = [c for c in changes if abs(c.percent) > threshold_percent]
    console.print()
    if not shown:
        console.print(f"nothing changed by more than {threshold_percent:g} %")
        return
    table = Table(
        title=f"changed by more than {threshold_percent:g} %", title_justify="left", pad_edge=False, box=None
    )
    for header in ("shape", "kernel", ""):
        table.add_column(header, no_wrap=True)
    for header in ("before", "now", "change"):
        table.add_column(header, justify="right", no_wrap=True)
    for c in shown:
        style = "red" if c.percent > 0 else "green"
        table.add_row(
            c.result.case,
            c.result.kernel,
            c.unit,
            f"{c.before:,}",
            f"{c.after:,}",
            f"[{style}]{c.percent:+.1f} %[/]",
        )
    console.print(table)


def _cost(r: Result) -> float:
    return float(r.cycles if r.cycles is not None else r.count or 0)


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _remark(r: Result, fastest: bool) -> str:
    if r.exact is False:
        return f"[red]WRONG[/]: {escape(r.trouble)}"
    return escape(r.trouble) or ("fastest" if fastest else "")


def print_link(console: Console, rates: Sequence[Rate]) -> None:
    """What share of the line's rate each kind of transfer reached."""
    table = Table(pad_edge=False, box=None)
    table.add_column("transfer")
    for header in ("baud", "payload bytes/s", "of the line's rate"):
        table.add_column(header, justify="right")
    for rate in rates:
        table.add_row(
            rate.transfer,
            f"{rate.baud:,}",
            f"{rate.payload_bytes / rate.seconds:,.0f}",
            f"{100 * rate.share:.1f} %",
        )
    console.print(table)


def link_json(rates: Sequence[Rate]) -> dict[str, Any]:
    """The object of `host bench --link --json`."""
    return {"link": [{**asdict(rate), "share": rate.share} for rate in rates]}
