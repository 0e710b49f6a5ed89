"""The built-in network for demo mode, and the demo's C parts as a process."""

from __future__ import annotations

import pytest

from host import inputs
from host.compile import Compiled, compile_file
from host.data import digits
from host.demo.block import plan_region_image
from host.inputs import Samples
from tests.demo.probe import Probe

SAMPLES = 24


@pytest.fixture(scope="session")
def compiled() -> Compiled:
    return compile_file(digits.model_path())


@pytest.fixture(scope="session")
def samples(compiled: Compiled) -> Samples:
    images, labels = digits.test_images()
    tensors = inputs.from_arrays([images[:SAMPLES]], compiled.original, "test images")
    return Samples(tensors, labels[:SAMPLES], "test images")


@pytest.fixture(scope="session")
def region(compiled: Compiled, samples: Samples) -> bytes:
    """What the flash region holds: plan and demo block."""
    return plan_region_image(compiled, samples, digits.CLASS_NAMES)


@pytest.fixture(scope="session")
def probe():
    probe = Probe()
    yield probe
    probe.close()
