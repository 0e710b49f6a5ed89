"""The firmware with a network for the benchmark in its flash, as a process under the sanitizers."""

from __future__ import annotations

import contextlib
import os

import pytest

from host.compile import Compiled, compile_file
from host.data import digits
from host.mlperf.block import plan_region_image
from host.mlperf.models import SCORES, UINT8, Model
from host.transport.native import NativeTransport
from tests.mlperf.runner import BANNER, Runner
from tests.native_build import ENVIRONMENT, native_firmware

POOLS = ("16384", "262144")
DIGITS = Model("digits", "digits", UINT8, SCORES, 32 * 32)


@pytest.fixture(scope="session")
def compiled() -> Compiled:
    return compile_file(digits.model_path())


@pytest.fixture(scope="session")
def region(compiled: Compiled) -> bytes:
    return plan_region_image(compiled, DIGITS)


@pytest.fixture
def start(tmp_path):
    """Starts the firmware with these bytes in its flash; ends all at the end."""
    with contextlib.ExitStack() as stack:

        def started(flash: bytes, *pools: str, banner: bool = True) -> Runner:
            file = tmp_path / "flash.bin"
            file.write_bytes(flash)
            arguments = [str(file), *(pools or POOLS)]
            transport = NativeTransport(native_firmware(), arguments, {**os.environ, **ENVIRONMENT})
            stack.callback(transport.close)
            runner = Runner(transport)
            if banner:
                assert runner.lines() == BANNER
            return runner

        yield started
