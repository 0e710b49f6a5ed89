"""One `host quantize` from file to file, as a library function: the command only parses and prints."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from host.errors import OutputError, QuantizeError, UnsupportedError
from host.model.graph import Border, Graph
from host.model.load import load_float_graph
from host.model.rewrites import rewrite
from host.model.tflite_import import import_tflite
from host.model.tflite_write import write_tflite
from host.plan import lower
from host.quantize import ranges, samples
from host.quantize.compare import Comparison, compare
from host.quantize.convert import Choices, quantise_graph

SCHEMA = 1
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Options:
    """What `host quantize` can be told; see its --help. `input_range` holds for every input."""

    ranges: str = "minmax"
    choices: Choices = field(default_factory=Choices)
    input_range: ranges.Range | None = None
    compare: str | None = None
    resize: bool = False


@dataclass(frozen=True)
class Quantised:
    """The int8 network as the file has it, and how it compares with the float one."""

    graph: Graph
    content: bytes
    float_bytes: int
    calibration: samples.FloatSamples
    compared: str
    comparison: Comparison
    options: Options

    def to_json(self, *, layers: bool = False) -> dict[str, Any]:
        """The object of `--json`."""
        c = self.comparison
        return {
            "schema": SCHEMA,
            "model": self.graph.name,
            "ranges": self.options.ranges,
            "per_channel": self.options.choices.per_channel,
            "samples": {"source": self.calibration.source, "count": len(self.calibration.tensors)},
            "bytes": {"float_parameters": self.float_bytes, "file": len(self.content)},
            "macs": self.graph.total_macs,
            "inputs": [_border(self.graph, b) for b in self.graph.inputs],
            "compared": {"source": self.compared, "count": c.samples},
            "accuracy": {"float": c.float_accuracy, "int8": c.int8_accuracy, "agreement": c.agreement},
            "outputs": [
                {**_border(self.graph, b), **d.to_json()}
                for b, d in zip(self.graph.outputs, c.outputs, strict=True)
            ],
            **({"layers": [d.to_json() for d in c.layers]} if layers else {}),
        }


def _border(graph: Graph, border: Border) -> dict[str, Any]:
    tensor = graph.tensors[border.tensor]
    return {
        "name": border.name,
        "dtype": str(border.dtype),
        "shape": list(border.shown(tensor.shape)),
        "scale": float(tensor.quant.scale[0]),
        "zero_point": tensor.quant.zero_point,
    }


def quantise_file(
    path: Path, source: str, options: Options, progress: Progress = lambda stage, done, total: None
) -> Quantised:
    """Quantises the float network of a file with the samples of another.

    Raises QuantizeError, InputError for samples that do not suit, and what importing raises.
    """
    observer = ranges.observer_of(options.ranges)
    graph = load_float_graph(path)
    if any(t.dtype != np.float32 for t in (graph.tensors[b.tensor] for b in graph.inputs)):
        raise QuantizeError(f"{path.name} is quantised already", "`host run` takes it as it is")
    taken = samples.load(source, graph, options.input_range, resize=options.resize)
    shown = taken
    if options.compare:
        shown = samples.load(options.compare, graph, options.input_range, resize=options.resize)
    found = ranges.calibrate(graph, taken.tensors, observer, progress)
    for place, border in enumerate(graph.inputs):
        if options.input_range or place in taken.pixels:
            found[border.tensor] = options.input_range or samples.PIXEL_RANGE
    quantised = quantise_graph(graph, found, options.choices)
    content = _written(quantised)
    comparison = compare(graph, quantised, shown.tensors, shown.labels, progress)
    parameters = sum(t.data.nbytes for t in graph.tensors if t.data is not None and t.dtype == np.float32)
    return Quantised(quantised, content, parameters, taken, shown.source, comparison, options)


def _written(graph: Graph) -> bytes:
    """The int8 network as a file, which every other command must take. Raises QuantizeError."""
    try:
        content = write_tflite(graph)
        lower.lower(rewrite(import_tflite(content), slimmed=False)[0])
    except UnsupportedError as error:
        raise QuantizeError(f"as int8 the network is not supported: {error.message}", error.hint) from error
    return content


def write(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all. Raises OutputError."""
    temporary = ""
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
            temporary = file.name
            file.write(content)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
    finally:
        with suppress(OSError):
            os.unlink(temporary)


def _umask() -> int:
    """The process's file mode mask, which can be read only by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
