"""What the link needs from a line to a device."""

from __future__ import annotations

from typing import Protocol


class Transport(Protocol):
    """A byte pipe in both directions that may lose, damage or delay, but does not reorder.

    `description` names it in messages. One with a true attribute `counts_instructions` leads to an emulator whose cycle
    counter counts executed instructions, which the firmware in it does not know. One whose rate can change has a method
    `set_baud(baud)`; without `baud` it goes back to the rate that it was opened with.
    """

    description: str

    def read(self, timeout: float) -> bytes:
        """What has arrived; waits up to `timeout` seconds for the first byte, then b"".

        Raises a HostError if the other side is gone.
        """

    def write(self, data: bytes) -> None:
        """Sends everything, or raises a HostError."""

    def close(self) -> None:
        """Gives back everything that was taken; safe to call again."""
