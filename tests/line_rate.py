"""python -m tests.line_rate: what transfers reach of a simulated serial line's rate, and frames per second with them.

The device is the firmware's own C code, the line carries 10 bits a byte, the adapter hands bytes on once a
millisecond (full-speed USB) or every 16 ms (the latency timer that some adapters come with). All in simulated time.
"""

from __future__ import annotations

import sys

from rich.console import Console

from host import runner
from host.bench.link import Rate, measure
from host.inputs import Samples
from host.link.client import Client
from host.report.bench import print_link
from tests.faults.board import Board
from tests.faults.networks import Net, nets, picture

BAUDS = (115_200, 921_600)
POOLS = (16 * 1024, 64 * 1024)
ADAPTERS = {"USB frames of 1 ms": 0.001, "latency timer of 16 ms": 0.016}


def rates(baud: int, usb_s: float) -> list[Rate]:
    """TENSOR_WRITE, TENSOR_READ, PLAN_DATA on a line of that rate."""
    board = Board(baud=baud, step_s=1e-5)
    try:
        with Client(board.line(usb_s=usb_s), clock=board.now) as client:
            return measure(client, baud, board.now)
    finally:
        board.close()


def frames_per_second(
    net: Net, baud: int, step_s: float, pipelined: bool, pools: tuple[int, ...] = POOLS
) -> tuple[float, float]:
    """On the device alone, and end to end, of 20 inferences over 4 inputs in turn."""
    board = Board(baud=baud, step_s=step_s, pools=pools)
    try:
        with Client(board.line(usb_s=0.001), clock=board.now) as client:
            info = runner.load(client, net.compiled, in_flash=False)
            done = runner.measure(
                client,
                net.compiled,
                info,
                Samples(net.samples.tensors * 5, None, "five times"),
                check="none",
                pipelined=pipelined,
                clock=board.now,
            )
            return client.hello.clock_hz * len(done.totals) / sum(done.totals), len(
                done.totals
            ) / done.seconds
    finally:
        board.close()


def main() -> None:
    """Prints both tables."""
    console = Console()
    for adapter, usb_s in ADAPTERS.items():
        print(adapter)
        print_link(console, [rate for baud in BAUDS for rate in rates(baud, usb_s)])
        print()
    for net, step_s in ((nets()[-1], 0.050), (picture(), 0.130)):
        size = net.samples.tensors[0][0].nbytes
        print(f"an input of {size:,} bytes, {1000 * step_s:.0f} ms of simulated computing")
        for baud in BAUDS:
            for pipelined in (False, True):
                device, end_to_end = frames_per_second(net, baud, step_s, pipelined)
                how = "pipelined" if pipelined else "one by one"
                print(f"{baud:,} baud, {how}: device {device:.2f} FPS, end to end {end_to_end:.2f} FPS")


if __name__ == "__main__":
    sys.exit(main())
