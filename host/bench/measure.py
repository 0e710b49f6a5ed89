"""Runs the grid on a device: one connection, one plan of one operator after the other, each result checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import Any

import numpy as np

from host import boards, defs, runner
from host.bench.case import Case
from host.bench.cases import all_cases
from host.boards import Board
from host.compile import Compiled, compile_graph
from host.cyclemodel.chips import Chip
from host.devices import is_emulated, open_device
from host.errors import DeviceError, DoesNotFitError, UnsupportedError
from host.experiment import STREAMED_BYTES
from host.link.client import Client
from host.link.hello import Hello
from host.model.graph import Graph
from host.oracle.run import run_graph
from host.plan import choose
from host.plan.costs import Costs
from host.plan.network import Network, Step

SCHEMA = 2
Progress = Callable[[str, int, int], None]


@dataclass
class Result:
    """One kernel on one shape. `count` and `cycles` are None if the result is wrong or does not fit (`trouble` says).

    `elems` are those of its largest tensor. `cycles` are modelled, with the plan in flash.
    """

    case: str
    op: str
    kernel: str
    macs: int
    elems: int
    count: int | None = None
    cycles: int | None = None
    plan_bytes: int = 0
    scratch_bytes: int = 0
    exact: bool | None = None
    trouble: str = ""
    step: Step | None = field(default=None, repr=False)

    @property
    def work(self) -> int:
        """What counts are divided by: MACs, or elements where there are none."""
        return self.macs or self.elems

    @property
    def rate(self) -> float | None:
        """Counts per MAC, or per element where there are none."""
        return None if self.count is None else self.count / self.work

    @property
    def cycle_rate(self) -> float | None:
        """Modelled cycles per MAC or element."""
        return None if self.cycles is None else self.cycles / self.work

    def to_json(self) -> dict[str, Any]:
        """One entry of `results`; `per` tells what the rates are per."""
        return {
            "case": self.case,
            "op": self.op,
            "kernel": self.kernel,
            "macs": self.macs,
            "elems": self.elems,
            "exact": self.exact,
            "count": self.count,
            "cycles": self.cycles,
            "per": "mac" if self.macs else "elem",
            "count_rate": self.rate,
            "cycle_rate": self.cycle_rate,
            "plan_bytes": self.plan_bytes,
            "scratch_bytes": self.scratch_bytes,
            "trouble": self.trouble,
        }


@dataclass
class Bench:
    """All results of a device; `counter` is the unit of their counts, `chip` the one whose cycles were modelled."""

    board: str
    counter: str
    conditions: dict[str, int | bool]  # what cycles depend on besides the code: see conditions_of()
    firmware: str
    compiler: str
    flags: str
    chip: Chip | None
    results: list[Result]

    @property
    def wrong(self) -> list[Result]:
        """Those whose outputs differ from the oracle's."""
        return [r for r in self.results if r.exact is False]

    def costs(self) -> Costs:
        """What was measured as a table for the choice of kernels, in cycles if they were modelled."""
        table = Costs(f"cycles {self.chip.name}" if self.chip else self.counter, self.board)
        for result in self.results:
            cost = result.cycles if self.chip else result.count
            if cost and result.step:
                table.add(result.step, result.kernel, cost)
        return table

    def to_json(self) -> dict[str, Any]:
        """The object of `--json` and `--save`."""
        return {
            "schema": SCHEMA,
            "board": self.board,
            "counter": self.counter,
            "conditions": self.conditions,
            "firmware": {"build": self.firmware, "compiler": self.compiler, "flags": self.flags},
            "chip": self.chip.name if self.chip else None,
            "results": [r.to_json() for r in self.results],
        }


def conditions_of(hello: Hello) -> dict[str, int | bool]:
    """Clock and caches of the device: cycles under others cannot be compared."""
    names = ("clock_hz", "icache", "dcache", "prefetch")
    return {name: getattr(hello, name) for name in names}


def select(op: str = "*", kernel: str = "*", case: str = "*") -> list[tuple[Case, list[str]]]:
    """The cases of the grid that match, each with the matching kernels of its operator, in the order of kernels.def.

    Kernels of the teaching ladder must be named.
    """
    chosen = []
    for c in all_cases():
        names = [k.name for k in defs.kernels().values() if k.op == c.op and choose.named(k.name, kernel)]
        if names and fnmatch(c.op, op) and fnmatch(c.name, case):
            chosen.append((c, names))
    return chosen


def bench(
    board: Board | str,
    selection: Sequence[tuple[Case, list[str]]],
    *,
    port: str | None = None,
    chip: Chip | None = None,
    progress: Progress = runner.no_progress,
    say: Callable[[str], None] = lambda text: None,
) -> Bench:
    """Runs every kernel on every case that it supports. With a `chip` also its modelled cycles.

    Plans are streamed to the device's RAM; an emulated board gets large ones in its flash, by being started again.

    Raises what opening and running a device raise; a wrong result is an entry, not an exception.
    """
    board = boards.load_board(board) if isinstance(board, str) else board
    streamed = not is_emulated(board, port)
    with open_device(board, port, progress=say) as client:
        hello = client.hello
        result = Bench(
            board.id, hello.counter, conditions_of(hello), hello.build, hello.compiler, hello.flags, chip, []
        )
        for done, (case, names) in enumerate(selection):
            progress("shapes", done, len(selection))
            result.results += _case(client, board, port, case, names, chip, streamed)
        progress("shapes", len(selection), len(selection))
    return result


def _case(
    client: Client,
    board: Board,
    port: str | None,
    case: Case,
    names: list[str],
    chip: Chip | None,
    streamed: bool,
) -> list[Result]:
    graph, inputs = case.graph(), case.inputs()
    wanted = run_graph(graph, inputs)[graph.outputs[0].tensor]
    results = []
    for name in names:
        compiled = compiled_with(case, name)
        if compiled is None:
            continue
        net = compiled.net
        result = Result(
            case.name, case.op, name, net.macs, max(x.size for x in (wanted, *inputs)), plan_bytes=len(compiled.plan),
            scratch_bytes=max(s.scratch_bytes for s in net.steps),
            step=next(s for s in net.steps if s.kernel == name),
        )  # fmt: skip
        results.append(result)
        try:
            count, got = _run(client, board, port, compiled, inputs, case.op, streamed)
        except DoesNotFitError as error:
            result.trouble = "does not fit: " + error.message.removeprefix(f"{case.name}: ")
            continue
        except DeviceError as error:
            result.exact, result.trouble = False, f"refused: {error.message}"
            continue
        result.exact = bool(np.array_equal(got, wanted))
        if not result.exact:
            result.trouble = _first_difference(got, wanted)
            continue
        result.count = count
        if chip:
            result.cycles = _cycles(board, chip, compiled, inputs, case.op)
    return results


def _run(
    client: Client,
    board: Board,
    port: str | None,
    compiled: Compiled,
    inputs: list[np.ndarray],
    op: str,
    streamed: bool,
) -> tuple[int, np.ndarray]:
    """Count of the steps of `op`, and output of one run.

    If not `streamed`, a large plan lies in the flash of an emulator of its own.
    """
    net, graph = compiled.net, compiled.graph
    if not streamed and len(compiled.plan) > STREAMED_BYTES:
        with open_device(board, port, plan=compiled.plan) as emulator:
            runner.load(emulator, compiled, in_flash=True)
            return _run_loaded(emulator, net, graph, inputs, op)
    runner.load(client, compiled, in_flash=False)
    return _run_loaded(client, net, graph, inputs, op)


def _run_loaded(
    client: Client, net: Network, graph: Graph, inputs: list[np.ndarray], op: str
) -> tuple[int, np.ndarray]:
    for tensor, array in zip(net.inputs, inputs, strict=True):
        client.write_tensor(tensor, array.tobytes())
    client.run()
    counts = client.counts(0, len(net.steps))
    count = sum(n for n, step in zip(counts, net.steps, strict=True) if step.op == op)
    tensor, output = graph.tensors[graph.outputs[0].tensor], net.outputs[0]
    data = client.read_tensor(output, net.tensors[output].bytes)
    return count, np.frombuffer(data, tensor.dtype.newbyteorder("<")).reshape(tensor.shape)


def compiled_with(case: Case, kernel: str) -> Compiled | None:
    """The case compiled for one kernel, and any for other operators; None if it does not support the case's shape."""
    kernels = defs.kernels()

    def is_other(name: str) -> bool:
        return kernels[name].op != case.op and choose.any_kernel(name)

    try:
        # in turn, so that a fused kernel comes before those of its parts
        admits = choose.InTurn((kernel.__eq__, is_other))
        compiled = compile_graph(case.graph(), admits, slimmed=False)
    except UnsupportedError:
        return None
    return compiled if any(step.kernel == kernel for step in compiled.net.steps) else None


def _first_difference(got: np.ndarray, wanted: np.ndarray) -> str:
    at = tuple(int(i) for i in np.argwhere(got != wanted)[0])
    count = int(np.count_nonzero(got != wanted))
    return f"{count} of {got.size} elements wrong, first at {list(at)}: device {got[at]}, oracle {wanted[at]}"


def _cycles(board: Board, chip: Chip, compiled: Compiled, inputs: list[np.ndarray], op: str) -> int:
    from host.cyclemodel.model import model

    steps = model(board, chip, compiled, inputs, in_flash=True).steps
    return round(
        sum(s.total.cycles for s, step in zip(steps, compiled.net.steps, strict=True) if step.op == op)
    )
