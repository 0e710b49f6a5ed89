"""The table and the figure of `host compare-conv`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from host import plot
from host.bench.convolutions import METHODS, Comparison, Comparisons, cost
from host.bench.measure import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {"gemm": "#adb5bd", "im2col": "#bc6c25", "indirect": "#2a6f97", "winograd": "#588157"}
MEMORY = ("im2col", "indirect", "winograd")


def print_comparisons(console: Console, compared: Comparisons) -> None:
    """A table for each network: what each way takes a MAC, its scratch, and the plan of Winograd and of the others."""
    bench = compared.bench
    what = f"cycles modelled on {bench.chip.name}" if bench.chip else bench.counter
    for network in _networks(compared):
        title = (
            f"{network} on {bench.board}: {what} per MAC; bytes of im2col's whole matrix, of scratch, of plan"
        )
        table = Table(title=title, title_justify="left", pad_edge=False, box=None)
        table.add_column("shape", no_wrap=True)
        for header in (*METHODS, "matrix", *(f"{m} RAM" for m in MEMORY), "plan", "winograd plan", "MACs"):
            table.add_column(header, justify="right")
        table.add_column("run as", no_wrap=True)
        for shape in compared.of(network):
            results = shape.results
            table.add_row(
                str(shape.shape), *(_rate(results.get(m)) for m in METHODS), f"{shape.run.matrix_bytes:,}",
                *(_bytes(results.get(m), "scratch_bytes") for m in MEMORY),
                _bytes(results.get("im2col"), "plan_bytes"), _bytes(results.get("winograd"), "plan_bytes"),
                f"{shape.run.macs:,}", str(shape.run) if shape.scaling else "",
            )  # fmt: skip
        console.print(table)
        console.print()
    for note in _notes(compared):
        console.print(note, highlight=False)


def _networks(compared: Comparisons) -> list[str]:
    return list(dict.fromkeys(shape.shape.network for shape in compared.shapes))


def _notes(compared: Comparisons) -> list[str]:
    notes = [
        "gemm is the product alone, on windows that are gathered already, over as many output rows as fit; "
        "matrix: bytes if im2col gathered all windows first",
    ]
    for method, other, spatial in (
        ("indirect", "im2col", True), ("indirect", "gemm", True), ("winograd", "indirect", True),
        ("indirect", "im2col", False), ("indirect", "gemm", False),
    ):  # fmt: skip
        ratio = compared.ratio(method, other, spatial)
        if ratio is not None:
            where = "kernels above 1x1 or strides" if spatial else "1x1 kernels"
            notes.append(f"{where}: {method} takes {ratio:.2f} times what {other} takes, geometric mean")
    if any(shape.scaling for shape in compared.shapes):
        notes.append(
            "run as: images are halved where RAM is short, channels where flash is (Winograd's weights take most); "
            "the figures are of what was run"
        )
    if compared.bench.chip:
        notes.append(f"[yellow]modelled[/], not measured: {compared.bench.chip.error_text}")
    wrong = [r for shape in compared.shapes for r in shape.results.values() if r.trouble]
    notes += [f"[red]{r.kernel} on {r.case}[/]: {escape(r.trouble)}" for r in wrong]
    return notes


def _rate(result: Result | None) -> str:
    value = cost(result)
    return "-" if value is None else f"{value:.3f}"


def _bytes(result: Result | None, name: str) -> str:
    return "-" if result is None else f"{getattr(result, name):,}"


def draw_comparisons(compared: Comparisons) -> Figure:
    """For each network what every way takes a MAC, and below it the RAM beside the tensors."""
    networks = _networks(compared)
    figure = plot.new_figure(13, 6 * len(networks))
    figure.suptitle(f"convolutions on {compared.bench.board}")
    axes = figure.subplots(2 * len(networks), 1, squeeze=False)[:, 0]
    unit = f"cycles ({compared.bench.chip.name}, modelled)" if compared.bench.chip else compared.bench.counter
    for i, network in enumerate(networks):
        shapes = compared.of(network)
        rates, memory = axes[2 * i], axes[2 * i + 1]
        _bars(rates, shapes, tuple(METHODS), cost)
        rates.set_title(network)
        rates.set_ylabel(f"{unit} per MAC")
        rates.set_xticks(range(len(shapes)), [])
        rates.legend(ncols=len(METHODS), fontsize=8)
        _bars(memory, shapes, MEMORY, lambda r: r.scratch_bytes / 1024 if r else None)
        matrix = [shape.run.matrix_bytes / 1024 for shape in shapes]
        memory.scatter(
            range(len(shapes)), matrix, marker="_", s=220, color="black", label="whole im2col matrix"
        )
        memory.set_yscale("log")
        memory.set_ylabel("KiB of RAM beside the tensors")
        memory.set_xticks(
            range(len(shapes)), [str(shape.run) for shape in shapes], rotation=60, ha="right", size=7
        )
        memory.legend(ncols=len(MEMORY) + 1, fontsize=8)
    return figure


def _bars(axes, shapes: list[Comparison], methods: tuple[str, ...], value) -> None:
    """Groups of bars, one group a shape."""
    width = 0.8 / len(methods)
    for j, method in enumerate(methods):
        values = [value(shape.results.get(method)) or 0 for shape in shapes]
        places = [i - 0.4 + (j + 0.5) * width for i in range(len(shapes))]
        axes.bar(places, values, width, label=method, color=COLOURS[method])
