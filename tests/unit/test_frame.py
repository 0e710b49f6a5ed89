"""The frame codec alone: round trips, damage, and that nothing makes it raise or grow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.link import frame as wire
from host.link.frame import Damaged, Decoder, Frame, encode
from tests import fake_device

u8, u16 = st.integers(0, 255), st.integers(0, 0xFFFF)
payloads = st.one_of(
    st.binary(max_size=600),
    st.builds(lambda b, n: bytes([b]) * n, st.sampled_from([0, 1, 0xFF]), st.integers(0, 1100)),
)
frames = st.builds(Frame, u8, u16, payloads, u8, u8, u8)


@given(st.lists(frames, max_size=5), st.randoms(use_true_random=False))
def test_round_trip_however_the_bytes_are_split(sent, rng):
    data = b"\0" + b"".join(encode(f) for f in sent)
    decoder, received = Decoder(), []
    while data:
        size = rng.randint(1, 50)
        received += decoder.feed(data[:size])
        data = data[size:]
    assert received == sent


@given(frames)
def test_agrees_with_an_independent_encoder(frame):
    body = fake_device.cobs_decode(encode(frame)[:-1])
    assert body is not None
    assert body[8:-4] == frame.payload
    # A last block of 254 bytes may end with an empty one or not: both are COBS.
    assert wire.decode(fake_device.cobs_encode(body)) == frame
    assert encode(frame).count(0) == 1
    assert len(encode(frame)) <= wire.wire_bytes(wire.OVERHEAD_BYTES + len(frame.payload))


@given(st.lists(st.binary(max_size=300), max_size=6), frames)
def test_random_bytes_never_raise_and_the_next_frame_arrives(rubbish, frame):
    decoder = Decoder()
    for data in rubbish:
        decoder.feed(data)
    assert decoder.feed(b"\0" + encode(frame))[-1] == frame


@given(frames, st.data())
def test_any_single_damage_is_noticed(frame, data):
    good = encode(frame)
    at = data.draw(st.integers(0, len(good) - 2))
    change = data.draw(st.integers(1, 255))
    bad = bytearray(good)
    bad[at] ^= change
    found = Decoder().feed(bytes(bad))
    assert found
    assert all(isinstance(f, Damaged) for f in found)
    assert all(isinstance(f, Damaged) for f in Decoder().feed(good[:at] + good[at + 1 :]))


def test_memory_is_bounded_and_a_long_frame_is_reported_once():
    decoder = Decoder(max_body_bytes=100)
    for _ in range(1000):
        assert decoder.feed(b"\x01" * 1000) == []
    assert len(decoder._partial) <= 110
    found = decoder.feed(b"\0" + encode(Frame(1, 2, b"abc")))
    assert found == [Damaged("too long"), Frame(1, 2, b"abc")]


@pytest.mark.parametrize("size", [0, 1, 241, 242, 243, 254, 255, 1000, 1024])
@pytest.mark.parametrize("value", [0, 1, 0xFF])
def test_a_frame_of_the_largest_payload_fits(size, value):
    limit = wire.wire_bytes(wire.OVERHEAD_BYTES + size)
    assert len(encode(Frame(2, 0xFFFF, bytes([value]) * size, 1, 0))) <= limit
    assert wire.max_payload(limit) >= size
    assert wire.wire_bytes(wire.OVERHEAD_BYTES + wire.max_payload(limit)) <= limit


@pytest.mark.parametrize("frame", [Frame(256, 0), Frame(0, 65536), Frame(0, -1), Frame(0, 0, bytes(65536))])
def test_values_out_of_range_are_refused(frame):
    with pytest.raises(ValueError):
        encode(frame)
