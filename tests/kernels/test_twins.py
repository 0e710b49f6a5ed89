"""Every kernel against its operator's obvious twin (its last line in kernels.def), under the sanitizers.

The twin itself is compared with its unsanitized build, and with the oracle in test_oracle.py.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from host import defs, native
from tests.kernels import runner
from tests.kernels.cases import Case, blobs, cases, tensors

KERNELS = list(defs.kernels().values())


def twin_of(kernel: defs.KernelDef) -> defs.KernelDef:
    return [k for k in KERNELS if k.op == kernel.op][-1]


def expect_same(got: np.ndarray, expected: np.ndarray, what: str) -> None:
    """Prints the first difference."""
    bad = np.flatnonzero(got != expected)
    assert not bad.size, (
        f"{what}: {bad.size} of {got.size} differ, "
        f"first at {bad[0]}: got {got[bad[0]]}, expected {expected[bad[0]]}"
    )


def expected_output(case: Case, kernel: defs.KernelDef, before: bytes) -> np.ndarray:
    """The twin's output, from the unsanitized library."""
    inputs, out = tensors(case)
    weights, channels = blobs(case, kernel)
    return native.run(kernel.name, case.packed, inputs, weights, channels, out, before=before)


def places(kernel: defs.KernelDef, case: Case, overlapping: bool) -> list[int]:
    """Where the kernel's overlap rule lets its output lie, besides apart from everything."""
    inputs, out = native.tensor_bytes(case.op, case.packed)
    if not overlapping:
        return []
    if kernel.overlap == "AHEAD":
        return [runner.BEHIND_INPUT0]
    same = kernel.overlap == "EXACT" and inputs[0] == out
    return [runner.INPUT0, runner.INPUT1][: len(inputs)] if same else []


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: k.name)
def test_equals_its_twin(kernel: defs.KernelDef, sanitized) -> None:
    @settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
    @given(cases(kernel.op, kernel.name), st.booleans())
    def check(case: Case, overlapping: bool) -> None:
        checked = sanitized.check(case.op, case.packed)
        assert checked.field is None, f"{case}: {checked.field} refused"
        assert native.params_valid(case.op, case.packed) is None
        fit = checked.kernels[kernel.name]
        assert fit.supports == native.supports(kernel.name, case.packed)
        assume(fit.supports)
        assert fit.scratch == native.scratch_bytes(kernel.name, case.packed)

        inputs, out = tensors(case)
        before = bytes(i % 251 for i in range(out))
        weights, channels = blobs(case, kernel)
        assume(weights is not None)
        assert (len(weights), len(channels)) == (fit.weights, fit.channels)
        expected = expected_output(case, twin_of(kernel), before)
        got = sanitized.run(kernel.name, case.packed, inputs, weights, channels, before)
        assert got is not None, f"{case}: blobs refused"
        expect_same(got, expected, f"{kernel.name} {case}")
        unsanitized = native.run(kernel.name, case.packed, inputs, weights, channels, out, before=before)
        expect_same(unsanitized, expected, f"unsanitized {kernel.name} {case}")
        for place in places(kernel, case, overlapping):
            got = sanitized.run(kernel.name, case.packed, inputs, weights, channels, before, place)
            expect_same(got, expected, f"{kernel.name} at place {place} {case}")

    check()


def test_every_operator_has_cases_and_a_general_kernel() -> None:
    for op in defs.operators():
        kernels = [k.name for k in KERNELS if k.op == op]
        assert kernels and kernels[-1].endswith("_ref"), op
        assert cases(op) is not None
