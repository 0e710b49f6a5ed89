"""The cycle model: its timing tables on code whose cycles are counted by hand, its plugin on a known program."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from host import boards, build
from host.cyclemodel import account, chips, m4, plugin, windows
from host.cyclemodel.decode import decode
from host.errors import HostError
from host.transport.emulator import QEMU

SOURCES = Path(__file__).parent / "cyclemodel"
CPU_FLAGS = {
    "m4": ("-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16"),
    "m7": ("-mcpu=cortex-m7", "-mfpu=fpv5-sp-d16"),
}
MACHINES = {"m4": "mps2-an386", "m7": "mps2-an500"}
FLASH_BYTES = 4 << 20
LOOP_RUNS = 1000

# Code and the cycles of each instruction; notes of Arm DDI 0439, section 3.3.
SEQUENCES = [
    ("add r0, r1, r2; smlad r3, r4, r5, r3; smmlar r0, r1, r2, r3", [1, 1, 1]),
    ("ldr r0, [r1]", [2]),
    ("ldr r0, [r1]; ldr r2, [r1, #4]; ldrb r3, [r1, #8]", [2, 1, 1]),
    ("ldr r0, [r1]; ldr r2, [r0]", [2, 2]),  # the address is what was loaded
    ("add r0, r1, r2; ldr r3, [r0]", [1, 3]),  # the address was just made
    ("str r0, [r1, #4]", [1]),
    ("str r0, [r1, r2]", [2]),
    ("ldr r3, [r1]; str r0, [r1, r2]", [2, 1]),
    ("ldm r0, {r1, r2, r3, r4}; push {r4, r5, lr}; ldrd r0, r1, [r2]", [5, 4, 3]),
    ("sdiv r0, r1, r2", [7]),
    ("cmp r0, #0; it eq; moveq r0, #1", [1, 1, 1]),
    ("vmov s0, r0; vmov r1, s0", [1, 1]),
    ("vadd.f32 s0, s1, s2; vmul.f32 s3, s0, s1", [1, 2]),
    ("vfma.f32 s0, s1, s2; vdiv.f32 s3, s4, s5; vldr s0, [r0]", [3, 14, 2]),
]


def compiled(folder: Path, core: str, *arguments: str | Path) -> None:
    flags = [*CPU_FLAGS[core], "-mthumb", "-mfloat-abi=hard", "-O2", f"-I{SOURCES}"]
    subprocess.run([build.find_compiler(), *flags, *map(str, arguments)], check=True, cwd=folder)


def assembled(folder: Path, text: str) -> bytes:
    lines = "\n".join(text.split(";"))
    (folder / "code.s").write_text(f".syntax unified\n.thumb\n.text\n{lines}\n")
    compiled(folder, "m4", "-c", "code.s", "-o", "code.o")
    with open(folder / "code.o", "rb") as file:
        return ELFFile(file).get_section_by_name(".text").data()


def program(folder: Path, core: str) -> Path:
    elf = folder / f"{core}.elf"
    sources = (SOURCES / "start.c", SOURCES / f"{core}_loops.c")
    compiled(
        folder, core, "-nostartfiles", "-T", SOURCES / "link.ld", *sources, "-o", elf, "--specs=nosys.specs",
        "-Wl,--no-warn-rwx-segments",
    )  # fmt: skip
    return elf


def profiled(elf: Path, chip: chips.Chip) -> list[windows.Window]:
    """Every call of step(), the last of which only ends the program."""
    out = elf.with_suffix(".profile")
    settings = chips.plugin_settings(chip, 0, FLASH_BYTES)
    command = [QEMU, "-machine", MACHINES[chip.core], "-display", "none", "-monitor", "none", "-serial", "none",
               "-semihosting", "-kernel", str(elf)]  # fmt: skip
    command += plugin.options(out, account.Symbols(elf).address("step"), settings)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return windows.parse(out.read_text().splitlines())[:-1]


@pytest.mark.parametrize(("text", "cycles"), SEQUENCES, ids=[text for text, _ in SEQUENCES])
def test_m4_cycles_of_instructions(tmp_path, text, cycles):
    assert m4.block_cycles(decode(0, assembled(tmp_path, text))) == cycles


def test_m4_cycles_of_taken_branches(tmp_path):
    def refill(text: str) -> int:
        code = decode(0, assembled(tmp_path, text))
        sizes = {i.address: i.bytes for i in code}
        branch = next(i for i in code if i.kind in ("b", "bcond", "bind", "ldm", "tbb", "call"))
        return m4.refill_cycles(branch, sizes)

    assert refill("1: add r0, r0, #1; b 1b") == m4.TIMING.refill
    # a target of 4 bytes at an address of 2 mod 4 takes a fetch more
    across = "nop; 1: add.w r0, r0, #1; bne 1b"
    assert refill(across) == m4.TIMING.refill + m4.TIMING.refill_unaligned
    assert refill("bx lr") == m4.TIMING.refill_indirect
    assert refill("pop {r4, pc}") == m4.TIMING.refill_indirect
    assert refill("tbb [pc, r0]") == m4.TIMING.refill_load


def test_m4_loops_take_what_was_counted_by_hand(tmp_path):
    elf, chip = program(tmp_path, "m4"), chips.find_chip("none")
    runs = profiled(elf, chip)
    assert len(runs) == 2
    # subs and a taken bne: 1 + 2; three loads 2 + 1 + 1, add, subs, bne: 8
    for window, instructions, cycles in zip(runs, (2, 6), (3, 8), strict=True):
        (step,) = account.costs([window], chip, account.Symbols(elf))
        assert 0 <= step.total.instructions - LOOP_RUNS * instructions <= 25
        assert 0 <= step.total.cycles - (LOOP_RUNS * cycles - 1) <= 60
        assert list(step.functions) == ["step"]
        assert step.functions["step"] == step.total
    reads = sum(a.reads for c in runs[1].blocks for a in c.accesses)
    assert 3 * LOOP_RUNS <= reads <= 3 * LOOP_RUNS + 5


def test_profiles_are_the_same_every_time(tmp_path):
    elf, chip = program(tmp_path, "m4"), chips.find_chip("l4r5")
    first, second = (account.costs(profiled(elf, chip), chip, account.Symbols(elf)) for _ in range(2))
    assert first == second
    assert all(step.total.flash_code > 0 for step in first[:1])  # the first run of a loop is not in the cache
    assert all(step.total.flash_code < 200 for step in first)  # and 1000 rounds of it are


def test_m7_loops_take_what_was_counted_by_hand(tmp_path):
    elf, chip = program(tmp_path, "m7"), chips.find_chip("ideal")
    loops = re.findall(r"^LOOP\((\d+), (\d+),", (SOURCES / "m7_loops.def").read_text(), re.M)
    steps = account.costs(profiled(elf, chip), chip, account.Symbols(elf))
    got = {number: step.total.issue / LOOP_RUNS for (number, _), step in zip(loops, steps, strict=True)}
    wanted = {number: float(cycles) for number, cycles in loops}
    assert got == pytest.approx(wanted, abs=0.06)
    # a loop is mispredicted while the history fills, and at its end
    assert steps[0].total.branch <= 25 * 8


def test_m7_data_cache_misses_once_a_line(tmp_path):
    elf, chip = program(tmp_path, "m7"), chips.find_chip("f746-axi")
    no_dtcm = replace(chip, memory=replace(chip.memory, dtcm_bytes=0))
    window = profiled(elf, no_dtcm)[6]  # reads two words 1000 times
    accesses = [a for c in window.blocks for a in c.accesses]
    assert sum(a.reads for a in accesses) >= 2 * LOOP_RUNS
    assert sum(a.ram_misses for a in accesses) <= 3


def test_unknown_chips_and_symbols_are_refused(tmp_path):
    with pytest.raises(HostError, match="no chip 'l4' is modelled"):
        chips.find_chip("l4")
    with pytest.raises(HostError, match="no function nowhere"):
        account.Symbols(program(tmp_path, "m4")).address("nowhere")


def test_what_is_not_the_plugins_is_refused():
    with pytest.raises(ValueError, match="not the plugin's"):
        windows.parse(["Z 1 2 3"])


def test_every_emulated_board_names_a_chip_of_its_core():
    for board in boards.all_boards():
        if board.emulator:
            assert chips.find_chip(board.emulator.cycle_model).core == board.core
