"""op_params_valid() and supports() on anything: whatever they admit must run clean under the sanitizers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host import defs, native
from tests.kernels.cases import Case, blobs, cases, int8_data

MOST_BYTES = 1 << 20  # of what a case may allocate
MOST_WORK = 1 << 22  # products of output elements and window elements

_limits = [-(2**31), -(2**31) + 1, -65536, -129, -128, -1, 0, 1, 2, 3, 4, 5, 7, 8, 127, 128]
_limits += [255, 4095, 4096, 65535, 65536, 1 << 20, 1 << 22, 1 << 28, (1 << 28) + 1, 2**31 - 1]
_int32 = st.one_of(st.sampled_from(_limits), st.integers(1, 9), st.integers(-(2**31), 2**31 - 1))


def admit(case: Case, sanitized) -> None:
    """Checks the case, and runs it on every kernel that claims it if it is small enough."""
    checked = sanitized.check(case.op, case.packed)
    assert checked.field == native.params_valid(case.op, case.packed)
    if checked.field is not None:
        return
    p = case.params
    window = math.prod(p.get(n, 1) for n in ("kernel_h", "kernel_w"))
    if case.op.endswith("conv2d") or case.op == "fully_connected":
        window *= p["in_c"]
    if case.op == "depthwise_pointwise":
        window *= p["in_c"] * p["depth_multiplier"]
    window *= p.get("reduce", 1)
    if (checked.out + sum(checked.inputs)) * window > MOST_WORK:
        return
    rng = np.random.default_rng(case.seed)
    for kernel in (k for k in defs.kernels().values() if k.op == case.op):
        fit = checked.kernels[kernel.name]
        sizes = (*checked.inputs, checked.out, fit.scratch, fit.weights, fit.channels)
        if not fit.supports or sum(sizes) > MOST_BYTES:
            continue
        weights, channels = blobs(case, kernel, hostile=True)
        inputs = [int8_data(rng, n, case.kind) for n in checked.inputs]
        out = sanitized.run(kernel.name, case.packed, inputs, weights, channels, bytes(checked.out))
        assert out is not None


@pytest.mark.parametrize("op", defs.operators())
def test_any_fields(op: str, sanitized) -> None:
    fields = defs.operators()[op].fields

    @given(st.fixed_dictionaries(dict.fromkeys(fields, _int32)), st.integers(0, 99))
    def check(params: dict[str, int], seed: int) -> None:
        admit(Case(op, params, seed, "uniform"), sanitized)

    check()


@pytest.mark.parametrize("op", defs.operators())
def test_valid_parameters_with_fields_changed(op: str, sanitized) -> None:
    fields = defs.operators()[op].fields
    changes = st.dictionaries(st.sampled_from(fields), _int32, min_size=1, max_size=2)

    @settings(max_examples=6 * settings().max_examples)
    @given(cases(op), changes)
    def check(case: Case, change: dict[str, int]) -> None:
        admit(Case(op, case.params | change, case.seed, case.kind), sanitized)

    check()


@pytest.mark.parametrize("op", [-1, 0, 200, 255, 2**31 - 1])
def test_unknown_operator(op: int) -> None:
    assert native.library().op_params_bytes(op) == 0


def test_records_out_of_range_are_refused(sanitized) -> None:
    op = defs.operators()["conv2d"]
    values = dict.fromkeys(op.fields, 1) | {"pad_top": 0, "pad_left": 0, "clamp_max": 127}
    params = op.pack(**values)

    def accepted(bias: int, multiplier: int, shift: int) -> bool:
        record = np.array([bias, multiplier, shift], "<i4").tobytes()
        return sanitized.run("conv2d_s8_hwc_ref", params, [b"\1"], b"\1", record, b"\0") is not None

    assert accepted(-(2**31), 2**31 - 1, -31) and accepted(2**31 - 1, 0, 30)
    assert not accepted(0, -1, 0)
    assert not accepted(0, 1, -32)
    assert not accepted(0, 1, 31)


def test_resize_indices_out_of_the_image_are_refused(sanitized) -> None:
    op = defs.operators()["resize_nearest"]
    params = op.pack(in_h=2, in_w=3, in_c=1, out_h=1, out_w=1)

    def accepted(row: int, column: int) -> bool:
        table = np.array([row, column], "<u2").tobytes()
        kernel = "resize_nearest_s8_hwc_ref"
        return sanitized.run(kernel, params, [bytes(6)], table, b"", b"\0") is not None

    assert accepted(1, 2)
    assert not accepted(2, 0)
    assert not accepted(0, 3)


def test_softmax_table_without_one_is_refused(sanitized) -> None:
    params = defs.operators()["softmax"].pack(rows=1, depth=1)
    table = np.zeros(256, "<i4")

    def accepted() -> bool:
        return sanitized.run("softmax_s8_flat_ref", params, [b"\1"], table.tobytes(), b"", b"\0") is not None

    assert not accepted()
    table[0] = 2**31 - 1
    assert accepted()
    table[200] = -1
    assert not accepted()
