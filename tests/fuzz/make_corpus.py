"""Seeds for the fuzz targets: `python -m tests.fuzz.make_corpus FOLDER [NET.tflite ...]`.

Writes FOLDER/plan, plans of small random networks and of the given files if they are small,
and FOLDER/frame.
"""

from __future__ import annotations

import random
import sys
import warnings
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings

from host import defs
from host.compile import compile_file, compile_graph
from host.data import digits
from host.errors import HostError
from host.link.frame import Frame, encode
from tests import nets

MAX_PLAN_BYTES = 32768


def plan_seeds(folder: Path, count: int) -> None:
    """Plans of random networks of one operator, with any of the kernels that can run it."""
    folder.mkdir(parents=True, exist_ok=True)
    number = 0
    chance = random.Random(1)

    @settings(
        max_examples=count,
        database=None,
        derandomize=True,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(nets.any_graph())
    def write(graph) -> None:
        nonlocal number
        admitted = {name for name in defs.kernels() if chance.random() < 0.5} if number % 3 else None
        try:
            plan = compile_graph(graph, lambda name: admitted is None or name in admitted).plan
        except HostError:
            return
        (folder / f"random_{number}.bin").write_bytes(plan)
        number += 1

    write()


def frame_seeds(folder: Path) -> None:
    """Frames of all sizes; the first byte is the size of the pieces."""
    folder.mkdir(parents=True, exist_ok=True)
    for size in (0, 1, 4, 8, 240, 254, 288, 300):
        for value in (0, 1, 255):
            data = b"\x07\0" + encode(Frame(2, 0x1234, bytes([value]) * size)) * 2
            (folder / f"frame_{size}_{value}.bin").write_bytes(data)


def main() -> None:
    """Command line."""
    warnings.simplefilter("ignore")
    folder = Path(sys.argv[1])
    frame_seeds(folder / "frame")
    plan_seeds(folder / "plan", 600)
    for name in (str(digits.model_path()), *sys.argv[2:]):
        plan = compile_file(Path(name)).plan
        if len(plan) <= MAX_PLAN_BYTES:
            (folder / "plan" / f"{Path(name).stem}.bin").write_bytes(plan)


if __name__ == "__main__":
    main()
