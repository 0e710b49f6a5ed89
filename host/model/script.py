"""Networks described by a Python script: run it, take what it leaves in `network`.

The script leaves a `host.model.builder.Builder`, a graph, or a function without arguments that returns one of them.
"""

from __future__ import annotations

import hashlib
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import ModuleType

import numpy as np

from host.errors import FloatModelError, HostError, InputError, NetworkError
from host.model.builder import Builder
from host.model.graph import Graph

MODULE = "network_script"  # the script's __name__: a part guarded by "__main__" is for `python net.py`
RESULT = "network"


def run_script(path: Path) -> Graph:
    """The int8 network of a script. Raises NetworkError with file and line, FloatModelError for a float one."""
    graph = run_float_script(path)
    if any(graph.tensors[border.tensor].dtype == np.float32 for border in graph.inputs):
        raise FloatModelError(
            "the network is float", f"quantise it: host quantize {path.name} --samples FILE"
        )
    return graph


def run_float_script(path: Path) -> Graph:
    """The network of a script, quantised or float."""
    try:
        source = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    module = ModuleType(MODULE)
    module.__file__ = str(path)
    # standard output is for results alone, such as those of --json -
    with _imported(path, module), _located(path), redirect_stdout(sys.stderr):
        exec(compile(source, str(path), "exec"), module.__dict__)
        found = module.__dict__.get(RESULT)
        if callable(found):
            found = found()
        if isinstance(found, Builder):
            found = found.graph()
    if not isinstance(found, Graph):
        what = "is missing" if found is None else f"is a {type(found).__name__}"
        raise NetworkError(
            f"`{RESULT}` {what}", f"leave a Builder, its graph() or a function in `{RESULT}`", place=path.name
        )
    found.source_sha256 = found.source_sha256 or hashlib.sha256(source).hexdigest()
    return found


@contextmanager
def _imported(path: Path, module: ModuleType) -> Iterator[None]:
    """The script finds itself and the modules beside it, as under `python net.py`."""
    folder = str(path.resolve().parent)
    sys.modules[MODULE] = module
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
        del sys.modules[MODULE]


@contextmanager
def _located(path: Path) -> Iterator[None]:
    """Turns whatever the script raises into one line with its file and line."""
    try:
        yield
    except SyntaxError as error:
        where = Path(error.filename or path).name
        raise NetworkError(f"SyntaxError: {error.msg}", place=f"{where}:{error.lineno}") from error
    except (Exception, SystemExit) as error:
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
        place = f"{path.name}:{lines[-1]}" if lines else path.name
        if isinstance(error, HostError):
            raise NetworkError(error.message, error.hint, place=place) from error
        text = " ".join(str(error).split())
        raise NetworkError(f"{type(error).__name__}: {text}".rstrip(": "), place=place) from error
