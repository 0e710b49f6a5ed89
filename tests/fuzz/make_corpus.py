"""Seeds for the fuzz targets: `python -m tests.fuzz.make_corpus FOLDER [NET.tflite ...]`.

Writes FOLDER/plan, plans of small random networks and of the given files if they are small, FOLDER/frame,
FOLDER/block and FOLDER/session.
"""

from __future__ import annotations

import random
import struct
import sys
import warnings
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings

from host import defs
from host.compile import compile_file, compile_graph
from host.data import digits
from host.demo.block import demo_block
from host.errors import HostError
from host.inputs import Samples
from host.link.frame import Frame, encode
from tests import nets
from tests.faults.networks import nets as nets_of_cases

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


def block_seeds(folder: Path) -> None:
    """Demo blocks of the small networks of the fault cases, each behind its plan."""
    folder.mkdir(parents=True, exist_ok=True)
    for net in nets_of_cases():
        compiled, samples = net.compiled, net.samples
        for labelled in (False, True):
            labels = np.zeros(len(samples.tensors), np.int64) if labelled else None
            named = Samples(samples.tensors, labels, samples.source)
            block = demo_block(compiled, named, [f"class {i}" for i in range(5)])
            plan = bytes(compiled.plan)
            data = struct.pack("<H", len(plan)) + plan + block
            (folder / f"{samples.source}_{labelled}.bin").write_bytes(data)


def _item(what: int, payload: bytes) -> bytes:
    return struct.pack("<BH", what, len(payload)) + payload


def session_seeds(folder: Path) -> None:
    """Conversations: a plan is loaded, inputs are written, it runs, outputs are read; and rubbish in between."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = {name: index for index, name in enumerate(defs.commands())}

    def command(name: str, payload: bytes = b"") -> bytes:
        return _item(lines[name], payload)

    for number, net in enumerate(nets_of_cases()):
        inner = net.compiled.net
        talk = [_item(0xC0, net.compiled.plan)]
        for tensor, data in zip(inner.inputs, net.samples.tensors[0], strict=True):
            for at in range(0, data.nbytes, 1000):
                piece = data.tobytes()[at : at + 1000]
                talk.append(command("TENSOR_WRITE", struct.pack("<HHI", tensor, 0, at) + piece))
        talk.append(command("RUN", struct.pack("<HHI", 0, 0, 1)))
        talk += [command("TENSOR_READ", struct.pack("<HHII", t, 0, 0, 16)) for t in range(len(inner.tensors))]
        talk.append(command("COUNTS", struct.pack("<HH", 0, len(inner.steps))))
        others = [
            command("PING", b"abc"),
            command("PLAN_SELECT_FLASH"),
            command("RESET"),
            _item(0x80, b"\0\5abc\0"),
        ]
        others.append(command("HELLO", b"efgh"))
        (folder / f"talk_{number}.bin").write_bytes(b"".join(talk))
        for index, other in enumerate(others):
            mixed = [*talk[: 2 + index], other, *talk[2 + index :]]
            (folder / f"mixed_{number}_{index}.bin").write_bytes(b"".join(mixed))


def text_seeds(folder: Path) -> None:
    """Conversations in text: a plan lies in flash with an MLPerf block, an input is loaded, it is inferred."""
    folder.mkdir(parents=True, exist_ok=True)

    def text(command: str) -> bytes:
        return _item(0xA0, command.encode())

    for number, (net, kind, error) in enumerate(
        (n, k, e) for n in nets_of_cases() for k in (0, 1, 2) for e in (0, 4)
    ):
        talk = [_item(0xE0 | kind | error, net.compiled.plan), text("profile"), text("name")]
        data = net.samples.tensors[0][0].tobytes() * (4 if kind == 2 else 1)
        talk.append(text(f"db load {len(data)}"))
        talk += [text(f"db {data[at : at + 31].hex()}") for at in range(0, len(data), 31)]
        talk += [text("infer 2 1"), text("results"), text("db print"), text("help"), text("infer 99 99")]
        (folder / f"text_{number}.bin").write_bytes(b"".join(talk))


def write_seeds(folder: Path, plans: int) -> None:
    """The seeds of all targets."""
    frame_seeds(folder / "frame")
    plan_seeds(folder / "plan", plans)
    block_seeds(folder / "block")
    session_seeds(folder / "session")
    text_seeds(folder / "session")


def main() -> None:
    """Command line."""
    warnings.simplefilter("ignore")
    folder = Path(sys.argv[1])
    write_seeds(folder, 600)
    for name in (str(digits.model_path()), *sys.argv[2:]):
        plan = compile_file(Path(name)).plan
        if len(plan) <= MAX_PLAN_BYTES:
            (folder / "plan" / f"{Path(name).stem}.bin").write_bytes(plan)


if __name__ == "__main__":
    main()
