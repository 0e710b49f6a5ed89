"""The library's front door: run a network on a board, or an emulated one, from Python.

from host.api import run
from host.model.builder import Builder
...
done = run(net, image)
done.outputs[0]                 # [samples, ...], the network's first output
done.report.per_inference       # instructions or cycles; host.report.result.RunResult has the rest
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from host import experiment, runner
from host.boards import DEFAULT_BOARD
from host.errors import InputError, NotExactError
from host.model.builder import Builder
from host.model.graph import Graph
from host.model.load import load_graph
from host.report.result import RunResult

Arrays = np.ndarray | Sequence[np.ndarray] | Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Run:
    """What a run gave. `outputs[k]` is output k of every sample, samples along the first dimension."""

    outputs: list[np.ndarray]
    report: RunResult


def run(
    network: Builder | Graph | Path | str,
    inputs: Arrays | None = None,
    *,
    board: str = DEFAULT_BOARD,
    progress: runner.Progress = runner.no_progress,
    **options: Any,
) -> Run:
    """Runs a network on a board and compares every output with the oracle's.

    network: a builder, a graph, or a file as `host run` takes it. inputs: an array for a network with one input, a
    list or a dict by name for several; each is one sample or a batch, in the tensor's dtype, as floats, or as images
    (uint8). Without: random ones. options: the other fields of host.experiment.Options; nothing is modelled unless
    predict=True.

    Raises NotExactError if the device's result differs, and any other of host.errors.
    """
    if isinstance(network, Builder):
        network = network.graph()
    graph = network if isinstance(network, Graph) else load_graph(Path(network))
    arrays = None if inputs is None else _in_order(graph, inputs)
    chosen = experiment.Options(board=board, **{"predict": False, **options})
    outcome = experiment.run(graph, chosen, arrays=arrays, progress=progress)
    if outcome.result.bit_exact is False:
        raise NotExactError(f"the device's result is not exact: {outcome.result.first_mismatch}")
    outputs = [np.stack(per_sample) for per_sample in zip(*outcome.outputs, strict=True)]
    return Run(outputs, outcome.result)


def _in_order(graph: Graph, inputs: Arrays) -> list[np.ndarray]:
    """One array for each of the network's inputs. Raises InputError."""
    names = [border.name for border in graph.inputs]
    if isinstance(inputs, Mapping):
        if set(inputs) != set(names):
            raise InputError(f"inputs {', '.join(inputs)}; the network has {', '.join(names)}")
        return [np.asarray(inputs[name]) for name in names]
    arrays = [inputs] if isinstance(inputs, np.ndarray) else [np.asarray(a) for a in inputs]
    if len(arrays) != len(names):
        raise InputError(f"{len(arrays)} inputs; the network has {len(names)}: {', '.join(names)}")
    return arrays
