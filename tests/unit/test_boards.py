"""Board manifests: those that we ship, and what is said about wrong ones."""

from __future__ import annotations

import configparser
import copy
import json
import subprocess
from pathlib import Path

import pytest

from host import boards, build
from host.errors import HostError, UnknownBoardError
from host.project import boards_dir, firmware_dir, root


def manifest(board_id: str = "emu_stm32f405") -> dict:
    return json.loads((boards_dir() / f"{board_id}.json").read_text())


@pytest.mark.parametrize("board_id", boards.board_ids())
def test_a_shipped_board_is_sound_and_has_an_env(board_id):
    board = boards.load_board(board_id)
    config = configparser.ConfigParser()
    config.read(root() / "platformio.ini")
    assert config[f"env:{board_id}"]["board"] == board_id
    assert f"`{board_id}`" in (boards_dir() / "README.md").read_text()
    assert board.plan_region.bytes > 0
    assert board.ram_bytes >= 128 * 1024


def test_the_emulated_board_is_the_twin_of_the_real_one():
    emulated, real = boards.load_board("emu_stm32f405"), boards.load_board("adafruit_feather_f405")
    for fact in ("family", "core", "clock", "firmware_region", "plan_region"):
        assert getattr(emulated, fact) == getattr(real, fact)
    assert emulated.emulated and not real.emulated


def test_an_unknown_board_is_answered_with_close_and_all_names():
    with pytest.raises(UnknownBoardError) as caught:
        boards.load_board("emu_stm32f40")
    assert "did you mean emu_stm32f405" in caught.value.hint
    assert all(board_id in caught.value.hint for board_id in boards.board_ids())
    with pytest.raises(UnknownBoardError):
        boards.load_board("../pyproject")


def with_display(m: dict, **changed) -> None:
    """The manifest with a display, wrong in what is changed."""
    m["tinyconv"]["display"] = manifest("disco_f746ng")["tinyconv"]["display"] | changed


WRONG = {
    "platform: must be": lambda m: m.update(platform="ststm32"),
    "name: is missing": lambda m: m.pop("name"),
    "core: must be one of m4, m7, m33": lambda m: m["tinyconv"].update(core="m0"),
    "crystl_hz: is no field": lambda m: m["tinyconv"]["clock"].update(crystl_hz=1),
    "hz: must be above 0": lambda m: m["tinyconv"]["clock"].update(hz=0),
    "bypass: needs crystal_hz": lambda m: m["tinyconv"]["clock"].update(bypass=True, crystal_hz=0),
    "lpuart: must be bool": lambda m: m["tinyconv"]["uart"].update(lpuart=1),
    "baud: must be int": lambda m: m["tinyconv"]["uart"].update(baud="fast"),
    "emulated: must be bool": lambda m: m["tinyconv"].update(emulated=1),
    "tx: 'P9' is no pin": lambda m: m["tinyconv"]["uart"].update(tx="P9"),
    "address: must be a string": lambda m: m["tinyconv"]["memory"][0].update(address="134217728"),
    "memory: bank 'sram' has the name or addresses": lambda m: m["tinyconv"]["memory"][1].update(
        address="0x08000000"
    ),
    "memory[1]: kind: must be one of": lambda m: m["tinyconv"]["memory"][1].update(kind="rom"),
    "firmware: bytes: is more than": lambda m: m["tinyconv"]["firmware"].update(bytes=1 << 21),
    "firmware: bank: must name": lambda m: m["tinyconv"]["firmware"].update(bank="sram"),
    "plan: address: must be inside flash": lambda m: m["tinyconv"]["plan"].update(address="0x08030000"),
    "plan: address: must": lambda m: m["tinyconv"]["plan"].update(bytes=786433),
    "pools: 'flash' is no memory bank of kind ram": lambda m: m["tinyconv"].update(pools=["sram", "flash"]),
    "pools: 7 is no": lambda m: m["tinyconv"].update(pools=[7]),
    "pools: must name 1 to 4": lambda m: m["tinyconv"].update(pools=[]),
    "pools: must name": lambda m: m["tinyconv"].update(pools=["sram", "sram"]),
    "hot_code: must name": lambda m: m["tinyconv"].update(hot_code="sram"),
    "hot_code: must": lambda m: m["tinyconv"].update(hot_code="itcm"),
    "family: there is no": lambda m: m["tinyconv"].update(family="stm32x9"),
    "emulator: must be there if and only if": lambda m: m["tinyconv"].pop("emulator"),
    "f_cpu: must repeat": lambda m: m["build"].update(f_cpu="1L"),
    "maximum_size: must repeat": lambda m: m["upload"].update(maximum_size=1),
    "maximum_ram_size: must repeat": lambda m: m["upload"].update(maximum_ram_size=1),
    "kind: must be one of rk043fn48h": lambda m: with_display(m, kind="hd44780"),
    "width: must be above 0": lambda m: with_display(m, width=0),
    "14: 'P14' is no pin": lambda m: with_display(m, pins={"14": ["P14"]}),
    "16: is no field": lambda m: with_display(m, pins={"16": ["PA1"]}),
    "high: 7 is no pin": lambda m: with_display(m, high=[7]),
    "must be an object": lambda m: m["tinyconv"].update(memory=[7]),
}


@pytest.mark.parametrize("message", WRONG)
def test_a_wrong_manifest_names_the_field(message):
    wrong = copy.deepcopy(manifest())
    WRONG[message](wrong)
    with pytest.raises(HostError) as caught:
        boards.parse_board("emu_stm32f405", wrong)
    assert message in caught.value.message
    assert "boards/emu_stm32f405.json" in caught.value.message


def test_the_header_has_the_pins_as_numbers():
    header = build.generator().config_header(manifest("adafruit_feather_f405")["tinyconv"])
    lines = header.splitlines()
    for line in (
        "#define BOARD_UART_INSTANCE 3",
        "#define BOARD_UART_LPUART 0",
        "#define BOARD_UART_TX_PORT 1u",
        "#define BOARD_UART_TX_PIN 10u",
        "#define BOARD_UART_RX_PIN 11u",
        "#define BOARD_UART_AF 7u",
        "#define BOARD_CLOCK_HZ 168000000u",
        "#define BOARD_CRYSTAL_BYPASS 0",
        "#define BOARD_STM32F405 1",
        "#define BOARD_PLAN_ADDRESS 0x08040000u",
        "#define BOARD_EMULATED 0",
    ):
        assert line in lines


def test_the_header_has_the_display():
    lines = build.generator().config_header(manifest("disco_f746ng")["tinyconv"]).splitlines()
    assert "#define BOARD_DISPLAY_WIDTH 480u" in lines and "#define BOARD_DISPLAY_RK043FN48H 1" in lines
    assert "#define BOARD_DISPLAY_HIGH {8, 12}, {10, 3}" in lines
    pins = next(line for line in lines if line.startswith("#define BOARD_DISPLAY_PINS "))
    assert pins.count("{") == 28 and pins.endswith("{6, 12, 9}")
    without = build.generator().config_header(manifest("nucleo_f746zg")["tinyconv"]).splitlines()
    assert "#define BOARD_DISPLAY_WIDTH 0" in without and not any("DISPLAY_PINS" in line for line in without)


@pytest.mark.parametrize(
    ("board_id", "line", "lpuart"),
    [
        ("nucleo_h743zi", "STM32H743", 0),
        ("nucleo_h7a3zi_q", "STM32H7A3", 0),
        ("nucleo_l4r5zi", "STM32L4R5", 1),
        ("nucleo_u575zi_q", "STM32U575", 0),
    ],
)
def test_the_header_tells_lines_and_lpuart(board_id, line, lpuart):
    lines = build.generator().config_header(manifest(board_id)["tinyconv"]).splitlines()
    assert f"#define BOARD_{line} 1" in lines
    assert f"#define BOARD_UART_LPUART {lpuart}" in lines
    assert boards.load_board(board_id).uart.lpuart == bool(lpuart)


def test_the_linker_script_places_the_stack_first_and_ends_with_the_bank():
    script = build.generator().linker_script(manifest()["tinyconv"])
    assert "RAM (rwx) : ORIGIN = 0x20000000, LENGTH = 131072" in script
    assert "FLASH (rx) : ORIGIN = 0x08000000, LENGTH = 262144" in script
    order = [".stack (NOLOAD) :", ".data :", ".bss (NOLOAD) :", ".noinit (NOLOAD) :", "__pool_end ="]
    places = [script.index(part) for part in order]
    assert places == sorted(places)


KIB = 1024
F4_SECTORS = (
    [16 * KIB] * 4 + [64 * KIB] + [128 * KIB] * 7
)  # RM0090 table 5; the F446 ends after the eighth, RM0390 table 4
F7_SECTORS = [32 * KIB] * 4 + [128 * KIB] + [256 * KIB] * 3  # RM0385 table 3
F767_SECTORS = [32 * KIB] * 4 + [128 * KIB] + [256 * KIB] * 7  # RM0410 table 3, one bank
F767_TWO_BANKS = ([16 * KIB] * 4 + [64 * KIB] + [128 * KIB] * 7) * 2  # RM0410 table 4, nDBANK = 0
SECTORS = {
    "adafruit_feather_f405": [F4_SECTORS],
    "disco_f407vg": [F4_SECTORS],
    "nucleo_f446re": [F4_SECTORS[:8]],
    "disco_f746ng": [F7_SECTORS],
    "nucleo_f746zg": [F7_SECTORS],
    "nucleo_f767zi": [F767_SECTORS, F767_TWO_BANKS],
    "nucleo_h743zi": [[128 * KIB] * 16],  # RM0433 table 7
    "nucleo_h7a3zi_q": [[8 * KIB] * 256],  # RM0455 table 10
    "nucleo_l4r5zi": [[4 * KIB] * 512, [8 * KIB] * 256],  # RM0432 tables 6 and 7, DBANK = 1 and 0
    "nucleo_u575zi_q": [[8 * KIB] * 256],  # RM0456 table 50
}


@pytest.mark.parametrize("board_id", SECTORS)
def test_firmware_and_plan_are_whole_erase_sectors(board_id):
    board = boards.load_board(board_id)
    flash = next(bank for bank in board.memory if bank.kind == "flash")
    for sectors in SECTORS[board_id]:
        assert sum(sectors) == flash.bytes
        ends = {flash.address + sum(sectors[:i]) for i in range(len(sectors) + 1)}
        regions = (board.firmware_region, board.plan_region)
        assert {edge for region in regions for edge in (region.address, region.end)} <= ends


# From the user manuals that boards/README.md names: clock, crystal, bypass, USART, TX, RX, alternate function.
WIRING = {
    "adafruit_feather_f405": (168, 12, False, 3, "PB10", "PB11", 7),
    "disco_f407vg": (168, 8, False, 2, "PA2", "PA3", 7),
    "nucleo_f446re": (180, 8, True, 2, "PA2", "PA3", 7),
    "disco_f746ng": (216, 25, False, 1, "PA9", "PB7", 7),
    "nucleo_f746zg": (216, 8, True, 3, "PD8", "PD9", 7),
    "nucleo_f767zi": (216, 8, True, 3, "PD8", "PD9", 7),
    "nucleo_h743zi": (480, 8, True, 3, "PD8", "PD9", 7),
    "nucleo_h7a3zi_q": (280, 8, True, 3, "PD8", "PD9", 7),
    "nucleo_l4r5zi": (120, 0, False, 1, "PG7", "PG8", 8),
    "nucleo_u575zi_q": (160, 0, False, 1, "PA9", "PA10", 7),
}


@pytest.mark.parametrize("board_id", WIRING)
def test_clock_and_pins_are_those_of_the_manual(board_id):
    board = boards.load_board(board_id)
    clock, uart = board.clock, board.uart
    said = (
        clock.hz // 10**6,
        clock.crystal_hz // 10**6,
        clock.bypass,
        uart.instance,
        uart.tx,
        uart.rx,
        uart.af,
    )
    assert said == WIRING[board_id]


# What no board's port may be compiled for, and the words in which the compiler says so.
BEYOND = {
    "disco_f407vg": {
        "clock.hz: more than this chip can": lambda f: f["clock"].update(hz=170_000_000),
        "clock.hz: whole MHz": lambda f: f["clock"].update(hz=150_500_000),
        "clock.crystal_hz: whole MHz": lambda f: f["clock"].update(crystal_hz=7_372_800),
        "clock.crystal_hz: 4 to 26 MHz": lambda f: f["clock"].update(crystal_hz=50_000_000),
        "clock.hz: PLLN is 50 to 432": lambda f: f["clock"].update(hz=48_000_000),
        "uart.baud: more than 1 % off": lambda f: f["uart"].update(baud=2_500_000),
        "uart.instance must be": lambda f: f["uart"].update(instance=4),
        "cmsis_pack must be an STM32F405": lambda f: f.update(cmsis_pack="STM32F429ZITx"),
    },
    "nucleo_f446re": {
        "clock.hz: more than this chip can": lambda f: f["clock"].update(hz=181_000_000),
        "a signal 1 to 50 MHz": lambda f: f["clock"].update(crystal_hz=52_000_000),
    },
    "disco_f746ng": {
        "clock.hz: more than this chip can": lambda f: f["clock"].update(hz=217_000_000),
        "cmsis_pack must be an STM32F746": lambda f: f.update(cmsis_pack="STM32F722ZETx"),
    },
    "nucleo_h743zi": {
        "clock.hz: more than this chip can": lambda f: f["clock"].update(hz=484_000_000),
        "a bus is too fast": lambda f: f["clock"].update(hz=484_000_000),
        "clock.hz: a multiple of 4 MHz": lambda f: f["clock"].update(hz=402_000_000),
        "clock.hz: the VCO runs at twice as much": lambda f: f["clock"].update(hz=92_000_000),
        "clock.crystal_hz: a multiple of 5 or 8 MHz": lambda f: f["clock"].update(crystal_hz=12_000_000),
        "up to 50 that clock.hz follows from": lambda f: f["clock"].update(crystal_hz=56_000_000),
        "uart.baud: more than 1 % off at this clock": lambda f: f["uart"].update(baud=9_000_000),
        "uart.baud: more than 1 % off without PLL": lambda f: f["uart"].update(baud=3_000_000),
        "uart.instance must be": lambda f: f["uart"].update(instance=4),
        "cmsis_pack must be an STM32H742": lambda f: f.update(cmsis_pack="STM32H723ZGTx"),
    },
    "nucleo_h7a3zi_q": {
        "clock.hz: more than this chip can": lambda f: f["clock"].update(hz=284_000_000),
        "clock.hz: the VCO runs at twice as much": lambda f: f["clock"].update(hz=60_000_000),
    },
    "nucleo_l4r5zi": {
        "clock.hz: more than this chip can": lambda f: f["clock"].update(hz=124_000_000),
        "clock.hz: a multiple of 4 MHz": lambda f: f["clock"].update(hz=118_000_000),
        "clock.hz: the VCO runs at twice as much": lambda f: f["clock"].update(hz=28_000_000),
        "clock.crystal_hz: a multiple of 4 MHz": lambda f: f["clock"].update(crystal_hz=25_000_000),
        "uart.baud: more than 1 % off without PLL": lambda f: f["uart"].update(baud=2_000_000),
        "uart must be USART 1, 2, 3 or LPUART 1": lambda f: f["uart"].update(instance=2),
        "cmsis_pack must be an STM32L4R": lambda f: f.update(cmsis_pack="STM32L476RGTx"),
    },
    "nucleo_u575zi_q": {
        "clock.hz: more than this chip can": lambda f: f["clock"].update(hz=164_000_000),
        "clock.hz: a multiple of 4 MHz": lambda f: f["clock"].update(hz=158_000_000),
        "clock.hz: the VCO runs at twice as much": lambda f: f["clock"].update(hz=60_000_000),
        "clock.crystal_hz: a multiple of 5 or 8 MHz": lambda f: f["clock"].update(crystal_hz=26_000_000),
        "uart.baud: more than 1 % off without PLL": lambda f: f["uart"].update(baud=2_000_000),
        "uart.instance must be": lambda f: f["uart"].update(instance=4),
        "cmsis_pack must be an STM32U575": lambda f: f.update(cmsis_pack="STM32U535CETx"),
    },
}


def complaints(facts: dict, folder: Path) -> str:
    """What the compiler says of clock and serial line of a board with these facts."""
    generate = build.generator()
    (folder / "board_config.h").write_text(generate.config_header(facts))
    firmware = firmware_dir()
    said = ""
    for source in (f"port/{facts['family']}/clock.c", "port/stm32/serial.c"):
        command = [build.find_compiler(), "-fsyntax-only", *generate.CPU_FLAGS[facts["core"]], f"-I{folder}"]
        command += [f"-I{firmware / port}" for port in generate.port_folders(facts["family"])]
        said += subprocess.run([*command, firmware / source], capture_output=True, text=True).stderr
    return said


@pytest.mark.parametrize("board_id", BEYOND)
def test_limits_of_the_chip_are_checked_at_compile_time(board_id, tmp_path):
    facts = manifest(board_id)["tinyconv"]
    assert complaints(facts, tmp_path) == ""
    for message, change in BEYOND[board_id].items():
        wrong = copy.deepcopy(facts)
        change(wrong)
        assert message in complaints(wrong, tmp_path), f"not refused: {message}"


def with_banks(pools: list[str], hot_code: str | None = None) -> dict:
    """The facts of an emulated board with a chip's memories."""
    facts = copy.deepcopy(manifest()["tinyconv"])
    facts["memory"] += [
        {"name": "itcm", "kind": "ram", "address": "0x00000000", "bytes": 16384, "speed": "tightly_coupled"},
        {"name": "ccm", "kind": "ram", "address": "0x10000000", "bytes": 65536, "speed": "tightly_coupled"},
    ]
    facts["pools"] = pools
    if hot_code:
        facts["hot_code"] = hot_code
    return facts


def test_every_pool_is_in_the_table_that_the_firmware_reads():
    script = build.generator().linker_script(with_banks(["ccm", "sram"]))
    assert "RAM (rwx) : ORIGIN = 0x10000000, LENGTH = 65536" in script
    assert "POOL1 (rwx) : ORIGIN = 0x20000000, LENGTH = 131072" in script
    first, second = (
        "LONG(__pool_start) LONG(__pool_end - __pool_start)",
        "LONG(ORIGIN(POOL1)) LONG(LENGTH(POOL1) & ~7)",
    )
    places = [script.index(part) for part in ("__pools_start = .", first, second, "__pools_end = .")]
    assert places == sorted(places)
    assert ".hot" not in script and "__hot_end = 0;" in script


def test_hot_code_lies_in_flash_behind_the_vectors_and_runs_in_its_bank():
    script = build.generator().linker_script(with_banks(["sram"], "itcm"), ["multiply"])
    assert "HOT (rwx) : ORIGIN = 0x00000000, LENGTH = 16384" in script
    order = [
        ".vectors : { KEEP(*(.vectors)) } >FLASH", "__hot_start = .;", "*(.text.multiply .text.multiply.*)",
        "__hot_end = .;", ">HOT AT>FLASH :hot", "__hot_load = LOADADDR(.hot);", "*(.text .text.*)",
    ]  # fmt: skip
    places = [script.index(part) for part in order]
    assert places == sorted(places)
