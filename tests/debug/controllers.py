"""Flash controllers as their reference manuals describe them: what a flash algorithm's register accesses do.

Written from RM0090 section 3.9 and RM0410 section 3.7 (F4, F7), RM0433 section 4.9 (H743) and RM0432 section 3.7
(L4+), for tests of `host flash`. Busy times are not modelled: an operation is done when its register is written.
What the manual forbids raises the flag that the manual names, or is refused; the tests see it as a wrong result.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field


@dataclass
class FlashArray:
    """The bytes of a flash bank and its erase sectors. Programming only clears bits, as in the cells."""

    base: int
    sectors: list[int]  # sizes in bytes
    data: bytearray = field(default_factory=bytearray)
    erased_sectors: list[int] = field(default_factory=list)
    programmed_bytes: int = 0
    stuck: dict[int, int] = field(
        default_factory=dict
    )  # address: mask of bits that stay 1 whatever is written
    dead_after_bytes: int | None = None

    def __post_init__(self) -> None:
        self.data = self.data or bytearray(b"\xff" * sum(self.sectors))

    @property
    def bytes(self) -> int:
        return len(self.data)

    def sector_base(self, number: int) -> int:
        return self.base + sum(self.sectors[:number])

    def erase(self, number: int) -> None:
        start = self.sector_base(number) - self.base
        self.data[start : start + self.sectors[number]] = b"\xff" * self.sectors[number]
        self.erased_sectors.append(number)

    def program(self, address: int, value: bytes) -> None:
        at = address - self.base
        for i, byte in enumerate(value):
            self.data[at + i] &= byte | self.stuck.get(address + i, 0)
        self.programmed_bytes += len(value)


class F4Controller:
    """FLASH of STM32F4 and F7: KEYR 0x04, OPTKEYR 0x08, SR 0x0C, CR 0x10, OPTCR 0x14."""

    base = 0x40023C00
    peripherals_end = 0x50061000  # RM0090 2.3, RM0410 2.2.2: what follows is reserved
    KEYS = (0x45670123, 0xCDEF89AB)
    LOCK, STRT, SER, PG, MER = 1 << 31, 1 << 16, 1 << 1, 1 << 0, 1 << 2
    PGSERR, WRPERR, EOP = 1 << 7, 1 << 4, 1 << 0

    def __init__(self, array: FlashArray, optcr: int = 0x0FFFAAED):
        self.array, self.optcr = array, optcr
        self.erase_fails = False
        self.reset()

    def reset(self) -> None:
        self.cr, self.sr, self._keys = self.LOCK, 0, []

    @property
    def read_protected(self) -> bool:
        return (self.optcr >> 8) & 0xFF != 0xAA

    def read(self, offset: int) -> int:
        return {0x0C: self.sr, 0x10: self.cr, 0x14: self.optcr}.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        if offset == 0x04:
            self._keys = [*self._keys, value][-2:]
            if tuple(self._keys) == self.KEYS:
                self.cr &= ~self.LOCK
        elif offset == 0x0C:
            self.sr &= ~value  # write 1 to clear
        elif offset == 0x10 and not self.cr & self.LOCK:
            self.cr = value & ~self.STRT
            if value & self.STRT and value & self.SER:
                self._erase((value >> 3) & 0x1F)
        elif offset == 0x10 and value & self.LOCK:
            self.cr |= self.LOCK

    def _erase(self, number: int) -> None:
        if self.erase_fails or self.read_protected:  # RM0090 3.6.3: no erase in level 1 while debugging
            self.sr |= self.WRPERR
        elif number < len(self.array.sectors):
            self.array.erase(number)
            self.sr |= self.EOP

    def store(self, address: int, value: bytes) -> None:
        """What a write of the core or the debugger to the flash's addresses does."""
        if self.cr & self.LOCK or not self.cr & self.PG:
            self.sr |= self.PGSERR
        elif self.read_protected:
            self.sr |= self.WRPERR
        else:
            self.array.program(address, value)


class H7Controller:
    """FLASH of STM32H743, two banks at 0x000 and 0x100: KEYR 0x04, CR 0x0C, SR 0x10, CCR 0x14, OPTSR_CUR 0x1C."""

    base = 0x52002000
    peripherals_end = 0x60000000
    KEYS = (0x45670123, 0xCDEF89AB)
    LOCK, PG, SER, BER, START = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 7
    EOP, WRPERR, PGSERR = 1 << 16, 1 << 17, 1 << 18
    WORD_BYTES = 32  # a flash word has 256 bits and is programmed when its last byte is there

    def __init__(self, array: FlashArray, optsr: int = 0x1BC6AAF0):
        self.array, self.optsr = array, optsr
        self.reset()

    def reset(self) -> None:
        self.cr, self.sr, self._keys, self._word = [self.LOCK] * 2, [0, 0], [[], []], {}

    @property
    def read_protected(self) -> bool:
        return (self.optsr >> 8) & 0xFF != 0xAA

    def read(self, offset: int) -> int:
        bank, offset = divmod(offset, 0x100)
        if offset == 0x1C:
            return self.optsr
        return {0x0C: self.cr[bank], 0x10: self.sr[bank]}.get(offset, 0) if bank < 2 else 0

    def write(self, offset: int, value: int) -> None:
        bank, offset = divmod(offset, 0x100)
        if bank > 1:
            return
        if offset == 0x04:
            self._keys[bank] = [*self._keys[bank], value][-2:]
            if tuple(self._keys[bank]) == self.KEYS:
                self.cr[bank] &= ~self.LOCK
        elif offset == 0x14:
            self.sr[bank] &= ~value
        elif offset == 0x0C and not self.cr[bank] & self.LOCK:
            self.cr[bank] = value & ~self.START
            if value & self.START and value & self.SER:
                if self.read_protected:
                    self.sr[bank] |= self.WRPERR
                else:
                    self.array.erase(bank * len(self.array.sectors) // 2 + ((value >> 8) & 7))
                    self.sr[bank] |= self.EOP

    def store(self, address: int, value: bytes) -> None:
        bank = (address - self.array.base) // (self.array.bytes // 2)
        if self.cr[bank] & self.LOCK or not self.cr[bank] & self.PG:
            self.sr[bank] |= self.PGSERR
            return
        if self.read_protected:
            self.sr[bank] |= self.WRPERR
            return
        for i, byte in enumerate(value):
            self._word[address + i] = byte
        start = address - address % self.WORD_BYTES
        if all(start + i in self._word for i in range(self.WORD_BYTES)):
            self.array.program(start, bytes(self._word.pop(start + i) for i in range(self.WORD_BYTES)))
            self.sr[bank] |= self.EOP


def word(value: int) -> bytes:
    return struct.pack("<I", value)
