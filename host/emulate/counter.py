"""The hook that counts instructions, compiled on first use for this machine."""

from __future__ import annotations

import ctypes
import hashlib
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from host import native
from host.errors import BuildError
from host.project import build_dir

SOURCE = Path(__file__).parent / "counter.c"
FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-fPIC", "-shared")
NEVER = 2**64 - 1


MAX_BANKS = 16


class Bank(ctypes.Structure):
    """struct bank of counter.c."""

    _fields_ = (("address", ctypes.c_uint32), ("bytes", ctypes.c_uint32), ("host", ctypes.c_void_p))


class Counter(ctypes.Structure):
    """struct counter of counter.c."""

    _fields_ = (
        ("count", ctypes.c_uint64),
        ("stop_at", ctypes.c_uint64),
        ("pc", ctypes.c_uint32),
        ("primask_register", ctypes.c_uint32),
        ("attend", ctypes.c_uint32),
        ("unmasked", ctypes.c_uint32),
        ("stop", ctypes.c_void_p),
        ("read_register", ctypes.c_void_p),
        ("block_begin", ctypes.c_uint32),
        ("block_end", ctypes.c_uint32),
        ("bank_count", ctypes.c_uint32),
        ("bank_last", ctypes.c_uint32),
        ("banks", Bank * MAX_BANKS),
    )


def library() -> Path:
    """The compiled hook; its name has the hash of its source. Raises ToolMissingError, BuildError."""
    compiler = native.compiler()
    digest = hashlib.sha256("\0".join((compiler, *FLAGS)).encode() + SOURCE.read_bytes())
    folder = build_dir() / "emulate"
    result = folder / f"counter-{digest.hexdigest()[:16]}.so"
    if result.is_file():
        return result
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="building-") as aside:
        target = Path(aside) / result.name
        done = subprocess.run(
            [compiler, *FLAGS, str(SOURCE), "-o", str(target)], capture_output=True, text=True
        )
        if done.returncode:
            raise BuildError(f"{compiler} failed on {SOURCE.name}: {done.stderr.strip()}")
        os.replace(target, result)
    return result


def install(engine: Any, banks: Sequence[tuple[int, Any]]) -> Counter:
    """Hooks a counter into a unicorn engine that has translated nothing yet. It must live as long as the engine.

    banks: address and ctypes array of each memory that instructions may be in.
    """
    from unicorn import arm_const, unicorn_const
    from unicorn.unicorn_py3.unicorn import uclib

    hook = ctypes.CDLL(str(library())).counter_hook
    counter = Counter(
        stop_at=NEVER,
        primask_register=arm_const.UC_ARM_REG_PRIMASK,
        stop=ctypes.cast(uclib.uc_emu_stop, ctypes.c_void_p).value,
        read_register=ctypes.cast(uclib.uc_reg_read, ctypes.c_void_p).value,
    )
    counter.bank_count = len(banks)
    for entry, (address, memory) in zip(counter.banks, banks, strict=False):
        entry.address, entry.bytes, entry.host = address, len(memory), ctypes.addressof(memory)
    handle = ctypes.c_size_t()
    # a range whose end is before its beginning is every address
    status = uclib.uc_hook_add(
        engine._uch,
        ctypes.byref(handle),
        unicorn_const.UC_HOOK_CODE,
        ctypes.cast(hook, ctypes.c_void_p),
        ctypes.byref(counter),
        ctypes.c_uint64(1),
        ctypes.c_uint64(0),
    )
    if status:
        raise BuildError(f"unicorn refuses the counting hook: status {status}")
    return counter
