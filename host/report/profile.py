"""The tables of `host profile`."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from host.cyclemodel.account import Cost
from host.profile import Profile
from host.report.result import Prediction
from host.report.tables import modelled_on, shape_text

FUNCTIONS_SHOWN = 16
COLUMNS = ("issue", "arithmetic", "branch", "load", "flash_code", "flash_data")
HEADERS = ("issue", "arith", "branch", "load", "code", "data")


def print_profile(console: Console, profile: Profile) -> None:
    """Layers, functions and totals; the columns behind the share are where a row's cycles went, in per cent."""
    m, net = profile.modelled, profile.compiled.net
    title = f"{net.name}, cycles modelled on {m.chip.name} (Cortex-{m.chip.core.upper()}); right: % of the row's cycles"
    table = _table(title, ("#", "operator", "output", "kernel"), ("MACs",))
    for i, (step, cost) in enumerate(zip(net.steps, m.steps, strict=True)):
        table.add_row(
            str(i), step.op_kind, shape_text(step.out_shape), step.kernel, f"{step.macs:,}" if step.macs else "-",
            *_cells(cost.total, step.macs, m.cycles),
        )  # fmt: skip
    console.print(table)
    console.print()
    functions = profile.functions()
    table = _table("functions", ("function",), (), per_mac=False)
    for name in list(functions)[:FUNCTIONS_SHOWN]:
        cells = _cells(functions[name], 0, m.cycles)
        table.add_row(name, *cells[:2], *cells[3:])
    console.print(table)
    console.print()
    total = profile.total()
    p = Prediction(m.chip.name, m.chip.clock_hz, round(m.cycles), m.error_percent, m.error_text)
    split = [
        f"{header} {100 * getattr(total, column) / total.cycles:.1f} %"
        for column, header in zip(COLUMNS, HEADERS, strict=True)
    ]
    for label, value in (
        ("cycles", f"{total.cycles:,.0f} per inference{_per_mac(total.cycles, net.macs)}"),
        ("", ", ".join(split)),
        ("instructions", f"{total.instructions:,} ({total.cycles / total.instructions:.2f} cycles each)"),
        ("plan", "in flash" if m.in_flash else "in RAM, weights included"),
        ("input", profile.source),
        ("speed", f"[yellow]modelled[/], not measured: {m.fps:.2f} frames per second, {modelled_on(p)}"),
        ("", p.error_text),
    ):
        console.print(f"[bold]{label:<14}[/]{value}", highlight=False)


def _table(title: str, left: tuple[str, ...], right: tuple[str, ...], per_mac: bool = True) -> Table:
    table = Table(title=title, title_justify="left", pad_edge=False, box=None)
    for header in left:
        table.add_column(header, no_wrap=True)
    for header in (*right, "instructions", "cycles", *(("per MAC",) if per_mac else ()), "share", *HEADERS):
        table.add_column(header, justify="right", no_wrap=True)
    return table


def _cells(cost: Cost, macs: int, whole: float) -> list[str]:
    split = [f"{100 * getattr(cost, c) / cost.cycles:.0f}" if cost.cycles else "-" for c in COLUMNS]
    per_mac = f"{cost.cycles / macs:.2f}" if macs else "-"
    return [
        f"{cost.instructions:,}",
        f"{cost.cycles:,.0f}",
        per_mac,
        f"{100 * cost.cycles / whole:.1f} %",
        *split,
    ]


def _per_mac(cycles: float, macs: int) -> str:
    return f" ({cycles / macs:.2f} per MAC)" if macs else ""
