"""The benchmark's data: a folder with `y_labels.csv` and the files that it names.

A line is file, number of classes, class; for ad01 also the bytes of a window and the stride between windows: a file
there is many inputs, its score the mean of theirs.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from host.errors import InputError
from host.mlperf.models import FLOAT32, Model

LABELS = "y_labels.csv"


@dataclass(frozen=True)
class Entry:
    """A file: its class, and the inputs that it holds."""

    file: str
    label: int
    inputs: tuple[bytes, ...]


def read_dataset(folder: Path, model: Model, most: int | None = None) -> list[Entry]:
    """The first `most` entries, or all, in the order of the labels. Raises InputError with the line that is wrong."""
    folder = folder / model.name if (folder / model.name / LABELS).is_file() else folder
    path = folder / LABELS
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file, skipinitialspace=True) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read {path} ({error})", f"--data names the folder with {LABELS}") from error
    if not rows:
        raise InputError(f"{path} names no files")
    return [_entry(folder, row, number, model) for number, row in enumerate(rows[:most], 1)]


def _entry(folder: Path, row: list[str], number: int, model: Model) -> Entry:
    where = f"{LABELS}, line {number}"
    columns = 5 if model.input_kind == FLOAT32 else 3
    try:
        name, label = row[0].strip(), int(row[2])
        window, stride = (int(x) for x in row[3:5]) if columns == 5 else (model.raw_bytes, 0)
    except (IndexError, ValueError):
        raise InputError(f"{where}: {model.name} needs {columns} columns, numbers behind the file") from None
    try:
        data = (folder / name).read_bytes()
    except OSError as error:
        raise InputError(f"{where}: cannot read {name} ({error.strerror})") from error
    if columns == 3 and len(data) != model.raw_bytes:
        raise InputError(f"{where}: {name} has {len(data):,} bytes, {model.name} takes {model.raw_bytes:,}")
    if window != model.raw_bytes or stride < 0 or (columns == 5 and stride == 0) or len(data) < window:
        raise InputError(
            f"{where}: {name} has {len(data):,} bytes for windows of {window:,}, {stride:,} apart"
        )
    starts = range(0, len(data) - window + 1, stride) if stride else (0,)
    return Entry(name, label, tuple(data[at : at + window] for at in starts))
