"""Reads the lines of a device in demo mode, without sending it a byte: the first one would end the demo."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from host.demo.lines import PREFIX, DemoLine, parse, refusal
from host.errors import DeviceError, LinkError
from host.transport.base import Transport

# A line comes once a second of the device's clock, after a frame has ended; emulated clocks are slower.
SILENCE_S = 10.0
EMULATED_SILENCE_S = 60.0
_READ_S = 0.2
_LONGEST_LINE = 512


def watch(
    transport: Transport, silence_s: float = SILENCE_S, clock: Callable[[], float] = time.monotonic
) -> Iterator[DemoLine]:
    """The device's lines as they come, without end; what is no line of the demo is passed over.

    Raises DeviceError if the device says that it does not run its demo, LinkError if no line came for `silence_s`
    seconds, and what the transport raises.
    """
    partial = bytearray()
    deadline = clock() + silence_s
    while True:
        partial += transport.read(_READ_S)
        *ended, rest = partial.split(b"\n")
        partial = bytearray(rest[-_LONGEST_LINE:])
        for piece in ended:
            text = piece.decode("ascii", "replace").strip()
            at = text.find(PREFIX)  # the port may have been opened in the middle of something else
            if at < 0:
                continue
            if reason := refusal(text[at:]):
                raise DeviceError(
                    f"the device does not run its demo: {reason}", "write it again: host flash NET --demo"
                )
            if line := parse(text[at:]):
                deadline = clock() + silence_s
                yield line
        if clock() >= deadline:
            raise LinkError(
                f"no line of a demo for {silence_s:g} s ({transport.description})",
                "a demo ends when a host talks to the device: press the board's reset button; "
                "`host flash NET --demo` writes one",
            )
