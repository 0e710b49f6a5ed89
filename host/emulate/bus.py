"""What the core's loads and stores reach outside its memories: the peripherals' registers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from host.emulate.engine import PAGE, Engine
from host.emulate.peripheral import Chip, Peripheral

PERIPHERALS = (0x40000000, 0x20000000)  # address, bytes
PRIVATE_BUS = (0xE0000000, 0x00100000)
BLOCK_BITS = 10  # no two peripherals share one KB
# Of many reads of one register in a row only some ask its model, so that no flag is seen later than by 1/16 of the
# waiting: that is the costliest thing that firmware does here.
POLL_BITS = 5
ENABLE_CYCLES = 2


class Bus:
    """Leads each access to its peripheral. on_nothing(address) is called where there is none.

    impatient: peripherals that change by themselves from one instruction to the next; flags of others may be seen a few
    polls late.
    """

    def __init__(
        self, engine: Engine, chip: Chip, impatient: set[Peripheral], on_nothing: Callable[[int], None]
    ):
        self._chip, self._counter = chip, engine.counter
        self._impatient, self._on_nothing = impatient, on_nothing
        self._polled = self._polls = self._poll_value = 0
        self._clock = chip.clock
        self._fresh: set[str] = set()
        self._fresh_since = 0
        self._blocks: dict[int, Peripheral] = {}
        ranges = [PERIPHERALS, PRIVATE_BUS]
        for peripheral in chip.peripherals:
            for address in range(peripheral.base, peripheral.base + peripheral.size, 1 << BLOCK_BITS):
                self._blocks[address >> BLOCK_BITS] = peripheral
            if not any(start <= peripheral.base < start + size for start, size in ranges):
                ranges.append((peripheral.base & ~(PAGE - 1), PAGE))
        for start, size in ranges:
            engine.uc.mmio_map(start, size, self._read, start, self._write, start)

    def _read(self, uc: Any, offset: int, size: int, start: int) -> int:
        address = start + offset
        peripheral = self._blocks.get(address >> BLOCK_BITS)
        if peripheral is None:
            self._chip.violate(f"a read of 0x{address:08x}, where no peripheral is modelled")
            self._on_nothing(address)
            return 0
        if self._fresh:
            self._check_fresh(peripheral)
        if peripheral in self._impatient:
            return peripheral.read(address - peripheral.base, size)
        if address != self._polled:
            self._polled, self._polls = address, 0
        self._polls += 1
        if self._polls % (1 << max(0, self._polls.bit_length() - POLL_BITS)) == 0:
            self._poll_value = peripheral.read(address - peripheral.base, size)
        return self._poll_value

    def _write(self, uc: Any, offset: int, size: int, value: int, start: int) -> None:
        address = start + offset
        peripheral = self._blocks.get(address >> BLOCK_BITS)
        if peripheral is None:
            self._chip.violate(f"0x{value:x} is written to 0x{address:08x}, where no peripheral is modelled")
            self._on_nothing(address)
            return
        self._polled = 0
        if self._fresh:
            self._check_fresh(peripheral)
        if peripheral is not self._clock:
            peripheral.write(address - peripheral.base, value, size)
            return
        before = self._clocked()
        peripheral.write(address - peripheral.base, value, size)
        self._fresh = self._clocked() - before
        self._fresh_since = self._counter.count

    def _clocked(self) -> set[str]:
        return {p.name for p in self._chip.peripherals if p.NEEDS_CLOCK and self._chip.enabled(p.name)}

    def _check_fresh(self, peripheral: Peripheral) -> None:
        """A clock that was enabled reaches its block two cycles later: RM0090 7.2.14 and the others' like it."""
        if self._counter.count - self._fresh_since >= ENABLE_CYCLES:
            self._fresh = set()
        elif peripheral.name in self._fresh:
            self._chip.violate(
                f"{peripheral.name} is used at once after its clock is enabled", "RM0090 7.2.14"
            )
