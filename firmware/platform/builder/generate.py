"""What a board's manifest becomes: linker script, board_config.h, compiler flags, build_generated.h.

Standard library only and no PlatformIO: `platformio run` calls it from SCons, `host` and the tests call it directly.
`facts` is what stands in a manifest under "tinyconv"; boards/README.md documents it.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

STACK_BYTES = 6 * 1024
CPU_FLAGS = {
    "m4": ["-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"],
    "m7": ["-mcpu=cortex-m7", "-mthumb", "-mfpu=fpv5-sp-d16", "-mfloat-abi=hard"],
    "m33": ["-mcpu=cortex-m33", "-mthumb", "-mfpu=fpv5-sp-d16", "-mfloat-abi=hard"],
}
CORE_NUMBERS = {"m4": 4, "m7": 7, "m33": 33}
FUNCTION_ALIGN = 16
# Functions begin at 16 bytes, half a line of the flash caches: else moving one moves the cost of others by 3 percent.
COMPILE_FLAGS = [
    "-O2",
    "-ffp-contract=off",
    f"-falign-functions={FUNCTION_ALIGN}",
    "-ffunction-sections",
    "-fdata-sections",
    "-fno-common",
]
WARNING_FLAGS = [
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wcast-align=strict",
    "-Wcast-qual",
    "-Wconversion",
    "-Wdouble-promotion",
    "-Wmissing-prototypes",
    "-Wno-sign-conversion",
    "-Wpointer-arith",
    "-Wshadow",
    "-Wstrict-prototypes",
    "-Wundef",
    "-Wvla",
    "-Wwrite-strings",
]
LINK_FLAGS = ["-nostartfiles", "-static", "-Wl,--gc-sections", "-Wl,--fatal-warnings", "-Wl,--build-id=none"]
# Folders of firmware/ whose objects depend on the core and its flags alone: boards of one core share them.
SHARED_FOLDERS = ("kernels", "link", "runtime")
# Folders that only boards with a group of that name in their manifest are made from.
OPTIONAL_FOLDERS = ("display",)
HASH_BYTES = 8
# Room in the hot bank for the linker's jumps to functions that are too far for a call: 8 bytes each.
VENEER_BYTES = 512


def source_folders(family: str) -> list[str]:
    """Folders below firmware/ whose C files make the firmware of this board."""
    return [*SHARED_FOLDERS, "app", *port_folders(family)]


def own_folders(facts: dict) -> list[str]:
    """Those of them that are compiled for this board alone."""
    optional = [folder for folder in OPTIONAL_FOLDERS if folder in facts]
    return ["app", *optional, *port_folders(facts["family"])]


def port_folders(family: str) -> list[str]:
    """Folders below firmware/ that make the family's port and are searched for its headers."""
    shared = ["port/stm32"] if family.startswith("stm32") else []
    return ["port/common", *shared, f"port/{family}"]


def objects_name(core: str, extra_flags: str = "") -> str:
    """Folder of the shared objects, one for each set of flags."""
    return f"{core}-{hashlib.sha256(extra_flags.encode()).hexdigest()[:8]}" if extra_flags else core


def bank(facts: dict, name: str) -> dict:
    """The memory bank of that name."""
    for entry in facts["memory"]:
        if entry["name"] == name:
            return entry
    raise ValueError(f"no memory bank is named {name!r}")


def flags_text(facts: dict) -> str:
    """What HELLO reports: the flags that decide how fast and how exact the code is."""
    return " ".join(CPU_FLAGS[facts["core"]] + COMPILE_FLAGS[:2])


def hot_functions(root: Path, sizes: Mapping[str, int], capacity_bytes: int) -> list[str]:
    """As many functions of hot.def as fit, the hottest first; `sizes` are those of function_sizes()."""
    text = (root / "firmware" / "kernels" / "hot.def").read_text()
    left, chosen = capacity_bytes - VENEER_BYTES, []
    for name in re.findall(r"^HOT\((\w+)", text, flags=re.M):
        if name not in sizes:
            raise ValueError(f"hot.def: no function is named {name}; make the list again as its head says")
        if sizes[name] <= left:
            left -= sizes[name]
            chosen.append(name)
    return chosen


def function_sizes(size_tool: str, objects: Sequence[str]) -> dict[str, int]:
    """Bytes of each function of object files, its clones and its alignment with it."""
    listed = subprocess.run(
        [size_tool, "-A", "-d", *objects], capture_output=True, text=True, check=True
    ).stdout
    sizes: dict[str, int] = {}
    for name, count in re.findall(r"^\.text\.(\w+)\S*\s+(\d+)\s", listed, flags=re.M):
        sizes[name] = sizes.get(name, 0) + -(-int(count) // FUNCTION_ALIGN) * FUNCTION_ALIGN
    return sizes


# Before .text, whose patterns would take these functions too; the vectors stay at the beginning of flash.
_HOT = """.vectors : { KEEP(*(.vectors)) } >FLASH :vectors

    .hot : {
        __hot_start = .;
        %s
        . = ALIGN(4);
        __hot_end = .;
    } >HOT AT>FLASH :hot
    __hot_load = LOADADDR(.hot);
"""
_NO_HOT = """__hot_start = 0;
    __hot_end = 0;
    __hot_load = 0;
"""


def linker_script(facts: dict, hot: Sequence[str] = ()) -> str:
    """The GNU ld script. The stack comes first in RAM, so that overflowing it faults; pools take what is left.

    `hot` are functions that run from the bank `hot_code`; start-up copies them there from flash.
    """
    flash, pools = bank(facts, facts["firmware"]["bank"]), [bank(facts, name) for name in facts["pools"]]
    regions = [
        f"FLASH (rx) : ORIGIN = {flash['address']}, LENGTH = {facts['firmware']['bytes']}",
        *(
            f"{_region(i)} (rwx) : ORIGIN = {p['address']}, LENGTH = {p['bytes']}"
            for i, p in enumerate(pools)
        ),
    ]
    if facts.get("hot_code"):
        itcm = bank(facts, facts["hot_code"])
        regions.append(f"HOT (rwx) : ORIGIN = {itcm['address']}, LENGTH = {itcm['bytes']}")
    functions = _lines([f"*(.text.{name} .text.{name}.*)" for name in hot], 8)
    table = ["LONG(__pool_start) LONG(__pool_end - __pool_start)"]
    table += [f"LONG(ORIGIN({_region(i)})) LONG(LENGTH({_region(i)}) & ~7)" for i in range(1, len(pools))]
    return f"""/* Generated by firmware/platform/builder/generate.py from the board's manifest. */
ENTRY(reset_handler)

MEMORY {{
    {_lines(regions, 4)}
}}

PHDRS {{
    {"vectors PT_LOAD FLAGS(5); hot PT_LOAD FLAGS(5);" if hot else ""}
    text PT_LOAD FLAGS(5);
    data PT_LOAD FLAGS(6);
}}

SECTIONS {{
    {_HOT % functions if hot else _NO_HOT}
    .text : {{
        KEEP(*(.vectors))
        *(.text .text.*)
        *(.rodata .rodata.*)
        . = ALIGN(4);
        __pools_start = .; /* base and bytes of each */
        {_lines(table, 8)}
        __pools_end = .;
    }} >FLASH :text

    .ARM.exidx : {{ *(.ARM.exidx*) }} >FLASH :text

    /* No header speaks of what has no bytes in the file, so that no loader clears it: .noinit outlives a reset. */
    .stack (NOLOAD) : {{
        __stack_start = .;
        . += {STACK_BYTES};
        . = ALIGN(8);
        __stack_end = .;
    }} >RAM :NONE

    .data : {{
        . = ALIGN(4);
        __data_start = .;
        *(.data .data.*)
        . = ALIGN(4);
        __data_end = .;
    }} >RAM AT>FLASH :data
    __data_load = LOADADDR(.data);

    .bss (NOLOAD) : {{
        . = ALIGN(4);
        __bss_start = .;
        *(.bss .bss.* COMMON)
        . = ALIGN(4);
        __bss_end = .;
    }} >RAM :NONE

    .noinit (NOLOAD) : {{
        . = ALIGN(4);
        *(.noinit)
        . = ALIGN(8);
        __pool_start = .;
    }} >RAM :NONE
    __pool_end = (ORIGIN(RAM) + LENGTH(RAM)) & ~7;

    /DISCARD/ : {{ *(.ARM.attributes.none) *(.init) *(.fini) *(.init_array*) *(.fini_array*) }}
}}

ASSERT(__pool_end > __pool_start, "no RAM is left for the pool")
"""


def _region(pool: int) -> str:
    return f"POOL{pool}" if pool else "RAM"


def _lines(lines: Sequence[str], indent: int) -> str:
    return ("\n" + " " * indent).join(lines)


def _pin(name: str) -> tuple[int, int]:
    match = re.fullmatch(r"P([A-K])(\d|1[0-5])", name)
    if not match:
        raise ValueError(f"{name!r} is no pin like PA9")
    return ord(match[1]) - ord("A"), int(match[2])


def _line(device: str) -> str:
    """The line that a device of a CMSIS pack belongs to: STM32F446 of STM32F446RETx."""
    match = re.match(r"STM32[A-Z]+\d[0-9A-Z]\d", device)
    if not match:
        raise ValueError(f"{device!r} is no device of an STM32 pack")
    return match[0]


def config_header(facts: dict) -> str:
    """board_config.h: the manifest's numbers for C."""
    uart, clock, plan = facts["uart"], facts["clock"], facts.get("plan", {"address": "0", "bytes": 0})
    values = {
        "BOARD_CORE": str(CORE_NUMBERS[facts["core"]]),
        "BOARD_EMULATED": "1" if facts["emulated"] else "0",
        "BOARD_ICOUNT_SHIFT": str(facts["emulator"]["icount_shift"] if facts["emulated"] else 0),
        "BOARD_CLOCK_HZ": f"{clock['hz']}u",
        "BOARD_CRYSTAL_HZ": f"{clock['crystal_hz']}u",
        "BOARD_CRYSTAL_BYPASS": "1" if clock.get("bypass") else "0",
        "BOARD_PLAN_ADDRESS": f"{plan['address']}u",
        "BOARD_PLAN_BYTES": f"{plan['bytes']}u",
        "BOARD_UART_INSTANCE": str(uart["instance"]),
        "BOARD_UART_LPUART": "1" if uart.get("lpuart") else "0",
        "BOARD_UART_BAUD": f"{uart['baud']}u",
    }
    if "energy_pin" in facts:
        port, pin = _pin(facts["energy_pin"])
        values |= {"BOARD_ENERGY_PORT": f"{port}u", "BOARD_ENERGY_PIN": f"{pin}u"}
    if "watchdog_ms" in facts:
        values["BOARD_WATCHDOG_MS"] = str(facts["watchdog_ms"])
    for role in ("tx", "rx"):
        if role in uart:
            port, pin = _pin(uart[role])
            values[f"BOARD_UART_{role.upper()}_PORT"] = f"{port}u"
            values[f"BOARD_UART_{role.upper()}_PIN"] = f"{pin}u"
    if "af" in uart:
        values["BOARD_UART_AF"] = f"{uart['af']}u"
    values |= _display_values(facts.get("display"))
    if "cmsis_pack" in facts:
        values[f"BOARD_{_line(facts['cmsis_pack'])}"] = "1"
    lines = [f"#define {name} {value}" for name, value in values.items()]
    return "\n".join(
        [
            "/* Generated by firmware/platform/builder/generate.py from the board's manifest. */",
            "#ifndef TINYCONV_BOARD_CONFIG_H",
            "#define TINYCONV_BOARD_CONFIG_H",
            "",
            *lines,
            "",
            "#endif",
            "",
        ]
    )


def _display_values(display: dict | None) -> dict[str, str]:
    """A display's size and pins; of size 0 if there is none. BOARD_DISPLAY_PINS are {port, pin, alternate function}."""
    if display is None:
        return {"BOARD_DISPLAY_WIDTH": "0", "BOARD_DISPLAY_HEIGHT": "0"}
    pins = [(*_pin(name), int(af)) for af, names in display["pins"].items() for name in names]
    return {
        "BOARD_DISPLAY_WIDTH": f"{display['width']}u",
        "BOARD_DISPLAY_HEIGHT": f"{display['height']}u",
        f"BOARD_DISPLAY_{display['kind'].upper()}": "1",
        "BOARD_DISPLAY_PINS": ", ".join(f"{{{port}, {pin}, {af}}}" for port, pin, af in pins),
        "BOARD_DISPLAY_HIGH": ", ".join(f"{{{port}, {pin}}}" for port, pin in map(_pin, display["high"])),
    }


def input_files(root: Path, family: str) -> list[Path]:
    """Every file of the checkout that the firmware of this board is made from, sorted."""
    firmware = root / "firmware"
    files = [
        root / "platformio.ini",
        *(firmware / "platform").rglob("*.py"),
        firmware / "platform" / "platform.json",
    ]
    for folder in {"port", *OPTIONAL_FOLDERS, *source_folders(family)}:
        pattern = "*" if folder == "port" else "**/*"
        files += [
            p for p in (firmware / folder).glob(pattern) if p.suffix in (".c", ".h", ".def", ".inc", ".S")
        ]
    return sorted(files)


def build_hash(root: Path, board_id: str, family: str, extra_flags: str = "") -> bytes:
    """First 8 bytes of the SHA-256 of sources, manifest and flags."""
    digest = hashlib.sha256(f"{board_id}\0{extra_flags}\0".encode())
    for path in [*input_files(root, family), root / "boards" / f"{board_id}.json"]:
        digest.update(f"{path.relative_to(root).as_posix()}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.digest()[:HASH_BYTES]


def build_header(board_id: str, flags: str, digest: bytes) -> str:
    """build_generated.h: what build_info.c tells about this build."""
    numbers = ", ".join(f"0x{b:02x}" for b in digest)
    return (
        "/* Generated by firmware/platform/builder/generate.py. */\n"
        f"#define BUILD_HASH {{{numbers}}}\n"
        f'#define BUILD_BOARD "{board_id}"\n'
        f'#define BUILD_FLAGS "{flags}"\n'
    )


def write_if_changed(path: Path, text: str) -> None:
    """Leaves an unchanged file alone, so that nothing is compiled again."""
    if path.is_file() and path.read_text() == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
