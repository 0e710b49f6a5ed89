"""Draws a monitored network's state: a block for a terminal, or one line for a pipe. Pure functions of the state."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from host.monitor.state import State
from host.report.tables import modelled_on, short_kernel

SPARKS = "▁▂▃▄▅▆▇█"
ASCII_SPARKS = "_.-~=+*#"
# From cold to hot: a sign that grows darker, so that the strip can be read without colours, and a colour.
HEAT_SIGNS = "·░▒▓█"
ASCII_HEAT_SIGNS = ".:+*#"
HEAT_COLOURS = ("blue", "cyan", "green", "yellow", "red")
BAR_CELLS = 20
HOTTEST = 3
MARGIN = 14  # columns of the labels


def sparkline(values: Sequence[float], cells: int, signs: str = SPARKS) -> str:
    """The last values as one sign each, from none to the largest one."""
    shown = list(values)[-cells:] if cells > 0 else []
    top = max(shown, default=0)
    if top <= 0:
        return signs[0] * len(shown)
    return "".join(signs[min(len(signs) - 1, int(max(v, 0) / top * len(signs)))] for v in shown)


def heat_strip(heat: Sequence[float], cells: int, signs: str = HEAT_SIGNS) -> Text:
    """A strip of the layers in their order, each as hot as its part is to the hottest one's.

    More layers than cells share cells, and the hottest of them decides; with room each takes two cells.
    """
    strip = Text()
    if not heat or cells < 1:
        return strip
    if len(heat) > cells:
        edges = [round(i * len(heat) / cells) for i in range(cells + 1)]
        heat = [max(heat[a:b]) for a, b in pairwise(edges)]
    top = max(heat)
    width = 2 if 2 * len(heat) <= cells else 1
    for part in heat:
        level = min(len(signs) - 1, int(part / top * len(signs))) if top else 0
        strip.append(signs[level] * width, style=HEAT_COLOURS[level])
    return strip


def plain_line(state: State) -> str:
    """One line about the last frame, for a pipe."""
    frame = state.last
    assert frame is not None
    parts = [f"frame {state.frames}", frame.name, *_class_parts(state), _device_speed(state)]
    if state.end_to_end_fps is not None:
        parts.append(
            f"{state.end_to_end_fps:.2f} FPS end to end" + (", emulated" if _emulated(state) else "")
        )
    if frame.exact is not None:
        parts.append("exact" if frame.exact else f"NOT EXACT: {frame.difference}")
    parts.append(f"{frame.link.errors} link errors, {frame.link.resent_frames} repeats")
    return "  ".join(parts)


def render(state: State, width: int, ascii_only: bool = False) -> RenderableType:
    """The whole block, `width` columns wide."""
    sparks = ASCII_SPARKS if ascii_only else SPARKS
    signs = ASCII_HEAT_SIGNS if ascii_only else HEAT_SIGNS
    room = max(8, width - MARGIN)
    setting, hello, frame = state.setting, state.setting.hello, state.last
    rows: list[tuple[str, RenderableType]] = [("board", _board(state))]
    if frame is None:
        rows.append(("", f"waiting for the first frame from {escape(setting.source)}"))
        return _block(setting.model, rows)
    rows.append(("device", _markup(_device_speed(state), setting.prediction is not None)))
    if setting.measures_time:
        speeds = [hello.clock_hz / count for count in state.count_history if count]
        rows.append(("", sparkline(speeds, min(room, 60), sparks)))
    end_to_end = "-" if state.end_to_end_fps is None else f"{state.end_to_end_fps:.2f} FPS"
    if _emulated(state):
        end_to_end += ", of emulator and computer, not of a board"
    rows.append(("end to end", end_to_end))
    rows.append(("", sparkline(state.end_to_end_history, min(room, 60), sparks)))
    rows.append(("input", f"{escape(frame.name)}  [dim]frame {state.frames}[/]"))
    rows += _class_rows(state, ascii_only)
    rows.append(("layers", heat_strip(state.heat, min(room, 60), signs)))
    for index, part in state.hottest(HOTTEST):
        layer = setting.layers[index]
        rows.append(("", f"{100 * part:5.1f} %  #{index} {layer.op} {short_kernel(layer.kernel)}"))
    rows.append(("link", _link(state)))
    if state.compared:
        rows.append(("exact", _exact(state)))
    return _block(setting.model, rows)


def _block(title: str, rows: list[tuple[str, RenderableType]]) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    table.add_column(style="bold", width=MARGIN - 2, no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis")
    for label, value in rows:
        table.add_row(label, value)
    return Group(Text(title, style="bold cyan"), table)


def _board(state: State) -> str:
    hello = state.setting.hello
    caches = "+".join(
        name for name, on in (("I", hello.icache), ("D", hello.dcache), ("prefetch", hello.prefetch)) if on
    )
    clock = f"{hello.clock_hz / 1e6:g} MHz" if hello.clock_hz else "clock unknown"
    if hello.emulated:
        return f"{escape(hello.board)}, {hello.core}, [yellow]emulated[/]"
    where = f" at {escape(state.setting.port)}" if state.setting.port else ""
    return f"{escape(hello.board)}{where}, {hello.core}, {clock} ({hello.clock_source}), caches {caches or 'off'}"


def _emulated(state: State) -> bool:
    return state.setting.hello.emulated


def _device_speed(state: State) -> str:
    """Speed and count of the last frame, and whose speed it is."""
    frame, setting = state.last, state.setting
    assert frame is not None
    counted = f"{frame.count:,} {'cycles' if setting.measures_time else setting.hello.counter}"
    if state.device_fps is not None:
        return f"{state.device_fps:.2f} FPS on the device, {1000 / state.device_fps:.2f} ms, {counted}"
    if setting.prediction:
        return f"{counted}, modelled, not measured: {setting.prediction.fps:.2f} FPS, {modelled_on(setting.prediction)}"
    return f"{counted}, speed not known: {'an emulator' if setting.hello.emulated else 'the device'} counts no time"


def _markup(text: str, modelled: bool) -> str:
    return escape(text).replace("modelled", "[yellow]modelled[/]") if modelled else escape(text)


def _class_parts(state: State) -> list[str]:
    """The class in words, and whether it is the right one."""
    frame = state.last
    assert frame is not None
    verdict = frame.verdict
    if verdict.error is not None:
        return [f"error {verdict.error:.4g}"]
    if verdict.index is None:
        return []
    sure = f" {100 * verdict.confidence:.1f} %" if verdict.confidence is not None else ""
    right = ""
    if frame.label is not None:
        right = (
            " right"
            if frame.label == verdict.index
            else f" wrong, is {state.setting.class_name(frame.label)}"
        )
    return [f"class {state.setting.class_name(verdict.index)}{sure}{right}"]


def _class_rows(state: State, ascii_only: bool) -> list[tuple[str, RenderableType]]:
    frame = state.last
    assert frame is not None
    verdict = frame.verdict
    if verdict.error is not None:
        return [("error", f"{verdict.error:.4g} mean squared difference between input and output")]
    if verdict.index is None:
        return []
    shown = escape(state.setting.class_name(verdict.index))
    if frame.label is not None:
        good = frame.label == verdict.index
        shown = (
            f"[green]{shown}[/]"
            if good
            else f"[red]{shown}[/], is {escape(state.setting.class_name(frame.label))}"
        )
    rows: list[tuple[str, RenderableType]] = [("class", shown)]
    if verdict.confidence is not None:
        full, empty = ("#", "-") if ascii_only else ("█", "░")
        filled = round(verdict.confidence * BAR_CELLS)
        bar = full * filled + empty * (BAR_CELLS - filled)
        rows.append(("confidence", f"{bar} {100 * verdict.confidence:.1f} %"))
    if state.labelled:
        rows.append(
            (
                "accuracy",
                f"{100 * state.correct / state.labelled:.1f} % ({state.correct} of {state.labelled})",
            )
        )
    return rows


def _link(state: State) -> str:
    frame = state.last
    assert frame is not None
    link = frame.link
    if not link.errors:
        return "no errors" + (f", {link.resent_frames} repeats" if link.resent_frames else "")
    return (
        f"[red]{link.errors} errors[/]: {link.damaged_requests} damaged on the way there, {link.damaged_answers} on "
        f"the way back, {link.missing_answers} missing; {link.resent_frames} repeats"
    )


def _exact(state: State) -> str:
    if not state.inexact:
        return f"[green]yes[/], {state.compared} frames compared with the oracle"
    return f"[red]NO[/], {state.inexact} of {state.compared} frames; {escape(state.first_difference)}"
