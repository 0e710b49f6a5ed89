"""python -m tests.mlperf.transcripts: writes tests/data/mlperf/MODEL.txt, what the emulated STM32F405 and a runner say
to each other for each of the benchmark's networks, over the first real sample of ../shared/samples.

`> ` stands before commands, `< ` before the device's lines. Microseconds since the start are US, since they depend on
how long the emulator slept; those of the inferences stand behind, in milliseconds of the emulated board's time: one
instruction a cycle of 168 MHz. Of the many `db` commands that carry an input the first and the last are shown.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import numpy as np

from host.boards import load_board
from host.compile import compile_file
from host.devices import open_device
from host.mlperf.block import plan_region_image
from host.mlperf.dut import Dut
from host.mlperf.models import MODELS, Model
from host.project import root

SAMPLES = {"kws01": "kws_1", "vww01": "vww_24", "ic01": "cifar10_24", "ad01": "ad_8windows"}
RUNS, WARM_UPS = 2, 1


def kept(model: Model) -> Path:
    """The file with the model's transcript."""
    return root() / "tests" / "data" / "mlperf" / f"{model.name}.txt"


def samples(model: Model, shared: Path) -> list[np.ndarray]:
    """The real samples as the benchmark sends them."""
    found = np.load(shared / "samples" / f"{SAMPLES[model.name]}.npz")["x"]
    return [np.ascontiguousarray(x.reshape(-1).astype(model.raw_dtype)) for x in found]


def network(model: Model, shared: Path) -> Path:
    """The benchmark's own network."""
    return shared / "models" / f"{model.catalogue}.tflite"


def conversation(model: Model, shared: Path) -> str:
    """A transcript from the emulator, as it is kept."""
    image = plan_region_image(compile_file(network(model, shared)), model)
    client = open_device(load_board("emu_stm32f405"), plan=image)
    try:
        dut = Dut(client.transport)
        dut.hear_banner(10.0)
        for command in ("name", "profile", "help", "timestamp"):
            dut.ask(command)
        dut.load(samples(model, shared)[0].tobytes())
        dut.ask(f"infer {RUNS} {WARM_UPS}")
        dut.ask("results")
        return shortened(dut.transcript)
    finally:
        client.close()


def shortened(transcript: list[str]) -> str:
    """Without what no reader wants, as the head of this file says."""
    text = "\n".join([*transcript, ""])
    lap = r"m-lap-us-(\d+)"
    text = re.sub(rf"{lap}\n< {lap}", lambda m: f"m-lap-us-US\n< m-lap-us-US{_ms(m)}", text)
    text = re.sub(lap, "m-lap-us-US", text)
    pieces = re.findall(r"> db [0-9a-f]+%\n(?:< .*\n)+", text)
    begin, end = text.index(pieces[0]), text.index(pieces[-1], text.index(pieces[0]))
    between = f"... {len(pieces) - 2:,} more\n"
    return text[: begin + len(pieces[0])] + between + text[end:]


def _ms(laps: re.Match) -> str:
    """What lies between two laps; a microsecond more or less, which is where the counter stood, never shows."""
    us = int(laps[2]) - int(laps[1])
    shown = {f"{(us + more) / 1000:.1f}" for more in (-1, 0, 1)}
    assert len(shown) == 1, f"{us} us: show another digit"
    return f" + {shown.pop()} ms"


def main() -> int:
    """Writes all of them."""
    shared = os.environ.get("TINYCONV_SHARED")
    if not shared:
        print("TINYCONV_SHARED names the folder with networks and samples", file=sys.stderr)
        return 1
    for model in MODELS.values():
        kept(model).parent.mkdir(exist_ok=True)
        kept(model).write_text(conversation(model, Path(shared)))
        print(kept(model))
    return 0


if __name__ == "__main__":
    sys.exit(main())
