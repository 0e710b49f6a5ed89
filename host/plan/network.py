"""What lowering makes of a graph, and what the serialiser writes: tensors with storage, steps with kernels.

A step is one kernel call. Each later stage fills in a part: lowering the operator, its parameters and raw
weights; choice the kernel; the planner the offsets.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from host import defs


@dataclass
class NetTensor:
    """A tensor with memory of its own; graph tensors that are reshapes of each other share one.

    `shape` has four dimensions, leading ones added. `data` is set for constants, which live in the plan.
    `graph_tensor` is the first graph tensor stored here. A `view` (tensor, offset in bytes) has no memory of its own:
    it is some rows of that tensor.
    """

    name: str
    shape: tuple[int, int, int, int]
    graph_tensor: int
    data: np.ndarray | None = None
    view: tuple[int, int] | None = None
    elem_bytes: int = 1
    offset: int = 0  # in the arena; set by the planner

    @property
    def bytes(self) -> int:
        """Size."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.elem_bytes


@dataclass
class Step:
    """One kernel call. `inputs` and `output` index NetTensors.

    `weights` and `channels` are in the oracle's terms (see host.plan.pack, which turns them into a kernel's layout).
    `op_index` and `op_kind` name the operator of the file; `graph_output` its output tensor in the graph, of
    which it computes only `rows` (first, end) if they are set. A fused step (host.plan.fuse) has no weights of its own
    but those of the `parts` that it computes one after the other.
    """

    op: str
    inputs: tuple[int, ...]
    output: int
    params: dict[str, int]
    op_index: int
    op_kind: str
    name: str
    graph_output: int
    macs: int = 0
    in_shape: tuple[int, ...] = ()
    out_shape: tuple[int, ...] = ()
    weights: np.ndarray | None = None
    channels: np.ndarray | None = None  # int32 [out_c, 3 or 5]: bias, multiplier, shift, nudge as two words
    kernel: str = ""
    scratch_bytes: int = 0
    scratch_offset: int = 0
    rows: tuple[int, int] | None = None
    in_ram: bool = False  # its blobs are copied to RAM at load
    parts: tuple[Step, ...] = ()
    accepted: dict[str, bool] = field(
        default_factory=dict, repr=False
    )  # kernel -> pack.accepts(), which takes long

    @property
    def arrays(self) -> list[np.ndarray]:
        """Weights and channel records, as far as there are any."""
        own = [a for a in (self.weights, self.channels) if a is not None]
        return [*own, *(a for part in self.parts for a in part.arrays)]

    @property
    def parameter_bytes(self) -> int:
        """Weights and channel records, before packing."""
        return sum(a.nbytes for a in self.arrays)

    @property
    def packed_params(self) -> bytes:
        """The parameters as the C struct."""
        return defs.operators()[self.op].pack(**self.params)


@dataclass
class Network:
    """A lowered network. `storage` maps graph tensor indices to NetTensor indices."""

    name: str
    sha256: str
    tensors: list[NetTensor]
    steps: list[Step]
    inputs: list[int]
    outputs: list[int]
    storage: dict[int, int] = field(default_factory=dict)
    arena_bytes: int = 0
    arena_bound_bytes: int = 0
    copy_bytes: int = 0  # of blobs that are copied to RAM at load; set by the serialiser
    in_place: bool = True  # outputs may lie over inputs, as far as kernels allow

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(s.macs for s in self.steps)

    @property
    def parameter_bytes(self) -> int:
        """Weights and channel records, before packing; strips share theirs."""
        return sum({id(a): a.nbytes for s in self.steps for a in s.arrays}.values())

    @property
    def activations(self) -> list[int]:
        """Tensors that have memory of their own in the arena."""
        return [i for i, t in enumerate(self.tensors) if t.data is None and t.view is None]

    def holder(self, tensor: int) -> int:
        """The tensor whose memory this one is: itself, or the one that it is a view of."""
        view = self.tensors[tensor].view
        return view[0] if view else tensor

    def lifetimes(self) -> dict[int, tuple[int, int]]:
        """First and last step in which each activation must be intact: -1 and len(steps) at the borders."""
        first = dict.fromkeys(self.inputs, -1)
        last: dict[int, int] = dict.fromkeys(self.inputs, -1)
        for i, step in enumerate(self.steps):
            for tensor in map(self.holder, (step.output, *step.inputs)):
                first.setdefault(tensor, i)
                last[tensor] = i
        last |= dict.fromkeys(self.outputs, len(self.steps))
        return {t: (first[t], last[t]) for t in self.activations}

    def readers(self, tensor: int) -> list[Step]:
        """Steps that read the tensor, in order."""
        return [s for s in self.steps if tensor in s.inputs]

    def without_unused(self) -> Network:
        """The network without tensors that no step touches."""
        touched = {t for s in self.steps for t in (s.output, *s.inputs)} | {*self.inputs, *self.outputs}
        kept = sorted(touched | {self.holder(t) for t in touched})
        place = {old: new for new, old in enumerate(kept)}
        tensors = [self.tensors[old] for old in kept]
        return replace(
            self,
            tensors=[replace(t, view=(place[t.view[0]], t.view[1])) if t.view else t for t in tensors],
            steps=[
                replace(s, inputs=tuple(place[i] for i in s.inputs), output=place[s.output])
                for s in self.steps
            ],
            inputs=[place[t] for t in self.inputs],
            outputs=[place[t] for t in self.outputs],
            storage={graph: place[t] for graph, t in self.storage.items() if t in place},
        )
