"""Runs one input after another on a device and tells what each frame gave."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np

from host.compile import Compiled
from host.link.client import Client
from host.monitor.classes import verdict
from host.monitor.sources import Sample
from host.monitor.state import Frame, Layer
from host.oracle.run import run_graph

_KEPT_ANSWERS = 256


def layers(compiled: Compiled) -> tuple[Layer, ...]:
    """The steps that the counts belong to."""
    return tuple(Layer(step.op_kind, step.kernel) for step in compiled.net.steps)


def watch(
    client: Client,
    compiled: Compiled,
    samples: Iterable[Sample],
    *,
    check: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Frame]:
    """A frame for each sample, on a device that holds the network. With `check` outputs are compared with the oracle's.

    Raises what the link and the samples raise.
    """
    net, graph = compiled.net, compiled.original
    expected = _Oracle(compiled) if check else None
    for sample in samples:
        begin_s = clock()
        for target, tensor in zip(net.inputs, sample.tensors, strict=True):
            client.write_tensor(target, tensor.tobytes())
        count = client.run().total
        counts = client.counts(0, len(net.steps))
        outputs = []
        for index, border in zip(net.outputs, graph.outputs, strict=True):
            tensor = graph.tensors[border.tensor]
            data = client.read_tensor(index, net.tensors[index].bytes)
            outputs.append(np.frombuffer(data, tensor.dtype.newbyteorder("<")).reshape(tensor.shape))
        at_s = clock()
        difference = expected.difference(sample, outputs) if expected else ""
        yield Frame(
            name=sample.name,
            begin_s=begin_s,
            at_s=at_s,
            count=count,
            layer_counts=counts,
            verdict=verdict(graph, sample.tensors, outputs),
            label=sample.label,
            exact=not difference if expected else None,
            difference=difference,
            link=replace(client.session.counts),
        )


class _Oracle:
    """The right outputs; those of inputs that come again are kept."""

    def __init__(self, compiled: Compiled):
        self._graph = compiled.original
        self._kept: dict[str, list[np.ndarray]] = {}

    def difference(self, sample: Sample, outputs: list[np.ndarray]) -> str:
        """The first element that differs, with both values; empty if there is none."""
        for border, wanted, got in zip(self._graph.outputs, self._expected(sample), outputs, strict=True):
            different = np.argwhere(got != wanted)
            if len(different):
                at = tuple(int(i) for i in different[0])
                return (
                    f"output {border.name!r}: {len(different)} of {got.size} elements differ, first at {list(at)}: "
                    f"device {got[at]}, oracle {wanted[at]}"
                )
        return ""

    def _expected(self, sample: Sample) -> list[np.ndarray]:
        if sample.key in self._kept:
            return self._kept[sample.key]
        values = run_graph(self._graph, sample.tensors)
        expected = [values[border.tensor] for border in self._graph.outputs]
        if sample.key is not None and len(self._kept) < _KEPT_ANSWERS:
            self._kept[sample.key] = expected
        return expected
