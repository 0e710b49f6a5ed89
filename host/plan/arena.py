"""Plans the arena of a network: lifetimes, in-place and overlapping steps, scratch."""

from __future__ import annotations

from dataclasses import dataclass

from host import defs, native
from host.plan import memory
from host.plan.network import Network, Step


def plan_memory(net: Network, enough: int = 0) -> None:
    """Sets the offsets of all tensors and scratch buffers, and the arena's size, which need not be below `enough`."""
    demand = _demand(net)
    placement = memory.place(demand.buffers, demand.ahead, enough)
    for tensor, buffer in demand.buffer_of.items():
        net.tensors[tensor].offset = placement.offsets[buffer]
    for tensor in net.tensors:
        if tensor.view:
            tensor.offset = net.tensors[tensor.view[0]].offset + tensor.view[1]
    for index, step in enumerate(net.steps):
        scratch = demand.scratch_of.get(index)
        step.scratch_offset = 0 if scratch is None else placement.offsets[scratch]
    net.arena_bytes, net.arena_bound_bytes = placement.arena_bytes, placement.bound_bytes


def overlap(net: Network, kernel: str) -> str:
    """The overlap rule of kernels.def that holds for the kernel in that network."""
    return defs.kernels()[kernel].overlap if net.in_place else "NONE"


class Needs:
    """What each step of a network needs at least, whatever the placement, for any kernel that it might have."""

    def __init__(self, net: Network):
        self._net = net
        self._lifetimes = net.lifetimes()
        self._alive = [0] * len(net.steps)
        for tensor, (first, last) in self._lifetimes.items():
            size = memory.align(net.tensors[tensor].bytes)
            for step in range(max(first, 0), min(last + 1, len(net.steps))):
                self._alive[step] += size

    def of(self, index: int, kernel: str, scratch_bytes: int) -> int:
        """Bytes of the step with that kernel: all that is alive, and its scratch, less what it may overlap."""
        return self._alive[index] + memory.align(scratch_bytes) - self._overlap(index, kernel)

    def _overlap(self, index: int, kernel: str) -> int:
        step, tensors = self._net.steps[index], self._net.tensors
        if self._lifetimes.get(step.output, (None,))[0] != index:
            return 0
        out = memory.align(tensors[step.output].bytes)
        dying = [t for t in step.inputs if self._lifetimes.get(t, (None, None))[1] == index]
        match overlap(self._net, kernel):
            case "EXACT":
                return out if any(tensors[t].bytes == tensors[step.output].bytes for t in dying) else 0
            case "AHEAD" if step.inputs[0] in dying:
                source = memory.align(tensors[step.inputs[0]].bytes)
                gap = memory.align(native.gap_bytes(kernel, step.packed_params))
                return max(0, source + out - max(out, gap + source))
        return 0


def step_bytes(net: Network) -> list[int]:
    """Bytes that each step needs at least with the kernel that it has."""
    needs = Needs(net)
    return [needs.of(i, s.kernel, s.scratch_bytes) for i, s in enumerate(net.steps)]


@dataclass(frozen=True)
class _Demand:
    """The planner's problem, and which buffer each tensor and each step's scratch is."""

    buffers: list[memory.Buffer]
    ahead: dict[tuple[int, int], int]
    buffer_of: dict[int, int]
    scratch_of: dict[int, int]


def _demand(net: Network) -> _Demand:
    share, spans = _shared(net)
    position = {root: i for i, root in enumerate(spans)}
    buffers = [memory.Buffer(net.tensors[r].name, net.tensors[r].bytes, *span) for r, span in spans.items()]
    ahead = {
        (position[share[step.output]], position[share[step.inputs[0]]]): native.gap_bytes(
            step.kernel, step.packed_params
        )
        for index, step in enumerate(net.steps)
        if overlap(net, step.kernel) == "AHEAD" and _may_overlap(index, step, share, spans)
    }
    scratch_of = {}
    for index, step in enumerate(net.steps):
        if step.scratch_bytes:
            scratch_of[index] = len(buffers)
            buffers.append(memory.Buffer(f"scratch {index}", step.scratch_bytes, index, index))
    return _Demand(buffers, ahead, {t: position[root] for t, root in share.items()}, scratch_of)


def _shared(net: Network) -> tuple[dict[int, int], dict[int, tuple[int, int]]]:
    """Tensor -> the first tensor in its place, and lifetime of each such place.

    A step in place (overlap EXACT) gives its output the place of an input that dies there.
    """
    spans = net.lifetimes()
    dies = {i: last for i, (_, last) in spans.items()}
    share = {i: i for i in spans}
    for index, step in enumerate(net.steps):
        if overlap(net, step.kernel) != "EXACT" or step.output not in share:
            continue
        for source in step.inputs:
            fits = source in share and net.tensors[source].bytes == net.tensors[step.output].bytes
            if fits and dies[source] == index:
                root = share[source]
                share[step.output] = root
                spans[root] = (spans[root][0], dies[step.output])
                del spans[step.output]
                break
    return share, spans


def _may_overlap(index: int, step: Step, share: dict[int, int], spans: dict[int, tuple[int, int]]) -> bool:
    """Whether the step's output buffer begins its life over its input buffer, which ends its own there."""
    if not {step.inputs[0], step.output} <= share.keys():
        return False
    source, target = share[step.inputs[0]], share[step.output]
    return source != target and spans[source][1] == index and spans[target][0] == index
