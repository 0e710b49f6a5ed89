"""The real firmware under the sanitizers, as a process: rubbish, broken frames and broken plans never stop it."""

from __future__ import annotations

import os
import random
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host import defs
from host.compile import compile_file
from host.data import digits
from host.errors import DeviceError, HostError, ProtocolMismatchError
from host.link.client import Client
from host.link.frame import VERSION, Frame, encode
from host.link.session import Request
from host.plan.serialise import CRC_BEGIN, HEADER
from host.transport.native import NativeTransport
from tests.native_build import ENVIRONMENT, native_firmware

CODES = [c.code for c in defs.commands().values()]
RESET = defs.commands()["RESET"].code


def start(*flags: str) -> Client:
    return Client(NativeTransport(native_firmware(*flags), env={**os.environ, **ENVIRONMENT}))


@pytest.fixture(scope="module")
def firmware():
    with start() as client:
        yield client


@pytest.fixture(scope="module")
def plan():
    return compile_file(digits.model_path()).plan


def send_and_check(client: Client, data: bytes) -> None:
    """The device reads these bytes and is still there, its link as good as new."""
    client.transport.write(data)
    client.connect()
    assert client.ping(b"\0alive\xff") == b"\0alive\xff"


def test_hello_and_ping(firmware):
    assert firmware.hello.board == "native"
    assert firmware.hello.core == "native"
    for size in (0, 1, 254, firmware.hello.max_payload_bytes):
        assert firmware.ping(bytes(size)) == bytes(size)


def test_the_reported_build_changes_with_the_version():
    with pytest.raises(
        ProtocolMismatchError, match=f"speaks link protocol version 99, this host version {VERSION}"
    ) as e:
        start("-DPROTOCOL_VERSION=99").connect()
    assert "build unknown" not in str(e.value)


@given(st.binary(max_size=3000))
def test_random_bytes(firmware, data):
    send_and_check(firmware, data)


requests = st.builds(
    Frame,
    st.one_of(st.sampled_from([c for c in CODES if c != RESET]), st.integers(0, 255)).filter(
        lambda c: c != RESET
    ),
    st.integers(0, 0xFFFF),
    st.one_of(
        st.binary(max_size=40),
        st.lists(st.sampled_from([0, 1, 2, 4, 64, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF]), max_size=6).map(
            lambda v: struct.pack(f"<{len(v)}I", *v)
        ),
        st.lists(st.sampled_from([0, 1, 2, 16, 0xFFFF]), max_size=8).map(
            lambda v: struct.pack(f"<{len(v)}H", *v)
        ),
    ),
    st.sampled_from([0, 0, 0, 0, 1, 2, 255]),
    st.sampled_from([0, 0, 0, 255]),
    st.sampled_from([1, 1, 1, 1, 0, 2]),
)


@given(st.lists(requests, min_size=1, max_size=20), st.booleans())
def test_any_requests_in_any_order(firmware, plan, frames, loaded):
    if loaded:
        firmware.load_plan(plan)
    send_and_check(firmware, b"\0" + b"".join(encode(f) for f in frames))


@given(st.lists(requests, min_size=1, max_size=8), st.integers(0, 2**32))
def test_mutated_frames(firmware, frames, seed):
    rng = random.Random(seed)
    data = bytearray(b"\0" + b"".join(encode(f) for f in frames))
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(data))
        change = rng.randrange(4)
        if change == 0:
            data[at] = rng.randrange(256)
        elif change == 1:
            del data[at : at + rng.randint(1, 9)]
        elif change == 2:
            data[at:at] = data[at : at + rng.randint(1, 30)]
        else:
            data[at:at] = bytes([rng.choice((0, 1, 254, 255))]) * rng.randint(1, 300)
        data = data or bytearray(1)
    send_and_check(firmware, bytes(data))


@settings(max_examples=150)
@given(st.integers(0, 2**32))
def test_mutated_plans_are_refused_or_run_safely(firmware, plan, seed):
    """The checksum is put right, so that the mutation reaches the checks behind it."""
    rng = random.Random(seed)
    bad = bytearray(plan)
    tables = struct.unpack_from("<I", plan, 36)[0] if rng.random() < 0.5 else HEADER.size
    end = rng.choice((HEADER.size, tables + 2000, len(bad)))
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(CRC_BEGIN, min(end, len(bad)) // 4 * 4 - 4) // 4 * 4
        value = rng.choice(
            (0, 1, 3, 4, 0x7F, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFC, 0xFFFFFFFF)
        )
        size = rng.choice((1, 2, 4))
        struct.pack_into({1: "<B", 2: "<H", 4: "<I"}[size], bad, at, value & (2 ** (8 * size) - 1))
    struct.pack_into("<I", bad, 12, zlib.crc32(bad[CRC_BEGIN:]))
    try:
        info = firmware.load_plan(bytes(bad))
        _run_all(firmware, info.tensors)
    except DeviceError as e:
        assert e.status != "FAULT"
    except HostError as e:
        assert "ended" not in str(e), str(e)
    assert firmware.ping(b"alive") == b"alive"


def _run_all(client: Client, tensors: int) -> None:
    for tensor in range(tensors):
        for size in (1024, 1, 16):
            try:
                client.write_tensor(tensor, bytes(size))
                break
            except DeviceError:
                continue
    client.run()
    for tensor in range(tensors):
        try:
            client.read_tensor(tensor, 1)
        except DeviceError as e:
            assert e.status in ("TENSOR_NOT_ALIVE", "OUT_OF_RANGE")


def test_a_sound_plan_runs(firmware, plan):
    info = firmware.load_plan(plan)
    assert info.total_bytes == len(plan)
    firmware.write_tensor(0, bytes(1024))
    first = firmware.run()
    assert first.steps_done == info.steps
    assert len(firmware.counts(0, info.steps)) == info.steps
    firmware.reset()
    with pytest.raises(DeviceError) as e:
        firmware.run()
    assert e.value.status == "NO_PLAN"


def test_it_answers_a_thousand_requests_in_order(firmware):
    payloads = [str(n).encode() for n in range(1000)]
    assert firmware.session.exchange([Request("PING", p) for p in payloads]) == payloads
    assert firmware.session.resent_frames == 0


def test_a_plan_in_flash_outlives_a_reset(plan, tmp_path):
    file = tmp_path / "plan.bin"
    file.write_bytes(plan)
    with Client(NativeTransport(native_firmware(), [str(file)], {**os.environ, **ENVIRONMENT})) as client:
        infos = []
        for _ in range(2):
            infos.append(client.select_flash_plan())
            client.write_tensor(0, bytes(1024))
            assert client.run().steps_done == infos[0].steps
            client.reset()
        assert infos[0] == infos[1]
        assert infos[0].total_bytes == len(plan)
