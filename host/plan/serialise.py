"""Writes plan.bin: the format of firmware/runtime/PLAN.md."""

from __future__ import annotations

import struct
import zlib

from host import defs
from host.plan import pack
from host.plan.network import Network

MAGIC = 0x4E504354
VERSION = 2
HEADER = struct.Struct("<IHHIIIHHIIHHI8s2I2I")
TENSOR = struct.Struct("<II4II")
STEP = struct.Struct("<6H7I")
NO_TENSOR = 0xFFFF
STEP_INPUTS = 3
CONSTANT, VIEW, WIDTH_SHIFT = 1, 2, 2
CRC_BEGIN = 16


class _Blob:
    """Data area: appends 4-byte aligned pieces, each distinct piece once."""

    def __init__(self, start: int):
        self._start = start
        self._bytes = bytearray()
        self._places: dict[bytes, int] = {}

    def add(self, piece: bytes) -> int:
        """The piece's offset in the plan; 0 for nothing."""
        if not piece:
            return 0
        if piece not in self._places:
            self._places[piece] = self._start + len(self._bytes)
            self._bytes += piece + bytes(-len(piece) % 4)
        return self._places[piece]

    def getvalue(self) -> bytes:
        return bytes(self._bytes)


def serialise(net: Network) -> bytes:
    """The plan of a network whose kernels are chosen and whose memory is planned."""
    tensors_at = HEADER.size
    steps_at = tensors_at + TENSOR.size * len(net.tensors)
    io_at = steps_at + STEP.size * len(net.steps)
    io = struct.pack(f"<{len(net.inputs) + len(net.outputs)}H", *net.inputs, *net.outputs)
    io += bytes(-len(io) % 4)
    blob = _Blob(io_at + len(io))

    # what is copied comes first, so that it is one range
    for step in net.steps:
        if step.in_ram:
            kernel = defs.kernels()[step.kernel]
            blob.add(pack.weights(kernel, step))
            blob.add(pack.channels(kernel, step))
    net.copy_bytes = len(blob.getvalue())

    tensors = b""
    for tensor in net.tensors:
        offset, flags = tensor.offset, (tensor.elem_bytes.bit_length() - 1) << WIDTH_SHIFT
        if tensor.data is not None:
            offset, flags = blob.add(tensor.data.tobytes()), flags | CONSTANT
        elif tensor.view:
            flags |= VIEW | tensor.view[0] << 16
        tensors += TENSOR.pack(offset, tensor.bytes, *tensor.shape, flags)

    steps = b""
    for step in net.steps:
        kernel = defs.kernels()[step.kernel]
        weights, channels = pack.weights(kernel, step), pack.channels(kernel, step)
        inputs = [*step.inputs, *[NO_TENSOR] * (STEP_INPUTS - len(step.inputs))]
        steps += STEP.pack(
            kernel.id, *inputs, step.output, 0,
            blob.add(step.packed_params), blob.add(weights), len(weights), blob.add(channels), len(channels),
            step.scratch_offset, step.scratch_bytes,
        )  # fmt: skip

    body = tensors + steps + io + blob.getvalue()
    total = HEADER.size + len(body)

    def header(crc: int) -> bytes:
        return HEADER.pack(
            MAGIC, VERSION, HEADER.size, total, crc, net.arena_bytes, len(net.tensors), len(net.steps),
            tensors_at, steps_at, len(net.inputs), len(net.outputs), io_at,
            bytes.fromhex(net.sha256)[:8], io_at + len(io), net.copy_bytes, 0, 0,
        )  # fmt: skip

    return header(zlib.crc32(header(0)[CRC_BEGIN:] + body)) + body
