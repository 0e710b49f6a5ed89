"""Tables and drawings for people. Everything goes to a rich Console; scripts use --json."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from host.compile import Compiled
from host.model.slim.report import REASONS
from host.plan.network import Network
from host.plan.pack_separable import has_outer_products
from host.report.result import Prediction, RunResult

COLOURS = ("cyan", "green", "yellow", "magenta", "blue", "red", "bright_cyan", "bright_green", "bright_yellow",
           "bright_magenta", "bright_blue", "bright_red")  # fmt: skip
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
SCRATCH_MARK = "░"
TIMELINE_ROWS = 24
NARROW = 100  # columns of a terminal that the whole table does not fit


def short_name(name: str) -> str:
    """The part of a tensor name that tells layers apart: the last path component of its first half."""
    return name.split(";")[0].rstrip("/").rsplit("/", 1)[-1] or name


def short_kernel(name: str) -> str:
    """A kernel's algorithm and shape, without operator, type and layout: winograd4_3x3."""
    return name.split("_s8_", 1)[-1].split("_", 1)[-1]


def shape_text(shape: list[int] | tuple[int, ...]) -> str:
    """40x40x16; a leading batch of one is left out."""
    dims = list(shape)
    while len(dims) > 1 and dims[0] == 1:
        dims = dims[1:]
    return "x".join(map(str, dims))


def print_run(console: Console, result: RunResult) -> None:
    """The report of `host run`."""
    unit = "cycles" if result.counter == "cycles" else "instructions"
    narrow = console.width < NARROW
    table = Table(title=f"{result.model} on {result.board}", title_justify="left", pad_edge=False, box=None)
    for header in ("#", "operator", "output", "kernel"):
        if header != "output" or not narrow:
            table.add_column(header, no_wrap=True)
    for header in ("MACs", unit, "per MAC", "share"):
        if header != "per MAC" or not narrow:
            table.add_column(header, justify="right", no_wrap=True)
    total = max(1, sum(layer.count for layer in result.layers))
    for layer in result.layers:
        macs = f"{layer.macs:,}" if layer.macs else "-"
        per_mac = f"{layer.count / layer.macs:.2f}" if layer.macs else "-"
        share = f"{100 * layer.count / total:.1f} %"
        if narrow:
            row = (layer.op, short_kernel(layer.kernel), macs, f"{layer.count:,}", share)
        else:
            row = (layer.op, shape_text(layer.output), layer.kernel, macs, f"{layer.count:,}", per_mac, share)
        table.add_row(str(layer.index), *row)
    console.print(table)
    console.print()
    for label, value in _totals(result, unit):
        console.print(f"[bold]{label:<14}[/]{value}", highlight=False)


def _totals(result: RunResult, unit: str) -> list[tuple[str, str]]:
    rows = [("MACs", f"{result.macs:,}" + _removed(result.macs, result.macs_original))]
    per_mac = f" ({result.per_inference / result.macs:.2f} per MAC)" if result.macs else ""
    rows.append((unit, f"{result.per_inference:,} per inference{per_mac}"))
    if result.measured_fps is not None:
        rows.append(
            ("speed", f"{result.measured_fps:.2f} frames per second at {result.clock_hz / 1e6:.0f} MHz")
        )
        if result.end_to_end_fps is not None:
            rows.append(("", f"{result.end_to_end_fps:.2f} end to end, with transfers and comparison"))
    elif result.prediction:
        p = result.prediction
        rows.append(
            ("speed", f"[yellow]modelled[/], not measured: {p.fps:.2f} frames per second, {modelled_on(p)}")
        )
        rows.append(("", p.error_text))
    elif result.emulated:
        rows.append(("speed", "not known: an emulator counts instructions, not time"))
    copied = f", and {result.copy_bytes:,} for copies of weights" if result.copy_bytes else ""
    rows.append(("arena", f"{result.arena_bytes:,} bytes in {result.arena_bank}{copied}"))
    if stack := result.firmware["stack_bytes"]:
        rows.append(("stack", f"{result.firmware['stack_used']:,} of {stack:,} bytes"))
    place = f"streamed to {result.plan_bank}" if result.plan_bank else "in flash"
    hot = result.firmware["hot_code_bytes"]
    in_tcm = f" ({hot:,} run from tightly coupled RAM)" if hot else ""
    rows.append(
        ("flash", f"{result.code_bytes:,} bytes of code{in_tcm}, {result.plan_bytes:,} of plan ({place})")
    )
    rows.append(
        (
            "inputs",
            f"{result.samples} from {escape(result.source)}"
            + (f", {result.runs} runs each" if result.runs > 1 else ""),
        )
    )
    if result.correct is not None:
        rows.append(
            (
                "accuracy",
                f"{100 * result.correct / len(result.classes):.1f} % ({result.correct} of {len(result.classes)})",
            )
        )
    elif result.classes:
        shown = " ".join(map(str, result.classes[:40])) + (" ..." if len(result.classes) > 40 else "")
        rows.append(("class" if len(result.classes) == 1 else "classes", shown))
    rows.append(("bit-exact", _exactness(result)))
    return rows


def modelled_on(p: Prediction) -> str:
    """Where a modelled speed holds, and how well."""
    return f"{p.chip} at {p.clock_hz / 1e6:.0f} MHz, ±{p.error_percent} %"


def _removed(macs: int, original: int) -> str:
    gone = original - macs
    if not gone:
        return ""
    if gone < 0:
        return f" ({-gone:,} more than the file's: rows that strips share are computed twice)"
    return f" ({gone:,} of the file's {original:,}, {100 * gone / original:.1f} %, removed exactly)"


def _exactness(result: RunResult) -> str:
    if result.bit_exact is None:
        return "[yellow]not checked[/]"
    what = "every layer" if result.check == "layers" else "every output"
    if result.bit_exact:
        return f"[green]yes[/], {what} equals the oracle's"
    return f"[red]no[/], {result.mismatches:,} elements differ; {escape(str(result.first_mismatch))}"


def print_network(
    console: Console, compiled: Compiled, plan_bytes: int, arena_bank: str | None = None
) -> None:
    """The layers and totals of `host inspect`; the arena will lie in `arena_bank`."""
    net = compiled.net
    table = Table(title=net.name, title_justify="left", pad_edge=False, box=None)
    for header in ("#", "operator", "name", "input", "output", "kernel"):
        table.add_column(header, no_wrap=True, overflow="ellipsis", max_width=34)
    for header in ("MACs", "parameters"):
        table.add_column(header, justify="right", no_wrap=True)
    for i, step in enumerate(net.steps):
        parameters = step.parameter_bytes
        table.add_row(
            str(i), step.op_kind, escape(short_name(step.name)), shape_text(step.in_shape), shape_text(step.out_shape),
            step.kernel, f"{step.macs:,}" if step.macs else "-", f"{parameters:,}" if parameters else "-",
        )  # fmt: skip
    console.print(table)
    console.print()
    gone = sum(not layer.channels_after for layer in compiled.slimming.layers)
    folded = len(compiled.original.ops) - len(compiled.graph.ops) - gone
    removed = f", {gone} removed" if gone else ""
    place = f" in {arena_bank}" if arena_bank else ""
    outer = [str(i) for i, step in enumerate(net.steps) if has_outer_products(step)]
    rows = [
        (
            "operators",
            f"{len(compiled.original.ops)} in the file, {folded} folded into others{removed}, {len(net.steps)} steps",
        ),
        ("MACs", f"{net.macs:,}" + _removed(net.macs, compiled.original.total_macs)),
        ("parameters", f"{net.parameter_bytes:,} bytes"),
        ("plan", f"{plan_bytes:,} bytes"),
        ("arena", f"{net.arena_bytes:,} bytes{place}; no placement can be below {net.arena_bound_bytes:,}"),
    ]
    if outer:
        rows.append(("rank 1", f"kernels are a column times a row: layers {', '.join(outer)}"))
    for border in compiled.original.inputs:
        rows.append(("input", _border(compiled, border)))
    for border in compiled.original.outputs:
        rows.append(("output", _border(compiled, border)))
    for label, value in rows:
        console.print(f"[bold]{label:<14}[/]{value}", highlight=False)


def _border(compiled: Compiled, border) -> str:
    tensor = compiled.original.tensors[border.tensor]
    quant = (
        f", scale {float(tensor.quant.scale[0]):.6g}, zero point {tensor.quant.zero_point}"
        if tensor.quant
        else ""
    )
    return escape(f"{border.name}: {border.dtype} {list(border.shown(tensor.shape))}{quant}")


def print_slimming(console: Console, compiled: Compiled) -> None:
    """What exact slimming removed and why; nothing if it removed nothing."""
    layers = compiled.slimming.layers
    if not layers:
        return
    console.print()
    table = Table(title="removed exactly", title_justify="left", pad_edge=False, box=None)
    for header in ("operator", "", "name"):
        table.add_column(header, no_wrap=True, overflow="ellipsis", max_width=34)
    for header in ("channels", "left", "MACs", "left"):
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("why", overflow="fold")
    for layer in layers:
        macs = (f"{layer.macs_before:,}", f"{layer.macs_after:,}") if layer.macs_before else ("-", "-")
        table.add_row(
            str(layer.op_index), layer.kind, escape(short_name(layer.name)),
            str(layer.channels_before), str(layer.channels_after), *macs,
            ", ".join(f"{count} {reason}" for reason, count in layer.reasons.items()) or "its input is narrower",
        )  # fmt: skip
    console.print(table)
    shown = {reason for layer in layers for reason in layer.reasons}
    console.print("; ".join(f"{r}: {text}" for r, text in REASONS.items() if r in shown), style="dim")


def print_timeline(console: Console, net: Network) -> None:
    """The memory plan: steps from left to right, addresses from bottom to top, a letter for each tensor."""
    if not net.arena_bytes:
        return
    activations = net.activations
    spans = net.lifetimes()
    columns = range(len(net.steps))
    wide = 2 if 2 * len(net.steps) + 12 <= console.width else 1
    rows = min(TIMELINE_ROWS, max(1, net.arena_bytes // 4))
    console.print()
    console.print(
        f"[bold]memory plan[/]  {net.arena_bytes:,} bytes, steps 0 to {len(net.steps) - 1}; {SCRATCH_MARK} is scratch"
    )
    for row in reversed(range(rows)):
        low, high = net.arena_bytes * row / rows, net.arena_bytes * (row + 1) / rows
        line = Text(f"{int(high):>9,} ")
        for column in columns:
            mark, style = _cell(net, activations, spans, column, (low + high) / 2)
            line.append(mark * wide, style=style)
        console.print(line, no_wrap=True, crop=True)
    axis = "".join(f"{c:<{5 * wide}}" for c in columns if c % 5 == 0)
    console.print(" " * 10 + axis, highlight=False)
    for position, i in enumerate(activations):
        tensor, (first, last) = net.tensors[i], spans[i]
        console.print(
            f"  [{_colour(position)}]{_letter(position)}[/] {tensor.bytes:>8,} at {tensor.offset:>7,}  steps "
            f"{max(first, 0):>2} to {min(last, len(net.steps) - 1):>2}  {escape(short_name(tensor.name))}",
            highlight=False,
        )


def _cell(
    net: Network, activations: list[int], spans: dict[int, tuple[int, int]], column: int, address: float
) -> tuple[str, str]:
    """What lies at an address during a step. The step's output hides an input that it overwrites in place."""
    step = net.steps[column]
    for position in reversed(range(len(activations))):
        tensor = net.tensors[activations[position]]
        first, last = spans[activations[position]]
        if first <= column <= last and tensor.offset <= address < tensor.offset + tensor.bytes:
            return _letter(position), _colour(position)
    if step.scratch_offset <= address < step.scratch_offset + step.scratch_bytes:
        return SCRATCH_MARK, "white"
    return "·", "bright_black"


def _letter(position: int) -> str:
    return LETTERS[position % len(LETTERS)]


def _colour(position: int) -> str:
    return COLOURS[position % len(COLOURS)]
