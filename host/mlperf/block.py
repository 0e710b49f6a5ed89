"""Writes the MLPerf block: the format of firmware/app/mlperf/MLPERF.md."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from host.compile import Compiled
from host.demo.block import ALIGN
from host.errors import UnsupportedError
from host.mlperf.models import Model
from host.model.graph import Border
from host.runner import plan_crc

MAGIC = 0x4C4D4354
VERSION = 1
HEADER = struct.Struct("<IHHII16sBBBBfifi")
CRC_BEGIN = 12
ENERGY = 1  # of the flags


def mlperf_block(compiled: Compiled, model: Model, energy: bool = False) -> bytes:
    """The block for a compiled network that stands for one of the benchmark's. `energy`: it starts in that mode.

    Raises UnsupportedError if the network cannot be that one.
    """
    graph = compiled.original
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise UnsupportedError(
            f"{compiled.net.name}: MLPerf Tiny knows networks with one input and one output"
        )
    taken = _quant(compiled, graph.inputs[0], model)
    given = _quant(compiled, graph.outputs[0], model)
    elems = graph.tensors[graph.inputs[0].tensor].elems
    if elems != model.elems:
        raise UnsupportedError(
            f"{compiled.net.name}: its input has {elems:,} elements, {model.name}'s {model.elems:,}"
        )

    def header(crc: int) -> bytes:
        return HEADER.pack(
            MAGIC, VERSION, HEADER.size, crc, plan_crc(compiled.plan), model.name.encode("ascii"),
            model.input_kind, model.result_kind, ENERGY if energy else 0, 0, *taken, *given,
        )  # fmt: skip

    return header(zlib.crc32(header(0)[CRC_BEGIN:]))


def _quant(compiled: Compiled, border: Border, model: Model) -> tuple[float, int]:
    tensor = compiled.original.tensors[border.tensor]
    if tensor.quant is None or tensor.dtype != np.int8:
        raise UnsupportedError(f"{compiled.net.name}: {model.name} needs int8 with a scale at {border.name}")
    return float(tensor.quant.scale[0]), tensor.quant.zero_point


def plan_region_image(compiled: Compiled, model: Model, energy: bool = False) -> bytes:
    """What the flash region for plans holds for the benchmark: the plan, and behind it the MLPerf block."""
    block = mlperf_block(compiled, model, energy)
    return compiled.plan + bytes(-len(compiled.plan) % ALIGN) + block
