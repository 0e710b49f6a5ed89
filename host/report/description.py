"""A compiled network as plain data, for `host inspect --json`."""

from __future__ import annotations

from typing import Any

from host.compile import Compiled
from host.model.graph import Border
from host.plan.pack_separable import has_outer_products

SCHEMA = 1


def describe(compiled: Compiled, arena_bank: str | None = None) -> dict[str, Any]:
    """Layers, borders, what slimming removed and the memory plan.

    `outer_products`: all kernels of the layer are a column times a row of integers. Lifetimes are first and last step,
    -1 and the step count at the borders. Slimming's pairs are before and after. The arena will lie in `arena_bank`.
    """
    net = compiled.net
    lifetimes = net.lifetimes()
    return {
        "schema": SCHEMA,
        "model": net.name,
        "sha256": net.sha256,
        "macs": net.macs,
        "macs_original": compiled.original.total_macs,
        "parameter_bytes": net.parameter_bytes,
        "plan_bytes": len(compiled.plan),
        "arena_bytes": net.arena_bytes,
        "arena_bank": arena_bank,
        "arena_bound_bytes": net.arena_bound_bytes,
        "inputs": [_border(compiled, b) for b in compiled.original.inputs],
        "outputs": [_border(compiled, b) for b in compiled.original.outputs],
        "layers": [
            {
                "index": i,
                "name": step.name,
                "op": step.op_kind,
                "kernel": step.kernel,
                "in": [list(net.tensors[t].shape) for t in step.inputs],
                "out": list(step.out_shape),
                "macs": step.macs,
                "parameter_bytes": step.parameter_bytes,
                "outer_products": has_outer_products(step),
                "scratch_offset": step.scratch_offset,
                "scratch_bytes": step.scratch_bytes,
                "params": step.params,
            }
            for i, step in enumerate(net.steps)
        ],
        "slimming": [
            {
                "operator": layer.op_index,
                "op": layer.kind,
                "name": layer.name,
                "channels": [layer.channels_before, layer.channels_after],
                "macs": [layer.macs_before, layer.macs_after],
                "removed": layer.reasons,
            }
            for layer in compiled.slimming.layers
        ],
        "memory": [
            {
                "name": t.name,
                "bytes": t.bytes,
                "offset": t.offset,
                "first": lifetimes[i][0],
                "last": lifetimes[i][1],
            }
            for i, t in enumerate(net.tensors)
            if i in lifetimes
        ],
    }


def _border(compiled: Compiled, border: Border) -> dict[str, Any]:
    tensor = compiled.original.tensors[border.tensor]
    return {
        "name": border.name,
        "dtype": str(border.dtype),
        "shape": list(border.shown(tensor.shape)),
        "scale": float(tensor.quant.scale[0]) if tensor.quant else None,
        "zero_point": tensor.quant.zero_point if tensor.quant else None,
    }
