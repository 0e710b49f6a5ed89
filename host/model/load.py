"""From a network's file to its graph, by the file's suffix: the list of formats."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from host.errors import ModelError, NetworkError, TruncatedModelError
from host.model.graph import Graph
from host.model.onnx import import_onnx
from host.model.script import run_script
from host.model.tflite_import import import_tflite

IMPORTERS: dict[str, Callable[[Path], Graph]] = {
    ".onnx": import_onnx,
    ".py": run_script,
    ".tflite": import_tflite,
}


def load_graph(path: Path) -> Graph:
    """The network in a file; an unknown suffix counts as .tflite. Errors begin with the file's name."""
    try:
        return IMPORTERS.get(path.suffix.lower(), import_tflite)(path)
    except NetworkError:
        raise  # it names file and line
    except ModelError as error:
        what = "truncated or damaged: " if isinstance(error, TruncatedModelError) else ""
        raise type(error)(f"{path.name}: {what}{error.message}", error.hint) from error
