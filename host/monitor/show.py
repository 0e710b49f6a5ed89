"""Where a monitored network's state goes: a block that is redrawn on a terminal, lines in a pipe, JSON in a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TextIO

from rich.console import Console
from rich.live import Live

from host.errors import OutputError
from host.monitor.state import State
from host.monitor.view import plain_line, render

STANDARD_OUTPUT = "-"
# Times of frames decide, not a clock: what is shown depends on what was recorded alone.
REDRAW_S = 0.1
LINE_S = 1.0

Show = Callable[[State], None]


@contextmanager
def shown(json_file: str | None, every: int | None, console: Console | None = None) -> Iterator[Show]:
    """A function to call after every frame. `every` and `json_file` are the options of `host monitor`."""
    shows: list[Show] = []
    with ExitStack() as stack:
        if json_file:
            shows.append(stack.enter_context(_json_lines(json_file)))
        if json_file != STANDARD_OUTPUT:
            console = console or Console(highlight=False)
            live = console.is_terminal and not console.is_dumb_terminal
            shows.append(stack.enter_context(_block(console) if live else _lines(every, sys.stdout)))

        def show(state: State) -> None:
            for one in shows:
                one(state)

        yield show


@contextmanager
def _block(console: Console) -> Iterator[Show]:
    """Redraws a block; the last frame is always drawn in the end, whatever ends it."""
    latest: State | None = None
    drawn_s: float | None = None
    ascii_only = not console.encoding.lower().startswith("utf")

    def draw(state: State) -> None:
        live.update(render(state, console.width, ascii_only), refresh=True)

    def show(state: State) -> None:
        nonlocal latest, drawn_s
        assert state.last is not None
        latest = state
        if drawn_s is None or state.last.at_s - drawn_s >= REDRAW_S:
            drawn_s = state.last.at_s
            draw(state)

    with Live(console=console, auto_refresh=False) as live:
        try:
            yield show
        finally:
            if latest is not None:
                draw(latest)


@contextmanager
def _lines(every: int | None, file: TextIO) -> Iterator[Show]:
    """A line every so many frames, or one a second; the last frame gets one too."""
    latest: State | None = None
    printed_s: float | None = None
    printed_frame = 0

    def write(state: State) -> None:
        nonlocal printed_s, printed_frame
        assert state.last is not None
        printed_s, printed_frame = state.last.at_s, state.frames
        print(plain_line(state), file=file, flush=True)

    def show(state: State) -> None:
        nonlocal latest
        assert state.last is not None
        latest = state
        due = (
            state.frames % every == 0 if every else printed_s is None or state.last.at_s - printed_s >= LINE_S
        )
        if due:
            write(state)

    yield show
    if latest is not None and printed_frame != latest.frames:
        write(latest)


@contextmanager
def _json_lines(name: str) -> Iterator[Show]:
    """One object a line. Raises OutputError for a file that cannot be written."""
    with ExitStack() as stack:
        try:
            file = (
                sys.stdout
                if name == STANDARD_OUTPUT
                else stack.enter_context(open(name, "w", encoding="utf-8"))
            )
        except OSError as error:
            raise OutputError(f"cannot write {name}: {error.strerror}") from error

        def show(state: State) -> None:
            try:
                print(json.dumps(state.record()), file=file, flush=True)
            except OSError as error:
                if isinstance(error, BrokenPipeError):
                    raise
                raise OutputError(f"cannot write {name}: {error.strerror}") from error

        yield show
