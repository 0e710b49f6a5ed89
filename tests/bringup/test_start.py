"""What start-up of the STM32H7, L4+ and U5 does, and what is left when something of it fails."""

from __future__ import annotations

import contextlib
import math

import pytest
import unicorn

from host.boards import load_board
from host.build import build
from host.emulate.machine import STKOF, Machine
from host.emulate.peripheral import Options
from host.emulate.stm32h7 import pwr as h7_pwr
from host.emulate.stm32u5 import pwr as u5_pwr
from host.errors import EmulatorError
from host.link.client import Client
from tests.bringup.test_fallback import started, violations, without
from tests.bringup.test_machine import InProcess

BOARDS = ["nucleo_h743zi", "nucleo_h7a3zi_q", "nucleo_l4r5zi", "nucleo_u575zi_q"]
H7_BOARDS = BOARDS[:2]
MHZ = 1_000_000


def at_reset(board_id: str) -> Machine:
    board = load_board(board_id)
    return Machine(board, build(board).elf)


def chip(client: Client):
    return client.transport.machine.chip


def clocks(client: Client) -> dict[str, float]:
    return {name: hz / MHZ for name, hz in chip(client).clock.frequencies().items()}


# RM0433 8.5.6, RM0455 8.5.6, RM0432 6.2, RM0456 11.4: what each bus may have at most, in MHz.
FULL_SPEED = {
    "nucleo_h743zi": {"sysclk": 480, "cpu": 480, "hclk": 240}
    | {"pclk1": 120, "pclk2": 120, "pclk3": 120, "pclk4": 120},
    "nucleo_h7a3zi_q": {"sysclk": 280, "cpu": 280, "hclk": 280}
    | {"pclk1": 140, "pclk2": 140, "pclk3": 140, "pclk4": 140},
    "nucleo_l4r5zi": {"sysclk": 120, "hclk": 120, "pclk1": 120, "pclk2": 120},
    "nucleo_u575zi_q": {"sysclk": 160, "hclk": 160, "pclk1": 160, "pclk2": 160, "pclk3": 160},
}
# Wait states; on the STM32H7 with WRHIGHFREQ above them.
LATENCY = {"nucleo_h743zi": 0x24, "nucleo_h7a3zi_q": 0x36, "nucleo_l4r5zi": 5, "nucleo_u575zi_q": 4}
# Instruction cache, data cache, prefetch.
CACHES = {
    "nucleo_h743zi": (True, True, False),
    "nucleo_h7a3zi_q": (True, True, False),
    "nucleo_l4r5zi": (True, True, True),
    "nucleo_u575zi_q": (True, False, True),
}


@pytest.mark.parametrize("board_id", BOARDS)
def test_a_board_starts_at_full_speed(board_id):
    client = started(board_id)
    hello = client.hello
    board = load_board(board_id)
    assert hello.clock_source == (
        "PLL from crystal" if board.clock.crystal_hz else "PLL from internal oscillator"
    )
    assert hello.clock_hz == board.clock.hz
    assert clocks(client) == FULL_SPEED[board_id]
    assert chip(client).find("FLASH").values["ACR"] & 0x3F == LATENCY[board_id]
    assert (hello.icache, hello.dcache, hello.prefetch) == CACHES[board_id]
    assert hello.counter == "cycles"
    assert violations(client) == []


def test_an_stm32h743_of_revision_y_gets_400_mhz_without_overdrive_and_the_workaround_for_its_sram():
    client = started("nucleo_h743zi", Options(revision="Y"))
    assert (client.hello.clock_source, client.hello.clock_hz) == ("PLL from crystal", 400 * MHZ)
    assert clocks(client)["hclk"] == 200 and clocks(client)["pclk1"] == 100
    assert chip(client).find("FLASH").values["ACR"] & 0x3F == 0x22
    assert chip(client).find("SYSCFG").values["PWRCR"] == 0
    assert chip(client).find("GPV").values["TARG7_FN_MOD"] == 1, "ES0392 2.2.9"
    assert violations(client) == []


@pytest.mark.parametrize("board_id", H7_BOARDS)
def test_without_the_probes_clock_a_board_runs_at_full_speed_from_the_internal_oscillator(board_id):
    client = started(board_id, Options(crystal_starts=False))
    assert client.hello.clock_source == "crystal failed, internal oscillator"
    assert clocks(client) == FULL_SPEED[board_id]
    assert not chip(client).find("RCC").values["CR"] >> 16 & 5, "HSEON and HSEBYP are off again"
    assert violations(client) == []


# What fails, and the core's clock in MHz that is left.
FAILURES = {
    ("nucleo_h743zi", "PLL"): 64,
    ("nucleo_h743zi", "voltage"): 64,
    ("nucleo_h743zi", "wait states"): 64,
    ("nucleo_h7a3zi_q", "PLL"): 64,
    ("nucleo_h7a3zi_q", "voltage"): 64,
    ("nucleo_h7a3zi_q", "wait states"): 64,
    ("nucleo_l4r5zi", "PLL"): 4,
    ("nucleo_l4r5zi", "HSI16"): 4,
    ("nucleo_l4r5zi", "wait states"): 4,
    ("nucleo_u575zi_q", "PLL"): 12,
    ("nucleo_u575zi_q", "HSI16"): 12,
    ("nucleo_u575zi_q", "booster"): 12,
    ("nucleo_u575zi_q", "voltage"): 12,
    ("nucleo_u575zi_q", "wait states"): 12,
}


@pytest.mark.parametrize(("board_id", "failure"), FAILURES)
def test_what_is_left_without_it_is_told_and_the_serial_line_works(board_id, failure, monkeypatch):
    options, intercept = None, None
    if failure == "PLL":
        options = Options(pll_locks=False)
    elif failure == "HSI16":
        intercept = without("RCC", "CR", 1 << 8)
    elif failure == "wait states":
        intercept = without("FLASH", "ACR", 4)
    elif failure == "voltage":
        monkeypatch.setattr(h7_pwr, "SCALE_US", math.inf)
        monkeypatch.setattr(u5_pwr, "RANGE_US", math.inf)
    elif failure == "booster":
        monkeypatch.setattr(u5_pwr, "BOOST_US", math.inf)
    client = started(board_id, options, intercept)
    assert client.hello.clock_source == "reset default"
    left = FAILURES[board_id, failure]
    assert client.hello.clock_hz == left * MHZ
    assert clocks(client)["hclk"] == left
    assert not chip(client).find("RCC").values["CR"] & (1 << 24 | 1 << 16), "PLL and crystal are off again"
    assert violations(client) == []


# What another program may have decided since power-up, as PWR_CR3 then reads: bypass; LDO, SMPS that feeds the LDO.
DECIDED = {"nucleo_h743zi": [0x1], "nucleo_h7a3zi_q": [0x2, 0x16]}


@pytest.mark.parametrize(
    ("board_id", "cr3"), [(board_id, cr3) for board_id in H7_BOARDS for cr3 in DECIDED[board_id]]
)
def test_a_supply_that_another_program_decided_is_left_alone(board_id, cr3):
    """The voltage is then nobody's to change, and the clock stays that of reset."""
    machine = at_reset(board_id)
    machine.chip.find("PWR").write(0x0C, cr3, 4)
    machine.chip.violations.clear()
    client = Client(InProcess(machine))
    client.connect()
    assert (client.hello.clock_source, client.hello.clock_hz) == ("reset default", 64 * MHZ)
    assert violations(client) == []


@pytest.mark.parametrize("board_id", H7_BOARDS)
def test_firmware_of_the_other_line_decides_nothing(board_id):
    """What suits one of these boards takes the other's core its supply, at every start again."""
    other = next(b for b in H7_BOARDS if b != board_id)
    machine = Machine(load_board(board_id), build(load_board(other)).elf)
    with contextlib.suppress(EmulatorError):  # what becomes of it is not the question
        machine.run(max_instructions=2_000_000)
    pwr = machine.chip.find("PWR")
    assert not pwr.configured and pwr.read(0x0C, 4) & 0x3F == 6


@pytest.mark.parametrize("board_id", H7_BOARDS)
def test_ram_is_not_written_before_the_supply_is_there(board_id):
    """RM0433 and RM0455 6.4.1: in Run* mode, until PWR_CR3 is written and ACTVOSRDY set. The stack is in RAM too."""
    machine = at_reset(board_id)
    pwr, writes = machine.chip.find("PWR"), []

    def written(uc, access, address, size, value, user):
        if pwr.supply_ready:
            uc.hook_del(hook)
        else:
            writes.append(f"0x{address:08x} at PC 0x{machine.counter.pc:08x}")

    ram = [bank for bank in machine.chip.board.memory if bank.kind == "ram"]
    hook = machine.uc.hook_add(
        unicorn.UC_HOOK_MEM_WRITE, written, begin=min(b.address for b in ram), end=max(b.end for b in ram) - 1
    )
    client = Client(InProcess(machine))
    client.connect()
    assert pwr.supply_ready
    assert writes == []


@pytest.mark.parametrize("board_id", H7_BOARDS)
def test_a_reset_leaves_the_supply_alone(board_id):
    client = started(board_id)
    client.reset()
    client.connect()
    assert client.hello.clock_hz == load_board(board_id).clock.hz
    assert [event.kind for event in chip(client).events].count("supply") == 1
    assert violations(client) == []


def test_a_cortex_m33_faults_at_the_limit_of_its_stack():
    """Whatever the chip has below its RAM."""
    client = started("nucleo_u575zi_q")
    machine = client.transport.machine
    machine.uc.reg_write(unicorn.arm_const.UC_ARM_REG_SP, machine.chip.board.pools[0].address + 16)
    client.connect()
    fault = client.hello.fault
    assert machine.resets == 1 and fault is not None
    assert fault.cfsr & STKOF, str(fault)
