"""The whole firmware in demo mode, as a process under the sanitizers: it runs by itself, and a host takes over."""

from __future__ import annotations

import contextlib
import os
import struct
import time
import zlib
from itertools import islice

import pytest

from host import runner
from host.demo.block import CRC_BEGIN
from host.demo.watch import watch
from host.errors import DeviceError, LinkError
from host.link.client import Client
from host.link.frame import Frame, decode, encode
from host.transport.native import NativeTransport
from tests.demo.test_block import at
from tests.native_build import ENVIRONMENT, native_firmware

HELLO = 0x01


@pytest.fixture
def start(tmp_path):
    """Starts the firmware with these bytes in its flash; ends all at the end."""
    with contextlib.ExitStack() as stack:

        def started(flash: bytes) -> Client:
            file = tmp_path / "flash.bin"
            file.write_bytes(flash)
            transport = NativeTransport(native_firmware(), [str(file)], {**os.environ, **ENVIRONMENT})
            stack.callback(transport.close)
            return Client(transport)

        yield started


def lines(client: Client, count: int) -> list:
    return list(islice(watch(client.transport, 30.0), count))


def test_it_runs_and_judges_by_itself(start, region, samples):
    found = lines(start(region), 3)
    for line in found:  # without a clock there is a line a pass over all samples
        assert (line.network, line.counter, line.labelled) == ("digits", None, len(samples.tensors))
        assert line.right == len(samples.tensors)
        assert line.class_index == samples.labels[-1] and line.class_name == str(samples.labels[-1])


def test_a_host_takes_over_without_a_trace(start, region, compiled, samples):
    client = start(region)
    lines(client, 2)
    client.connect()
    assert client.session.resent_frames == 0
    info = runner.load(client, compiled, in_flash=True)
    measured = runner.measure(client, compiled, info, samples, check="layers")
    assert measured.mismatches == 0, measured.first_mismatch
    assert client.session.resent_frames == 0
    client.load_plan(compiled.plan)  # the pool is whole again
    assert client.hello.fault is None


def test_reset_leads_back_into_the_demo_and_out_again(start, region):
    client = start(region)
    client.connect()
    for _ in range(3):
        client.reset()
        assert client.ping(b"\0x") == b"\0x"
        assert client.session.resent_frames == 0
        with pytest.raises(DeviceError) as refused:
            client.run()
        assert refused.value.status == "NO_PLAN"


def test_the_first_frame_after_the_text_is_whole(start, region):
    """A zero ends the text: a host that reads frames from the very beginning loses none of its own."""
    client = start(region)
    lines(client, 1)
    client.transport.write(b"\0" + encode(Frame(HELLO, 7, struct.pack("<I", 1))))
    data = b""
    end = time.monotonic() + 20
    while not data.endswith(b"\0") or data.count(b"\0") < 2:
        assert time.monotonic() < end, data[-200:]
        data += client.transport.read(0.2)
    text, frame, rest = data.rsplit(b"\0", 2)
    assert rest == b"" and (text == b"" or text.endswith(b"right\r\n"))
    assert decode(frame).sequence == 7


@pytest.mark.parametrize("first", [b"x", b"\0", b"\xff"])
def test_any_byte_ends_it(start, region, first):
    client = start(region)
    lines(client, 1)
    client.transport.write(first)
    end = time.monotonic() + 20
    while client.transport.read(1.0):
        assert time.monotonic() < end, "it goes on"
    client.connect()
    assert client.ping(b"there") == b"there"


def damaged(region: bytes, offset: int, value: int) -> bytes:
    block = bytearray(region[at(region) :])
    struct.pack_into("<I", block, offset, value)
    struct.pack_into("<I", block, 12, zlib.crc32(block[CRC_BEGIN:]))
    return region[: at(region)] + bytes(block)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda r: damaged(r, 16, 1), "wrong in the demo block: plan_crc32"),
        (lambda r: damaged(r, 28, 0xFFFFFFFF), "wrong in the demo block: samples_offset"),
        (lambda r: r[:-1] + bytes([r[-1] ^ 1]), "wrong in the demo block: crc32"),
        (lambda r: r[:100] + bytes([r[100] ^ 1]) + r[101:], "the plan is refused; host run tells why"),
    ],
)
def test_what_is_not_sound_is_refused_with_a_reason(start, region, compiled, change, reason):
    client = start(change(region))
    with pytest.raises(DeviceError) as refused:
        lines(client, 1)
    assert str(refused.value).startswith(f"the device does not run its demo: {reason};")
    client.connect()
    assert client.session.resent_frames == 0
    assert client.load_plan(compiled.plan).total_bytes == len(compiled.plan)


@pytest.mark.parametrize("flash", ["plan", "erased", "nothing"])
def test_without_a_block_there_is_no_text(start, compiled, flash):
    client = start({"plan": compiled.plan, "erased": b"\xff" * 4096, "nothing": bytes(64)}[flash])
    with pytest.raises(LinkError, match="no line of a demo for 1 s"):
        next(watch(client.transport, 1.0))
    client.connect()
    assert client.session.resent_frames == 0
