"""Builds a board's firmware with PlatformIO, or finds that nothing has changed since the last time.

What a build depends on is hashed into a stamp beside its result: sources, manifest, platform, flags from the
environment, and the compiler (path, size and time). A stamp that still matches costs a few milliseconds and
imports neither PlatformIO nor pyelftools.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

from host.boards import Board
from host.children import end_group
from host.errors import BuildError, ToolMissingError
from host.project import build_dir, firmware_dir, root

COMPILER = "arm-none-eabi-gcc"
TOOLCHAIN_PACKAGE = "toolchain-gccarmnoneeabi"
# PlatformIO 6 wants its own package of SCons in this version; PyPI's scons of the same release serves as well.
SCONS_PACKAGE_VERSION = "4.41101.0"
FLAGS_VARIABLE = "PLATFORMIO_BUILD_FLAGS"
HOT_SECTION = ".hot"  # of generate.py's linker script
LAST_LINES = 15

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Sizes:
    """Bytes of an ELF file's sections: program and constants, initialised data, other RAM (stack included).

    `hot_bytes` of the program are copied to the bank of the manifest's `hot_code` and run there.
    """

    text_bytes: int
    data_bytes: int
    bss_bytes: int
    hot_bytes: int = 0

    @property
    def code_bytes(self) -> int:
        """Flash that the firmware takes."""
        return self.text_bytes + self.data_bytes

    @property
    def ram_bytes(self) -> int:
        """RAM that the firmware takes for itself; the bank's rest is the pool."""
        return self.data_bytes + self.bss_bytes


@dataclass(frozen=True)
class Firmware:
    """A built firmware. `build_hash` is what HELLO reports, hexadecimal."""

    elf: Path
    bin: Path
    build_hash: str
    sizes: Sizes

    @property
    def code_bytes(self) -> int:
        """Flash that the firmware takes."""
        return self.sizes.code_bytes

    @property
    def ram_bytes(self) -> int:
        """RAM that the firmware takes for itself."""
        return self.sizes.ram_bytes


def build(board: Board, *, force: bool = False, progress: Progress | None = None) -> Firmware:
    """The board's firmware, built if anything changed. `progress` is given each line of the build.

    Two processes that build at once wait for each other. Raises ToolMissingError or BuildError.
    """
    compiler = find_compiler()
    folder = output_folder(board)
    stamp = _stamp(board, compiler)
    if not force and (firmware := _kept(folder, stamp)):
        return firmware
    with _lock():
        if not force and (firmware := _kept(folder, stamp)):
            return firmware
        seed_platformio()
        _run_platformio(board, compiler, folder, progress or (lambda line: None))
        return _keep(folder, stamp)


def find_compiler() -> Path:
    """arm-none-eabi-gcc: on PATH, or in the package that PlatformIO installed. Raises ToolMissingError."""
    packaged = core_folder() / "packages" / TOOLCHAIN_PACKAGE / "bin"
    found = shutil.which(COMPILER) or shutil.which(COMPILER, path=str(packaged))
    if found:
        return Path(found)
    raise ToolMissingError(
        f"{COMPILER} is not installed",
        "Debian, Ubuntu: apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi; "
        "macOS: brew install --cask gcc-arm-embedded",
    )


def core_folder() -> Path:
    """PlatformIO's own folder, inside the checkout as platformio.ini says."""
    return build_dir() / "core"


def output_folder(board: Board) -> Path:
    """Where the board's ELF file and the rest of its build are."""
    builds = os.environ.get("PLATFORMIO_BUILD_DIR") or build_dir() / "build"
    return Path(builds) / board.id


def elf_sizes(elf: Path) -> Sizes:
    """Section sizes of any ELF file. Raises BuildError if it is none."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.constants import SH_FLAGS
    from elftools.elf.elffile import ELFFile

    text = data = bss = hot = 0
    try:
        with open(elf, "rb") as file:
            for section in ELFFile(file).iter_sections():
                flags = section["sh_flags"]
                if not flags & SH_FLAGS.SHF_ALLOC:
                    continue
                if section["sh_type"] == "SHT_NOBITS":
                    bss += section["sh_size"]
                elif flags & SH_FLAGS.SHF_WRITE:
                    data += section["sh_size"]
                else:
                    text += section["sh_size"]
                    hot += section["sh_size"] if section.name == HOT_SECTION else 0
    except OSError as error:
        raise BuildError(f"cannot read {elf}: {error.strerror}") from None
    except ELFError as error:
        raise BuildError(f"{elf} is not an ELF file: {error}") from None
    return Sizes(text, data, bss, hot)


@cache
def generator() -> ModuleType:
    """firmware/platform/builder/generate.py, which SCons uses too and which is no part of a package."""
    path = firmware_dir() / "platform" / "builder" / "generate.py"
    spec = importlib.util.spec_from_file_location("tinyconv_generate", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _stamp(board: Board, compiler: Path) -> str:
    """Hash of everything that goes into the build."""
    flags = os.environ.get(FLAGS_VARIABLE, "")
    sources = generator().build_hash(root(), board.id, board.family, flags)
    real = compiler.resolve()
    status = real.stat()
    return hashlib.sha256(
        f"{sources.hex()} {real} {status.st_size} {status.st_mtime_ns}".encode()
    ).hexdigest()


def _kept(folder: Path, stamp: str) -> Firmware | None:
    """The last build, if it has this stamp and its files are as they were."""
    try:
        kept = json.loads((folder / "stamp.json").read_text())
        if kept["stamp"] != stamp or kept["files"] != _file_facts(folder):
            return None
        return _firmware(folder, kept["build_hash"], Sizes(**kept["sizes"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(folder: Path, stamp: str) -> Firmware:
    header = (folder / "generated" / "build_generated.h").read_text()
    numbers = re.search(r"BUILD_HASH \{(.*)\}", header)
    assert numbers is not None
    build_hash = bytes(int(n, 16) for n in numbers[1].split(",")).hex()
    sizes = elf_sizes(folder / "firmware.elf")
    kept = {"stamp": stamp, "files": _file_facts(folder), "build_hash": build_hash, "sizes": asdict(sizes)}
    aside = folder / "stamp.json.new"
    aside.write_text(json.dumps(kept))
    aside.replace(folder / "stamp.json")
    return _firmware(folder, build_hash, sizes)


def _firmware(folder: Path, build_hash: str, sizes: Sizes) -> Firmware:
    return Firmware(folder / "firmware.elf", folder / "firmware.bin", build_hash, sizes)


def _file_facts(folder: Path) -> list[list[int]]:
    statuses = [(folder / name).stat() for name in ("firmware.elf", "firmware.bin")]
    return [[status.st_size, status.st_mtime_ns] for status in statuses]


@contextmanager
def _lock() -> Iterator[None]:
    """Only one process at a time builds in this checkout; the lock goes with the process."""
    with open(build_dir() / "build.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def seed_platformio() -> None:
    """Gives PlatformIO what it would fetch from its registry, and tells it to stay off the network.

    Written once; `platformio run` by hand then works the same. A package that PlatformIO itself installed is kept.
    """
    package = core_folder() / "packages" / "tool-scons"
    if not (package / "package.json").is_file():
        package.mkdir(parents=True, exist_ok=True)
        facts = {"name": "tool-scons", "version": SCONS_PACKAGE_VERSION}
        spec = {"owner": "platformio", "id": None, "name": "tool-scons", "requirements": None, "uri": None}
        (package / "scons.py").write_text("import SCons.Script\n\nSCons.Script.main()\n")
        (package / ".piopm").write_text(json.dumps({"type": "tool", **facts, "spec": spec}))
        (package / "package.json").write_text(
            json.dumps({**facts, "description": "SCons of the Python environment"})
        )
    state_file = core_folder() / "appstate.json"
    if not state_file.is_file():
        never = 2**40  # seconds since 1970 at which updates were last looked for
        state = {
            "settings": {"enable_telemetry": False},
            "last_version": _platformio_version(),
            "last_check": {"platformio_upgrade": never, "prune_system": never},
        }
        state_file.write_text(json.dumps(state))


def _platformio_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("platformio")
    except PackageNotFoundError:
        raise ToolMissingError(
            "PlatformIO is not in this Python environment", "pip install platformio scons"
        ) from None


def _run_platformio(board: Board, compiler: Path, folder: Path, progress: Progress) -> None:
    command = [sys.executable, "-m", "platformio", "run", "-e", board.id, "-d", str(root())]
    environment = {
        **os.environ,
        "PATH": f"{compiler.parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "PLATFORMIO_DISABLE_UPGRADE_CHECK": "true",
        "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "false",
        "PLATFORMIO_NO_ANSI": "true",
    }
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=environment,
        start_new_session=True,  # so that all of it can be ended at once
    )
    lines = []
    try:
        assert child.stdout is not None
        for line in child.stdout:
            lines.append(line.rstrip())
            progress(line.rstrip())
        status = child.wait()
    except BaseException:
        end_group(child)
        raise
    if status == 0:
        return
    log = build_dir() / f"build-{board.id}.log"
    log.write_text("\n".join(lines) + "\n")
    raise BuildError(f"the firmware for {board.id} did not build: {_why(lines)}", f"all of it: {log}")


def _why(lines: list[str]) -> str:
    """The first error of a failed build, or its last lines."""
    for line in lines:
        if re.search(r"\berror\b|undefined reference|No such file|will not fit in region", line, re.I):
            return line.strip()
    return " | ".join(line for line in lines[-LAST_LINES:] if line.strip(" =-"))
