"""From a network's file to its graph, by the file's suffix: the list of formats."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from host.errors import ModelError, NetworkError, TruncatedModelError
from host.model.graph import Graph
from host.model.onnx import import_onnx, import_onnx_float
from host.model.script import run_float_script, run_script
from host.model.tflite_float import import_tflite_float
from host.model.tflite_import import import_tflite

IMPORTERS: dict[str, Callable[[Path], Graph]] = {
    ".onnx": import_onnx,
    ".py": run_script,
    ".tflite": import_tflite,
}
FLOAT_IMPORTERS: dict[str, Callable[[Path], Graph]] = {
    ".onnx": import_onnx_float,
    ".py": run_float_script,
    ".tflite": import_tflite_float,
}


def load_graph(path: Path) -> Graph:
    """The int8 network in a file; an unknown suffix counts as .tflite. Errors begin with the file's name."""
    return _load(path, IMPORTERS.get(path.suffix.lower(), import_tflite))


def load_float_graph(path: Path) -> Graph:
    """The float network in a file, as load_graph() finds int8 ones."""
    return _load(path, FLOAT_IMPORTERS.get(path.suffix.lower(), import_tflite_float))


def _load(path: Path, importer: Callable[[Path], Graph]) -> Graph:
    try:
        return importer(path)
    except NetworkError:
        raise  # it names file and line
    except ModelError as error:
        what = "truncated or damaged: " if isinstance(error, TruncatedModelError) else ""
        raise type(error)(f"{path.name}: {what}{error.message}", error.hint) from error
