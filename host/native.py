"""The firmware's kernels and plan runner, compiled for this machine and called through ctypes.

One shared library of firmware/kernels and firmware/runtime, built with the system's C compiler on first
use and kept under `build_dir()/native/<hash of sources and flags>`. The host asks it which kernels suit a
step and how large their blobs are, so that no rule of the firmware is written twice; tests run kernels in it.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from host import defs
from host.errors import BuildError, ToolMissingError
from host.project import build_dir, firmware_dir

FLAGS = ("-std=gnu11", "-O2", "-g", "-Wall", "-Wextra")
GUARD = 64  # bytes before and after the output and the scratch in `run`
JUNK = 0xA5


INPUTS = ("in0", "in1", "in2")


class _Args(ctypes.Structure):
    """struct kernel_args."""

    _fields_ = tuple(
        (name, ctypes.c_void_p) for name in (*INPUTS, "out", "params", "weights", "channels", "scratch")
    )


class _OpBytes(ctypes.Structure):
    """struct op_bytes."""

    _fields_ = (("inputs", ctypes.c_uint32 * len(INPUTS)), ("out", ctypes.c_uint32))


def compiler() -> str:
    """The C compiler: $CC, else the first of gcc, cc and clang. Raises ToolMissingError."""
    wanted = os.environ.get("CC", "").split()
    for name in (*wanted[:1], "gcc", "cc", "clang"):
        if path := shutil.which(name):
            return path
    hint = "xcode-select --install" if sys.platform == "darwin" else "sudo apt install gcc"
    raise ToolMissingError("no C compiler found (gcc, cc or clang)", f"install one: {hint}")


def sources() -> list[Path]:
    """C files of the kernels and the plan runner."""
    found = [*firmware_dir().glob("kernels/**/*.c"), *firmware_dir().glob("runtime/*.c")]
    return sorted(found)


def build(name: str, extra_sources: list[Path], flags: tuple[str, ...]) -> Path:
    """Compiles `sources()` and `extra_sources` to the file `name`, unless it is there already.

    The result's folder is named by the hash of everything that goes in. Two processes may build at once:
    each builds aside and renames. Older builds of the same name are removed. Raises BuildError.
    """
    cc = compiler()
    files = [*sources(), *extra_sources]
    digest = hashlib.sha256("\0".join((cc, *FLAGS, *flags)).encode())
    headers = [p for pattern in ("*.h", "*.def") for p in firmware_dir().rglob(pattern)]
    for path in (*files, *sorted(headers)):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    folder = build_dir() / "native"
    result = folder / f"{Path(name).stem}-{digest.hexdigest()[:16]}" / name
    if result.is_file():
        return result
    folder.mkdir(parents=True, exist_ok=True)
    older = [p for p in folder.glob(f"{Path(name).stem}-*") if p != result.parent]
    with tempfile.TemporaryDirectory(dir=folder, prefix="building-") as aside:
        target = Path(aside) / name
        command = [cc, *FLAGS, *flags, *map(str, files), "-o", str(target)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise BuildError(f"{cc} failed on the kernels: {_first_error(done.stderr)}")
        result.parent.mkdir(exist_ok=True)
        os.replace(target, result)
    for path in older:
        shutil.rmtree(path, ignore_errors=True)
    return result


def _first_error(stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if "error" in line]
    return (lines or stderr.splitlines() or ["no message"])[0]


@cache
def library() -> ctypes.CDLL:
    """The loaded library; everything below calls it."""
    path = build("libtinyconv.so", [], ("-shared", "-fPIC"))
    lib = ctypes.CDLL(str(path))
    lib.kernel_find.restype = ctypes.c_void_p
    for name in ("kernel_weights_bytes", "kernel_channels_bytes"):
        function = getattr(lib, name)
        function.restype, function.argtypes = ctypes.c_uint32, (ctypes.c_void_p, ctypes.c_char_p)
    lib.kernel_data_valid.restype = ctypes.c_bool
    lib.kernel_data_valid.argtypes = (ctypes.c_void_p, *[ctypes.c_char_p] * 3)
    lib.op_params_valid.restype = ctypes.c_bool
    lib.op_tensor_bytes.restype = _OpBytes
    for name in defs.kernels():
        getattr(lib, name + "_supports").restype = ctypes.c_bool
        getattr(lib, name + "_scratch_bytes").restype = ctypes.c_uint32
    return lib


def _kernel(name: str) -> ctypes.c_void_p:
    return ctypes.c_void_p(library().kernel_find(defs.kernels()[name].id))


def params_valid(op: str, params: bytes) -> str | None:
    """None if the parameters are consistent, else the name of the field that is not."""
    definition = defs.operators()[op]
    if len(params) != 4 * len(definition.fields):
        raise ValueError(f"{op}: {len(params)} bytes of parameters, {4 * len(definition.fields)} expected")
    field = ctypes.c_uint32()
    if library().op_params_valid(definition.id, params, ctypes.byref(field)):
        return None
    return definition.fields[field.value]


def tensor_bytes(op: str, params: bytes) -> tuple[list[int], int]:
    """Bytes of each input that the operator has, and of its output, of valid parameters."""
    sizes = library().op_tensor_bytes(defs.operators()[op].id, params)
    return [size for size in sizes.inputs if size], sizes.out


def supports(kernel: str, params: bytes) -> bool:
    """Whether the kernel computes exactly these (valid) parameters."""
    return getattr(library(), kernel + "_supports")(params)


def scratch_bytes(kernel: str, params: bytes) -> int:
    """Scratch that the kernel needs, of parameters that it supports."""
    return getattr(library(), kernel + "_scratch_bytes")(params)


def gap_bytes(kernel: str, params: bytes) -> int:
    """How far the input must begin after the output to overlap it, for kernels whose overlap is AHEAD."""
    function = getattr(library(), kernel + "_gap_bytes")
    function.restype = ctypes.c_uint32
    return function(params)


def weights_bytes(kernel: str, params: bytes) -> int:
    """Size of the weights blob in the kernel's layout."""
    return library().kernel_weights_bytes(_kernel(kernel), params)


def channels_bytes(kernel: str, params: bytes) -> int:
    """Size of the channel records in the kernel's layout."""
    return library().kernel_channels_bytes(_kernel(kernel), params)


def data_valid(kernel: str, params: bytes, weights: bytes, channels: bytes) -> bool:
    """Whether the contents of the blobs are safe; both have the right sizes."""
    return library().kernel_data_valid(_kernel(kernel), params, weights, channels)


class _Guarded:
    """A 4-byte aligned buffer with guards on both sides; filled with junk."""

    def __init__(self, size: int):
        self._words = np.full((size + 2 * GUARD + 7) // 4, JUNK * 0x01010101, np.uint32)
        self._bytes = self._words.view(np.uint8)
        self.data = self._bytes[GUARD : GUARD + size]

    def intact(self) -> bool:
        """Whether nothing was written around the data."""
        ends = self._bytes[:GUARD], self._bytes[GUARD + len(self.data) :]
        return all(bool((end == JUNK).all()) for end in ends)

    def fill(self, data: bytes | np.ndarray) -> _Guarded:
        """Copies the data in."""
        self.data[:] = np.frombuffer(bytes(data), np.uint8)
        return self

    @property
    def address(self) -> int:
        """Of the first byte."""
        return self.data.ctypes.data


def run(
    kernel: str,
    params: bytes,
    inputs: Sequence[bytes | np.ndarray],
    weights: bytes,
    channels: bytes,
    out_bytes: int,
    *,
    in_place: int | None = None,
    before: bytes | np.ndarray | None = None,
) -> np.ndarray:
    """Runs a kernel on this machine and returns its int8 output, flat.

    Parameters, sizes and blobs must be valid already. Scratch starts as junk, and so does the output unless
    `before` is its former content. With `in_place` the output is that input's very place, for kernels
    whose overlap is EXACT. Raises AssertionError if it writes outside its output and scratch, or to an input.
    """
    sources = [_Guarded(len(bytes(x))).fill(x) for x in inputs]
    out = _Guarded(out_bytes) if in_place is None else sources[in_place]
    if before is not None:
        out.fill(before)
    scratch = _Guarded(scratch_bytes(kernel, params))
    blobs = [_Guarded(len(blob)).fill(blob) for blob in (params, weights, channels)]
    args = _Args(
        **{name: source.address for name, source in zip(INPUTS, sources, strict=False)},
        out=out.address,
        params=blobs[0].address,
        weights=blobs[1].address,
        channels=blobs[2].address,
        scratch=scratch.address,
    )
    kept = [b for b in (*sources, *blobs) if b is not out]
    copies = [b.data.copy() for b in kept]
    getattr(library(), kernel)(ctypes.byref(args))
    for name, buffer in (("output", out), ("scratch", scratch)):
        assert buffer.intact(), f"{kernel} wrote outside its {name}"
    for buffer, copy in zip(kept, copies, strict=True):
        assert np.array_equal(buffer.data, copy), f"{kernel} changed one of its inputs"
    return out.data.view(np.int8).copy()
