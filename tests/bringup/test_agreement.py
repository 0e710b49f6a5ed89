"""Models of whole chips beside SVD files, as `host packs check` compares them when a pack is installed."""

from __future__ import annotations

import dataclasses
import zipfile
from pathlib import Path

import pyocd
import pytest

from host.boards import load_board
from host.emulate.agreement import compare
from host.svd import SvdRegister, parse


def of_pyocd(name: str) -> bytes:
    with zipfile.ZipFile(Path(pyocd.__file__).parent / "debug" / "svd" / "svd_data.zip") as archive:
        return archive.read(name)


@pytest.fixture(scope="module")
def f41x():
    return parse(of_pyocd("STM32F41x.svd"))


def test_the_model_of_an_f405_agrees(f41x):
    found = {a.name: a for a in compare(load_board("adafruit_feather_f405"), f41x)}
    assert {"RCC", "PWR", "FLASH", "GPIOA", "GPIOB", "USART1", "USART3", "UART4"} <= set(found)
    assert [f"{a.name}: {place}" for a in found.values() for place in a.places] == []
    assert found["RCC"].registers >= 20 and found["GPIOB"].registers >= 9 and found["USART3"].registers == 7


def test_the_model_of_an_l4r5_agrees_with_an_l4x5_where_both_have_the_same():
    svd = parse(of_pyocd("STM32L4x5.svd"))
    found = {a.name: a for a in compare(load_board("nucleo_l4r5zi"), svd)}
    assert {"RCC", "PWR", "FLASH", "SYSCFG", "GPIOG", "USART1", "LPUART1"} <= set(found)
    assert [f"{a.name}: {place}" for a in found.values() for place in a.places] == []
    assert found["RCC"].fields > 100
    # Wider on an STM32L4+, and CRCEN, which is wrong in the file; see test_registers.py.
    assert found["RCC"].bits == ["AHB1ENR.CRCEN", "CFGR.MCOSEL", "ICSCR.HSITRIM", "PLLCFGR.PLLM"]


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (lambda p: dataclasses.replace(p, base=0x40004400), "base 0x40004800, not 0x40004400"),
        (lambda p: dataclasses.replace(p, interrupts={"USART3": 40}), "interrupt 39, not 40"),
        (
            lambda p: dataclasses.replace(p, registers=p.registers | {"BRR": SvdRegister(0x0C, {})}),
            "BRR at 0x08, not 0x0c",
        ),
    ],
)
def test_what_differs_is_told(f41x, change, wanted):
    svd = f41x | {"USART3": change(f41x["USART3"])}
    found = {a.name: a for a in compare(load_board("adafruit_feather_f405"), svd)}
    assert found["USART3"].places == [wanted]


def test_names_and_notations_of_svd_files():
    text = """<device><peripherals><peripheral><name>RCC</name><baseAddress>0x40021000</baseAddress>
    <interrupt><name>RCC</name><value>5</value></interrupt><registers>
    <register><name>RCC_CR</name><addressOffset>0x0</addressOffset><fields>
    <field><name>HSION</name><bitOffset>8</bitOffset><bitWidth>1</bitWidth></field>
    <field><name>MSIRANGE</name><bitRange>[7:4]</bitRange></field>
    <field><name>PLLN</name><lsb>8</lsb><msb>14</msb></field>
    <field><name>SW1</name><bitOffset>1</bitOffset></field><field><name>SW0</name><bitOffset>0</bitOffset></field>
    </fields></register>
    <register><dim>2</dim><name>AFR%s</name><addressOffset>0x20</addressOffset></register>
    </registers></peripheral>
    <peripheral derivedFrom="RCC"><name>RCC2</name><baseAddress>0x40022000</baseAddress></peripheral>
    </peripherals></device>"""
    parsed = parse(text)
    fields = parsed["RCC"].registers["CR"].fields
    masks = {name: bits.mask for name, bits in fields.items()}
    assert masks == {"HSION": 1 << 8, "MSIRANGE": 0xF0, "PLLN": 0x7F00, "SW": 3, "SW0": 1, "SW1": 2}
    assert parsed["RCC"].interrupts == {"RCC": 5} and set(parsed["RCC"].registers) == {"CR"}
    assert parsed["RCC2"].base == 0x40022000 and parsed["RCC2"].registers["CR"].offset == 0


@pytest.mark.parametrize("text", ["hello", "<device/>"])
def test_what_is_no_svd_file(text):
    with pytest.raises(ValueError, match="no SVD file"):
        parse(text)
