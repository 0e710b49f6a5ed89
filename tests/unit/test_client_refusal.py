"""What a person reads when the device says no."""

import struct

import pytest

from host import defs
from host.errors import DeviceError, DoesNotFitError
from host.link.refusal import RefusedError, refusal

STATUS = {s.name: s.code for s in defs.statuses().values()}
FIELD = {name: code for code, name in defs.plan_fields().items()}


def said(status: str, field: str = "none", index: int = 0, needed: int = 0, available: int = 0) -> Exception:
    payload = struct.pack("<4I", FIELD[field], index, needed, available)
    return refusal("PLAN_COMMIT", STATUS[status], payload)


@pytest.mark.parametrize(
    "numbers,message",
    [
        (("PLAN_INVALID", "step_overlap", 3), "PLAN_COMMIT: the plan is not valid (step_overlap of step 3)"),
        (
            ("PLAN_INVALID", "tensor_shape", 0),
            "PLAN_COMMIT: the plan is not valid (tensor_shape of tensor 0)",
        ),
        (("PLAN_INVALID", "magic"), "PLAN_COMMIT: the plan is not valid (magic)"),
        (
            ("PLAN_INVALID", "step_params", 2, 5),
            "PLAN_COMMIT: the plan is not valid (step_params of step 2, parameter 5)",
        ),
        (
            ("PLAN_INVALID", "step_scratch", 1, 100, 64),
            "PLAN_COMMIT: the plan is not valid (step_scratch of step 1, needs 100, available 64)",
        ),
        (("NO_PLAN",), "PLAN_COMMIT: no plan is loaded"),
        (
            ("PLAN_TOO_LARGE", "none", 0, 2000, 1000),
            "the plan needs 2000 bytes, the board has 1000 bytes of memory for plans",
        ),
        (
            ("ARENA_TOO_LARGE", "arena_bytes", 0, 2000, 1000),
            "the plan's arena needs 2000 bytes, the board has 1000 bytes of memory left for it",
        ),
    ],
)
def test_messages(numbers, message):
    assert said(*numbers).message == message


def test_kernels_are_named_and_the_remedy_too():
    kernel = next(iter(defs.kernels().values()))
    error = said("KERNEL_UNKNOWN", "step_kernel", 4, kernel.id)
    assert kernel.name in str(error)
    assert "host flash" in str(error)
    assert "kernel 65000" in str(said("KERNEL_UNKNOWN", "step_kernel", 4, 65000))


def test_the_numbers_can_be_had():
    error = said("PLAN_INVALID", "step_scratch", 1, 100, 64)
    assert isinstance(error, RefusedError)
    assert (error.status, error.field, error.index, error.needed, error.available) == (
        "PLAN_INVALID", "step_scratch", 1, 100, 64,
    )  # fmt: skip
    assert isinstance(said("PLAN_TOO_LARGE"), DoesNotFitError)


@pytest.mark.parametrize("size", [0, 3, 15, 16, 200])
def test_answers_that_we_do_not_know(size):
    for status in range(1, 256):
        assert isinstance(refusal("RUN", status, bytes(size)), DeviceError | DoesNotFitError)
    assert "unknown status 255" in str(refusal("RUN", 255, b""))
    unknown_field = struct.pack("<4I", 9999, 1, 2, 3)
    assert "field 9999" in str(refusal("RUN", STATUS["PLAN_INVALID"], unknown_field))
