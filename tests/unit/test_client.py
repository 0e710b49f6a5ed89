"""The client against the independent fake: what every command does, and every fault of the line."""

import contextlib
import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.errors import (
    DeviceError,
    DoesNotFitError,
    HostError,
    LinkError,
    ProtocolMismatchError,
)
from host.link import frame as wire
from host.link.client import Client, PlanInfo, RunResult
from host.link.frame import Decoder, Frame, encode
from host.link.hello import Fault, parse_hello
from tests.fake_device import FakeDevice, expected_output, make_plan
from tests.faults.proxy import Rates


def connected(device: FakeDevice) -> Client:
    client = Client(device, clock=device.now)
    client.connect()
    return client


def work(client: Client, input_bytes: int, output_bytes: int, seed: int) -> None:
    """The usual job, with exact results."""
    rng = random.Random(seed)
    plan = make_plan(input_bytes, output_bytes, rng.randbytes(rng.randint(0, 3000)))
    info = client.load_plan(plan)
    assert info.total_bytes == len(plan)
    for _ in range(2):
        image = rng.randbytes(input_bytes)
        client.write_tensor(0, image)
        assert client.run().steps_done == 1
        assert client.read_tensor(1, output_bytes) == expected_output(image, output_bytes)
    assert client.counts(0, 1) == (1000,)


def test_hello():
    device = FakeDevice(flash_plan=bytes(100))
    with Client(device, clock=device.now) as client:
        hello = client.hello
        assert (hello.board, hello.compiler, hello.flags) == ("fake", "python", "-O2")
        assert (hello.protocol_version, hello.plan_version, hello.build) == (
            wire.VERSION,
            1,
            "0102030405060708",
        )
        assert (hello.clock_hz, hello.clock_source, hello.counter) == (
            168_000_000,
            "PLL from crystal",
            "cycles",
        )
        assert (hello.emulated, hello.icache, hello.dcache, hello.prefetch) == (False, True, False, True)
        assert (hello.core, hello.pool_bytes, hello.flash_plan_bytes) == ("cortex-m4", 100_000, 100)
        assert (hello.rx_window_bytes, hello.max_payload_bytes) == (1024, 256)
        assert (hello.fault, hello.kernels) == (None, (1, 2, 300))
        assert hello.session == client._number
        assert (hello.stack_bytes, hello.stack_used, hello.reset_cause, hello.watchdog_ms) == (
            4096,
            512,
            "power",
            0,
        )
    assert device.closed


@given(st.binary(max_size=300))
def test_a_malformed_hello_is_a_link_error(payload):
    with contextlib.suppress(LinkError):
        parse_hello(payload)


def test_all_commands():
    device = FakeDevice()
    client = connected(device)
    assert client.ping(b"\0\xff" * 128) == b"\0\xff" * 128
    plan = make_plan(5000, 3000, bytes(777))
    seen = []
    info = client.load_plan(plan, lambda done, total: seen.append((done, total)))
    assert info == PlanInfo(struct.unpack_from("<I", plan, 12)[0], len(plan), 8000, 2, 1, True, 0, 1024)
    assert seen[-1] == (len(plan), len(plan))
    assert [d for d, _ in seen] == sorted(d for d, _ in seen)
    image = random.Random(1).randbytes(5000)
    client.write_tensor(0, image)
    assert client.run(runs=7) == RunResult(7000, 7, 1)
    assert client.read_tensor(1, 3000) == expected_output(image, 3000)
    assert client.read_tensor(1, 10, 2990) == expected_output(image, 3000)[2990:]
    assert client.read_tensor(1, 0) == b""
    assert client.counts(0, 1) == (1000,)
    assert client.counts(0, 0) == ()
    client.reset()
    with pytest.raises(DeviceError, match="RUN: no plan is loaded") as e:
        client.run()
    assert e.value.status == "NO_PLAN"


def test_flash_plan():
    plan = make_plan(4, 4)
    device = FakeDevice(flash_plan=plan)
    assert connected(device).select_flash_plan().total_bytes == len(plan)
    with pytest.raises(DeviceError, match="no plan in the flash region"):
        connected(FakeDevice()).select_flash_plan()


@pytest.mark.parametrize("window,payload", [(64, 256), (100, 64), (512, 512), (1024, 1024), (8192, 1024)])
def test_the_window_is_respected_and_kept_full(window, payload):
    device = FakeDevice(rx_window_bytes=window, max_payload_bytes=payload, latency_s=0.005)
    client = connected(device)
    client.load_plan(make_plan(4, 4, bytes(20_000)))
    assert device.max_waiting_bytes <= window
    if window >= 128:
        assert device.max_waiting_bytes > window // 2


def test_sequence_numbers_wrap():
    device = FakeDevice()
    client = connected(device)
    client.session._sequence, device._newest = 0xFFFE, 0xFFFD
    work(client, 3000, 2000, 3)


def test_out_of_memory_says_both_numbers():
    client = connected(FakeDevice(pools=(1000,)))
    with pytest.raises(DoesNotFitError, match=r"plan needs \d+ bytes, the board has 1000"):
        client.load_plan(make_plan(4, 4, bytes(2000)))
    with pytest.raises(DoesNotFitError, match="arena needs 4000 bytes, the board has 868"):
        client.load_plan(make_plan(4, 4, arena_bytes=4000))
    work_fits = make_plan(4, 4)
    assert client.load_plan(work_fits).total_bytes == len(work_fits)


def test_a_refusal_in_a_pipelined_transfer_leaves_the_client_usable():
    client = connected(FakeDevice(latency_s=0.01))
    client.load_plan(make_plan(1000, 1000))
    with pytest.raises(DeviceError, match="TENSOR_WRITE: an offset, index or count is out of range"):
        client.write_tensor(0, bytes(5000))
    with pytest.raises(DeviceError, match="out of range"):
        client.write_tensor(7, bytes(5000))
    work(client, 1000, 1000, 1)


def test_another_version_names_both_and_the_build():
    with pytest.raises(ProtocolMismatchError) as e:
        connected(FakeDevice(version=wire.VERSION + 1))
    assert "build 0102030405060708" in str(e.value)
    assert f"version {wire.VERSION + 1}" in str(e.value)
    assert f"version {wire.VERSION}" in str(e.value)
    assert "host flash" in str(e.value)


def test_a_dead_line_ends_in_time():
    device = FakeDevice()
    device.mute = True
    with pytest.raises(LinkError, match="HELLO: no answer"):
        connected(device)
    assert device.now() < 10
    device.mute = False
    client = connected(device)
    device.mute = True
    start = device.now()
    with pytest.raises(LinkError, match=r"PING: no answer, 5 times in a row \(fake\)"):
        client.ping()
    assert device.now() - start < 20


def test_a_line_that_only_talks_rubbish_ends_in_time():
    device = FakeDevice()
    rng = random.Random(5)
    real_read = device.read

    def babble(timeout: float) -> bytes:
        real_read(min(timeout, 0.001))
        return rng.randbytes(200)

    device.read = babble
    with pytest.raises(LinkError):
        connected(device)
    assert device.now() < 30


def test_a_long_run_is_kept_alive_by_progress_and_executed_once():
    device = FakeDevice(run_s=30)
    client = connected(device)
    client.load_plan(make_plan(4, 4))
    client.write_tensor(0, b"abcd")
    seen = []
    assert client.run(on_progress=lambda runs, step: seen.append(runs)).runs == 1
    assert seen == list(range(30))
    assert device.runs_executed == 1


def test_a_silent_long_run_is_executed_once_although_asked_again():
    device = FakeDevice(run_s=5)
    device._progress = lambda sequence, at: setattr(device, "_busy_until", at + 5)
    client = connected(device)
    client.load_plan(make_plan(4, 4))
    client.write_tensor(0, b"abcd")
    client.run()
    assert device.runs_executed == 1
    assert client.ping(b"after") == b"after"


def test_a_new_host_on_a_busy_device_says_so():
    device = FakeDevice(run_s=60)
    client = connected(device)
    client.load_plan(make_plan(4, 4))
    client.write_tensor(0, b"abcd")
    device.write(encode(Frame(0x30, client.session._sequence, struct.pack("<HHI", 0, 0, 1))))
    with pytest.raises(LinkError, match="busy with a run of an earlier host"):
        connected(device)


def test_a_device_that_restarted_says_so_at_once():
    device = FakeDevice()
    client = connected(device)
    client.load_plan(make_plan(4, 4))
    client.write_tensor(0, b"abcd")
    device.restart()
    before = device.now()
    with pytest.raises(DeviceError, match="the device restarted during RUN") as e:
        client.run()
    assert e.value.status == "RESTARTED" and device.now() - before < 1
    work(client, 100, 100, 2)


def test_an_old_request_changes_nothing():
    device = FakeDevice()
    client = connected(device)
    client.load_plan(make_plan(4, 4))
    held_back = encode(Frame(0x20, client.session._sequence, struct.pack("<HHI", 0, 0, 0) + b"junk"))
    client.write_tensor(0, b"abcd")
    device.write(held_back)
    client.run()
    assert client.read_tensor(1, 4) == expected_output(b"abcd", 4)


def test_a_fault_during_a_run_is_explained():
    device = FakeDevice()
    client = connected(device)
    client.load_plan(make_plan(4, 4))
    client.write_tensor(0, b"abcd")
    device.crash_on_run = True
    with pytest.raises(DeviceError, match="restarted during RUN: HardFault at PC 0x08001234") as e:
        client.run()
    assert e.value.status == "FAULT"
    device.crash_on_run = False
    assert client.connect().fault is None
    work(client, 100, 100, 2)


def test_fault_is_in_hello():
    client = connected(FakeDevice(fault=(5, 1, 2, 3)))
    assert client.hello.fault == Fault(5, 1, 2, 3)
    assert str(client.hello.fault) == "BusFault at PC 0x00000001, LR 0x00000002, CFSR 0x00000003"


def test_connects_through_what_an_earlier_host_left_behind():
    device = FakeDevice()
    client = connected(device)
    client.load_plan(make_plan(2000, 2000))
    for n in range(8):
        device.write(encode(Frame(0x21, n, struct.pack("<HHII", 0, 0, 0, 200))))
    device.write(encode(Frame(2, 9, b"cut off in the middle"))[:11])
    work(connected(device), 500, 500, 4)


KINDS = ("drop_byte", "flip_bit", "drop_piece", "repeat_piece", "delay")
FAULTS = {
    "none": Rates(),
    "drop bytes": Rates(drop_byte=0.02),
    "flip bits": Rates(flip_bit=0.02),
    "drop pieces": Rates(drop_piece=0.02),
    "repeat pieces": Rates(repeat_piece=0.02),
    "delay": Rates(delay=0.02),
    "only to the device": Rates(drop_byte=0.05, flip_bit=0.05),
    "everything": Rates(**dict.fromkeys(KINDS, 0.005)),
}


def faulty(kind: str, seed: int, **more) -> FakeDevice:
    return FakeDevice(seed=seed, faults=FAULTS[kind], both_ways=kind != "only to the device", **more)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("kind", FAULTS)
def test_mild_faults_never_spoil_the_result(kind, seed):
    window, latency_s = ((300, 0.0), (1024, 0.001), (4096, 0.03))[seed % 3]
    device = faulty(kind, seed, rx_window_bytes=window, latency_s=latency_s)
    work(connected(device), 4000, 3000, seed)


def test_a_device_that_began_anew_in_a_transfer_gets_it_from_the_start():
    device = FakeDevice(latency_s=0.02)
    client = connected(device)
    client.load_plan(make_plan(5000, 100))
    real_write, writes = device.write, []

    def write(data: bytes) -> None:
        writes.append(data)
        real_write(data)
        if len(writes) == 3:  # the line doubles an early frame: TENSOR_WRITE at offset 0
            real_write(encode(Frame(0x20, 1, struct.pack("<HHI", 0, 0, 0) + b"abc")))

    device.write = write
    image = bytes(range(250)) * 20
    client.write_tensor(0, image)
    client.run()
    assert client.read_tensor(1, 100) == expected_output(image, 100)


@settings(max_examples=100)
@given(
    st.integers(0, 2**32),
    st.builds(Rates, **dict.fromkeys(KINDS, st.floats(0, 0.5)), max_delay_s=st.floats(0, 5)),
    st.booleans(),
    st.sampled_from([64, 256, 1024, 4096]),
)
def test_any_faults_end_in_exact_data_or_a_typed_error_in_bounded_time(seed, faults, both_ways, window):
    device = FakeDevice(seed=seed, faults=faults, both_ways=both_ways, rx_window_bytes=window)
    with contextlib.suppress(HostError):
        work(connected(device), 700, 500, seed)
    assert device.now() < 1000
    device.calm()
    while device.read(60):
        pass  # what the line still delays
    work(connected(device), 300, 300, seed)


def test_frames_of_other_kinds_and_versions_are_ignored():
    device = FakeDevice()
    client = connected(device)
    sequence = client.session._sequence
    real_write = device.write

    def write(data: bytes) -> None:
        for frame in (Frame(2, sequence, b"", kind=7), Frame(2, sequence ^ 1, b"stale", kind=1)):
            device._send(device._to_host, encode(frame), device.now())
        real_write(data)

    device.write = write
    assert client.ping(b"x") == b"x"


def test_our_requests_are_sound_frames():
    sent = bytearray()
    device = FakeDevice()
    real_write = device.write
    device.write = lambda data: (sent.extend(data), real_write(data))
    work(connected(device), 300, 200, 1)
    found = Decoder().feed(bytes(sent))
    assert all(isinstance(f, Frame) and f.version == wire.VERSION and f.kind == 0 for f in found)


def test_trouble_on_the_line_is_counted_by_kind():
    # A dozen seeds each: the session numbers are random, so only sums are certain to be above 0.
    sums = {kind: [0, 0, 0, 0] for kind in ("none", "drop pieces", "flip bits", "only to the device")}
    for kind, total in sums.items():
        for seed in range(12):
            client = connected(faulty(kind, seed))
            work(client, 4000, 3000, seed)
            c = client.session.counts
            assert c.errors == c.damaged_answers + c.damaged_requests + c.missing_answers
            for i, n in enumerate(
                (c.resent_frames, c.damaged_answers, c.damaged_requests, c.missing_answers)
            ):
                total[i] += n
    assert sums["none"] == [0, 0, 0, 0]
    assert sums["drop pieces"][0] and sums["drop pieces"][3]
    assert all(sums["flip bits"][:3])
    assert sums["only to the device"][1] == 0 and sums["only to the device"][2] > 0
