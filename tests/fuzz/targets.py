"""The fuzz targets and what each is made of."""

from __future__ import annotations

import sys
from pathlib import Path

from host import native
from host.project import build_dir, firmware_dir, root
from tests.native_build import build_generator

_APP = (
    "demo/block",
    "handlers",
    "hello",
    "mlperf/block",
    "mlperf/command_line",
    "mlperf/mlperf",
    "mlperf/network",
    "mlperf/say",
    "plan_handlers",
    "pools",
    "receive",
    "run_handlers",
    "send",
    "session",
    "tensor_handlers",
)

FIRMWARE = {
    "frame": ("link/frame.c",),
    "plan": (),
    "block": ("app/demo/block.c",),
    "session": ("link/frame.c", "app/build_info.c", *(f"app/{name}.c" for name in _APP)),
}
"""Firmware files of each target besides runtime and kernels."""


def include_folder() -> Path:
    """A folder with build_generated.h."""
    generate = build_generator()
    include = build_dir() / "native_include"
    digest = generate.build_hash(root(), "emu_stm32f405", "native", "fuzz")
    generate.write_if_changed(include / "build_generated.h", generate.build_header("native", "fuzz", digest))
    return include


def sources(target: str) -> list[Path]:
    """The target's own file and the firmware's."""
    return [
        Path(__file__).with_name(f"{target}_fuzz.c"),
        *(firmware_dir() / name for name in FIRMWARE[target]),
    ]


def main() -> None:
    """Prints the compiler arguments for a target, for run.sh."""
    target = sys.argv[1]
    if target not in FIRMWARE:
        sys.exit(f"no target {target!r}; there are: {' '.join(FIRMWARE)}")
    files = [*sources(target), *native.sources()]
    print(f"-I{include_folder()}", f"-I{firmware_dir()}", *files)


if __name__ == "__main__":
    main()
