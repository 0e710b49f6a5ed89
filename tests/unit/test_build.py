"""Building the firmware: when it is skipped, what is said when it cannot be done, and that it is what it should be."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from host import boards, build
from host.errors import BuildError, ToolMissingError


@pytest.fixture
def board() -> boards.Board:
    return boards.load_board("emu_stm32f405")


@pytest.fixture
def fake_platformio(monkeypatch, tmp_path, board):
    """Writes files instead of compiling; its list has one entry a build."""
    builds = []

    def run(board, compiler, folder, progress):
        builds.append(board.id)
        progress("Compiling nothing")
        (folder / "generated").mkdir(parents=True, exist_ok=True)
        (folder / "generated" / "build_generated.h").write_text("#define BUILD_HASH {0x01, 0xab}\n")
        (folder / "firmware.elf").write_bytes(b"elf")
        (folder / "firmware.bin").write_bytes(b"bin")

    monkeypatch.setenv("PLATFORMIO_BUILD_DIR", str(tmp_path))
    monkeypatch.setattr(build, "_run_platformio", run)
    monkeypatch.setattr(build, "elf_sizes", lambda elf: build.Sizes(100, 20, 3))
    return builds


def test_a_second_build_is_skipped_and_says_the_same(fake_platformio, board):
    first = build.build(board)
    begin = time.perf_counter()
    second = build.build(board)
    assert time.perf_counter() - begin < 0.05
    assert first == second
    assert fake_platformio == [board.id]
    assert (first.build_hash, first.code_bytes, first.ram_bytes) == ("01ab", 120, 23)


def test_a_build_is_repeated_when_something_changed(fake_platformio, board, monkeypatch):
    folder = build.build(board).elf.parent
    build.build(board, force=True)
    assert len(fake_platformio) == 2
    monkeypatch.setenv(build.FLAGS_VARIABLE, "-DX=1")
    build.build(board)
    assert len(fake_platformio) == 3
    (folder / "firmware.elf").write_bytes(b"another")
    build.build(board)
    assert len(fake_platformio) == 4
    (folder / "firmware.bin").unlink()
    build.build(board)
    assert len(fake_platformio) == 5
    (folder / "stamp.json").write_text("{")
    build.build(board)
    assert len(fake_platformio) == 6
    build.build(board)
    assert len(fake_platformio) == 6


def test_the_stamp_covers_sources_manifest_and_compiler(board, tmp_path):
    generate = build.generator()
    compiler = build.find_compiler()
    names = {path.name for path in generate.input_files(boards.boards_dir().parent, board.family)}
    assert {"plan.c", "kernels.def", "commands.def", "port.h", "clock.c", "startup.c", "generate.py"} <= names
    assert "hot.def" in names
    assert "cmsdk.h" not in names and "port.c" in names

    root = tmp_path / "root"
    for folder in ("boards", "firmware/app", "firmware/platform"):
        (root / folder).mkdir(parents=True)
    for file in ("platformio.ini", "firmware/platform/platform.json", "boards/b.json", "firmware/app/main.c"):
        (root / file).write_text("1")
    hashes = [generate.build_hash(root, "b", "stm32f4")]
    for file in ("platformio.ini", "boards/b.json", "firmware/app/main.c"):
        (root / file).write_text("2")
        hashes.append(generate.build_hash(root, "b", "stm32f4"))
    hashes.append(generate.build_hash(root, "b", "stm32f4", "-DX"))
    assert len(set(hashes)) == len(hashes) and all(len(h) == 8 for h in hashes)

    other = tmp_path / build.COMPILER
    other.write_text("#!/bin/sh\n")
    assert build._stamp(board, compiler) == build._stamp(board, compiler)
    assert build._stamp(board, compiler) != build._stamp(board, other)


def test_a_missing_compiler_is_named_with_its_packages(board, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(build, "core_folder", lambda: tmp_path)
    with pytest.raises(ToolMissingError) as caught:
        build.build(board)
    assert "arm-none-eabi-gcc" in caught.value.message
    assert "gcc-arm-none-eabi" in caught.value.hint and "brew" in caught.value.hint


def test_seeding_keeps_what_platformio_wrote(monkeypatch, tmp_path):
    monkeypatch.setattr(build, "core_folder", lambda: tmp_path)
    build.seed_platformio()
    package = json.loads((tmp_path / "packages" / "tool-scons" / "package.json").read_text())
    assert package["version"] == build.SCONS_PACKAGE_VERSION
    state = tmp_path / "appstate.json"
    assert json.loads(state.read_text())["settings"]["enable_telemetry"] is False
    state.write_text("{}")
    build.seed_platformio()
    assert state.read_text() == "{}"


def test_the_scons_package_is_what_this_platformio_wants():
    dependencies = pytest.importorskip("platformio.dependencies", reason="PlatformIO is not installed")
    wanted = dependencies.get_core_dependencies()["tool-scons"]
    assert wanted == f"~{build.SCONS_PACKAGE_VERSION}"


def test_the_firmware_fits_and_leaves_the_pool(board):
    firmware = build.build(board)
    assert firmware.bin.stat().st_size == firmware.code_bytes <= board.firmware_region.bytes
    assert board.ram_bytes - firmware.ram_bytes >= 112 * 1024, "vww needs a pool of 112 KiB"


def test_boards_of_one_core_share_objects(board, monkeypatch, tmp_path):
    build.build(board)
    monkeypatch.setenv("PLATFORMIO_BUILD_DIR", str(tmp_path))
    lines: list[str] = []
    build.build(boards.load_board("adafruit_feather_f405"), force=True, progress=lines.append)
    compiled = [Path(line.split()[1]) for line in lines if line.startswith("Compiling")]
    folders = {path.relative_to(tmp_path).parts[2] for path in compiled}
    assert folders == {"app", "port"}, "kernels, link and runtime are there already"


def test_a_compile_error_is_told(board, monkeypatch, tmp_path):
    monkeypatch.setenv("PLATFORMIO_BUILD_DIR", str(tmp_path))
    monkeypatch.setenv(build.FLAGS_VARIABLE, "-DPROTOCOL_VERSION=oops")
    with pytest.raises(BuildError) as caught:
        build.build(board)
    assert "error: 'oops' undeclared" in caught.value.message
    assert os.path.isfile(caught.value.hint.removeprefix("all of it: "))


def test_the_first_line_that_tells_why_is_told():
    lines = [
        "Linking firmware.elf",
        "ld: firmware.elf section `.hot' will not fit in region `HOT'",
        "ld: region `HOT' overflowed by 16 bytes",
        "collect2: error: ld returned 1 exit status",
    ]
    assert build._why(lines) == lines[1]


def test_an_interrupted_build_leaves_nothing_running(board, monkeypatch, tmp_path):
    monkeypatch.setenv("PLATFORMIO_BUILD_DIR", str(tmp_path))
    children = []
    start = build.subprocess.Popen

    def remember(*args, **options):
        children.append(start(*args, **options))
        return children[-1]

    def interrupt(line: str) -> None:
        if line.startswith("Compiling"):
            raise KeyboardInterrupt

    monkeypatch.setattr(build.subprocess, "Popen", remember)
    with pytest.raises(KeyboardInterrupt):
        build.build(board, progress=interrupt)
    assert children[0].returncode is not None
    with pytest.raises(ProcessLookupError):
        os.killpg(children[0].pid, 0)
    assert not (tmp_path / board.id / "stamp.json").exists()
