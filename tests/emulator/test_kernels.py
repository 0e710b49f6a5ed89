"""Single operators on the device: every kernel against the oracle, and plans that the device must refuse."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from host import defs, runner
from host.compile import compile_graph
from host.errors import DeviceError, DoesNotFitError, UnsupportedError
from host.oracle.run import run_graph
from host.plan import fuse
from tests import nets
from tests.unit.test_plan import conv_chain, reseal

# Strategies are named by TensorFlow Lite's operator, kernels by ours.
STRATEGY_OF = {
    "copy_slice": "concatenation",
    "requantize": "quantize",
    "resize_nearest": "resize",
    "unbinarise": "binarise",
    "bit_planes": "planes_conv2d",
    fuse.OP: "depthwise_separable",
    "conv2d_s8_hwc_separable": "conv2d_outer",
    "depthwise_s8_hwc_separable": "depthwise_outer",
}
ON_DEVICE = settings(max_examples=12, suppress_health_check=list(HealthCheck))


def check_on_device(dut, graph, inputs, admits=lambda name: True) -> None:
    """Streams the graph's plan to the device, runs it and compares the outputs with the oracle's."""
    compiled = compile_graph(graph, admits)
    runner.load(dut, compiled, in_flash=False)
    for tensor, data in zip(compiled.net.inputs, inputs, strict=True):
        dut.write_tensor(tensor, data.tobytes())
    dut.run()
    expected = run_graph(graph, inputs)
    for tensor, border in zip(compiled.net.outputs, graph.outputs, strict=True):
        got = np.frombuffer(dut.read_tensor(tensor, compiled.net.tensors[tensor].bytes), np.int8)
        wrong = np.flatnonzero(got != expected[border.tensor].reshape(-1))
        kernels = [s.kernel for s in compiled.net.steps]
        assert not len(wrong), f"{kernels}: [{wrong[0]}] of {len(got)} differs"


@pytest.mark.parametrize("kernel", list(defs.kernels()))
@given(data=st.data())
@ON_DEVICE
def test_every_kernel_is_exact(dut, kernel, data):
    op = defs.kernels()[kernel].op
    graph = data.draw(nets.STRATEGIES[STRATEGY_OF.get(kernel, STRATEGY_OF.get(op, op))]())
    inputs = data.draw(nets.inputs_for(graph))

    # a fused kernel is used where none of its parts' operators has one
    without = (op, "depthwise", "conv2d") if op == fuse.OP else (op,)

    def admits(name: str) -> bool:
        return name == kernel or defs.kernels()[name].op not in without

    try:
        check_on_device(dut, graph, inputs, admits)
    except UnsupportedError:
        assume(False)  # the kernel does not support this shape


def test_a_chain_runs_and_its_dead_tensors_are_refused(dut):
    graph = conv_chain()
    compiled = compile_graph(graph)
    info = runner.load(dut, compiled, in_flash=False)
    assert (info.steps, info.tensors) == (len(compiled.net.steps), len(compiled.net.tensors))
    first = compiled.net.steps[0].output
    with pytest.raises(DeviceError) as refused:
        dut.read_tensor(first, 4)
    assert refused.value.status == "TENSOR_NOT_ALIVE"
    with pytest.raises(DeviceError) as refused:
        dut.run()
    assert refused.value.status == "INPUT_MISSING"
    data = np.full((1, 7, 6, 3), 5, np.int8)
    dut.write_tensor(compiled.net.inputs[0], data.tobytes())
    with pytest.raises(DeviceError) as refused:
        dut.run(first_step=1, steps=1)
    assert refused.value.status == "BAD_SEQUENCE"
    result = dut.run()
    assert result.steps_done == len(compiled.net.steps)
    assert result.total == sum(dut.counts(0, len(compiled.net.steps)))
    if not info.inputs_survive:
        with pytest.raises(DeviceError) as refused:
            dut.run(runs=2)
        assert refused.value.status in ("INPUT_CONSUMED", "INPUT_MISSING")
    got = np.frombuffer(dut.read_tensor(compiled.net.outputs[0], 4), np.int8)
    assert np.array_equal(got, run_graph(graph, [data])[graph.outputs[0].tensor].reshape(-1))


def usable(dut) -> None:
    """The device still does its work."""
    data = np.zeros((1, 7, 6, 3), np.int8)
    check_on_device(dut, conv_chain(), [data])


@pytest.mark.parametrize(
    ("offset", "form", "value", "status", "field"),
    [
        (0, "<I", 0, "PLAN_INVALID", "magic"),
        (4, "<H", 1, "PLAN_VERSION", "none"),
        (22, "<H", 0, "PLAN_INVALID", "step_table"),
        (24, "<I", 0xFFFFFFF0, "PLAN_INVALID", "tensor_table"),
        (36, "<I", 0xFFFFFFF0, "PLAN_INVALID", "io_table"),
    ],
)
def test_bad_plans_are_refused_by_name_and_the_device_stays_usable(dut, offset, form, value, status, field):
    plan = bytearray(compile_graph(conv_chain()).plan)
    struct.pack_into(form, plan, offset, value)
    with pytest.raises(DeviceError) as refused:
        dut.load_plan(reseal(plan))
    assert refused.value.status == status
    if field != "none":
        assert field in str(refused.value)
    usable(dut)


def test_a_damaged_plan_is_refused(dut):
    plan = bytearray(compile_graph(conv_chain()).plan)
    plan[100] ^= 1
    with pytest.raises(DeviceError) as refused:
        dut.load_plan(bytes(plan))
    assert refused.value.status == "PLAN_CHECKSUM"
    usable(dut)


def test_too_much_for_the_memory_says_both_numbers(dut):
    pool = dut.hello.pool_bytes
    with pytest.raises(DoesNotFitError, match=f"{pool + 4}|{pool + 4:,}"):
        dut.load_plan(bytes(pool + 4))
    plan = bytearray(compile_graph(conv_chain()).plan)
    struct.pack_into("<I", plan, 16, 1 << 24)
    with pytest.raises(DoesNotFitError, match=f"{1 << 24}|{1 << 24:,}"):
        dut.load_plan(reseal(plan))
    usable(dut)


def test_there_is_no_plan_in_an_empty_flash(dut):
    with pytest.raises(DeviceError) as refused:
        dut.select_flash_plan()
    assert refused.value.status == "NO_FLASH_PLAN"
    usable(dut)
