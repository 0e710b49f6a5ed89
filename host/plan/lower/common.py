"""What the rules share: storage of tensors, steps, refusals, sizes of images."""

from __future__ import annotations

import numpy as np

from host.errors import UnsupportedError
from host.model import graph as g
from host.oracle import fixedpoint, params
from host.plan.network import NetTensor, Network, Step

ROUNDING = {"double": 0, "single": 1}  # enum rounding in kernel.h
MAX_SHIFT = 30  # of a channel record, to the left


def storage(graph: g.Graph, net: Network, index: int) -> int:
    """The NetTensor that holds a graph tensor, made at the first call."""
    if index not in net.storage:
        tensor = graph.tensors[index]
        net.storage[index] = len(net.tensors)
        elem_bytes = np.dtype(tensor.dtype).itemsize
        net.tensors.append(
            NetTensor(tensor.name, shape4(tensor.shape), index, tensor.data, elem_bytes=elem_bytes)
        )
    return net.storage[index]


def shape4(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """The shape with four dimensions: leading ones added, or leading dimensions merged."""
    if len(shape) > 4:
        leading = int(np.prod(shape[:-3], dtype=np.int64))
        shape = (leading, *shape[-3:])
    return (*((1,) * (4 - len(shape))), *shape)  # type: ignore[return-value]


def append(
    graph: g.Graph,
    net: Network,
    op: g.Op,
    name: str,
    inputs: tuple[int, ...],
    values: dict[str, int],
    *,
    macs: int = 0,
    weights: np.ndarray | None = None,
    channels: np.ndarray | None = None,
) -> None:
    """Adds the step of an operator; MACs, weights and channel records in the oracle's terms."""
    output = op.outputs[0]
    net.steps.append(
        Step(
            op=name,
            inputs=tuple(storage(graph, net, i) for i in inputs),
            output=storage(graph, net, output),
            params=values,
            op_index=op.index,
            op_kind=op.kind,
            name=graph.tensors[output].name,
            graph_output=output,
            macs=macs,
            in_shape=graph.tensors[inputs[0]].shape,
            out_shape=graph.tensors[output].shape,
            weights=weights,
            channels=channels,
        )
    )


def refuse(op: g.Op, reason: str) -> UnsupportedError:
    """The one form of a refusal."""
    return UnsupportedError(f"operator {op.index} ({op.kind}): {reason}")


def image(graph: g.Graph, op: g.Op, tensor: int) -> tuple[int, int, int]:
    """h, w, c of an image tensor."""
    shape = graph.tensors[tensor].shape
    if len(shape) != 4 or shape[0] != 1:
        raise refuse(op, f"works on [1, h, w, c], not {list(shape)}; export the network with batch 1")
    return shape[1], shape[2], shape[3]


def sizes(graph: g.Graph, op: g.Op) -> dict[str, int]:
    """Sizes of the image that is read and of the one that is written."""
    in_h, in_w, in_c = image(graph, op, op.inputs[0])
    out_h, out_w, out_c = image(graph, op, op.outputs[0])
    return dict(in_h=in_h, in_w=in_w, in_c=in_c, out_h=out_h, out_w=out_w, out_c=out_c)


def folded_bias(r: params.ConvRequant, weights_sum: np.ndarray) -> np.ndarray:
    """int32 [oc]: bias - input_zero * sum(w - weights_zero), wrapping as the sums do."""
    return fixedpoint.wrap_int32(r.bias.astype(np.int64) - np.int64(r.input_zero) * weights_sum)
