"""Figures in files. matplotlib takes a second to import, so only what draws imports it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from host.errors import InputError, OutputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg")
DOTS_PER_INCH = 150


def check(file: str) -> None:
    """Raises InputError for a file whose suffix is no format of ours, before anything takes long."""
    if Path(file).suffix.lower() not in SUFFIXES:
        raise InputError(f"cannot draw to {file}", f"name a file that ends in {' or '.join(SUFFIXES)}")


def new_figure(width_inches: float, height_inches: float) -> Figure:
    """An empty figure that belongs to no window. Text stays text in SVG files, which are the same at every call."""
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "tinyconv"}
    return Figure((width_inches, height_inches), layout="constrained")


def save(figure: Figure, file: str) -> None:
    """Writes the figure in the format of the file's suffix. Raises OutputError."""
    svg = Path(file).suffix.lower() == ".svg"
    try:
        figure.savefig(file, dpi=DOTS_PER_INCH, metadata={"Date": None} if svg else None)
    except OSError as error:
        raise OutputError(f"cannot write {file}: {error.strerror}") from error
