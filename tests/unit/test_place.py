"""Where `host run` takes the plan from on a board that keeps its flash: the fake device plays the board."""

from __future__ import annotations

import pytest

from host import experiment, runner
from host.compile import compile_file
from host.data import digits
from host.errors import DeviceError, DoesNotFitError, FlashError
from host.link.client import Client
from tests.fake_device import FakeDevice


@pytest.fixture(scope="module")
def compiled():
    return compile_file(digits.model_path())


def board(flash: bytes, pool_bytes: int = 200_000) -> Client:
    device = FakeDevice(flash_plan=flash, pools=(pool_bytes,))
    client = Client(device, device.now)
    client.connect()
    return client


def other(plan: bytes) -> bytes:
    """Another network's plan that is sound as well."""
    import struct
    import zlib

    rest = plan[16:-4] + bytes(4)
    return plan[:12] + struct.pack("<I", zlib.crc32(rest)) + rest


def test_the_plan_in_flash_is_used_if_it_is_this_one(compiled):
    with board(compiled.plan + b"\xff" * 1000) as client:
        client.transport.flash_plan = compiled.plan
        assert experiment.place_on_device(client, compiled)
        assert runner.load(client, compiled, in_flash=True).crc32 == runner.plan_crc(compiled.plan)


@pytest.mark.parametrize("flash", ["another", "damaged", "empty"])
def test_it_is_streamed_if_flash_holds_something_else(compiled, flash):
    plan = {"another": other(compiled.plan), "damaged": compiled.plan[:-4] + b"\1\2\3\4", "empty": b""}[flash]
    with board(plan) as client:
        assert not experiment.place_on_device(client, compiled)
        assert runner.load(client, compiled, in_flash=False).total_bytes == len(compiled.plan)


def test_what_ram_cannot_take_has_to_be_flashed(compiled):
    with board(other(compiled.plan), pool_bytes=len(compiled.plan)) as client:
        assert experiment.place_on_device(client, compiled)
        with pytest.raises(
            FlashError, match="holds another network; write this one with `host flash digits`"
        ):
            runner.load(client, compiled, in_flash=True)


def test_no_flash_for_plans_at_all(compiled):
    with board(b"", pool_bytes=1000) as client:
        assert experiment.place_on_device(client, compiled)
        with pytest.raises((DoesNotFitError, DeviceError), match="bytes of flash"):
            runner.load(client, compiled, in_flash=True)
