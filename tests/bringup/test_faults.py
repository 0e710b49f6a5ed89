"""Faults end in the firmware's own handler, which tells the next HELLO what happened, as on a chip."""

from __future__ import annotations

import struct

import pytest
from unicorn import arm_const as arm

from host.boards import load_board
from host.build import build
from host.emulate.bringup import connect
from host.emulate.machine import Lockup, Machine

NOWHERE = 0x60000000  # between the memories and the peripherals
HARD_FAULT, STACK_OVERFLOW = 3, 256
MSTKERR = 1 << 4
PRECISERR, IBUSERR, STKERR, BFARVALID, UNDEFINSTR, INVSTATE = (
    1 << 9,
    1 << 8,
    1 << 12,
    1 << 15,
    1 << 16,
    1 << 17,
)
UDF, LDR_R0_R1, STR_R0_R1, BX_R1 = 0xDE00, 0x6808, 0x6008, 0x4708


@pytest.fixture(params=["nucleo_f446re", "disco_f746ng", "nucleo_u575zi_q"])
def machine(request) -> Machine:
    board = load_board(request.param)
    machine = Machine(board, build(board).elf)
    machine.run()
    return machine


def jump(machine: Machine, opcode: int, r1: int) -> int:
    """Has the sleeping firmware go on with an instruction of ours, at the end of its RAM; returns the address."""
    bank = machine.board.pools[0]
    address = bank.end - 64
    machine.uc.mem_write(address, struct.pack("<HH", opcode, UDF))
    machine.uc.reg_write(arm.UC_ARM_REG_R1, r1)
    machine.uc.reg_write(arm.UC_ARM_REG_PC, address)
    return address


@pytest.mark.parametrize(
    ("opcode", "r1", "cfsr"),
    [
        (UDF, 0, UNDEFINSTR),
        (LDR_R0_R1, NOWHERE, PRECISERR | BFARVALID),
        (STR_R0_R1, 0x08000000, PRECISERR | BFARVALID),
        (LDR_R0_R1, 0x40000C00, PRECISERR | BFARVALID),
    ],
    ids=["undefined instruction", "read of nothing", "write to flash", "read of no peripheral"],
)
def test_the_next_hello_tells_the_fault(machine, opcode, r1, cfsr):
    address = jump(machine, opcode, r1)
    fault = connect(machine).hello.fault
    assert fault is not None
    assert (fault.kind, fault.cfsr, fault.pc) == (HARD_FAULT, cfsr, address)
    assert machine.resets == 1


@pytest.mark.parametrize(
    ("target", "cfsr"), [(NOWHERE | 1, IBUSERR), (0x08000000, INVSTATE)], ids=["nowhere", "no Thumb"]
)
def test_a_jump_astray_is_told(machine, target, cfsr):
    jump(machine, BX_R1, target)
    fault = connect(machine).hello.fault
    assert fault is not None
    assert (fault.kind, fault.cfsr, fault.pc) == (HARD_FAULT, cfsr, target & ~1)


def test_a_stack_below_its_memory_is_told(machine):
    if machine.board.core == "m33":
        pytest.skip("its stack limit strikes before the memory's end does")
    bank = min((b for b in machine.board.memory if b.kind == "ram"), key=lambda b: b.address)
    jump(machine, UDF, 0)
    machine.uc.reg_write(arm.UC_ARM_REG_SP, bank.address if bank.address else bank.address + 0x20000000)
    fault = connect(machine).hello.fault
    assert fault is not None
    assert fault.kind == HARD_FAULT | STACK_OVERFLOW and fault.cfsr & STKERR
    assert str(fault).startswith("stack overflow, HardFault")


def test_a_stack_in_its_guard_is_told(machine):
    if machine.board.core == "m33":
        pytest.skip("it has a stack limit, and an MPU that cannot forbid")
    bottom = machine.board.pools[0].address
    jump(machine, UDF, 0)
    machine.uc.reg_write(arm.UC_ARM_REG_SP, bottom + 32 + 8)  # the frame's 32 bytes begin in the guard
    fault = connect(machine).hello.fault
    assert fault is not None
    assert fault.kind == HARD_FAULT | STACK_OVERFLOW and fault.cfsr & MSTKERR


def test_the_stack_s_use_grows_and_stays(machine):
    client = connect(machine)
    before = client.hello
    assert 100 < before.stack_used < before.stack_bytes // 2
    bottom = machine.board.pools[0].address
    machine.uc.mem_write(bottom + 1000, bytes(4))
    assert connect(machine).hello.stack_used == before.stack_bytes - 1000


def test_a_fault_in_the_fault_handler_locks_up(machine):
    """The handler's vector leads to an undefined instruction."""
    address = jump(machine, UDF, 0)
    table = bytearray(machine.uc.mem_read(machine.system.values["VTOR"], 16 * 4))
    struct.pack_into("<I", table, 4 * HARD_FAULT, address | 1)
    place = address - 0x400 & ~0x3FF
    machine.uc.mem_write(place, bytes(table))
    machine.system.values["VTOR"] = place
    with pytest.raises(Lockup, match="a fault in a fault handler"):
        machine.run(max_instructions=1000)


@pytest.mark.parametrize("waits", [0, 1])
def test_a_block_is_not_used_at_once_after_its_clock_is_enabled(waits):
    board = load_board("nucleo_f446re")
    machine = Machine(board, build(board).elf)
    machine.run()
    str_r1_r2, ldr_r3_r2, ldr_r3_r4 = 0x6011, 0x6813, 0x6823
    address = jump(machine, UDF, machine.chip.find("RCC").values["AHB1ENR"] | 1 << 2)
    code = [str_r1_r2, *[ldr_r3_r2] * waits, ldr_r3_r4, UDF]
    machine.uc.mem_write(address, struct.pack(f"<{len(code)}H", *code))
    machine.uc.reg_write(arm.UC_ARM_REG_R2, 0x40023830)
    machine.uc.reg_write(arm.UC_ARM_REG_R4, 0x40020800)
    machine.run(max_instructions=1_000_000)
    told = [v.what for v in machine.chip.violations]
    assert told == ([] if waits else ["GPIOC is used at once after its clock is enabled"])
