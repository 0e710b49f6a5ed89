"""Fused steps: a depthwise convolution and the 1x1 convolution that alone reads it, without the tensor between them.

A fused step (depthwise_pointwise in params.def) computes some rows of the depthwise at a time, in scratch, and
multiplies them at once. That makes an arena smaller where the tensor between would lie beside others: where the
depthwise's input is still needed, where it multiplies channels. It costs a little more than the two steps, for the rows
that windows of neighbouring strips share are gathered twice, and weights are read for every strip.

Source: own work; the kernels are those of the parts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from host.plan.network import Network, Step

OP = "depthwise_pointwise"
ROWS = (24, 16, 12, 8, 6, 4, 3, 2, 1)  # of a strip, the cheapest first
USUAL_ROWS = 4
_PREFIX = "depthwise_pointwise_s8_hwc_"
_OF_DEPTHWISE = (
    "in_h", "in_w", "in_c", "out_h", "out_w", "kernel_h", "kernel_w", "stride_h", "stride_w", "dilation_h",
    "dilation_w", "pad_top", "pad_left", "input_zero", "weights_zero", "depth_multiplier", "rounding",
)  # fmt: skip
_OF_POINTWISE = ("out_c", "output_zero", "clamp_min", "clamp_max")


@dataclass(frozen=True)
class Pair:
    """Two steps of a network by their indices."""

    depthwise: int
    pointwise: int


def pairs(net: Network) -> Iterator[Pair]:
    """Every depthwise step whose output only a 1x1 convolution reads, with that convolution."""
    for i, step in enumerate(net.steps):
        readers = net.readers(step.output)
        if step.op != "depthwise" or len(readers) != 1 or step.output in net.outputs:
            continue
        j = next(j for j, other in enumerate(net.steps) if other is readers[0])
        if j > i and _is_pointwise(net.steps[j]) and _alike(step, net.steps[j]):
            yield Pair(i, j)


def _is_pointwise(step: Step) -> bool:
    p = step.params
    return (
        step.op == "conv2d"
        and p["groups"] == 1
        and p["kernel_h"] == p["kernel_w"] == p["stride_h"] == p["stride_w"] == 1
        and p["pad_top"] == p["pad_left"] == 0
        and (p["in_h"], p["in_w"]) == (p["out_h"], p["out_w"])
    )


def _alike(first: Step, second: Step) -> bool:
    """Whether both are whole and round in the same way."""
    whole = first.rows is None and second.rows is None
    return whole and first.params["rounding"] == second.params["rounding"]


def fused_step(first: Step, second: Step, rows: int) -> Step:
    """One step for a depthwise and a pointwise step, in strips of at most so many rows of outputs."""
    params = {name: first.params[name] for name in _OF_DEPTHWISE}
    params |= {name: second.params[name] for name in _OF_POINTWISE}
    params |= {
        "middle_zero": first.params["output_zero"],
        "middle_min": first.params["clamp_min"],
        "middle_max": first.params["clamp_max"],
        "weights1_zero": second.params["weights_zero"],
        "strip_rows": min(rows, first.params["out_h"]),
    }
    return replace(
        second,
        op=OP,
        inputs=first.inputs,
        params=params,
        op_index=first.op_index,
        op_kind=f"{first.op_kind} + {second.op_kind}",
        macs=first.macs + second.macs,
        in_shape=first.in_shape,
        weights=None,
        channels=None,
        parts=(first, second),
    )


def fuse(net: Network, chosen: list[Pair], rows: int) -> Network:
    """The network with those pairs as fused steps, each in the place of its second one."""
    steps: list[Step | None] = list(net.steps)
    for pair in chosen:
        steps[pair.pointwise] = fused_step(net.steps[pair.depthwise], net.steps[pair.pointwise], rows)
        steps[pair.depthwise] = None
    return replace(net, steps=[s for s in steps if s is not None], tensors=list(net.tensors)).without_unused()


def part_kernels(kernel: str) -> tuple[str, str]:
    """The kernels of the two parts that a fused kernel is made of; its name says it."""
    algorithm = kernel.removeprefix(_PREFIX)
    if algorithm == "ref":
        return "depthwise_s8_hwc_ref", "conv2d_s8_hwc_ref"
    depthwise, _, pointwise = algorithm.rpartition("_")
    return f"depthwise_s8_hwc_{depthwise}", f"conv2d_s8_hwc_pointwise_{pointwise}"


def cost(step: Step, depthwise: float, pointwise: float) -> float:
    """What a fused step costs whose parts cost so much alone.

    Measured: a strip more costs about a row of the depthwise, for the rows that its windows share with the next strip
    are gathered again; and pixels are multiplied four at a time.
    """
    rows, out_h, out_w = (step.params[name] for name in ("strip_rows", "out_h", "out_w"))
    strips = -(-out_h // rows)
    pixels = rows * out_w
    return depthwise * (1 + (strips - 1) / out_h) + pointwise * (pixels + -pixels % 4) / pixels
