"""The firmware's own plan validator and runner on this machine, through the native library."""

from __future__ import annotations

import ctypes

import numpy as np

from host import defs, native
from host.plan.serialise import HEADER

FIELDS = ("field", "index", "needed", "available")


class _Plan(ctypes.Structure):
    _fields_ = tuple(
        (n, ctypes.c_void_p) for n in ("base", "header", "tensors", "steps", "inputs", "outputs", "arena")
    )


class _Error(ctypes.Structure):
    _fields_ = tuple((n, ctypes.c_uint32) for n in FIELDS)


class Refused(Exception):
    """plan_open said no: `status` and `field` are names of status.def."""

    def __init__(self, status: str, field: str, index: int, needed: int, available: int):
        super().__init__(f"{status} {field}[{index}] needs {needed}, has {available}")
        self.status, self.field, self.index, self.needed, self.available = (
            status,
            field,
            index,
            needed,
            available,
        )


class NativePlan:
    """An opened plan with an arena of its own, filled with junk."""

    def __init__(self, plan: bytes, arena_bytes: int | None = None):
        if arena_bytes is None:
            header = HEADER.unpack_from(plan) if len(plan) >= HEADER.size else [0] * 16
            arena_bytes = header[5] + header[15]  # and the copies
        self._words = np.frombuffer(plan + bytes(-len(plan) % 8), np.uint64).copy()
        self._arena = np.full(arena_bytes // 8 + 1, 0xA5A5A5A5A5A5A5A5, np.uint64)
        self._plan, error = _Plan(), _Error()
        self._lib = native.library()
        status = self._lib.plan_open(
            ctypes.byref(self._plan), ctypes.c_void_p(self._words.ctypes.data), len(plan),
            ctypes.c_void_p(self._arena.ctypes.data), arena_bytes, ctypes.byref(error),
        )  # fmt: skip
        if status:
            values = {f: getattr(error, f) for f in FIELDS}
            values["field"] = defs.plan_fields()[values["field"]]
            raise Refused(defs.statuses()[status].name, **values)

    def write(self, tensor: int, data: np.ndarray) -> None:
        """Copies data of the tensor's type to it."""
        ctypes.memmove(self._address(tensor), data.tobytes(), data.nbytes)

    def read(self, tensor: int, count: int) -> np.ndarray:
        """The tensor's int8 elements, flat."""
        return np.frombuffer(ctypes.string_at(self._address(tensor), count), np.int8)

    def run_step(self, step: int) -> None:
        """Runs one step."""
        self._lib.plan_run_step(ctypes.byref(self._plan), step)

    def alive(self, tensor: int, steps_done: int) -> bool:
        """plan_tensor_alive."""
        self._lib.plan_tensor_alive.restype = ctypes.c_bool
        return self._lib.plan_tensor_alive(ctypes.byref(self._plan), tensor, steps_done)

    def _address(self, tensor: int) -> int:
        self._lib.plan_tensor_data.restype = ctypes.c_void_p
        return self._lib.plan_tensor_data(ctypes.byref(self._plan), tensor)
