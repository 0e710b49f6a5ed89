"""A microcontroller as a debugger sees it: memory behind a MEM-AP, a Cortex-M that halts, runs and is single-owned.

unicorn executes what the debugger starts in RAM, which is how flash algorithms run: their own instructions poke the
register model of the flash controller. Code in flash is not run, the core then just counts as running.
Debug registers: Armv7-M Architecture Reference Manual, DDI 0403E, section C1.6.
"""

from __future__ import annotations

import struct

import unicorn
from unicorn import arm_const as arm

from tests.debug.controllers import FlashArray

DHCSR, DCRSR, DCRDR, DEMCR, AIRCR, CPUID, DFSR = (
    0xE000EDF0, 0xE000EDF4, 0xE000EDF8, 0xE000EDFC, 0xE000ED0C, 0xE000ED00, 0xE000ED30,
)  # fmt: skip
C_DEBUGEN, C_HALT, C_STEP = 1, 2, 4
S_REGRDY, S_HALT, S_RESET_ST = 1 << 16, 1 << 17, 1 << 25
VC_CORERESET = 1
ROM_TABLE = 0xE00FF000
COMPONENTS = {0xE000E000: 0x00C, 0xE0001000: 0x002, 0xE0002000: 0x003}  # SCS, DWT, FPB: part numbers
CPUIDS = {"m4": 0x410FC241, "m7": 0x411FC271}
# How long started code runs on this computer before the debugger has its turn: while it waits for a halt, and while
# it feeds data to code that waits for them.
WAIT_US, FEED_US = 100_000, 1_000
PERIPHERALS = (0x40000000, 0x20000000)
_REGISTERS = [getattr(arm, f"UC_ARM_REG_R{i}") for i in range(13)]
_REGISTERS += [arm.UC_ARM_REG_SP, arm.UC_ARM_REG_LR, arm.UC_ARM_REG_PC, arm.UC_ARM_REG_XPSR]


class BusFault(Exception):
    """An access that the bus answers with an error."""


class Chip:
    """Flash, RAM, debug registers. `idcode` is DBGMCU_IDCODE's (address, value)."""

    def __init__(
        self, core: str, array: FlashArray, controller, ram: list[tuple[int, int]], idcode: tuple[int, int]
    ):
        self.core, self.array, self.controller = core, array, controller
        self.idcode = {idcode[0]: idcode[1]}
        self.system = {}  # words of the system memory: the size of the flash in KiB
        self.registers: dict[int, int] = {}  # peripherals that only keep what is written
        self.resets = 0
        self.powered = True
        self.cpuid = CPUIDS[core]
        self.hang_in_ram = False  # the started code never ends
        self._ram = ram
        self._uc = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
        self._uc.ctl_set_cpu_model(arm.UC_CPU_ARM_CORTEX_M7 if core == "m7" else arm.UC_CPU_ARM_CORTEX_M4)
        for base, size in ram:
            self._uc.mem_map(base, size)
        self._uc.mmio_map(array.base, array.bytes, self._load_flash, None, self._store_flash, None)
        self._uc.mmio_map(*PERIPHERALS, self._load_register, None, self._store_register, None)
        self._uc.hook_add(unicorn.UC_HOOK_INTR, self._on_exception)
        self._power_on()

    def _power_on(self) -> None:
        self.demcr, self.dhcsr, self.dcrdr, self.dfsr = 0, 0, 0, 0
        self._debug: dict[int, int] = {}
        self._reset_seen = True
        self.halted = False
        self.running_flash_code = True

    def reset(self) -> None:
        self.resets += 1
        self.controller.reset()
        self.registers.clear()
        self._reset_seen = True
        self.halted = bool(self.demcr & VC_CORERESET and self.dhcsr & C_DEBUGEN)
        self.running_flash_code = not self.halted
        if self.halted:
            sp, pc = struct.unpack("<II", self.array.data[:8])
            self._uc.reg_write(arm.UC_ARM_REG_SP, sp)
            self._uc.reg_write(arm.UC_ARM_REG_PC, pc & ~1)

    # What the MEM-AP does.

    def read(self, address: int, count: int) -> bytes:
        """Bytes as the debugger reads them. BusFault where nothing is, or for protected flash."""
        if self.array.base <= address < self.array.base + self.array.bytes:
            if self.controller.read_protected:
                raise BusFault(f"read-protected flash at {address:#010x}")
            at = address - self.array.base
            if at + count > self.array.bytes:
                raise BusFault("beyond the flash")
            return bytes(self.array.data[at : at + count])
        if self._in_ram(address, count):
            self.advance(FEED_US)  # an algorithm may wait for what the debugger puts into its buffer
            return bytes(self._uc.mem_read(address, count))
        start = address & ~3
        words = (address + count - start + 3) // 4
        data = b"".join(struct.pack("<I", self._read_word(start + 4 * i)) for i in range(words))
        return data[address - start : address - start + count]

    def write(self, address: int, data: bytes) -> None:
        """Bytes as the debugger writes them."""
        if self.array.base <= address < self.array.base + self.array.bytes:
            self.controller.store(address, data)
        elif self._in_ram(address, len(data)):
            self._uc.mem_write(address, bytes(data))
            self._uc.ctl_flush_tb()  # it may have been code
        else:
            if address % 4 or len(data) % 4:
                raise BusFault(f"registers are words: {address:#010x}, {len(data)} bytes")
            for i in range(0, len(data), 4):
                self._write_word(address + i, struct.unpack_from("<I", data, i)[0])

    def _in_ram(self, address: int, count: int) -> bool:
        return any(base <= address and address + count <= base + size for base, size in self._ram)

    def _read_word(self, address: int) -> int:
        if address in self.idcode:
            return self.idcode[address]
        if address in self.system:
            return self.system[address]
        if self.controller.base <= address < self.controller.base + 0x400:
            return self.controller.read(address - self.controller.base)
        if address >> 28 == 0xE:
            return self._read_debug(address)
        if 0x40000000 <= address < self.controller.peripherals_end:
            return self.registers.get(address, 0)
        raise BusFault(f"nothing at {address:#010x}")

    def _write_word(self, address: int, value: int) -> None:
        if self.controller.base <= address < self.controller.base + 0x400:
            self.controller.write(address - self.controller.base, value)
        elif address >> 28 == 0xE:
            self._write_debug(address, value)
        elif 0x40000000 <= address < self.controller.peripherals_end:
            self.registers[address] = value
        else:
            raise BusFault(f"nothing at {address:#010x}")

    # Private peripheral bus.

    def _read_debug(self, address: int) -> int:
        if address == DHCSR:
            self.advance(WAIT_US)
            value = (
                self.dhcsr
                | S_REGRDY
                | (S_HALT if self.halted else 0)
                | (S_RESET_ST if self._reset_seen else 0)
            )
            self._reset_seen = False
            return value
        known = {DEMCR: self.demcr, DCRDR: self.dcrdr, DFSR: self.dfsr, CPUID: self.cpuid}
        known |= {0xE000EF40: 0x10110021, 0xE0001000: 0x40000000}
        known[0xE0002000] = 0x00000260 | self._debug.get(0xE0002000, 0) & 1
        if address in known:
            return known[address]
        return self._debug.get(address, self._component_id(address))

    def _component_id(self, address: int) -> int:
        """ROM table entries, peripheral and component identification (ADIv5.2, section D)."""
        base, offset = address & ~0xFFF, address & 0xFFF
        if base == ROM_TABLE and offset < 4 * len(COMPONENTS):
            return (list(COMPONENTS)[offset // 4] - ROM_TABLE) & 0xFFFFFFFF | 3
        if base != ROM_TABLE and base not in COMPONENTS:
            return 0
        part = COMPONENTS.get(base, 0x4C4)
        identity = {0xFD0: 4, 0xFE0: part & 0xFF, 0xFE4: 0xB0 | part >> 8, 0xFE8: 0x0B}
        identity |= {0xFF0: 0x0D, 0xFF4: 0x10 if base == ROM_TABLE else 0xE0, 0xFF8: 0x05, 0xFFC: 0xB1}
        return identity.get(offset, 0)

    def _write_debug(self, address: int, value: int) -> None:
        if address == DHCSR:
            if value >> 16 != 0xA05F:
                return
            self.dhcsr = value & 0xF
            if not value & C_DEBUGEN:
                self.halted, self.running_flash_code = False, True
            elif value & C_HALT:
                self.halted, self.dfsr = True, self.dfsr | 1
            elif self.halted:
                self._resume()
        elif address == DCRSR:
            self._move_register(value & 0x7F, bool(value & 1 << 16))
        elif address == DCRDR:
            self.dcrdr = value
        elif address == DEMCR:
            self.demcr = value
        elif address == DFSR:
            self.dfsr &= ~value
        elif address == AIRCR:
            if value >> 16 == 0x05FA and value & 4:
                self.reset()
        elif address & 0xFFF < 0xFD0:
            self._debug[address] = value

    def _move_register(self, number: int, write: bool) -> None:
        if number > 16:
            return  # special and floating-point registers: not kept
        if write:
            value = self.dcrdr & ~1 if number == 15 else self.dcrdr
            self._uc.reg_write(_REGISTERS[number], value)
        else:
            self.dcrdr = self._uc.reg_read(_REGISTERS[number]) & 0xFFFFFFFF

    # Execution.

    def _resume(self) -> None:
        self.halted = False
        pc = self._uc.reg_read(arm.UC_ARM_REG_PC)
        self.running_flash_code = not self._in_ram(pc, 2)
        if self.running_flash_code or self.hang_in_ram:
            return
        self._breakpoint = False
        self.advance(FEED_US)

    def advance(self, most_us: int) -> None:
        """Lets the core go on for a while if it runs code in RAM: it and the debugger take turns."""
        if self.halted or self.running_flash_code or self.hang_in_ram:
            return
        pc = self._uc.reg_read(arm.UC_ARM_REG_PC)
        try:
            self._uc.emu_start(pc | 1, 0xFFFFFFFE, timeout=most_us)
        except unicorn.UcError as error:
            pc = self._uc.reg_read(arm.UC_ARM_REG_PC)
            raise AssertionError(f"at {pc:#010x}: {error}") from error
        if self._breakpoint:
            self.halted, self.dfsr = True, self.dfsr | 2

    def _on_exception(self, uc: unicorn.Uc, number: int, data: object) -> None:
        self._breakpoint = True  # BKPT is what ends a flash algorithm; any other exception stops it as well
        uc.emu_stop()

    def _load_flash(self, uc: unicorn.Uc, offset: int, size: int, data: object) -> int:
        return int.from_bytes(self.array.data[offset : offset + size], "little")

    def _store_flash(self, uc: unicorn.Uc, offset: int, size: int, value: int, data: object) -> None:
        self.controller.store(self.array.base + offset, value.to_bytes(size, "little"))

    def _load_register(self, uc: unicorn.Uc, offset: int, size: int, data: object) -> int:
        address = PERIPHERALS[0] + offset
        return self._read_word(address & ~3) >> 8 * (address & 3) & (1 << 8 * size) - 1

    def _store_register(self, uc: unicorn.Uc, offset: int, size: int, value: int, data: object) -> None:
        self._write_word(PERIPHERALS[0] + offset & ~3, value)
