"""Draws firmware/display/lcd.png anew: python -m tests.demo.draw"""

from __future__ import annotations

import numpy as np
from PIL import Image

from host import inputs
from host.compile import compile_file
from host.data import digits
from host.demo.block import demo_block
from host.oracle.run import run_graph
from host.project import firmware_dir
from tests.demo.probe import CYCLES, Probe

SAMPLES, SHOWN = 40, 3


def lcd(probe: Probe) -> np.ndarray:
    """The picture of the docs. Its speed is an example: 692,222 cycles at 216 MHz."""
    compiled = compile_file(digits.model_path())
    images, labels = digits.test_images()
    tensors = inputs.from_arrays([images[:SAMPLES]], compiled.original, "test images")
    samples = inputs.Samples(tensors, labels[:SAMPLES], "test images")
    scores = run_graph(compiled.original, tensors[SHOWN])[compiled.original.outputs[0].tensor]
    picture = probe.draw(
        demo_block(compiled, samples, digits.CLASS_NAMES), scores.astype(np.int8).tobytes(), sample=SHOWN,
        counter_kind=CYCLES, clock_hz=216_000_000, frames=1, count=692_222, right=SAMPLES, labelled=SAMPLES,
    )  # fmt: skip
    assert picture is not None
    return picture


if __name__ == "__main__":
    file = firmware_dir() / "display" / "lcd.png"
    probe = Probe()
    Image.fromarray(lcd(probe)).save(file, optimize=True)
    probe.close()
    print(file)
