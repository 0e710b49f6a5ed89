"""Exported folders: complete, compilable without warnings, exact on this machine, always the same."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from host import boards, build, defs, native
from host.compile import Compiled, compile_file, compile_graph
from host.data import digits
from host.errors import OutputError, ToolMissingError
from host.export import folder, render, size, sources
from host.plan import choose
from host.project import firmware_dir
from tests.unit.test_plan import conv_chain

WARNINGS = ("-Wall", "-Wextra", "-Werror")
# What the exported code may ask of the C library and the compiler's own.
LIBRARY = {"memcpy", "memmove", "memset", "memcmp", "__stack_chk_fail", "_GLOBAL_OFFSET_TABLE_"}
NETWORKS: dict[str, Callable[[], Compiled]] = {
    "digits": lambda: compile_file(digits.model_path()),
    "chain": lambda: compile_graph(conv_chain()),
    "reference": lambda: compile_graph(conv_chain(), choose.reference_only, slimmed=False),
}


@cache
def exported(network: str) -> folder.Export:
    return folder.contents(NETWORKS[network](), boards.load_board("emu_stm32f405"))


def compile_and_run(where: Path) -> subprocess.CompletedProcess[str]:
    files = [*sorted(where.glob("*.c")), where / "example" / "main.c"]
    program = where / "example" / "check"
    command = [native.compiler(), "-O2", *WARNINGS, *map(str, files), "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return subprocess.run([str(program)], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("network", NETWORKS)
def test_an_exported_network_compiles_without_warnings_and_is_exact(network: str, tmp_path: Path):
    folder.write(tmp_path / "net", exported(network).files)
    done = compile_and_run(tmp_path / "net")
    assert (done.returncode, done.stdout) == (0, "exact: every output equals the reference\n")


def test_the_example_notices_a_wrong_output(tmp_path: Path):
    files = dict(exported("digits").files)
    sample = "example/digits_sample.h"
    before, after = files[sample].split("sample_output0[10] = {\n    ")
    first, rest = after.split(",", 1)
    files[sample] = f"{before}sample_output0[10] = {{\n    {int(first) ^ 1},{rest}"
    folder.write(tmp_path / "net", files)
    done = compile_and_run(tmp_path / "net")
    assert done.returncode == 1
    assert f"output 0, element 0: got {first}, expected {int(first) ^ 1}" in done.stdout


def test_a_damaged_plan_is_refused(tmp_path: Path):
    files = dict(exported("digits").files)
    files["digits_plan.c"] = files["digits_plan.c"].replace("0x4e504354", "0x4e504355")
    folder.write(tmp_path / "net", files)
    done = compile_and_run(tmp_path / "net")
    magic = next(code for code, name in defs.plan_fields().items() if name == "magic")
    assert done.returncode == 1
    assert f"field {magic}," in done.stdout


def test_the_plan_is_the_compiled_one():
    text = exported("chain").files["chain_plan.c"]
    words = np.array([int(w, 16) for w in re.findall(r"0x[0-9a-f]{8}(?=,)", text)], "<u4")
    assert words.tobytes() == exported("chain").compiled.plan


def test_the_same_network_gives_the_same_folder():
    again = folder.contents(NETWORKS["chain"](), boards.load_board("emu_stm32f405"))
    assert again.files == exported("chain").files


def test_the_header_has_the_networks_numbers():
    header = exported("digits").files["digits.h"]
    compiled = exported("digits").compiled
    for line in (
        f"DIGITS_ARENA_BYTES {compiled.net.arena_bytes}u",
        f"DIGITS_PLAN_BYTES  {len(compiled.plan)}u",
        "DIGITS_INPUT_BYTES      1024u",
        "DIGITS_INPUT_SHAPE      {1, 32, 32, 1}",
        "DIGITS_OUTPUT_ZERO_POINT (-128)",
    ):
        assert f"#define {line}" in header
    scale = np.float32(re.search(r"DIGITS_INPUT_SCALE +(\S+)f", header)[1])
    assert scale == compiled.original.tensors[compiled.original.inputs[0].tensor].quant.scale[0]


# --- Which files are needed.


def symbols(paths: list[Path], compiler: list[str], aside: Path) -> dict[Path, tuple[set[str], set[str]]]:
    """Global symbols that each file defines and needs, as the compiler sees them."""
    aside.mkdir()
    command = [*compiler, "-O1", "-c", *map(str, paths)]
    done = subprocess.run(command, cwd=aside, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = {}
    for path in paths:
        listing = subprocess.run(
            ["nm", "-g", "-P", path.with_suffix(".o").name],
            cwd=aside,
            capture_output=True,
            text=True,
            check=True,
        )
        kinds = [line.split()[:2] for line in listing.stdout.splitlines()]
        found[path] = {n for n, k in kinds if k != "U"}, {n for n, k in kinds if k == "U"}
    return found


@pytest.fixture(scope="module", params=["this machine", "cortex-m4"])
def compiled_sources(request, tmp_path_factory) -> dict[Path, tuple[set[str], set[str]]]:
    """Symbols of every source file, compiled for this machine and for Arm."""
    compiler = [native.compiler()]
    if request.param != "this machine":
        try:
            compiler = [str(build.find_compiler()), *size.cpu_flags("m4")]
        except ToolMissingError as error:
            pytest.skip(str(error))
    paths = [source.path for source in sources.sources()]
    return symbols(paths, compiler, tmp_path_factory.mktemp("objects") / "all")


def test_all_that_compilers_see_defined_is_found_in_the_text(compiled_sources):
    in_c = {s.path: s.defines for s in sources.sources()}
    functions = set().union(*in_c.values())
    for path, (defined, _) in compiled_sources.items():
        # assembler files have labels of their own
        seen = defined & functions if path.suffix == ".S" else defined
        # not all: some is for another machine
        assert seen <= in_c[path], path.name


def test_every_kernel_can_be_exported_alone(compiled_sources):
    tables = {kernel + f for kernel in defs.kernels() for f in sources.KERNEL_FUNCTIONS}
    for kernel in defs.kernels():
        files = [path for path in sources.needed([kernel]) if path in compiled_sources]
        defined = set().union(*(compiled_sources[path][0] for path in files))
        missing = {kernel + "_supports", kernel + "_scratch_bytes", kernel} - defined
        for path in files:
            # the table of all kernels, which an export has reduced
            unseen = tables if path.name == "kernels.c" else set()
            missing |= compiled_sources[path][1] - unseen - defined
        assert all(name in LIBRARY or name.startswith("__aeabi_") for name in missing), (kernel, missing)


def test_no_kernel_needs_the_line_of_another(tmp_path: Path):
    every = defs.kernels()
    for path in sources.needed(every):
        (tmp_path / path.name).write_text(sources.flat_text(path, every))
    definitions = next(path for path in sources.needed(every) if path.name == sources.KERNELS_DEF)
    whole = {Path(name).name for name in sources.RUNTIME} - {"kernels.c"}
    for kernel in every:
        (tmp_path / sources.KERNELS_DEF).write_text(sources.flat_text(definitions, [kernel]))
        files = [p.name for p in sources.needed([kernel]) if p.suffix == ".c" and p.name not in whole]
        command = [native.compiler(), "-fsyntax-only", *WARNINGS, *files]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_only_what_is_needed_is_there():
    names = {path.name for path in sources.needed(["mean_s8_flat_ref"])}
    operators = {path.name for path in (firmware_dir() / "kernels").glob("ops*.c")}
    runtime = {"crc32.c", "kernels.c", "plan.c"}
    assert {n for n in names if n.endswith((".c", ".S"))} == {"mean_s8_flat_ref.c"} | runtime | operators
    lines = re.findall(r"^KERNEL\(.*", exported("digits").files["kernels.def"], re.M)
    assert len(lines) == len(exported("digits").kernels) < len(defs.kernels())


def test_the_folder_is_closed_and_its_objects_have_names_of_their_own():
    every = sources.needed(defs.kernels())
    assert len({path.name for path in every}) == len(every)
    compiled = [path.stem for path in every if path.suffix in (".c", ".S")]
    assert len(set(compiled)) == len(compiled)
    for network in NETWORKS:
        files = exported(network).files
        flat = {name for name in files if "/" not in name}
        for name in flat - {"README.md", "LICENSE"}:
            included = set(re.findall(r'#\s*include "([^"]+)"', files[name]))
            assert included <= flat | {"cmsis_compiler.h"}, name


# --- Names and folders.


@pytest.mark.parametrize(
    ("network", "name"),
    [
        ("digits", "digits"),
        ("My Net-2", "my_net_2"),
        ("1x1", "net_1x1"),
        ("plan", "net_plan"),
        ("Größe", "gr__e"),
    ],
)
def test_names_become_names_of_c(network: str, name: str):
    assert render.identifier(network, {"plan.h"}) == name


def test_a_name_cannot_leave_its_comment():
    assert "*/" not in render.readable("x */ int y; /*\n") and "\n" not in render.readable("a\nb")


@pytest.mark.parametrize("value", [1.0, 0.1, 1e-10, 3.0e20, 0.0039215688593685627])
def test_scales_are_written_exactly(value: float):
    literal = render._float_literal(float(np.float32(value)))
    assert re.fullmatch(r"[\d.]+(e[+-]\d+)?f", literal) and ("." in literal or "e" in literal)
    assert np.float32(literal[:-1]) == np.float32(value)


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path):
    (tmp_path / "mine.c").write_text("int x;")
    with pytest.raises(OutputError, match="not empty"):
        folder.write(tmp_path, {"a.c": ""})
    assert [p.name for p in tmp_path.iterdir()] == ["mine.c"]
    folder.write(tmp_path, {"a.c": ""}, force=True)
    assert {p.name for p in tmp_path.iterdir()} == {"mine.c", "a.c", folder.MARKER}


def test_a_second_export_takes_away_what_the_first_one_left(tmp_path: Path):
    folder.write(tmp_path, {"a.c": "1", "b.c": "1", "example/main.c": ""})
    (tmp_path / "mine.c").write_text("")
    folder.write(tmp_path, {"a.c": "2"})
    assert {p.name for p in tmp_path.iterdir()} == {"a.c", "mine.c", folder.MARKER}
    assert (tmp_path / "a.c").read_text() == "2"


def test_only_files_inside_the_folder_are_taken_away(tmp_path: Path):
    outside = tmp_path / "outside.c"
    outside.write_text("")
    inner = tmp_path / "net"
    folder.write(inner, {"a.c": ""})
    for name in ("../outside.c", str(outside)):
        (inner / folder.MARKER).write_text(json.dumps({"files": [name]}))
        folder.write(inner, {"a.c": ""})
    assert outside.is_file()


@pytest.mark.parametrize("text", ["", "[]", '{"files": 3}', '{"files": [1]}', '{"files": null}'])
def test_a_damaged_marker_is_told(tmp_path: Path, text: str):
    (tmp_path / folder.MARKER).write_text(text)
    with pytest.raises(OutputError, match="damaged"):
        folder.write(tmp_path, {"a.c": ""})
    folder.write(tmp_path, {"a.c": ""}, force=True)


def test_a_file_in_the_way_is_told(tmp_path: Path):
    (tmp_path / "net").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        folder.write(tmp_path / "net", {"a.c": ""})
