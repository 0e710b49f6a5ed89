"""Runs a compiled network on a connected device: loads the plan, streams samples, checks, counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from host.compile import Compiled
from host.errors import DeviceError, DoesNotFitError, FlashError
from host.inputs import Samples
from host.link.client import Client, PlanInfo
from host.model.graph import Graph
from host.oracle.run import dequantize_output, run_graph
from host.plan import banks
from host.plan.network import Network
from host.report.result import LayerResult, Mismatch

CHECKS = ("output", "layers", "none")

Progress = Callable[[str, int, int], None]


def no_progress(stage: str, done: int, total: int) -> None:
    """Shows nothing."""


@dataclass
class Measurement:
    """What all inferences of a run gave, before it is put into a report.

    `outputs[i]` are the output arrays of sample i in the file's own types; `int8_outputs` the raw ones.
    `totals` has one count an inference; `layer_totals` the sums over `counted` inferences.
    """

    totals: list[int] = field(default_factory=list)
    layer_totals: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    counted: int = 0
    outputs: list[list[np.ndarray]] = field(default_factory=list)
    int8_outputs: list[list[np.ndarray]] = field(default_factory=list)
    mismatches: int = 0
    first_mismatch: Mismatch | None = None


def demand(compiled: Compiled, in_flash: bool) -> banks.Demand:
    """What the network wants of the device's pools."""
    net = compiled.net
    return banks.Demand(
        0 if in_flash else len(compiled.plan), len(net.steps), net.arena_bytes + net.copy_bytes
    )


def load(client: Client, compiled: Compiled, in_flash: bool, progress: Progress = no_progress) -> PlanInfo:
    """Makes the network the device's current plan.

    Raises DoesNotFitError with what it needs and what there is, FlashError if the flash holds another plan.
    """
    hello, plan = client.hello, compiled.plan
    if in_flash and len(plan) > hello.flash_plan_bytes:
        raise DoesNotFitError(
            f"{compiled.net.name}: the plan needs {len(plan):,} bytes of flash, "
            f"{hello.board} has {hello.flash_plan_bytes:,} for plans"
        )
    try:
        banks.place(banks.pools_told(hello), demand(compiled, in_flash))
    except DoesNotFitError as error:
        raise DoesNotFitError(f"{compiled.net.name} on {hello.board}: {error.message}", error.hint) from None
    if not in_flash:
        return client.load_plan(plan, lambda done, total: progress("plan", done, total))
    other = FlashError(
        f"the flash of {hello.board} holds another network",
        f"write this one with `host flash {compiled.net.name}`",
    )
    try:
        info = client.select_flash_plan()
    except DoesNotFitError:  # this one fits, so that was not it
        raise other from None
    if info.crc32 != plan_crc(plan):
        raise other
    return info


def flash_holds(client: Client, compiled: Compiled) -> bool:
    """Whether the plan in the device's flash is this very one; it is then the current plan."""
    if len(compiled.plan) > client.hello.flash_plan_bytes:
        return False
    try:
        return client.select_flash_plan().crc32 == plan_crc(compiled.plan)
    except (DeviceError, DoesNotFitError):  # none there, a damaged one, or one for which the RAM is too small
        return False


def measure(
    client: Client,
    compiled: Compiled,
    info: PlanInfo,
    samples: Samples,
    *,
    runs: int = 1,
    check: str = "output",
    progress: Progress = no_progress,
) -> Measurement:
    """Runs every sample `runs` times and compares with the oracle as `check` says."""
    net, graph = compiled.net, compiled.original
    result = Measurement(layer_totals=np.zeros(len(net.steps), np.int64))
    for index, tensors in enumerate(samples.tensors):
        progress("samples", index, len(samples.tensors))
        expected = run_graph(graph, tensors) if check != "none" else {}
        compare = _Comparison(result, index, compiled, expected)
        remaining = runs
        while remaining:
            for target, tensor in zip(net.inputs, tensors, strict=True):
                client.write_tensor(target, tensor.tobytes())
            if check == "layers":
                batch = 1
                total = _run_step_by_step(client, compiled, compare)
            else:
                batch = remaining if info.inputs_survive else 1
                total = client.run(runs=batch).total
            result.totals += [total // batch] * batch
            result.layer_totals += np.array(client.counts(0, len(net.steps)), np.int64)
            result.counted += 1
            remaining -= batch
        raw = [
            _read(client, net, t, graph.tensors[b.tensor].shape, graph.tensors[b.tensor].dtype)
            for t, b in _outputs(net, graph)
        ]
        for array, (_, border) in zip(raw, _outputs(net, graph), strict=True):
            if check == "output":
                compare("output", border.tensor, array)
        result.int8_outputs.append(raw)
        result.outputs.append(
            [dequantize_output(graph, b, a) for a, b in zip(raw, graph.outputs, strict=True)]
        )
    progress("samples", len(samples.tensors), len(samples.tensors))
    return result


def layer_results(net: Network, result: Measurement) -> list[LayerResult]:
    """One entry a step: mean counts, rounded."""
    counted = max(1, result.counted)
    return [
        LayerResult(
            index=i,
            name=step.name,
            op=step.op_kind,
            kernel=step.kernel,
            inputs=[list(net.tensors[t].shape) for t in step.inputs],
            output=list(step.out_shape),
            macs=step.macs,
            count=round(int(result.layer_totals[i]) / counted),
        )
        for i, step in enumerate(net.steps)
    ]


def classes(graph: Graph, result: Measurement) -> list[int]:
    """The class of each sample; empty for networks without, see has_classes()."""
    return [int(np.argmax(outputs[0])) for outputs in result.int8_outputs] if has_classes(graph) else []


def has_classes(graph: Graph) -> bool:
    """Whether the network has one output of scores; others, such as autoencoders, have none."""
    if len(graph.outputs) != 1:
        return False
    scores = graph.tensors[graph.outputs[0].tensor]
    restored = any(scores.elems == graph.tensors[border.tensor].elems for border in graph.inputs)
    return scores.elems >= 2 and scores.elems == scores.shape[-1] and not restored


def _outputs(net: Network, graph: Graph):
    return list(zip(net.outputs, graph.outputs, strict=True))


def _read(
    client: Client, net: Network, tensor: int, shape: tuple[int, ...], dtype: np.dtype | type = np.int8
) -> np.ndarray:
    data = client.read_tensor(tensor, net.tensors[tensor].bytes)
    return np.frombuffer(data, np.dtype(dtype).newbyteorder("<")).reshape(shape)


def _run_step_by_step(client: Client, compiled: Compiled, compare: _Comparison) -> int:
    """Runs one inference, reading back each tensor as soon as it is complete. Returns the count."""
    net = compiled.net
    last_writer = {step.output: i for i, step in enumerate(net.steps)}
    total = 0
    for i, step in enumerate(net.steps):
        total += client.run(first_step=i, steps=1).total
        if last_writer[step.output] == i:
            tensor = compiled.graph.tensors[step.graph_output]
            shape = step.out_shape if step.rows else tensor.shape
            layer = f"layer {i} ({step.op_kind}, kernel {step.kernel})"
            value = _read(client, net, step.output, shape, tensor.dtype)
            compare(layer, step.graph_output, value, step.rows)
    return total


@dataclass
class _Comparison:
    """Compares device tensors with the oracle's values of one sample and notes the first difference.

    The oracle computes the file's network; the device has what slimming left of its tensors.
    """

    result: Measurement
    sample: int
    compiled: Compiled
    expected: dict[int, np.ndarray]

    def __call__(self, layer: str, tensor: int, got: np.ndarray, rows: tuple[int, int] | None = None) -> None:
        """`got` is the value of the graph's tensor on the device, or of its `rows` (first, end)."""
        slimming = self.compiled.slimming
        wanted = slimming.remaining(tensor, self.expected[tensor])
        if rows:
            wanted = wanted[:, slice(*rows)]
        different = got != wanted
        count = int(np.count_nonzero(different))
        if not count:
            return
        self.result.mismatches += count
        if self.result.first_mismatch is None:
            at = tuple(int(i) for i in np.argwhere(different)[0])
            in_tensor = (at[0], at[1] + rows[0], *at[2:]) if rows else at
            self.result.first_mismatch = Mismatch(
                self.sample,
                layer,
                self.compiled.original.tensors[tensor].name,
                slimming.whole_index(tensor, in_tensor),
                int(got[at]),
                int(wanted[at]),
                count,
                got.size,
            )


def plan_crc(plan: bytes) -> int:
    """The checksum in a plan's header."""
    return int.from_bytes(plan[12:16], "little")
