"""How much of the serial line's rate transfers reach: payload bytes over the bytes that the line carries meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from host.compile import Compiled, compile_graph
from host.errors import LinkError
from host.link.client import Client
from host.model.builder import Builder

BITS_PER_BYTE = 10  # a start bit, eight of data, a stop bit
MIN_SECONDS = 2.0


@dataclass(frozen=True)
class Rate:
    """A kind of transfer: payload bytes, the seconds that they took, and the share of the line's rate that is."""

    transfer: str
    payload_bytes: int
    seconds: float
    baud: int

    @property
    def share(self) -> float:
        """1 would be a line that carries nothing but payload."""
        return self.payload_bytes * BITS_PER_BYTE / self.baud / self.seconds


def network() -> Compiled:
    """A network with large tensors and weights, made for being transferred."""
    rng = np.random.default_rng(0)
    net = Builder("link")
    x = net.input((16, 12, 32), scale=1 / 32)
    net.output(net.conv2d(x, rng.normal(0, 0.1, (32, 1, 1, 32)), scale=1 / 16))
    return compile_graph(net.graph())


def measure(client: Client, baud: int, clock: Callable[[], float] = time.monotonic) -> list[Rate]:
    """Transfers random data to and fro on a connected device, at least MIN_SECONDS for each kind.

    The device's plan is replaced. Raises LinkError if what comes back is not what was sent, and the client's errors.
    """
    compiled = network()
    client.load_plan(compiled.plan)
    tensor = compiled.net.inputs[0]
    data = np.random.default_rng(1).integers(0, 256, compiled.net.tensors[tensor].bytes, np.uint8).tobytes()
    plan = bytes(compiled.plan) + data * 2

    def read() -> int:
        if client.read_tensor(tensor, len(data)) != data:
            raise LinkError("a tensor did not come back as it was sent", "please report this")
        return len(data)

    def write() -> int:
        client.write_tensor(tensor, data)
        return len(data)

    def send_plan() -> int:
        client.send_plan(plan)
        return len(plan)

    transfers = (("TENSOR_WRITE", write), ("TENSOR_READ", read), ("PLAN_DATA", send_plan))
    return [Rate(name, *_repeat(transfer, clock), baud) for name, transfer in transfers]


def _repeat(transfer: Callable[[], int], clock: Callable[[], float]) -> tuple[int, float]:
    begin, sent = clock(), 0
    while clock() - begin < MIN_SECONDS:
        sent += transfer()
    return sent, clock() - begin
