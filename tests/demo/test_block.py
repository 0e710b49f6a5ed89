"""The demo block: what the host writes the device accepts, and what is damaged it refuses by the field's name."""

from __future__ import annotations

import random
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from host.compile import compile_graph
from host.demo.block import ALIGN, CRC_BEGIN, HEADER, block_bytes, demo_block, plan_region_image
from host.demo.names import class_names
from host.errors import UnsupportedError
from host.inputs import Samples, random_inputs
from tests.nets import any_graph

FIELDS = (
    "magic", "version", "header_bytes", "total_bytes", "crc32", "plan_crc32", "sample_bytes", "sample_count",
    "class_count", "samples_offset", "labels_offset", "names_offset", "percent_scale", "zero_point", "height",
    "width", "channels", "name",
)  # fmt: skip


def at(region: bytes) -> int:
    """Where the block begins."""
    plan_bytes = struct.unpack_from("<I", region, 8)[0]
    return -(-plan_bytes // ALIGN) * ALIGN


def changed(region: bytes, *, repair: bool = True, **fields) -> bytes:
    """The region with fields of the block's header changed, and the block's checksum put right."""
    begin = at(region)
    values = dict(zip(FIELDS, HEADER.unpack_from(region, begin), strict=True)) | fields
    block = bytearray(HEADER.pack(*values.values()) + region[begin + HEADER.size :])
    if repair:
        struct.pack_into("<I", block, 12, zlib.crc32(block[CRC_BEGIN : values["total_bytes"]]))
    return region[:begin] + bytes(block)


def sum_of(compiled, samples, names, percents) -> int:
    """What probe.c adds up, from the host's side."""
    total = len(compiled.net.name) + sum(len(name) for name in names) + sum(percents)
    total += sum(int(t.view(np.uint8).sum()) for sample in samples.tensors for t in sample)
    return (total + sum(int(y) for y in samples.labels)) % 2**32


def test_the_device_reads_what_the_host_wrote(probe, compiled, samples, region):
    names = class_names(compiled)
    percents = [min(100, int((score + 128) * 100 / 256 + 0.5)) for score in range(-128, 128)]
    expected = sum_of(compiled, samples, names, percents)
    assert probe.open(region) == f"{at(region)}  {expected}"
    assert len(names) == 10
    most = len(compiled.plan) + block_bytes(compiled, len(samples.tensors), names)
    assert most - ALIGN - 16 <= len(region) <= most


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("magic", {"magic": 0x4D444355}),
        ("version", {"version": 2}),
        ("header_bytes", {"header_bytes": 80}),
        ("total_bytes", {"total_bytes": 0}),
        ("total_bytes", {"total_bytes": HEADER.size - 4}),
        ("total_bytes", {"total_bytes": 0xFFFFFFFC}),
        ("total_bytes", {"total_bytes": HEADER.size + 2}),
        ("plan_crc32", {"plan_crc32": 1}),
        ("sample_bytes", {"sample_bytes": 1020}),
        ("sample_bytes", {"sample_bytes": 0}),
        ("sample_count", {"sample_count": 0}),
        ("samples_offset", {"sample_count": 0xFFFF}),
        ("samples_offset", {"samples_offset": 80}),
        ("samples_offset", {"samples_offset": 0xFFFFFFFF}),
        ("class_count", {"class_count": 9}),
        ("labels_offset", {"labels_offset": 85}),
        ("labels_offset", {"labels_offset": 0xFFFFFFFE}),
        ("labels", {"labels_offset": 400}),
        ("names_offset", {"names_offset": 40}),
        ("names_offset", {"names_offset": 0x80000000}),
        ("names", {"names_offset": 84 + 1}),
        ("percent_scale", {"percent_scale": 6553601}),
        ("zero_point", {"zero_point": 128}),
        ("zero_point", {"zero_point": -129}),
        ("height, width, channels", {"height": 31}),
        ("height, width, channels", {"height": 0}),
        ("height, width, channels", {"height": 32, "width": 16, "channels": 2}),
        ("name", {"name": b"x" * 32}),
        ("name", {"name": b"digits\n".ljust(32, b"\0")}),
        ("name", {"name": b"a\0b".ljust(32, b"\0")}),
    ],
)  # fmt: skip
def test_the_first_wrong_field_is_named(probe, region, field, values):
    assert probe.open(changed(region, **values)) == f"{at(region)} {field} 0"


def test_a_wrong_checksum(probe, region):
    for offset in (16, 44, HEADER.size, 3000, len(region) - at(region) - 1):
        bad = bytearray(region)
        bad[at(region) + offset] ^= 1
        assert probe.open(bytes(bad)) == f"{at(region)} crc32 0", offset


def test_no_block_no_plan_and_no_room(probe, compiled, region):
    erased = compiled.plan + b"\xff" * 1000
    assert probe.open(erased) == f"{at(region)} magic 0"
    for short in (
        b"",
        b"\xff" * 63,
        compiled.plan[:64],
        compiled.plan,
        region[: at(region) + HEADER.size - 1],
    ):
        assert probe.open(short) == "none", len(short)
    assert probe.open(b"\xff" * 5000) == "none"
    assert probe.open(region[: at(region) + HEADER.size]) == f"{at(region)} total_bytes 0"
    lying = bytearray(region)
    struct.pack_into("<I", lying, 8, 0xFFFFFFFC)
    assert probe.open(bytes(lying)) == "none"


@settings(max_examples=400)
@given(st.integers(0, 2**32))
def test_mutated_blocks_are_refused_or_read_safely(probe, region, seed):
    """The checksum is put right, so that mutations reach the checks behind it; the sanitizers watch."""
    rng = random.Random(seed)
    begin = at(region)
    block = bytearray(region[begin:])
    for _ in range(rng.randint(1, 3)):
        place = rng.randrange(0, HEADER.size if rng.random() < 0.7 else 600) // 2 * 2
        size = rng.choice((1, 2, 4))
        value = rng.choice(
            (0, 1, 2, 3, 10, 0x20, 84, 0x7F, 0x400, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFC)
        )
        struct.pack_into({1: "<B", 2: "<H", 4: "<I"}[size], block, place, value & (2 ** (8 * size) - 1))
    block = block[: rng.choice((len(block), len(block), HEADER.size, rng.randrange(len(block))))]
    total = struct.unpack_from("<I", block, 8)[0] if len(block) >= 16 else 0
    if len(block) >= 16 and rng.random() < 0.95:
        struct.pack_into("<I", block, 12, zlib.crc32(block[CRC_BEGIN:total]))
    answer = probe.open(region[:begin] + bytes(block))
    assert answer == "none" or answer.startswith(f"{begin} "), (seed, answer)


@settings(max_examples=60)
@given(any_graph())
def test_any_network_and_sample(probe, graph):
    """Several inputs, wide elements, outputs that are no classes: a block is written and accepted."""
    try:
        compiled = compile_graph(graph)
    except UnsupportedError:
        reject()  # nothing is left of it to run
    samples = Samples([random_inputs(compiled.original, seed) for seed in range(3)], None, "random")
    region = plan_region_image(compiled, samples, ["a"] * 3)
    answer = probe.open(region)
    assert answer.split()[0] == str(at(region)) and answer.split(" ")[1] == "", answer


def test_names_and_labels_that_do_not_fit(compiled, samples):
    block = demo_block(compiled, samples, ["only one"])
    assert dict(zip(FIELDS, HEADER.unpack_from(block), strict=True))["names_offset"] == 0
    odd = Samples(samples.tensors[:2], np.array([3, 77]), "odd")
    block = demo_block(compiled, odd, ["größer als fünfzehn Zeichen"] + ["x"] * 9)
    values = dict(zip(FIELDS, HEADER.unpack_from(block), strict=True))
    assert struct.unpack_from("<2H", block, values["labels_offset"]) == (3, 0xFFFF)
    first = block[values["names_offset"] :][:16]
    assert first == b"grer als fnfzeh\0"
