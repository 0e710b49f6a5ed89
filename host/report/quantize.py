"""Tables of `host quantize`."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from host.quantize.compare import Comparison, Deviation
from host.quantize.files import Quantised
from host.report.tables import short_name


def print_quantised(console: Console, quantised: Quantised, file: str, *, layers: bool) -> None:
    """Where the int8 network differs from the float one, and how much."""
    c = quantised.comparison
    table = Table(
        title=f"{quantised.graph.name}, int8 against float", title_justify="left", pad_edge=False, box=None
    )
    if layers:
        table.add_column("#", no_wrap=True)
    for header in ("operator", "tensor"):
        table.add_column(header, no_wrap=True, overflow="ellipsis", max_width=40)
    for header in ("max error", "mean error", "SQNR"):
        table.add_column(header, justify="right", no_wrap=True)
    for i, deviation in enumerate(c.layers if layers else []):
        table.add_row(str(i), *_cells(deviation, deviation.kind))
    for deviation in c.outputs:
        table.add_row(*([""] if layers else []), *_cells(deviation, "output"))
    console.print(table)
    console.print()
    rows = [
        ("ranges", f"{quantised.options.ranges} over {len(quantised.calibration.tensors)} samples from "
                   f"{escape(quantised.calibration.source)}"),
        ("compared", f"on {c.samples} samples from {escape(quantised.compared)}"),
        *_accuracy(c),
        ("parameters", f"{quantised.float_bytes:,} bytes of float"),
        ("written", f"{escape(file)}, {len(quantised.content):,} bytes"),
    ]  # fmt: skip
    for label, value in rows:
        console.print(f"[bold]{label:<14}[/]{value}", highlight=False)


def _cells(d: Deviation, kind: str) -> tuple[str, ...]:
    ratio = "-" if d.sqnr_db is None else f"{d.sqnr_db:.1f} dB"
    return kind, escape(short_name(d.name)), f"{d.max_error:.4g}", f"{d.mean_error:.4g}", ratio


def _accuracy(c: Comparison) -> list[tuple[str, str]]:
    rows = []
    if c.float_accuracy is not None and c.int8_accuracy is not None:
        rows.append(("accuracy", f"float {100 * c.float_accuracy:.1f} %, int8 {100 * c.int8_accuracy:.1f} %"))
    if c.agreement is not None:
        rows.append(("agreement", f"{100 * c.agreement:.1f} % of the samples get the same class"))
    return rows
