"""The display of the STM32F746G-DISCO: the board's own image lights it by the manual's rules, and a wrong register is
noticed by the rule that it breaks.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from host import boards, build, inputs
from host.compile import compile_file
from host.data import digits
from host.demo.lines import parse
from host.demo.region import demo_region
from host.emulate.ltdc import Ltdc
from host.emulate.machine import Machine
from host.emulate.peripheral import Options
from host.project import firmware_dir
from tests.bringup.test_registers import members, svd

BOARD = "disco_f746ng"
MOST_INSTRUCTIONS = 60_000_000


@pytest.fixture(scope="module")
def flash():
    """The board, its firmware, and what its flash region holds."""
    board, compiled = boards.load_board(BOARD), compile_file(digits.model_path())
    images, labels = digits.test_images()
    tensors = inputs.from_arrays([images[:3]], compiled.original, "test images")
    region = demo_region(compiled, board, inputs.Samples(tensors, labels[:3], "test images"))
    return board, build.build(board).elf, region.image


class Board:
    """The board until it has printed a line. `change` maps what is written to registers, to None for no write."""

    def __init__(self, flash, change: dict[str, Callable[[int], int | None]] | None = None, options=None):
        board, elf, region = flash
        self.machine = Machine(board, elf, region, options or Options())
        self.display = next(p for p in self.machine.chip.peripherals if isinstance(p, Ltdc))
        self.changed = 0
        self.picture = np.zeros(0)
        if change:
            self.machine.chip.intercept = lambda block, register, value: self._write(
                change.get(f"{block.name}.{register.name}"), value
            )
        self.machine.line.on_byte = self._sent

    def _write(self, change: Callable[[int], int | None] | None, value: int) -> int | None:
        if change is None:
            return value
        self.changed += 1
        return change(value)

    def _sent(self, byte: int) -> None:
        if byte == ord("\n"):
            self.picture = self.display.picture(lambda at, n: bytes(self.machine.uc.mem_read(at, n)))
            self.machine.stop()

    def run(self) -> str:
        """The first line."""
        self.machine.run(max_instructions=MOST_INSTRUCTIONS)
        return self.machine.line.sent().decode().splitlines()[0]

    @property
    def noticed(self) -> list[str]:
        return [str(violation) for violation in self.machine.chip.violations]


def test_the_board_lights_its_display(flash):
    board = Board(flash)
    line = parse(board.run())
    assert board.noticed == []
    assert line.fps_with_display is not None and line.class_index == 0
    assert board.display.on and board.display.lit
    assert board.display.pixel_hz() == 9_600_000
    x, y = board.display.timing("TWCR")
    assert 59 < board.display.pixel_hz() / (x * y) < 60  # pictures a second
    assert board.display.window() == (0, 0, 480, 272)
    assert board.picture.shape == (272, 480, 3) and len(np.unique(board.picture.reshape(-1, 3), axis=0)) > 50
    address = board.display.active["L1CFBAR"]
    sram = next(b for b in flash[0].memory if b.name == "sram")
    assert sram.end - address == -(-480 * 272 // 32) * 32  # the end of its bank


@pytest.mark.parametrize("crystal_starts", [True, False])
def test_the_pixel_clock_does_not_depend_on_the_crystal(flash, crystal_starts):
    board = Board(flash, options=Options(crystal_starts=crystal_starts))
    board.run()
    assert board.noticed == [] and board.display.pixel_hz() == 9_600_000


WRONG = {
    "VCO runs at 450 MHz": ("RCC.PLLSAICFGR", lambda v: v & ~0x7FC0 | 450 << 6),
    "PLLSAIN is 40": ("RCC.PLLSAICFGR", lambda v: v & ~0x7FC0 | 40 << 6),
    "PLLSAIR is 1": ("RCC.PLLSAICFGR", lambda v: v & ~(7 << 28) | 1 << 28),
    "the pixel clock is 19.2 MHz": ("RCC.DCKCFGR1", lambda v: v & ~(3 << 16)),
    "the pixel clock is 24 MHz": ("RCC.PLLSAICFGR", lambda v: v & ~(7 << 28) | 2 << 28),
    "GCR is read while its clock is off": ("RCC.APB2ENR", lambda v: v & ~(1 << 26)),
    "positions do not rise": ("LTDC.BPCR", lambda v: 0),
    "the active area is (480, 271)": ("LTDC.AWCR", lambda v: v - 1),
    "701 clocks a line": ("LTDC.TWCR", lambda v: 700 << 16 | v & 0xFFFF),
    "401 lines": ("LTDC.TWCR", lambda v: v & ~0xFFFF | 400),
    "PG12 is to be LCD_B4 and is B1": ("GPIOG.AFRH", lambda v: v & ~(0xF << 16) | 14 << 16),
    "PJ3 is to be LCD_R4 and is no LCD pin": ("GPIOJ.MODER", lambda v: v & ~(3 << 6)),
    "PI14 is to be LCD_CLK and is no LCD pin": ("GPIOI.MODER", lambda v: v & ~(3 << 28)),
    "the layer at 1, 0 of 480 x 272 leaves": ("LTDC.L1WHPCR", lambda v: v + 0x10001),
    "the line length is 480": ("LTDC.L1CFBLR", lambda v: v - 3),
    "the pitch is 479 bytes": ("LTDC.L1CFBLR", lambda v: v - 0x10000),
    "270 lines of memory": ("LTDC.L1CFBLNR", lambda v: v - 2),
    "in no memory that the controller reads": ("LTDC.L1CFBAR", lambda v: 0x20000000),
    "L8 without its table": ("LTDC.L1CR", lambda v: v & ~0x10),
    "format is not modelled": ("LTDC.L1PFCR", lambda v: 2),
    "a polarity is not the panel's": ("LTDC.GCR", lambda v: v | 1 << 31),
    "changes reserved bits": ("LTDC.L1CACR", lambda v: 0x1FF),
}  # fmt: skip


@pytest.mark.parametrize("message", WRONG)
def test_a_wrong_register_is_noticed(flash, message):
    register, change = WRONG[message]
    board = Board(flash, {register: change})
    board.run()
    assert board.changed > 0, f"{register} was never written"
    assert any(message in noticed for noticed in board.noticed), board.noticed


@pytest.mark.parametrize(
    "register",
    [
        *(f"LTDC.{name}" for name in ("BPCR", "AWCR", "TWCR", "GCR", "SRCR")),
        *(f"LTDC.L1{name}" for name in ("CR", "WHPCR", "WVPCR", "PFCR", "CFBAR", "CFBLR", "CFBLNR", "CLUTWR")),
        "RCC.PLLSAICFGR", "RCC.DCKCFGR1",
    ],
)  # fmt: skip
def test_a_write_that_is_missing_is_seen(flash, register):
    """By a broken rule, or by another picture. Without SSCR's, syncs are one clock long, which the panel takes."""
    whole, board = Board(flash), Board(flash, {register: lambda v: None})
    whole.run()
    board.run()
    assert board.changed > 0 and whole.picture.any()
    assert board.noticed or not np.array_equal(board.picture, whole.picture)


@pytest.mark.parametrize(
    ("register", "change"),
    [
        ("LTDC.GCR", lambda v: v & ~1),  # never on
        ("GPIOI.MODER", lambda v: v & ~(3 << 24)),  # the panel in standby
        ("GPIOK.BSRR", lambda v: None if v & (1 << 3 | 1 << 19) else v),  # no backlight
    ],
)
def test_a_dark_display_shows_nothing(flash, register, change):
    board = Board(flash, {register: change})
    board.run()
    assert board.changed and not board.display.lit and not board.picture.any()


def test_a_pll_that_does_not_lock_leaves_the_demo_without_a_display(flash):
    """The main PLL locks; that of the pixels does not."""
    board = Board(flash)
    rcc = board.machine.chip.find("RCC")
    rcc.others[28].delay_us = None
    line = parse(board.run())
    assert line is not None and line.fps_with_display is None and line.class_index == 0
    assert not board.display.on and board.noticed == []


def test_a_pll_that_stays_on_leaves_the_demo_without_a_display(flash):
    """Its settings are locked then: the driver gives up in time and does not touch them."""
    board = Board(flash, {"RCC.CR": lambda v: v | 1 << 28})
    assert parse(board.run()).fps_with_display is None and board.noticed == []


def test_the_pll_s_settings_are_locked_while_it_is_on(flash):
    board = Board(flash)
    board.run()
    rcc = board.machine.chip.find("RCC")
    rcc.write(0x88, rcc.values["PLLSAICFGR"] ^ 1 << 6, 4)
    rcc.write(0x8C, rcc.values["DCKCFGR1"] ^ 1 << 16, 4)
    assert [n.split(" while")[0] for n in board.noticed] == [
        "RCC: PLLSAICFGR changes", "RCC: PLLSAIDIVR changes"
    ]  # fmt: skip


def test_the_display_goes_dark_when_a_host_comes(flash):
    board = Board(flash)
    board.run()
    machine = board.machine
    machine._stopping = False
    machine.line.on_byte = lambda byte: machine.stop() if byte == 0 else None
    machine.line.send(b"\0")
    machine.attend()
    machine.run(max_instructions=MOST_INSTRUCTIONS)
    assert machine.line.sent().endswith(b"\0") and board.noticed == []
    assert not board.display.on and not board.display.lit and not machine.chip.enabled("LTDC")


# Bits of the driver's macros, by the register and field that they mean.
MACROS = {
    "LTDC_GCR_LTDCEN": ("GCR", "LTDCEN"),
    "LTDC_SRCR_IMR": ("SRCR", "IMR"),
    "LTDC_LXCR_LEN": ("L1CR", "LEN"),
    "LTDC_LXCR_CLUTEN": ("L1CR", "CLUTEN"),
}


def test_model_and_driver_agree_with_the_svd_file_of_an_f429(flash):
    """It has the same block at the same address; of the STM32F7 no SVD file is at hand."""
    base, registers = svd("STM32F429x.svd")["LTDC"]
    model = Board(flash).display
    assert model.base == base
    for register in model.REGISTERS:
        offset, fields = registers[register.name]
        assert register.offset == offset, register.name
        there = sum(field.mask for field in fields.values())
        assert there & ~(register.writable | register.readonly) == 0, f"{register.name}: a field is missing"
    text = (firmware_dir() / "port" / "stm32f7" / "lcd.c").read_text()
    found = members(text)
    starts = {name: int(at, 16) for name, at in re.findall(r"struct (\w+) \*\)(0x[0-9a-f]+)u\)", text)}
    compared = 0
    for structure, prefix in (("ltdc", ""), ("ltdc_layer", "L1")):
        for name, offset in found[structure].items():
            if not name.startswith("reserved"):
                assert starts[structure] + offset == base + registers[prefix + name][0], name
                compared += 1
    assert compared == 25
    for macro, (register, field) in MACROS.items():
        shift = re.search(rf"#define {macro}\s+\(1u << (\d+)\)", text)
        assert shift and 1 << int(shift[1]) == registers[register][1][field].mask, macro
