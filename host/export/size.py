"""How much flash an exported network's code takes: a minimal program, linked with what it uses and nothing else."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from host import build
from host.errors import BuildError, ToolMissingError
from host.export import render

PROBE = "size_probe.c"
LINK_FLAGS = ("-nostartfiles", "-static", "-Wl,--gc-sections", "-Wl,--build-id=none")


@dataclass(frozen=True)
class Code:
    """Bytes of code and constants without the plan, with and without its checks; from what compiler and flags."""

    checked_bytes: int
    trusted_bytes: int
    compiler: str
    flags: str


def cpu_flags(core: str) -> list[str]:
    """What the compiler must know of the core: m4, m7, m33."""
    return build.generator().CPU_FLAGS[core]


def measure(files: dict[str, str], core: str) -> Code | None:
    """Compiles and links the files of an exported folder. None if there is no compiler for Arm; raises BuildError.

    The C library's memcpy and its like are counted; the plan, start-up code and vectors are not.
    """
    try:
        compiler = str(build.find_compiler())
    except ToolMissingError:
        return None
    flags = [*cpu_flags(core), *build.generator().COMPILE_FLAGS]
    with tempfile.TemporaryDirectory(prefix="tinyconv-size-") as aside:
        folder = Path(aside)
        # not example/, which is no part of a product, and the plan is not linked, since no probe names it
        texts = {PROBE: render.template(PROBE)} | {n: text for n, text in files.items() if "/" not in n}
        for name, text in texts.items():
            (folder / name).write_text(text)
        compiled = sorted(name for name in texts if Path(name).suffix in (".c", ".S"))
        _run([compiler, *flags, "-c", *compiled], folder)
        objects = [Path(name).with_suffix(".o").name for name in compiled]
        sizes = []
        for probe in ("probe_checked", "probe_trusted"):
            elf = folder / f"{probe}.elf"
            link = [*LINK_FLAGS, f"-Wl,--entry={probe}", *objects, "-o", elf.name]
            _run([compiler, *flags, *link], folder)
            sizes.append(build.elf_sizes(elf).code_bytes)
    version = _run([compiler, "-dumpfullversion"], Path.cwd()).strip()
    return Code(*sizes, f"gcc {version}", " ".join(flags))


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if "error" in line or "undefined" in line]
        raise BuildError(f"the exported code does not build: {(errors or ['no message'])[0]}")
    return done.stdout
