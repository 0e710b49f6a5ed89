"""The table and the figure of `host ladder`."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from host import plot
from host.ladder.climb import Ladder, RungResult
from host.report.tables import modelled_on

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def print_ladder(console: Console, ladder: Ladder, explain: bool = False) -> None:
    """One row a rung, below it what changed from rung to rung, with `explain` why that is better, and notes."""
    chips = next((r.predictions for r in ladder.rungs if r.predictions), [])
    measured = any(r.measured_fps for r in ladder.rungs)
    table = Table(title=f"{ladder.model} on {ladder.board}", title_justify="left", pad_edge=False, box=None)
    table.add_column("rung", no_wrap=True)
    speeds = (*(h for p in chips for h in (f"{p.chip} cycles", "FPS")), *(("FPS",) if measured else ()))
    for header in (ladder.counter or "count", "times", *speeds, "arena", "plan", "exact"):
        table.add_column(header, justify="right", no_wrap=True)
    for number, r in enumerate(ladder.rungs, 1):
        name = f"{number:>2} {r.rung.name}"
        if r.count is None:
            table.add_row(name, *["-"] * (5 + len(speeds)))
            continue
        speed = [text for p in r.predictions for text in (f"{p.cycles:,}", f"{p.fps:.2f}")]
        if measured:
            speed.append(f"{r.measured_fps:.2f}")
        table.add_row(
            name, f"{r.count:,}", f"{ladder.speedup(r):.1f}", *speed, f"{r.arena_bytes:,}", f"{r.plan_bytes:,}",
            "yes" if r.exact else "[red]NO[/]",
        )  # fmt: skip
    console.print(table)
    console.print()
    for number, r in enumerate(ladder.rungs, 1):
        console.print(f"[bold]{number:>2} {r.rung.name}[/]: {r.rung.change}", highlight=False)
        if explain:
            console.print(f"   {r.rung.why}", style="dim", highlight=False)
        if r.count is None:
            console.print(f"   does not fit: {escape(r.trouble)}", highlight=False)
    for note in _notes(ladder):
        console.print(note, highlight=False)


def _notes(ladder: Ladder) -> list[str]:
    """What a reader might stumble over."""
    notes = []
    for p in next((r.predictions for r in ladder.rungs if r.predictions), []):
        notes.append(f"[yellow]modelled[/], not measured: {modelled_on(p)}; {p.error_text}")
    fitting = [r for r in ladder.rungs if r.count is not None]
    for before, after in pairwise(fitting):
        if before.kernels == after.kernels:
            notes.append(
                f"{after.rung.name}: the same kernels as before on this network{_saved(before, after)}"
            )
        elif after.count and before.count and after.count > before.count:
            more = 100 * (after.count / before.count - 1)
            notes.append(
                f"{after.rung.name}: {more:.1f} % more {ladder.counter} than before{_saved(before, after)}"
            )
    return notes


def _saved(before: RungResult, after: RungResult) -> str:
    saved = before.arena_bytes - after.arena_bytes
    return f", {saved:,} bytes less arena" if saved > 0 else ""


def draw_ladder(ladder: Ladder) -> Figure:
    """Counts of the rungs on a logarithmic scale, and beside them the arena."""
    fitting = [r for r in ladder.rungs if r.count is not None]
    figure = plot.new_figure(10, 1.2 + 0.42 * len(fitting))
    figure.suptitle(f"{ladder.model} on {ladder.board}")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(5, 2))
    places = range(len(fitting))
    counts = [r.count or 1 for r in fitting]
    left.barh(places, counts, color="#2a6f97")
    left.set_xscale("log")
    left.set_xlabel(f"{ladder.counter} per inference")
    left.set_yticks(places, [r.rung.name for r in fitting])
    left.invert_yaxis()
    left.set_xlim(min(counts) / 4, max(counts) * 8)
    for place, count, r in zip(places, counts, fitting, strict=True):
        fps = f", {r.predictions[0].fps:.2f} FPS" if r.predictions else ""
        left.annotate(
            f" {count / 1e6:,.2f} M, {ladder.speedup(r):.1f}x{fps}", (count, place), va="center", size=8
        )  # fmt: skip
    chip = next((r.predictions[0] for r in fitting if r.predictions), None)
    if chip:
        left.set_title(f"FPS modelled: {modelled_on(chip)}", size=8)
    right.barh(places, [r.arena_bytes / 1024 for r in fitting], color="#bc6c25")
    right.set_xlabel("arena, KiB of RAM")
    return figure
