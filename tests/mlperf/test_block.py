"""The MLPerf block: what the host writes the device accepts, and each wrong field is named."""

from __future__ import annotations

import random
import struct
import zlib

import pytest

from host.compile import compile_graph
from host.demo.block import ALIGN
from host.errors import InputError, UnsupportedError
from host.mlperf.block import CRC_BEGIN, HEADER, mlperf_block
from host.mlperf.models import FLOAT32, SCORES, SQUARED_ERROR, Model, find_model
from tests.faults.networks import nets
from tests.mlperf.conftest import DIGITS
from tests.mlperf.test_native import dense

FIELDS = (
    "magic", "version", "total_bytes", "crc32", "plan_crc32", "model", "input_kind", "result_kind", "flags",
    "reserved", "input_scale", "input_zero_point", "output_scale", "output_zero_point",
)  # fmt: skip


def changed(region: bytes, *, repair: bool = True, **fields) -> bytes:
    """The region with fields of the block changed, and its checksum put right."""
    begin = -(-struct.unpack_from("<I", region, 8)[0] // ALIGN) * ALIGN
    values = dict(zip(FIELDS, HEADER.unpack_from(region, begin), strict=True)) | fields
    block = bytearray(HEADER.pack(*values.values()))
    if repair:
        struct.pack_into("<I", block, 8, zlib.crc32(block[CRC_BEGIN:]))
    return region[:begin] + bytes(block)


WRONG = [
    ("version", {"version": 2}),
    ("total_bytes", {"total_bytes": 56}),
    ("plan_crc32", {"plan_crc32": 1}),
    ("model", {"model": bytes(16)}),
    ("model", {"model": b"x" * 16}),
    ("model", {"model": b"a b".ljust(16, b"\0")}),
    ("model", {"model": b"a\0b".ljust(16, b"\0")}),
    ("flags", {"flags": 2}),
    ("flags", {"reserved": 1}),
    ("input_kind", {"input_kind": 3}),
    ("result_kind", {"result_kind": 2}),
    ("result_kind", {"result_kind": SQUARED_ERROR}),
    ("result_kind", {"result_kind": SQUARED_ERROR, "input_kind": FLOAT32}),
    ("input_scale", {"input_scale": 0.0}),
    ("input_scale", {"input_scale": float("nan")}),
    ("input_scale", {"input_scale": float("inf")}),
    ("input_zero_point", {"input_zero_point": 128}),
    ("output_scale", {"output_scale": -1.0}),
    ("output_zero_point", {"output_zero_point": -129}),
]


@pytest.mark.parametrize(("field", "values"), WRONG)
def test_a_wrong_field_is_named(start, region, field, values):
    runner = start(changed(region, **values), banner=False)
    for command in ("db load 64", "db print", "db 00", "infer 1 0"):
        assert runner.ask(command) == [f"e-[Wrong in the MLPerf block: {field}]"]
    assert runner.ask("profile")[1] == "m-model-[none]"
    assert runner.ask("results") == ["e-[No inference has run]"]


def test_every_flipped_bit_of_the_block_is_seen(start, region):
    begin = len(region) - HEADER.size
    rng = random.Random(1)
    for bit in rng.sample(range(8 * HEADER.size), 24):
        damaged = bytearray(region)
        damaged[begin + bit // 8] ^= 1 << bit % 8
        runner = start(bytes(damaged), banner=False)
        assert runner.ask("profile")[1] == "m-model-[none]"


def test_a_plan_that_is_refused_is_no_network(start, region):
    damaged = bytearray(region)
    damaged[100] ^= 1
    runner = start(bytes(damaged), banner=False)
    assert runner.ask("db load 1") == ["e-[The plan in flash is refused; host run tells why]"]


def test_a_device_without_a_block_says_so(start, compiled):
    runner = start(compiled.plan, banner=False)
    assert runner.ask("profile")[1] == "m-model-[none]"
    none = ["e-[No network for MLPerf Tiny in flash; host mlperf puts one there]"]
    assert runner.ask("db load 1") == none and runner.ask("infer 1") == none


def test_the_host_refuses_networks_that_do_not_fit(compiled):
    two_inputs = nets()[1].compiled
    with pytest.raises(UnsupportedError, match="one input"):
        mlperf_block(two_inputs, DIGITS)
    with pytest.raises(UnsupportedError, match="1,024 elements, kws01's 490"):
        mlperf_block(compiled, find_model("kws01"))
    with pytest.raises(InputError, match="no model 'kws02'"):
        find_model("kws02")


def test_more_scores_than_there_is_room_for_are_refused(start):
    compiled = compile_graph(dense(8, 65))
    block = mlperf_block(compiled, Model("wide", "wide", 0, SCORES, 8))
    runner = start(compiled.plan + bytes(-len(compiled.plan) % ALIGN) + block, banner=False)
    assert runner.ask("infer 1") == ["e-[Wrong in the MLPerf block: result_kind]"]
