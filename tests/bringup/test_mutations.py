"""What the bring-up proof does not let through: every write of the start-up is dropped once, and limits are broken."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatch

import pytest

from host.boards import load_board
from host.build import build
from host.emulate import mutations
from host.emulate.bringup import prove, run_before
from host.emulate.gpio import split_pin
from host.emulate.machine import Machine
from host.emulate.mutations import Write
from tests.bringup.test_bringup import BOARDS, options_of
from tests.bringup.wiring import WIRING

# Writes that the start-up could do without, as far as the models can tell; each with the reason why it is there.
# boards, register, number of the write to it or None for all, reason
REDUNDANT = (
    ("*", "GPIO?.OSPEEDR", None, "slow edges carry 921600 baud too; fast ones are for boards with higher rates"),
    ("*_f*", "FLASH.ACR", 0, "caches off before they are emptied; a reset has them off, a debugger's jump has not"),
    ("nucleo_l4*", "FLASH.ACR", 1, "caches are on but empty after a reset, and not so after programming"),
    ("nucleo_u5*", "ICACHE.CR", 0, "a reset invalidates the cache too (RM0456 8.4), a debugger's jump does not"),
    ("nucleo_h7a3*", "PWR.SRDCR", 0, "scale 1 on the way to scale 0; the model takes scale 0 at once too"),
    ("nucleo_[hlu]*", "*U*ART?.CR1", 0, "FIFOEN before UE, as the manuals want it; the models take both at once too"),
)  # fmt: skip


def reason(board_id: str, write: Write) -> str | None:
    for boards, register, nth, why in REDUNDANT:
        here = fnmatch(board_id, boards) and fnmatch(f"{write.peripheral}.{write.register}", register)
        if here and nth in (None, write.nth):
            return why
    letter, pin = split_pin(WIRING[board_id].tx)
    if (write.peripheral, write.register) == (f"GPIO{letter}", "PUPDR") and not (
        write.before ^ write.value
    ) & ~(3 << 2 * pin):
        return "pulls up the TX pin, which the USART drives; the RX pin's is checked"
    return None


@pytest.mark.parametrize("board_id", BOARDS)
def test_no_write_can_be_left_out(board_id):
    board = load_board(board_id)
    elf, options = build(board).elf, options_of(board)
    writes = [w for w in mutations.chosen(mutations.record(board, elf, options)) if w.changes]
    assert len(writes) >= 20
    survivors = [w for w in writes if mutations.dropped(board, elf, w, options).passed]
    unexplained = [str(w) for w in survivors if reason(board_id, w) is None]
    assert unexplained == []
    needless = [w for w in writes if reason(board_id, w) and w not in survivors]
    assert needless == [], "these are not redundant any more: take them off the list"


def test_what_undoes_an_earlier_run_is_needed_after_one():
    """Without a reset before, writes count that change nothing after one."""
    board = load_board("disco_f407vg")
    elf, options = build(board).elf, options_of(board)
    writes = [w for w in mutations.record(board, elf, options, prepare=run_before) if w.changes]
    names = [f"{w.peripheral}.{w.register}" for w in writes]
    assert names.count("RCC.CR") >= 3 and names.count("RCC.CFGR") >= 3 and names.count("FLASH.ACR") == 3
    survivors = [w for w in writes if mutations.dropped(board, elf, w, options, prepare=run_before).passed]
    # the flags of the reset were cleared before, caches need not be emptied again, and the interrupt is still enabled
    assert [(f"{w.peripheral}.{w.register}", w.nth) for w in survivors] == [
        ("RCC.CSR", 0),
        ("FLASH.ACR", 1),
        ("SCS.ISER1", 0),
    ]


def field(shift: int, bits: int, change: Callable[[int], int]) -> Callable[[int], int]:
    """A change of one field of a value."""

    def changed(value: int) -> int:
        mask = (1 << bits) - 1
        return value & ~(mask << shift) | (change(value >> shift & mask) & mask) << shift

    return changed


def less(value: int) -> int:
    return value - 1


def to(value: int) -> Callable[[int], int]:
    return lambda old: value


# board, register, change of every write to it, what the proof must say
BROKEN = (
    ("nucleo_f446re", "RCC.PLLCFGR", field(0, 6, to(2)), "4.000 MHz enter the PLL"),
    ("nucleo_f446re", "RCC.PLLCFGR", field(0, 6, to(16)), "0.500 MHz enter the PLL"),
    ("nucleo_f446re", "RCC.PLLCFGR", field(6, 9, to(240)), "VCO is at 480.0 MHz"),
    ("nucleo_f446re", "RCC.PLLCFGR", field(6, 9, to(179)), "the core runs at 180,000,000 Hz"),
    ("nucleo_f446re", "RCC.PLLCFGR", field(16, 2, to(1)), "90,000,000 Hz"),
    ("nucleo_f446re", "RCC.PLLCFGR", field(24, 4, to(2)), "48 MHz output is at 180.0 MHz"),
    ("nucleo_f446re", "RCC.PLLCFGR", field(28, 3, to(1)), "PLLR is 1"),
    ("nucleo_f446re", "RCC.CR", field(18, 1, to(0)), "HSEBYP is 0, but the board has a clock signal"),
    ("nucleo_f446re", "FLASH.ACR", field(0, 4, less), "the clock is the PLL from crystal: reset default"),
    ("nucleo_f446re", "RCC.CFGR", field(10, 3, to(4)), "PCLK1 is 90 MHz, above 45"),
    ("nucleo_f446re", "RCC.CFGR", field(13, 3, to(0)), "PCLK2 is 180 MHz, above 90"),
    ("nucleo_f446re", "PWR.CR", field(14, 2, to(1)), "above 120"),
    ("nucleo_f446re", "GPIOA.AFRL", field(8, 4, to(8)), "PA2 is the USART's TX"),
    ("nucleo_f446re", "GPIOA.AFRL", field(12, 4, to(1)), "HELLO is answered"),
    ("nucleo_f446re", "USART2.BRR", field(0, 16, less), "937,500 baud, +1.7 %"),
    ("nucleo_f446re", "USART2.BRR", field(0, 16, lambda brr: brr // 4), "baud"),
    ("nucleo_f446re", "USART2.CR1", field(10, 1, to(1)), "8 bits without parity"),
    ("nucleo_f446re", "SCS.VTOR", to(0x20000000), "VTOR 0x20000000"),
    ("disco_f407vg", "RCC.PLLCFGR", field(28, 4, to(5)), "changes reserved bits"),
    ("disco_f407vg", "RCC.CR", field(18, 1, to(1)), "RCC"),
    ("disco_f746ng", "FLASH.ACR", field(11, 1, to(0)), "switched on without being emptied"),
    ("disco_f746ng", "PWR.CR1", field(17, 1, to(0)), "the clock is the PLL from crystal: reset default"),
    ("disco_f746ng", "RCC.PLLCFGR", field(0, 6, to(50)), "0.500 MHz enter the PLL"),
    ("disco_f746ng", "RCC.CFGR", field(10, 3, to(4)), "PCLK1 is 108 MHz, above 54"),
    ("disco_f746ng", "SCS.CCR", field(17, 1, to(0)), "the core's instruction cache is on"),
    ("disco_f746ng", "GPIOB.AFRL", field(28, 4, to(1)), "HELLO is answered"),
    ("nucleo_h743zi", "RCC.PLL1DIVR", field(0, 9, to(200)), "VCO"),
    ("nucleo_h743zi", "RCC.D1CFGR", field(0, 4, to(0)), "MHz"),
    ("nucleo_l4r5zi", "PWR.CR5", field(8, 1, to(1)), "120"),
    ("nucleo_l4r5zi", "LPUART1.BRR", field(0, 20, lambda brr: brr * 97 // 100), "baud"),
    ("nucleo_u575zi_q", "PWR.VOSR", field(16, 2, to(1)), "EPOD booster is for ranges 1 and 2"),
    ("nucleo_u575zi_q", "USART1.BRR", field(0, 16, lambda brr: brr + 4), "baud"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("board_id", "register", "change", "words"), BROKEN, ids=lambda x: x if isinstance(x, str) else ""
)
def test_a_broken_limit_is_told(board_id, register, change, words):
    board = load_board(board_id)
    proof, different = mutations.patched(board, build(board).elf, register, change, options_of(board))
    assert different > 0, f"no write to {register} is changed"
    assert any(words in line for line in proof.failures()), proof.failures()


# The start-up reads wait states back and would notice; here the flash tells what was asked for and keeps one less.
@pytest.mark.parametrize(
    ("board_id", "words"),
    [
        ("nucleo_f446re", "4 wait states at HCLK 180 MHz, 5 are needed"),
        ("disco_f407vg", "4 wait states at HCLK 168 MHz, 5 are needed"),
        ("disco_f746ng", "6 wait states at HCLK 216 MHz, 7 are needed"),
        ("nucleo_h743zi", "wait states"),
        ("nucleo_l4r5zi", "wait states"),
        ("nucleo_u575zi_q", "wait states"),
    ],
)
def test_too_few_wait_states_are_told_at_the_switch(board_id, words):
    board = load_board(board_id)

    def prepare(machine: Machine) -> None:
        flash = machine.chip.find("FLASH")
        asked = 0

        def intercept(peripheral, register, value):
            nonlocal asked
            if peripheral is not flash or register.name != "ACR":
                return value
            asked = value
            return value - 1 if value & 0xF else value

        flash._readers[0] = lambda: asked
        machine.chip.intercept = intercept

    proof = prove(board, build(board).elf, options_of(board), prepare=prepare)
    assert any(words in str(violation) for violation in proof.violations), proof.failures()
