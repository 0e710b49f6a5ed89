"""The whole firmware as a process of this computer, under the sanitizers. Built once, kept with the other builds."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

from host import native
from host.project import build_dir, firmware_dir, root

SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-O1")
ENVIRONMENT = {"ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0", "UBSAN_OPTIONS": "print_stacktrace=1"}


def build_generator():
    """The module that writes the firmware's build_generated.h."""
    path = firmware_dir() / "platform" / "builder" / "generate.py"
    spec = importlib.util.spec_from_file_location("tinyconv_generate", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def native_firmware(*extra_flags: str) -> Path:
    """The executable; it speaks the link on its standard input and output. Raises BuildError."""
    generate = build_generator()
    digest = generate.build_hash(root(), "emu_stm32f405", "native", " ".join(extra_flags))
    include = build_dir() / "native_include"
    header = generate.build_header("native", "-O1 with sanitizers", digest)
    generate.write_if_changed(include / "build_generated.h", header)
    sources = [
        path
        for folder in ("app", "app/demo", "app/mlperf", "link", "port/native")
        for path in sorted((firmware_dir() / folder).glob("*.c"))
    ]
    # Builds of one name replace each other.
    name = "_".join(["firmware_native", *("".join(c for c in f if c.isalnum()) for f in extra_flags)])
    return native.build(name, sources, (*SANITIZE, f"-I{include}", *extra_flags))
