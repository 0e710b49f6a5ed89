"""Builds the QEMU plugin on first use, and words its arguments."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from host import native
from host.errors import BuildError
from host.project import build_dir
from host.transport.emulator import QEMU, QEMU_HINT, quote
from host.transport.process import find_tool

SOURCES = Path(__file__).parent / "plugin"
FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-fPIC", "-shared", "-fvisibility=hidden")
# On macOS a library may leave QEMU's functions open only when told so.
_PLATFORM_FLAGS = ("-undefined", "dynamic_lookup") if sys.platform == "darwin" else ()


def library() -> Path:
    """The plugin, compiled unless it is there already; its name has the hash of its sources.

    Raises ToolMissingError without a C compiler, BuildError if it fails.
    """
    compiler = native.compiler()
    flags = (*FLAGS, *_PLATFORM_FLAGS, f"-DQPLUG_VERSION={_interface_version()}")
    digest = hashlib.sha256("\0".join((compiler, *flags)).encode())
    files = sorted([*SOURCES.glob("*.c"), *SOURCES.glob("*.h")])
    for path in files:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    folder = build_dir() / "cyclemodel"
    result = folder / f"profile-{digest.hexdigest()[:16]}.so"
    if result.is_file():
        return result
    folder.mkdir(exist_ok=True)
    older = list(folder.glob("profile-*.so"))
    with tempfile.TemporaryDirectory(dir=folder, prefix="building-") as aside:
        target = Path(aside) / result.name
        sources = [str(path) for path in files if path.suffix == ".c"]
        done = subprocess.run([compiler, *flags, *sources, "-o", str(target)], capture_output=True, text=True)
        if done.returncode:
            raise BuildError(f"{compiler} failed on the cycle model's plugin: {done.stderr.strip()}")
        os.replace(target, result)
    for path in older:
        path.unlink(missing_ok=True)
    return result


def _interface_version() -> int:
    """The version of QEMU's plugin interface that the plugin must claim: QEMU 9 ended support for the first."""
    qemu = find_tool(QEMU, QEMU_HINT)
    done = subprocess.run([qemu, "--version"], capture_output=True, text=True)
    major = re.search(r"version (\d+)\.", done.stdout)
    return 2 if major and int(major[1]) >= 9 else 1


def options(out: Path, entry: int, settings: dict[str, int]) -> list[str]:
    """QEMU's arguments that load the plugin. `entry` is the address of the function whose calls are windows.

    `settings` are the other arguments, as plugin/profile.c has them.
    """
    words = [f"file={quote(library())}", f"out={quote(out)}", f"entry={entry:#x}"]
    words += [f"{name}={value:#x}" for name, value in settings.items()]
    return ["-plugin", ",".join(words)]
