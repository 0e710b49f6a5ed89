"""The link of a real device: what HELLO says, every size and pattern, every kind of damage, and recovery."""

from __future__ import annotations

import random
import struct
import time

import pytest

from host import defs, runner
from host.compile import compile_file
from host.data import digits
from host.errors import DeviceError, DoesNotFitError
from host.inputs import Samples
from host.link import frame as wire
from host.link.client import Client
from host.link.frame import Damaged, Decoder, Frame, Kind, encode
from host.link.session import Request
from host.plan.serialise import VERSION as PLAN_VERSION
from tests.faults.networks import picture
from tests.faults.proxy import FaultyTransport, Noise, Rates

BAD_FRAME, BAD_VERSION, BAD_COMMAND, BAD_LENGTH, BAD_SEQUENCE, OUT_OF_RANGE, NO_PLAN = range(1, 8)
PING = 0x02


def exchange(dut: Client, data: bytes, answers: int = 1, seconds: float = 2.0) -> list[Frame | Damaged]:
    """Sends raw bytes; what comes back, at least `answers` items if it takes no longer than that."""
    decoder, found = Decoder(), []
    dut.transport.write(data)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        new = dut.transport.read(0.05)
        found += decoder.feed(new)
        if len(found) >= answers and not new:
            break
    return found


def statuses(found: list[Frame | Damaged]) -> list[int]:
    assert all(isinstance(f, Frame) and f.kind == Kind.RESPONSE for f in found), found
    return [f.status for f in found]


def number(dut) -> int:
    """The sequence number that is next in this conversation."""
    taken = dut.session._sequence
    dut.session._sequence = (taken + 1) & 0xFFFF
    return taken


def ping(sequence: int, payload: bytes = b"") -> bytes:
    return encode(Frame(PING, sequence, payload))


def rewrapped(data: bytes) -> bytes:
    """A frame with this body, checksum as it is."""
    from cobs import cobs

    return cobs.encode(data) + b"\0"


def body_of(frame: bytes) -> bytearray:
    from cobs import cobs

    return bytearray(cobs.decode(frame[:-1]))


def test_hello(dut, station):
    hello = dut.hello
    assert hello.board == station.entry.board
    assert (hello.protocol_version, hello.plan_version) == (wire.VERSION, PLAN_VERSION)
    assert len(hello.build) == 16
    assert hello.clock_hz >= 1_000_000
    assert hello.emulated == (hello.counter == "instructions")
    assert hello.emulated or hello.clock_source != "emulated"
    assert hello.core.startswith("cortex-m")
    assert hello.pool_bytes > 16_000
    assert hello.max_payload_bytes >= 256
    assert hello.rx_window_bytes >= wire.wire_bytes(wire.OVERHEAD_BYTES + hello.max_payload_bytes)
    assert hello.fault is None
    assert "gcc" in hello.compiler
    assert "-O2" in hello.flags
    known = {kernel.id for kernel in defs.kernels().values()}
    assert set(hello.kernels) == known


@pytest.mark.parametrize("size", [0, 1, 2, 3, 63, 64, 229, 241, 242, 243, 253, 254, 255, 256, 509, "max"])
def test_ping_of_every_size(dut, size):
    size = dut.hello.max_payload_bytes if size == "max" else size
    for payload in (bytes(size), b"\xff" * size, b"\1" * size, random.Random(size).randbytes(size)):
        assert dut.ping(payload) == payload
    assert dut.session.resent_frames == 0


def test_a_full_window_loses_nothing(dut):
    rng = random.Random(1)
    payloads = [rng.randbytes(rng.randint(0, 500)) for _ in range(60)]
    assert dut.session.exchange([Request("PING", p) for p in payloads]) == payloads
    assert dut.session.resent_frames == 0


def test_damage_is_answered_and_the_link_goes_on(dut):
    for at in range(len(ping(5, b"payload with \0 zeros \0")) - 1):
        bad = bytearray(ping(number(dut), b"payload with \0 zeros \0"))
        bad[at] ^= 0x40 if bad[at] != 0x40 else 0x20
        following = number(dut)
        found = exchange(dut, b"\0" + bytes(bad) + ping(following))
        assert statuses(found) == [BAD_FRAME, 0], f"byte {at}"
        assert (found[0].command, found[0].sequence) == (0, 0)
        assert found[1].sequence == following
    dut.ping(b"after")


def test_frames_that_are_none(dut):
    limit = wire.OVERHEAD_BYTES + dut.hello.max_payload_bytes
    wrong_length = body_of(ping(1, b"abcd"))
    struct.pack_into("<H", wrong_length, 6, 5)
    for name, data in {
        "too short": rewrapped(b"\x01\x00\x02"),
        "one byte": b"\x01\x00",
        "bad stuffing": b"\x09abc\x00",
        "wrong length": rewrapped(bytes(wrong_length)),
        "too long": encode(Frame(PING, 1, bytes(limit))),
        "far too long": b"\x05abcd" * 1000 + b"\0",
    }.items():
        found = exchange(dut, b"\0" + data + ping(number(dut), b"x"), 2)
        assert statuses(found) == [BAD_FRAME, 0], name
        assert found[1].payload == b"x"
    last = number(dut)
    assert exchange(dut, b"\0\0\0\0" + ping(last) + b"\0\0", 1)[0].sequence == last


def test_responses_and_progress_are_not_requests(dut):
    last = number(dut)
    stray = encode(Frame(PING, 1, b"a", Kind.RESPONSE)) + encode(Frame(PING, 1, b"a", Kind.PROGRESS))
    found = [f for f in exchange(dut, b"\0" + stray + ping(last)) if f.status != BAD_FRAME]
    assert [f.sequence for f in found] == [last]


def test_another_version_is_told_ours(dut):
    for version in (0, 1, 255):
        for command in (defs.commands()["HELLO"].code, PING, 0xEE):
            found = exchange(dut, encode(Frame(command, 7, b"\1\2\3\4", version=version)))
            assert statuses(found) == [BAD_VERSION]
            assert found[0].version == 1
            assert struct.unpack_from("<H", found[0].payload)[0] == wire.VERSION
            assert found[0].payload[4:12].hex() == dut.hello.build
    dut.ping()


def test_unknown_commands(dut):
    known = {c.code for c in defs.commands().values()}
    for code in {0, 4, 0x0F, 0x14, 0x32, 0x7F, 0xFF} - known:
        sequence = number(dut)
        found = exchange(dut, encode(Frame(code, sequence, b"abc")))
        assert statuses(found) == [BAD_COMMAND]
        assert (found[0].command, found[0].sequence) == (code, sequence)
        assert len(found[0].payload) == 16
    dut.ping()


WRONG_LENGTHS = {
    "HELLO": (0, 3, 5),
    "RESET": (1, 4),
    "PLAN_BEGIN": (0, 3, 5),
    "PLAN_DATA": (0, 3),
    "PLAN_COMMIT": (1,),
    "PLAN_SELECT_FLASH": (1,),
    "TENSOR_WRITE": (0, 4, 7),
    "TENSOR_READ": (0, 11, 13),
    "RUN": (0, 7, 9),
    "COUNTS": (0, 3, 5),
}


def test_every_command_has_its_lengths_tested():
    assert set(WRONG_LENGTHS) == set(defs.commands()) - {"PING"}


@pytest.mark.parametrize("command", WRONG_LENGTHS)
def test_wrong_lengths(dut, command):
    for size in WRONG_LENGTHS[command]:
        found = exchange(dut, encode(Frame(defs.commands()[command].code, number(dut), bytes(size))))
        assert statuses(found)[0] in (BAD_LENGTH, NO_PLAN), size
    dut.ping()


def test_without_a_plan(dut):
    for call in (
        lambda: dut.run(),
        lambda: dut.counts(0, 1),
        lambda: dut.read_tensor(0, 1),
        lambda: dut.write_tensor(0, b"x"),
    ):
        with pytest.raises(DeviceError) as e:
            call()
        assert e.value.status == "NO_PLAN"


def test_plans_that_are_refused(dut):
    with pytest.raises(DoesNotFitError, match=str(dut.hello.pool_bytes)):
        dut.load_plan(bytes(dut.hello.pool_bytes + 4))
    for plan, status in (
        (bytes(64), "PLAN_INVALID"),
        (b"TCPN", "PLAN_INCOMPLETE"),
        (struct.pack("<IHHII48x", 0x4E504354, PLAN_VERSION, 64, 64, 0), "PLAN_CHECKSUM"),
        (struct.pack("<IHHII48x", 0x4E504354, 99, 64, 64, 0), "PLAN_VERSION"),
    ):
        with pytest.raises(DeviceError) as e:
            dut.load_plan(plan)
        assert e.value.status == status
        dut.ping()
    assert dut.session.call("PLAN_BEGIN", struct.pack("<I", 100)) == b""
    for offset, size, status in (
        (1, 4, "BAD_SEQUENCE"),
        (0, 101, "OUT_OF_RANGE"),
        (2**32 - 4, 8, "BAD_SEQUENCE"),
    ):
        with pytest.raises(DeviceError) as e:
            dut.session.call("PLAN_DATA", struct.pack("<I", offset) + bytes(size))
        assert e.value.status == status
    with pytest.raises(DeviceError) as e:
        dut.session.call("PLAN_COMMIT")
    assert e.value.status == "PLAN_INCOMPLETE"


@pytest.fixture(scope="module")
def network():
    return compile_file(digits.model_path())


def infer(client: Client, network, seed: int) -> tuple[bytes, tuple[int, ...]]:
    """Output and counts of one inference, the plan loaded for it."""
    net = network.net
    client.load_plan(network.plan)
    image = random.Random(seed).randbytes(net.tensors[net.inputs[0]].bytes)
    client.write_tensor(net.inputs[0], image)
    result = client.run()
    assert (result.runs, result.steps_done) == (1, len(net.steps))
    output = client.read_tensor(net.outputs[0], net.tensors[net.outputs[0]].bytes)
    counts = client.counts(0, len(net.steps))
    assert sum(counts) == result.total
    return output, counts


def test_an_inference_in_steps_is_the_same(dut, network):
    output, _ = infer(dut, network, 1)
    net = network.net
    image = random.Random(1).randbytes(net.tensors[net.inputs[0]].bytes)
    dut.write_tensor(net.inputs[0], image)
    for step in range(len(net.steps)):
        assert dut.run(step, 1).steps_done == step + 1
    assert dut.read_tensor(net.outputs[0], len(output)) == output
    with pytest.raises(DeviceError) as e:
        dut.run(1, 1)
    assert e.value.status == "BAD_SEQUENCE"


def test_a_run_is_executed_once_per_number(dut, network):
    infer(dut, network, 1)
    net = network.net
    dut.write_tensor(net.inputs[0], bytes(net.tensors[net.inputs[0]].bytes))
    run = encode(Frame(defs.commands()["RUN"].code, number(dut), struct.pack("<HHI", 0, 1, 1)))
    found = [f for f in exchange(dut, run * 3, 3) if f.kind == Kind.RESPONSE]
    assert statuses(found) == [0, 0, 0]
    assert found[0] == found[1] == found[2]
    assert dut.run(1, 0).steps_done == len(net.steps)


def test_reset_forgets_the_plan(dut, network):
    first, counts = infer(dut, network, 2)
    for _ in range(3):
        assert dut.reset().board == dut.hello.board
    with pytest.raises(DeviceError) as e:
        dut.run()
    assert e.value.status == "NO_PLAN"
    again, counts_again = infer(dut, network, 2)
    assert again == first
    if dut.hello.counter == "instructions":
        assert counts_again == counts


def test_a_stalled_frame_does_no_harm(dut):
    for cut in (1, 5, 12):
        exchange(dut, ping(1, bytes(20))[:cut], 0, 0.1)
        assert dut.ping(b"after") == b"after"
    dut.transport.write(ping(1, bytes(20))[:9])
    assert dut.connect().board
    dut.transport.write(encode(Frame(defs.commands()["PLAN_DATA"].code, 0, bytes(200)))[:100])
    dut.reset()


def test_a_host_that_ignores_credits_only_hurts_itself(dut):
    count = 3 * dut.hello.rx_window_bytes // 214
    burst = b"".join(ping(number(dut), bytes(200)) for _ in range(count))
    exchange(dut, burst, 1000, 1.0)
    assert dut.connect().board
    assert dut.ping(b"after") == b"after"


def test_rubbish_does_no_harm(dut):
    for seed in range(5):
        exchange(dut, random.Random(seed).randbytes(2000), 1000, 0.2)
        assert dut.connect().board
    assert dut.session.exchange([Request("PING", b"x")] * 10) == [b"x"] * 10


def test_all_of_the_next_inputs_travel_ahead(dut):
    net = picture()
    info = runner.load(dut, net.compiled, in_flash=False)
    assert info.rx_window_bytes > net.samples.tensors[0][0].nbytes > dut.hello.rx_window_bytes
    samples = Samples(net.samples.tensors * 3, None, "three times")
    measured = runner.measure(dut, net.compiled, info, samples, pipelined=True)
    assert measured.counted == len(samples.tensors) and measured.mismatches == 0
    assert dut.session.counts.errors == 0


@pytest.mark.parametrize("seed", range(3))
def test_a_bad_line_changes_no_result(dut, network, seed):
    expected, _ = infer(dut, network, seed)
    rates, rng = Rates(flip_bit=1e-4, drop_byte=1e-4, piece_bytes=1), random.Random(seed)
    client = Client(FaultyTransport(dut.transport, Noise(rates, rng), Noise(rates, rng)))
    client.connect()
    assert infer(client, network, seed)[0] == expected
    assert client.session.resent_frames > 0
