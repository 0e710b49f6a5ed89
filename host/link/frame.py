"""Frames of the link: bytes to frames and back, no I/O. firmware/link/PROTOCOL.md is the definition."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

from cobs import cobs

VERSION = 4
"""The protocol version that this host speaks."""

OVERHEAD_BYTES = 12
"""Header and checksum: the bytes of a body that are not payload."""

MAX_PAYLOAD_BYTES = 0xFFFF

_HEADER = struct.Struct("<BBBBHH")
_CRC = struct.Struct("<I")


class Kind(IntEnum):
    """What a frame is."""

    REQUEST = 0
    RESPONSE = 1
    PROGRESS = 2


@dataclass(frozen=True)
class Frame:
    """A sound frame. `kind` is an int, because a newer device may send kinds that we do not know."""

    command: int
    sequence: int
    payload: bytes = b""
    kind: int = Kind.REQUEST
    status: int = 0
    version: int = VERSION


@dataclass(frozen=True)
class Damaged:
    """Bytes between two zeros that are no frame, and why."""

    reason: str


def encode(frame: Frame) -> bytes:
    """The frame on the wire, closing zero included. ValueError if a field is out of its range."""
    try:
        header = _HEADER.pack(
            frame.version, frame.kind, frame.command, frame.status, frame.sequence, len(frame.payload)
        )
    except struct.error as e:
        raise ValueError(f"{e}: {frame}") from None
    body = header + frame.payload
    return cobs.encode(body + _CRC.pack(zlib.crc32(body))) + b"\0"


def wire_bytes(body_bytes: int) -> int:
    """The most bytes that a body takes on the wire: COBS adds one in 254, and the closing zero."""
    return body_bytes + max(1, -(-body_bytes // 254)) + 1


def max_payload(wire_limit: int) -> int:
    """The largest payload whose frame fits `wire_limit` bytes whatever it holds; below 0 if none does."""
    body = wire_limit - 2
    while wire_bytes(body) > wire_limit:
        body -= 1
    return body - OVERHEAD_BYTES


def decode(stuffed: bytes) -> Frame | Damaged:
    """The frame in the bytes before a zero."""
    try:
        body = cobs.decode(stuffed)
    except cobs.DecodeError:
        return Damaged("wrong stuffing")
    if len(body) < OVERHEAD_BYTES:
        return Damaged("too short")
    if _CRC.unpack(body[-4:])[0] != zlib.crc32(body[:-4]):
        return Damaged("wrong checksum")
    version, kind, command, status, sequence, length = _HEADER.unpack_from(body)
    payload = body[_HEADER.size : -4]
    if length != len(payload):
        return Damaged("wrong length")
    return Frame(command, sequence, payload, kind, status, version)


class Decoder:
    """Cuts a byte stream into frames. Holds at most `max_body_bytes`' worth of the frame that is arriving."""

    def __init__(self, max_body_bytes: int = MAX_PAYLOAD_BYTES + OVERHEAD_BYTES):
        self._limit = wire_bytes(max_body_bytes) - 1
        self._partial = bytearray()
        self._too_long = False

    def reset(self) -> None:
        """Forgets the frame that is arriving."""
        self._partial.clear()
        self._too_long = False

    def feed(self, data: bytes) -> list[Frame | Damaged]:
        """What ended within these bytes, in order. Never raises."""
        found: list[Frame | Damaged] = []
        *ended, rest = bytes(data).split(b"\0")
        for piece in ended:
            self._append(piece)
            if self._too_long:
                found.append(Damaged("too long"))
            elif self._partial:
                found.append(decode(bytes(self._partial)))
            self.reset()
        self._append(rest)
        return found

    def _append(self, piece: bytes) -> None:
        if len(self._partial) + len(piece) > self._limit:
            self._too_long = True
            self._partial.clear()
        if not self._too_long:
            self._partial += piece
