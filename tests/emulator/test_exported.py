"""Exported folders on a Cortex-M4, without our firmware: plain compiler, newlib's start-up, QEMU with semihosting."""

from __future__ import annotations

import json
import os
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from host import boards, build, defs, errors
from host.compile import compile_file, compile_graph
from host.data import digits
from host.export import folder, render, size, sources
from host.transport.emulator import QEMU, QEMU_HINT
from host.transport.process import find_tool
from tests.emulator.test_cli import host, refused
from tests.unit.test_plan import conv_chain

HERE = Path(__file__).parent
README_STACK_BYTES = 1024  # what README.md of every exported folder promises
SHARED = os.environ.get("TINYCONV_SHARED")


@cache
def exported(network: str) -> folder.Export:
    compiled = compile_file(digits.model_path()) if network == "digits" else compile_graph(conv_chain())
    return folder.contents(compiled, boards.load_board("emu_stm32f405"))


def run_on_m4(where: Path, main: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Compiles the folder as its README says, links it with that main() and runs it."""
    cpu = size.cpu_flags("m4")
    compiler = str(build.find_compiler())
    sources = sorted([*where.glob("*.c"), *where.glob("*.S")])
    elf = where.parent / f"{main.stem}.elf"
    command = [compiler, *cpu, "-O2", "-Wall", "-Wextra", "-Werror", f"-I{where}", *flags]
    command += [*map(str, sources), str(main), str(HERE / "export_start.c")]
    command += [
        "--specs=rdimon.specs",
        "-T",
        str(HERE / "export.ld"),
        "-Wl,--no-warn-rwx-segments",
        "-o",
        str(elf),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    emulator = [find_tool(QEMU, QEMU_HINT), "-machine", "netduinoplus2", "-nographic", "-monitor", "none"]
    emulator += ["-serial", "none", "-semihosting", "-kernel", str(elf)]
    return subprocess.run(emulator, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("network", ["digits", "chain"])
def test_an_exported_network_is_exact_on_a_cortex_m4(network: str, tmp_path: Path):
    where = tmp_path / "net"
    folder.write(where, exported(network).files)
    done = run_on_m4(where, where / "example" / "main.c")
    assert (done.returncode, done.stdout) == (0, "exact: every output equals the reference\n"), done.stderr


@pytest.mark.parametrize("network", ["digits", "chain"])
def test_the_stack_is_as_small_as_the_readme_says(network: str, tmp_path: Path):
    where = tmp_path / "net"
    folder.write(where, exported(network).files)
    name = exported(network).name
    macros = (f'-DHEADER="{name}.h"', f"-DPLAN={name}_plan", f"-DARENA_BYTES={name.upper()}_ARENA_BYTES")
    done = run_on_m4(where, HERE / "export_stack.c", *macros)
    found = re.fullmatch(r"status 0, stack (\d+) bytes\n", done.stdout)
    assert found, done.stdout + done.stderr
    assert 0 < int(found[1]) < README_STACK_BYTES


def test_code_is_smaller_with_fewer_kernels_and_without_checks():
    every = {path.name: sources.flat_text(path, defs.kernels()) for path in sources.needed(defs.kernels())}
    every |= {name: render.template(name) for name in folder.LIBRARY}
    all_kernels, few = size.measure(every, "m4"), size.measure(exported("digits").files, "m4")
    assert few.trusted_bytes < few.checked_bytes < all_kernels.checked_bytes


def test_the_command_exports_and_tells_as_json(tmp_path: Path):
    done = host("export", "--to", tmp_path / "net", "--json", "-", "--no-example")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["schema"] == 1 and result["model"] == "digits" and result["core"] == "cortex-m4"
    assert result["flash_bytes"]["code"] > result["flash_bytes"]["code_trusted"] > 0
    assert result["arena_bytes"] > 0 and result["flash_bytes"]["plan"] > 0
    there = {p.relative_to(tmp_path / "net").as_posix() for p in (tmp_path / "net").rglob("*") if p.is_file()}
    assert there == {*result["files"], folder.MARKER} and "example/main.c" not in there


def test_the_plan_options_decide(tmp_path: Path):
    done = host("export", "--to", tmp_path / "net", "--kernels", "ref")
    assert done.returncode == 0, done.stderr
    kernels = re.findall(r"^KERNEL\(\d+, \w+, (\w+)", (tmp_path / "net" / "kernels.def").read_text(), re.M)
    assert kernels and all(kernel.endswith("_ref") for kernel in kernels)
    refused(
        errors.DoesNotFitError,
        "export",
        "--to",
        tmp_path / "other",
        "--arena",
        100,
        "--kernels",
        "ref",
        saying=("arena",),
    )
    assert not (tmp_path / "other").exists()


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path):
    (tmp_path / "main.c").write_text("int main(void) { return 0; }")
    refused(errors.OutputError, "export", "--to", tmp_path, saying=("not empty", "--force"))
    assert host("export", "--to", tmp_path, "--force").returncode == 0
    assert (tmp_path / "main.c").read_text().startswith("int main")


@pytest.mark.parametrize(
    "network", ["kws_ref_model", "vww_96_int8", "pretrainedResnet_quant", "ad01_int8", "te_vww"]
)
@pytest.mark.skipif(SHARED is None, reason="TINYCONV_SHARED does not name the folder with the networks")
def test_public_networks_are_exact_when_exported(network: str, tmp_path: Path):
    where = tmp_path / "net"
    assert host("export", Path(f"{SHARED}/models/{network}.tflite"), "--to", where).returncode == 0
    done = run_on_m4(where, where / "example" / "main.c")
    assert (done.returncode, done.stdout) == (0, "exact: every output equals the reference\n"), done.stderr
