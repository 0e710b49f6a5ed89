"""Plans the arena of a network: lifetimes, in-place steps, scratch."""

from __future__ import annotations

from host import defs
from host.plan import memory
from host.plan.network import Network


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
    placement = memory.place(buffers)
    offsets = dict(zip(roots, placement.offsets, strict=False))
    for i in activations:
        net.tensors[i].offset = offsets[share[i]]
    for i, offset in zip(with_scratch, placement.offsets[len(roots) :], strict=True):
        net.steps[i].scratch_offset = offset
    net.arena_bytes, net.arena_bound_bytes = placement.arena_bytes, placement.bound_bytes
