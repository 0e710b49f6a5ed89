"""Writes the demo block: the format of firmware/app/demo/DEMO.md."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np

from host.compile import Compiled
from host.inputs import Samples
from host.model.graph import Graph
from host.runner import has_classes, plan_crc

MAGIC = 0x4D444354
VERSION = 1
HEADER = struct.Struct("<IHHIIIIHHIIIIhHHH32s")
CRC_BEGIN = 16
ALIGN = 16
CLASS_NAME_BYTES = 16
NAME_BYTES = 32
NO_LABEL = 0xFFFF
MOST_SAMPLES = 0xFFFF
PERCENT_BITS = 16  # fraction bits of percent_scale
# A softmax has this scale and zero point in TensorFlow Lite; converters from elsewhere take 1/255.
_PROBABILITY_SCALE, _PROBABILITY_ZERO_POINT, _PROBABILITY_TOLERANCE = 1 / 256, -128, 0.01


def demo_block(compiled: Compiled, samples: Samples, class_names: Sequence[str] = ()) -> bytes:
    """The block for a compiled network: at most MOST_SAMPLES samples, their labels and the classes' names if known.

    Names keep what of them is printable ASCII. Names of another number than the network's classes are left out.
    """
    graph, net = compiled.original, compiled.net
    inputs = [b"".join(_little_endian(t) for t in sample) for sample in samples.tensors]
    classes = graph.tensors[graph.outputs[0].tensor].elems if _has_scores(graph) else 0
    labels = _labels(samples, classes)
    named = classes if len(class_names) == classes else 0
    parts = [
        b"".join(struct.pack("<H", label) for label in labels),
        b"".join(_text(name, CLASS_NAME_BYTES) for name in class_names[:named]),
        b"".join(inputs),
    ]
    offsets, body = [], b""
    for part in parts:
        offsets.append(HEADER.size + len(body) if part else 0)
        body += part + bytes(-len(part) % 4)
    scale, zero_point = _percent_scale(graph, classes)
    total = HEADER.size + len(body)

    def header(crc: int) -> bytes:
        return HEADER.pack(
            MAGIC, VERSION, HEADER.size, total, crc, plan_crc(compiled.plan), len(inputs[0]), len(inputs),
            classes, offsets[2], offsets[0], offsets[1], scale, zero_point, *_picture(graph),
            _text(net.name, NAME_BYTES),
        )  # fmt: skip

    return header(zlib.crc32(header(0)[CRC_BEGIN:] + body)) + body


def plan_region_image(compiled: Compiled, samples: Samples, class_names: Sequence[str] = ()) -> bytes:
    """What the flash region for plans holds for demo mode: the plan, and behind it the demo block."""
    return compiled.plan + bytes(-len(compiled.plan) % ALIGN) + demo_block(compiled, samples, class_names)


def block_bytes(compiled: Compiled, samples: int, class_names: Sequence[str] = ()) -> int:
    """An upper bound of the block's size, from the plan's end on, for so many samples."""
    graph = compiled.original
    sample = sum(graph.tensors[b.tensor].elems * graph.tensors[b.tensor].dtype.itemsize for b in graph.inputs)
    return ALIGN + HEADER.size + samples * (sample + 2) + len(class_names) * CLASS_NAME_BYTES + 12


def _little_endian(tensor: np.ndarray) -> bytes:
    return tensor.astype(tensor.dtype.newbyteorder("<")).tobytes()


def _has_scores(graph: Graph) -> bool:
    return has_classes(graph) and graph.tensors[graph.outputs[0].tensor].dtype == np.int8


def _labels(samples: Samples, classes: int) -> list[int]:
    """One a sample; none if nothing is known. A label that is no class is taken for not known."""
    if samples.labels is None or not classes:
        return []
    return [int(y) if 0 <= int(y) < classes else NO_LABEL for y in samples.labels[: len(samples.tensors)]]


def _text(text: str, size: int) -> bytes:
    """Zero-padded, and with a zero at its end."""
    kept = "".join(c for c in text if " " <= c <= "~")
    return kept.encode("ascii")[: size - 1].ljust(size, b"\0")


def _percent_scale(graph: Graph, classes: int) -> tuple[int, int]:
    """Percent for a step of the output, and its zero point; zeros if the output is no probability."""
    quant = graph.tensors[graph.outputs[0].tensor].quant
    if not classes or quant is None:
        return 0, 0
    scale = float(quant.scale[0])
    probable = abs(scale / _PROBABILITY_SCALE - 1) < _PROBABILITY_TOLERANCE
    if not probable or quant.zero_point != _PROBABILITY_ZERO_POINT:
        return 0, 0
    return round(scale * 100 * 2**PERCENT_BITS), quant.zero_point


def _picture(graph: Graph) -> tuple[int, int, int]:
    """Height, width, channels of the first input if it can be drawn, else zeros."""
    tensor = graph.tensors[graph.inputs[0].tensor]
    if len(tensor.shape) != 4 or tensor.dtype != np.int8:
        return 0, 0, 0
    batch, height, width, channels = tensor.shape
    return (height, width, channels) if batch == 1 and channels in (1, 3) else (0, 0, 0)
