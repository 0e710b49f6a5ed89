"""Runs a compiled network on a connected device: loads the plan, streams samples, checks, counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from host.compile import Compiled
from host.errors import DeviceError, DoesNotFitError, FlashError
from host.inputs import Samples
from host.link.client import Client, Inference, Job, PlanInfo, RunResult
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
    `totals` has one count an inference; `layer_totals` the sums over `counted` inferences. `seconds` is what everything
    took, transfers and the comparison among it.
    """

    totals: list[int] = field(default_factory=list)
    layer_totals: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    counted: int = 0
    outputs: list[list[np.ndarray]] = field(default_factory=list)
    int8_outputs: list[list[np.ndarray]] = field(default_factory=list)
    mismatches: int = 0
    first_mismatch: Mismatch | None = None
    seconds: float = 0.0


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
    pipelined: bool = False,
    clock: Callable[[], float] = time.monotonic,
    progress: Progress = no_progress,
) -> Measurement:
    """Runs every sample `runs` times and compares with the oracle as `check` says.

    `pipelined`: the next inputs travel while the device computes, and receiving them is counted. `clock` tells seconds,
    for the speed with transfers.
    """
    net, graph = compiled.net, compiled.original
    result = Measurement(layer_totals=np.zeros(len(net.steps), np.int64))
    batches = _batches(runs, info.inputs_survive and check != "layers")
    begin = clock()
    if check == "layers":
        inferences = (
            _run_by_layers(client, compiled, tensors, result, i, batches)
            for i, tensors in enumerate(samples.tensors)
        )
    else:
        inferences = _run_samples(client, compiled, samples, batches, pipelined)
    for index, (tensors, done) in enumerate(zip(samples.tensors, inferences, strict=True)):
        progress("samples", index, len(samples.tensors))
        for inference in done:
            result.totals += [inference.run.total // inference.run.runs] * inference.run.runs
            result.layer_totals += np.array(inference.counts, np.int64)
            result.counted += 1
        raw = [
            np.frombuffer(data, np.dtype(graph.tensors[b.tensor].dtype).newbyteorder("<")).reshape(
                graph.tensors[b.tensor].shape
            )
            for data, (_, b) in zip(done[-1].outputs, _outputs(net, graph), strict=True)
        ]
        if check == "output":
            compare = _Comparison(result, index, compiled, run_graph(graph, tensors))
            for array, (_, border) in zip(raw, _outputs(net, graph), strict=True):
                compare("output", border.tensor, array)
        result.int8_outputs.append(raw)
        result.outputs.append(
            [dequantize_output(graph, b, a) for a, b in zip(raw, graph.outputs, strict=True)]
        )
    result.seconds = clock() - begin
    progress("samples", len(samples.tensors), len(samples.tensors))
    return result


def _batches(runs: int, inputs_survive: bool) -> list[int]:
    """How many runs follow each writing of the inputs."""
    return [runs] if inputs_survive else [1] * runs


def _job(compiled: Compiled, tensors: list[np.ndarray], runs: int) -> Job:
    net = compiled.net
    return Job(
        tuple((t, data.tobytes()) for t, data in zip(net.inputs, tensors, strict=True)),
        tuple((t, net.tensors[t].bytes) for t, _ in _outputs(net, compiled.original)),
        len(net.steps),
        runs,
    )


def _run_samples(
    client: Client, compiled: Compiled, samples: Samples, batches: list[int], pipelined: bool
) -> Iterator[list[Inference]]:
    """The inferences of each sample."""
    jobs = (_job(compiled, tensors, runs) for tensors in samples.tensors for runs in batches)
    inferences = client.infer(jobs) if pipelined else map(client.infer_alone, jobs)
    for _ in samples.tensors:
        yield [next(inferences) for _ in batches]


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


def _run_by_layers(
    client: Client,
    compiled: Compiled,
    tensors: list[np.ndarray],
    result: Measurement,
    index: int,
    batches: list[int],
) -> list[Inference]:
    """A sample's inferences, each step on its own; every tensor is read back as soon as it is complete."""
    compare = _Comparison(result, index, compiled, run_graph(compiled.original, tensors))
    return [_run_step_by_step(client, compiled, _job(compiled, tensors, 1), compare) for _ in batches]


def _run_step_by_step(client: Client, compiled: Compiled, job: Job, compare: _Comparison) -> Inference:
    net = compiled.net
    last_writer = {step.output: i for i, step in enumerate(net.steps)}
    for target, data in job.inputs:
        client.write_tensor(target, data)
    total = 0
    for i, step in enumerate(net.steps):
        total += client.run(first_step=i, steps=1).total
        if last_writer[step.output] == i:
            tensor = compiled.graph.tensors[step.graph_output]
            shape = step.out_shape if step.rows else tensor.shape
            data = client.read_tensor(step.output, net.tensors[step.output].bytes)
            value = np.frombuffer(data, np.dtype(tensor.dtype).newbyteorder("<")).reshape(shape)
            compare(f"layer {i} ({step.op_kind}, kernel {step.kernel})", step.graph_output, value, step.rows)
    outputs = [client.read_tensor(tensor, count) for tensor, count in job.outputs]
    return Inference(RunResult(total, 1, len(net.steps)), outputs, client.counts(0, len(net.steps)))


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
