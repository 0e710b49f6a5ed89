"""Register facts from others against ours: models, headers of the firmware, and SVD files that pyOCD brings along."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest

from host.boards import load_board
from host.emulate.agreement import models
from host.emulate.fields import Field, FieldPeripheral, parse_fields
from host.flashing import chips
from host.project import firmware_dir
from host.svd import parse
from tests.bringup.bench import Bench

FACTS = Path(__file__).parents[1] / "data" / "registers"
PORT = firmware_dir() / "port"

# chip: family, order code, core, headers of its port
CHIPS = {
    "stm32h743": ("stm32h7", "stm32h743zit6", "m7", ("stm32h7/family.h", "stm32h7/h743.h")),
    "stm32h7a3": ("stm32h7", "stm32h7a3zitxq", "m7", ("stm32h7/family.h", "stm32h7/h7a3.h")),
    "stm32l4r5": ("stm32l4", "stm32l4r5zit6", "m4", ("stm32l4/family.h",)),
    "stm32u575": ("stm32u5", "stm32u575zit6q", "m33", ("stm32u5/family.h",)),
}
# RM0455 calls the domains of an STM32H7A3 otherwise than RM0433, whose names models and firmware keep.
RENAMED = {
    "stm32h7a3": {
        "D1CFGR": "CDCFGR1",
        "D2CFGR": "CDCFGR2",
        "D3CFGR": "SRDCFGR",
        "D1CCIPR": "CDCCIPR",
        "D2CCIP1R": "CDCCIP1R",
        "D2CCIP2R": "CDCCIP2R",
        "D3CCIPR": "SRDCCIPR",
        "D3CR": "SRDCR",
        "D1PPRE": "CDPPRE",
        "D1CPRE": "CDCPRE",
        "D2PPRE1": "CDPPRE1",
        "D2PPRE2": "CDPPRE2",
        "D3PPRE": "SRDPPRE",
        "D1CKRDY": "CPUCKRDY",
        "D2CKRDY": "CDCKRDY",
        "MCO1": "MCO1SEL",
        "MCO2": "MCO2SEL",
    }
}

Registers = dict[str, tuple[int, dict[str, Field]]]


def facts(chip: str) -> dict[str, tuple[int, Registers]]:
    """Peripherals of a chip: base address, and registers with offset and fields."""
    found: dict[str, tuple[int, Registers]] = {}
    for line in (FACTS / f"{chip}.txt").read_text().splitlines():
        if line.startswith("["):
            name, base = line.strip("[]").split()
            found[name] = (int(base, 16), {})
            continue
        offset, register, *fields = line.split(maxsplit=2)
        found[name][1][register] = (int(offset, 16), parse_fields(fields[0] if fields else ""))
    return found


def bench(chip: str) -> Bench:
    family, mcu, core, _ = CHIPS[chip]
    return Bench(family, mcu, core)


def name_in_facts(chip: str, name: str) -> str:
    return RENAMED.get(chip, {}).get(name, name)


@pytest.mark.parametrize("chip", CHIPS)
def test_models_agree_with_the_facts(chip):
    known, compared, wrong = facts(chip), 0, []
    for block, (base, registers) in known.items():
        model = bench(chip).chip.find(block)
        if model.base != base:
            wrong.append(f"{block} at 0x{model.base:x}, not 0x{base:x}")
        if not isinstance(model, FieldPeripheral):
            continue
        for register in model.REGISTERS:
            fact = registers.get(name_in_facts(chip, register.name))
            if fact is None:
                continue
            offset, fields = fact
            if register.offset != offset:
                wrong.append(f"{block}.{register.name} at 0x{register.offset:x}, not 0x{offset:x}")
            for field, bits in register.fields.items():
                wanted = fields.get(name_in_facts(chip, field))
                compared += wanted is not None
                if wanted is not None and wanted != bits:
                    wrong.append(f"{block}.{register.name}.{field} is {bits}, not {wanted}")
    assert wrong == []
    assert compared > 150


# What the sources of the facts do not have, or call differently; each is in the manual, and our firmware uses none.
MODEL_ALONE = {
    "stm32h743": {
        "RCC": {"AHB1ENR.CRCEN", "AHB2ENR.BDMA1EN", "AHB3ENR.GFXMMUEN", "AHB4ENR.SRDSRAMEN", "APB4ENR.DTSEN"}
    },
    "stm32l4r5": {
        "RCC": {"AHB2ENR.OTGFSEN", "AHB2ENR.OSPIMEN", "AHB3ENR.OSPI1EN", "AHB3ENR.OSPI2EN"},
        "PWR": {"CR1.RRSTP"},
        "FLASH": {"ACR.LATENCY"},
    },
    "stm32u575": {"RCC": {"CFGR2.DPRE", "CCIPR1.USART1SEL", "CCIPR1.USART2SEL"}},
}


@pytest.mark.parametrize("chip", sorted(set(CHIPS) - {"stm32h7a3"}))
def test_facts_cover_the_models(chip):
    """An invented register or field would be compared with nothing: what stands in the models alone is listed."""
    known, alone = facts(chip), {}
    for block, (_, registers) in known.items():
        model = bench(chip).chip.find(block)
        if not isinstance(model, FieldPeripheral) or block == "SYSCFG":
            continue
        missing = {r.name for r in model.REGISTERS if r.name not in registers}
        for register in model.REGISTERS:
            fields = registers.get(register.name, (0, {}))[1]
            if fields:
                missing |= {f"{register.name}.{f}" for f in register.fields if f not in fields}
        if missing:
            alone[block] = missing
    assert alone == MODEL_ALONE.get(chip, {})


# Headers of the firmware

_STRUCT = re.compile(r"struct (\w+) \{(.*?)\};", re.S)
_BASE = re.compile(r"#define (\w+)\s+\(\(struct (\w+) \*\)(0x[0-9a-fA-F]+)u\)")
_SINGLE = re.compile(r"#define (\w+)\s+REG32\((0x[0-9a-fA-F]+)u\)")
_BITS = re.compile(
    r"#define ([A-Z][A-Z0-9]+)_([A-Z0-9]+)_(\w+)\s+(\(?[0-9a-fx]+u(?: << \d+\))?)(?:\s|$)", re.M
)


def members(text: str) -> dict[str, dict[str, int]]:
    """Offsets of the registers in the header's structures."""
    found = {}
    for name, body in _STRUCT.findall(text):
        offset, found[name] = 0, {}
        for member in re.sub(r"volatile|const|uint32_t|\s", "", body).replace(";", ",").split(","):
            if match := re.fullmatch(r"(\w+?)(?:\[(\d+)\])?", member):
                found[name][match[1]] = offset
                offset += 4 * int(match[2] or 1)
    return found


def header(chip: str) -> str:
    return "\n".join((PORT / name).read_text() for name in CHIPS[chip][3])


@pytest.mark.parametrize("chip", CHIPS)
def test_the_firmware_knows_where_registers_are(chip):
    text, known, compared = header(chip), facts(chip), 0
    structures = members(text)
    bases = [(name, structure, int(base, 16)) for name, structure, base in _BASE.findall(text)]
    assert {"RCC", "PWR"} <= {name for name, _, _ in bases}
    for name, structure, base in bases:
        block = "RCC" if name == "RCC_ENABLE" else name
        if block not in known:
            continue
        start, registers = known[block]
        for register, offset in structures[structure].items():
            fact = registers.get(name_in_facts(chip, register))
            if register.startswith("reserved") or fact is None:
                continue
            assert base + offset == start + fact[0], f"{name}->{register} is at 0x{base + offset:x}"
            compared += 1
    for name, address in _SINGLE.findall(text):
        block, register = name.split("_", 1)
        start, registers = known[block]
        assert int(address, 16) == start + registers[register][0], name
        compared += 1
    assert compared >= 15


# Macros that are no field of the register in their name.
NO_FIELD = {"RCC_PLL1DIVR_Q_R_MASK"}


def field_of(fields: dict[str, Field], rest: str) -> tuple[str, str] | None:
    """The field that a macro's last part names, and what follows; PLL1CFGR's fields may leave their PLL1 out."""
    for start in ("", "PLL1"):
        for name in sorted(fields, key=len, reverse=True):
            if start + rest == name or (start + rest).startswith(name + "_"):
                return name, (start + rest)[len(name) + 1 :]
    return None


@pytest.mark.parametrize("chip", CHIPS)
def test_the_firmware_knows_which_bits_are_what(chip):
    known, compared = facts(chip), 0
    for block, register, rest, expression in _BITS.findall(header(chip)):
        if block not in known or f"{block}_{register}_{rest}" in NO_FIELD:
            continue
        fact = known[block][1].get(name_in_facts(chip, register))
        if fact is None:
            continue
        number, _, shift = expression.strip("()").partition(" << ")
        value = int(number.rstrip("u"), 0) << int(shift or 0)
        if (chip, block, register) == ("stm32l4r5", "FLASH", "ACR") and rest == "LATENCY_MASK":
            assert value == 0xF  # RM0432 3.7.1; the SVD file of an STM32L4x5 has three bits
            continue
        if not fact[1]:
            continue  # only its address is known here
        named = {name_in_facts(chip, n): n for n in ("D1PPRE", "D2PPRE1", "D2PPRE2", "D3PPRE")}
        found = field_of({named.get(n, n): f for n, f in fact[1].items()}, rest)
        macro = f"{block}_{register}_{rest}"
        assert found, f"{macro}: no such field"
        name, more = found
        field = {named.get(n, n): f for n, f in fact[1].items()}[name]
        if more == "MASK" or (not more and field.width == 1):
            assert value == field.mask, f"{macro} = 0x{value:x}, not 0x{field.mask:x}"
        else:
            assert value & ~field.mask == 0, f"{macro} = 0x{value:x} leaves {name}, 0x{field.mask:x}"
        compared += 1
    assert compared >= 20 if chip != "stm32h7a3" else compared >= 15


def test_the_firmware_knows_the_serial_ports_bits():
    text = (PORT / "stm32" / "usart_v2.h").read_text()
    # Names of the registers without FIFO: with it the same bits are called otherwise.
    twins = {"RXNEIE": "RXFNEIE", "RXNE": "RXFNE", "TXE": "TXFNF"}
    registers = facts("stm32u575")["LPUART1"][1]
    offsets = members(text)["usart"]
    for register, (offset, _) in registers.items():
        assert offsets[register] == offset, register
    checked = 0
    for block, register, rest, expression in _BITS.findall(text):
        assert block == "USART"
        number, _, shift = expression.strip("()").partition(" << ")
        mask = int(number.rstrip("u"), 0) << int(shift or 0)
        assert registers[register][1][twins.get(rest, rest)].mask == mask, f"USART_{register}_{rest}"
        checked += 1
    assert checked >= 9


@pytest.mark.parametrize("board_id", ["nucleo_h743zi", "nucleo_h7a3zi_q", "nucleo_u575zi_q"])
def test_the_models_are_recognised_as_the_chips_that_flashing_expects(board_id):
    board = load_board(board_id)
    model = next(m for m in models(board) if m.name == "DBGMCU")
    assert model.base == chips.registers(board).idcode
    assert model.read(0, 4) & 0xFFF == chips.dev_id(board)


# SVD files that pyOCD brings along


def svd(name: str) -> dict[str, tuple[int, Registers]]:
    """Peripherals of one of pyOCD's SVD files."""
    import pyocd

    with zipfile.ZipFile(Path(pyocd.__file__).parent / "debug" / "svd" / "svd_data.zip") as archive:
        parsed = parse(archive.read(name))
    return {
        block: (found.base, {n: (r.offset, r.fields) for n, r in found.registers.items()})
        for block, found in parsed.items()
    }


# Fields that are wider on an STM32L4+ (RM0351, RM0432).
WIDER = {"PLLCFGR.PLLM", "ACR.LATENCY", "CR3.RRS", "ICSCR.HSITRIM", "CFGR.MCOSEL"}
# Where the SVD file is wrong: RM0351 6.4.17 has CRCEN at bit 12, as the headers of every STM32L4.
SVD_ERRORS = {"AHB1ENR.CRCEN"}


def test_what_an_l4_plus_shares_with_an_l4_is_where_its_svd_says():
    """Bases, and every register and field of the same name."""
    known, chip, compared = svd("STM32L4x5.svd"), bench("stm32l4r5").chip, 0
    for block in ("RCC", "PWR", "FLASH", "SYSCFG"):
        model = chip.find(block)
        base, registers = known[block]
        assert model.base == base, block
        for register in model.REGISTERS:
            if register.name not in registers:
                continue
            offset, fields = registers[register.name]
            assert register.offset == offset, f"{block}.{register.name}"
            for field, bits in register.fields.items():
                if field in fields and f"{register.name}.{field}" not in WIDER | SVD_ERRORS:
                    assert bits == fields[field], f"{block}.{register.name}.{field}"
                    compared += 1
    for block in [p.name for p in chip.peripherals if p.name.startswith(("GPIO", "USART", "UART", "LPUART"))]:
        if block in known:
            assert chip.find(block).base == known[block][0], block
    assert compared > 100


def test_ports_and_older_serial_ports_are_laid_out_as_their_svd_says():
    known = svd("STM32F41x.svd")
    text = (PORT / "stm32" / "gpio.c").read_text()
    ours = members(text)["gpio"]
    theirs = {name: offset for name, (offset, _) in known["GPIOA"][1].items()}
    for name, offset in theirs.items():
        wanted = {"AFRL": "AFR", "AFRH": None}.get(name, name)
        if wanted:
            assert ours[wanted] == offset, name
    model = {r.name: r.offset for r in bench("stm32l4r5").chip.find("GPIOA").REGISTERS}
    assert all(model[name] == offset for name, offset in theirs.items())
    text = (PORT / "stm32" / "usart_v1.h").read_text()
    registers = known["USART1"][1]
    for name, offset in members(text)["usart"].items():
        assert registers[name][0] == offset, name
    checked = 0
    for _, register, rest, expression in _BITS.findall(text):
        number, _, shift = expression.strip("()").partition(" << ")
        assert registers[register][1][rest].mask == int(number.rstrip("u"), 0) << int(shift or 0), rest
        checked += 1
    assert checked >= 8


def test_the_firmware_of_the_stm32f4_and_f7_agrees_with_the_svd_of_an_f429():
    """Their common header and what the STM32F4 adds; of the STM32F7 no SVD file is at hand."""
    known = svd("STM32F429x.svd")
    text = (PORT / "stm32" / "f4_f7.h").read_text() + (PORT / "stm32f4" / "family.h").read_text()
    for register, offset in members(text)["rcc"].items():
        assert register.startswith("reserved") or known["RCC"][1][register][0] == offset, register
    assert {name: int(base, 16) for name, _, base in _BASE.findall(text)}["RCC"] == known["RCC"][0]
    for name, address in _SINGLE.findall(text):
        block, register = name.split("_", 1)
        assert int(address, 16) == known[block][0] + known[block][1][register][0], name
    # Four bits on an STM32F42x and F446 (RM0090 3.9.2), three in the SVD file; a mask over what is left alone.
    apart = {"FLASH_ACR_LATENCY_MASK", "RCC_PLLCFGR_RESERVED"}
    checked = 0
    for block, register, rest, expression in _BITS.findall(text):
        macro = f"{block}_{register}_{rest}"
        if block not in known or register not in known[block][1] or macro in apart:
            continue
        number, _, shift = expression.strip("()").partition(" << ")
        value = int(number.rstrip("u"), 0) << int(shift or 0)
        rest = {
            "RCC_PLLCFGR_SRC_HSE": "PLLSRC",
            "RCC_CSR_IWDGRSTF": "WDGRSTF",
            "RCC_CSR_PINRSTF": "PADRSTF",
        }.get(macro, rest)
        found = field_of(known[block][1][register][1], rest)
        assert found, f"{macro}: no such field"
        mask = known[block][1][register][1][found[0]].mask
        assert value & ~mask == 0, f"{macro} = 0x{value:x} leaves {found[0]}, 0x{mask:x}"
        if not found[1]:
            assert value == mask, macro
        checked += 1
    assert checked >= 25
