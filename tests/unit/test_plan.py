"""From graph to plan, run by the firmware's own code on this machine, against the oracle."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.compile import compile_graph
from host.errors import UnsupportedError
from host.model import graph as g
from host.oracle.run import run_graph
from host.plan import choose
from host.plan.serialise import CRC_BEGIN, HEADER, STEP, TENSOR
from tests import nets
from tests.native_plan import NativePlan, Refused


def conv_chain() -> g.Graph:
    """pad, convolution, depthwise, addition of both, concatenation, reshape, fully connected."""
    rng = np.random.default_rng(5)
    quant = g.Quant(np.array([0.05], np.float32), 3)
    tensors: list[g.Tensor] = []

    def add(name, shape, data=None, q=quant, dtype=np.int8):
        tensors.append(g.Tensor(name, shape, np.dtype(dtype), q, data))
        return len(tensors) - 1

    def weights(name, shape, axis):
        scale = np.full(shape[axis], 0.01, np.float32)
        return add(name, shape, rng.integers(-127, 128, shape, dtype=np.int8), g.Quant(scale, 0, axis))

    x, padded, conv = add("x", (1, 7, 6, 3)), add("padded", (1, 9, 8, 3)), add("conv", (1, 7, 6, 5))
    dw, both, joined = add("dw", (1, 7, 6, 5)), add("sum", (1, 7, 6, 5)), add("joined", (1, 7, 6, 10))
    flat, out = add("flat", (1, 420)), add("out", (1, 4))
    same = g.Padding(1, 1, 1, 1)
    ops: list[g.Op] = [
        g.Pad((x,), (padded,), 0, pads=((0, 0), (1, 1), (1, 1), (0, 0))),
        g.Conv2D((padded, weights("w0", (5, 3, 3, 3), 0), -1), (conv,), 1, activation="RELU"),
        g.DepthwiseConv2D((conv, weights("w1", (1, 3, 3, 5), 3), -1), (dw,), 2, padding=same),
        g.Add((conv, dw), (both,), 3),
        g.Concatenation((both, conv), (joined,), 4, axis=3),
        g.Reshape((joined,), (flat,), 5),
        g.FullyConnected((flat, weights("w2", (4, 420), 0), -1), (out,), 6),
    ]
    border = [g.Border(x, "x", np.dtype(np.int8))]
    return g.Graph("chain", tensors, ops, border, [g.Border(out, "out", np.dtype(np.int8))])


def check_natively(graph: g.Graph, inputs: list[np.ndarray], admits=choose.any_kernel) -> None:
    """Runs the compiled graph step by step; what is left of each complete tensor must equal the oracle's."""
    compiled = compile_graph(graph, admits)
    net = compiled.net
    expected = run_graph(graph, inputs)
    plan = NativePlan(compiled.plan)
    for tensor, data in zip(net.inputs, inputs, strict=True):
        plan.write(tensor, data)
    last_writer = {s.output: i for i, s in enumerate(net.steps)}
    for i, step in enumerate(net.steps):
        plan.run_step(i)
        if last_writer[step.output] == i:
            assert plan.alive(step.output, i + 1)
            got = plan.read(step.output, net.tensors[step.output].bytes)
            wanted = compiled.slimming.remaining(step.graph_output, expected[step.graph_output])
            wanted = np.ascontiguousarray(wanted).view(np.int8).reshape(-1)
            wrong = np.flatnonzero(got != wanted)
            assert not len(wrong), (
                f"step {i} {step.kernel}: [{wrong[0]}] got {got[wrong[0]]}, expected {wanted[wrong[0]]}"
            )


@pytest.mark.parametrize("admits", [choose.any_kernel, choose.reference_only])
def test_a_chain_of_operators_is_exact(admits):
    graph = conv_chain()
    rng = np.random.default_rng(1)
    check_natively(graph, [rng.integers(-128, 128, (1, 7, 6, 3), dtype=np.int8)], admits)


@given(st.data())
def test_single_operators_are_exact(data):
    graph = data.draw(nets.any_graph())
    inputs = data.draw(nets.inputs_for(graph))
    try:
        check_natively(graph, inputs)
    except UnsupportedError as refused:
        assert "operator" in str(refused) or "constant" in str(refused) or "nothing" in str(refused)


def test_padding_is_folded_and_the_addition_runs_in_place():
    compiled = compile_graph(conv_chain())
    assert [s.op for s in compiled.net.steps] == [
        "conv2d", "depthwise", "add", "copy_slice", "copy_slice", "fully_connected"
    ]  # fmt: skip
    add = compiled.net.steps[2]
    tensors = compiled.net.tensors
    assert tensors[add.output].offset in {tensors[t].offset for t in add.inputs}


def test_padding_beyond_the_kernel_stays_a_step_of_its_own():
    graph = conv_chain()
    graph.ops[0] = g.Pad((0,), (1,), 0, pads=((0, 0), (4, 4), (1, 1), (0, 0)))
    graph.tensors[1].shape = (1, 15, 8, 3)
    graph.ops[1].stride = (2, 1)
    assert [s.op for s in compile_graph(graph).net.steps][:2] == ["pad", "conv2d"]
    check_natively(graph, [np.full((1, 7, 6, 3), -128, np.int8)])


def reseal(plan: bytearray) -> bytes:
    """The plan with its checksum made right again."""
    struct.pack_into("<I", plan, 12, zlib.crc32(plan[CRC_BEGIN:]))
    return bytes(plan)


def patched(offset: int, form: str, value: int) -> bytes:
    """The chain's plan with one number changed and the checksum right."""
    plan = bytearray(compile_graph(conv_chain()).plan)
    struct.pack_into(form, plan, offset, value)
    return reseal(plan)


HEADER_FIELDS = {
    "magic": 0, "version": 4, "header_bytes": 6, "total_bytes": 8, "crc32": 12, "arena_bytes": 16,
    "tensor_count": 20, "step_count": 22, "tensors_offset": 24, "steps_offset": 28,
    "input_count": 32, "output_count": 34, "io_offset": 36,
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "form", "value", "status", "field"),
    [
        ("magic", "<I", 0, "PLAN_INVALID", "magic"),
        ("version", "<H", 9, "PLAN_VERSION", "none"),
        ("header_bytes", "<H", 60, "PLAN_INVALID", "header_bytes"),
        ("total_bytes", "<I", 1 << 20, "PLAN_INCOMPLETE", "total_bytes"),
        ("total_bytes", "<I", 66, "PLAN_INVALID", "total_bytes"),
        ("arena_bytes", "<I", 1 << 30, "ARENA_TOO_LARGE", "arena_bytes"),
        ("arena_bytes", "<I", 6, "PLAN_INVALID", "arena_bytes"),
        ("tensor_count", "<H", 0xFFFF, "PLAN_INVALID", "tensor_table"),
        ("step_count", "<H", 0, "PLAN_INVALID", "step_table"),
        ("step_count", "<H", 600, "PLAN_INVALID", "step_table"),
        ("tensors_offset", "<I", 0xFFFFFFFC, "PLAN_INVALID", "tensor_table"),
        ("steps_offset", "<I", 65, "PLAN_INVALID", "step_table"),
        ("io_offset", "<I", 0xFFFFFFFC, "PLAN_INVALID", "io_table"),
        ("input_count", "<H", 0, "PLAN_INVALID", "io_table"),
    ],
)
def test_a_bad_header_is_refused_by_name(name, form, value, status, field):
    size = compile_graph(conv_chain()).net.arena_bytes
    with pytest.raises(Refused) as refused:
        NativePlan(patched(HEADER_FIELDS[name], form, value), size)
    assert (refused.value.status, refused.value.field) == (status, field)


def step_field(step: int, index: int) -> int:
    """Offset of a u32 (index from 0) after the six u16 of a step."""
    header = HEADER.unpack_from(compile_graph(conv_chain()).plan)
    return header[9] + STEP.size * step + 12 + 4 * index


@pytest.mark.parametrize(
    ("offset", "form", "value", "field"),
    [
        (lambda: step_field(0, 0) - 12, "<H", 9999, "step_kernel"),
        (lambda: step_field(0, 0) - 10, "<H", 999, "step_tensor"),
        (lambda: step_field(0, 0) - 8, "<H", 0, "step_tensor"),
        (lambda: step_field(0, 0) - 6, "<H", 0, "step_tensor"),
        (lambda: step_field(0, 0) - 4, "<H", 0, "step_tensor"),
        (lambda: step_field(0, 0), "<I", 0xFFFFFFF0, "step_params"),
        (lambda: step_field(0, 1), "<I", 0xFFFFFFF0, "step_weights"),
        (lambda: step_field(0, 2), "<I", 3, "step_weights"),
        (lambda: step_field(0, 3), "<I", 2, "step_channels"),
        (lambda: step_field(0, 5), "<I", 0xFFFFFFF0, "step_scratch"),
    ],
)
def test_a_bad_step_is_refused_by_name(offset, form, value, field):
    with pytest.raises(Refused) as refused:
        NativePlan(patched(offset(), form, value))
    assert refused.value.field == field


def test_steps_in_another_order_are_refused():
    compiled = compile_graph(conv_chain())
    plan = bytearray(compiled.plan)
    steps = HEADER.unpack_from(plan)[9]
    first, second = slice(steps, steps + STEP.size), slice(steps + STEP.size, steps + 2 * STEP.size)
    plan[first], plan[second] = plan[second], plan[first]
    with pytest.raises(Refused) as refused:
        NativePlan(reseal(plan))
    assert refused.value.field == "step_order"


def test_an_output_over_an_input_is_refused():
    compiled = compile_graph(conv_chain(), choose.reference_only)
    plan = bytearray(compiled.plan)
    tensors = HEADER.unpack_from(plan)[8]
    step = compiled.net.steps[0]
    struct.pack_into(
        "<I", plan, tensors + TENSOR.size * step.output, compiled.net.tensors[step.inputs[0]].offset
    )
    with pytest.raises(Refused) as refused:
        NativePlan(reseal(plan))
    assert refused.value.field in ("step_overlap", "step_scratch", "tensor_offset")


def test_an_arena_that_is_too_small_says_both_numbers():
    compiled = compile_graph(conv_chain())
    with pytest.raises(Refused) as refused:
        NativePlan(compiled.plan, compiled.net.arena_bytes - 4)
    assert refused.value.status == "ARENA_TOO_LARGE"
    assert (refused.value.needed, refused.value.available) == (
        compiled.net.arena_bytes,
        compiled.net.arena_bytes - 4,
    )


@given(st.data())
def test_damaged_plans_are_refused_or_harmless(data):
    """Any bytes changed: the checksum finds it; with a right checksum the validator decides, and never crashes."""
    plan = bytearray(compile_graph(conv_chain()).plan)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(plan) // 4 - 1)) * 4
        struct.pack_into("<I", plan, at, data.draw(st.integers(0, 2**32 - 1)))
    size = compile_graph(conv_chain()).net.arena_bytes
    for candidate in (bytes(plan), reseal(plan)):
        try:
            opened = NativePlan(candidate, size)
        except Refused:
            continue
        for step in range(HEADER.unpack_from(candidate)[7]):
            opened.run_step(step)


@pytest.mark.parametrize("budget", [0, 100, 1000, 10**6])
def test_weights_in_ram_are_exact_and_within_their_budget(budget):
    graph = conv_chain()
    compiled = compile_graph(graph, limits=choose.Limits(copy_bytes=budget))
    assert compiled.net.copy_bytes <= budget
    assert bool(compiled.net.copy_bytes) == any(s.in_ram for s in compiled.net.steps)
    data = np.random.default_rng(3).integers(-128, 128, (1, 7, 6, 3), dtype=np.int8)
    plan = NativePlan(compiled.plan)
    plan.write(compiled.net.inputs[0], data)
    for i in range(len(compiled.net.steps)):
        plan.run_step(i)
    got = plan.read(compiled.net.outputs[0], 4)
    assert np.array_equal(got, run_graph(graph, [data])[graph.outputs[0].tensor].reshape(-1))


@pytest.mark.parametrize(
    ("offset", "count", "status", "field"),
    [
        (0, 2, "PLAN_INVALID", "copy_bytes"),
        (0, 1 << 20, "PLAN_INVALID", "copy_bytes"),
        (0xFFFFFFFC, 8, "PLAN_INVALID", "copy_bytes"),
        (None, 4, "PLAN_INVALID", "step_weights"),
    ],
)
def test_a_bad_range_of_copies_is_refused(offset, count, status, field):
    compiled = compile_graph(conv_chain())
    plan = bytearray(compiled.plan)
    if offset is None:  # the first four bytes of a blob of more
        offset = struct.unpack_from("<I", plan, step_field(0, 1))[0]
    struct.pack_into("<2I", plan, 48, offset, count)
    with pytest.raises(Refused) as refused:
        NativePlan(reseal(plan), compiled.net.arena_bytes + 64)
    assert (refused.value.status, refused.value.field) == (status, field)


def test_copies_that_do_not_fit_say_both_numbers():
    compiled = compile_graph(conv_chain(), limits=choose.Limits(copy_bytes=10**6))
    with pytest.raises(Refused) as refused:
        NativePlan(compiled.plan, compiled.net.arena_bytes)
    assert refused.value.status == "ARENA_TOO_LARGE"
    assert refused.value.needed == compiled.net.arena_bytes + compiled.net.copy_bytes
