"""What `host flash --demo` writes and `host demo` shows on an emulated board: a network with samples for demo mode."""

from __future__ import annotations

from dataclasses import dataclass

from host.boards import Board
from host.compile import Compiled
from host.demo.block import MOST_SAMPLES, block_bytes, plan_region_image
from host.demo.names import class_names
from host.errors import DoesNotFitError
from host.inputs import Samples

DEFAULT_SAMPLES = 40


@dataclass(frozen=True)
class DemoRegion:
    """The flash region's contents, how many samples they hold, and where those are from."""

    image: bytes
    samples: int
    source: str


def demo_region(
    compiled: Compiled, board: Board, samples: Samples, most: int = DEFAULT_SAMPLES
) -> DemoRegion:
    """Plan and demo block with the first `most` of the samples, or as many of them as the board's flash holds.

    Raises DoesNotFitError if that is none.
    """
    names = class_names(compiled)
    room = board.plan_region.bytes - len(compiled.plan)
    one, two = (block_bytes(compiled, n, names) for n in (1, 2))
    fitting = 1 + (room - one) // (two - one)
    if fitting < 1:
        raise DoesNotFitError(
            f"{compiled.net.name}: the plan and one input need {len(compiled.plan) + one:,} bytes of flash, "
            f"{board.id} has {board.plan_region.bytes:,} for plans"
        )
    count = min(len(samples.tensors), most, fitting, MOST_SAMPLES)
    labels = samples.labels[:count] if samples.labels is not None else None
    kept = Samples(samples.tensors[:count], labels, samples.source)
    return DemoRegion(plan_region_image(compiled, kept, names), count, samples.source)
