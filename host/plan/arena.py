"""Plans the arena of a network: lifetimes, in-place steps, scratch."""

from __future__ import annotations

from host import defs, native
from host.plan import memory
from host.plan.network import Network, Step


def plan_memory(net: Network) -> None:
    """Sets the offsets of all tensors and scratch buffers, and the arena's size."""
    activations = [i for i, t in enumerate(net.tensors) if t.data is None]
    lifetimes = {i: net.lifetime(i) for i in activations}
    share = {i: i for i in activations}  # tensor -> the buffer it lives in
    spans = dict(lifetimes)
    for index, step in enumerate(net.steps):
        if defs.kernels()[step.kernel].overlap != "EXACT" or step.output not in share:
            continue
        for source in step.inputs:
            dies_here = source in share and lifetimes[source][1] == index and source not in net.outputs
            if dies_here and net.tensors[source].bytes == net.tensors[step.output].bytes:
                root = share[source]
                share[step.output] = root
                spans[root] = (spans[root][0], lifetimes[step.output][1])
                del spans[step.output]
                break
    roots = list(spans)
    buffers = [memory.Buffer(net.tensors[r].name, net.tensors[r].bytes, *spans[r]) for r in roots]
    with_scratch = [i for i, s in enumerate(net.steps) if s.scratch_bytes]
    buffers += [memory.Buffer(f"scratch {i}", net.steps[i].scratch_bytes, i, i) for i in with_scratch]
    position = {root: i for i, root in enumerate(roots)}
    ahead = {
        (position[share[step.output]], position[share[step.inputs[0]]]): native.gap_bytes(
            step.kernel, step.packed_params
        )
        for index, step in enumerate(net.steps)
        if _may_overlap(index, step, share, spans)
    }
    placement = memory.place(buffers, ahead)
    offsets = dict(zip(roots, placement.offsets, strict=False))
    for i in activations:
        net.tensors[i].offset = offsets[share[i]]
    for i, offset in zip(with_scratch, placement.offsets[len(roots) :], strict=True):
        net.steps[i].scratch_offset = offset
    net.arena_bytes, net.arena_bound_bytes = placement.arena_bytes, placement.bound_bytes


def _may_overlap(index: int, step: Step, share: dict[int, int], spans: dict[int, tuple[int, int]]) -> bool:
    """Whether the step's output buffer begins its life over its input buffer, which ends its own there."""
    if defs.kernels()[step.kernel].overlap != "AHEAD" or step.inputs[0] not in share:
        return False
    source, target = share[step.inputs[0]], share[step.output]
    return source != target and spans[source][1] == index and spans[target][0] == index
