"""unicorn: the core that executes instructions, with the chip's memories and a counter of instructions."""

from __future__ import annotations

import ctypes
import mmap
from functools import cache
from typing import Any

from host.boards import Board
from host.emulate import counter as counting
from host.errors import ToolMissingError

PAGE = 0x1000
RAM_JUNK = b"\xa5\x5a\xc3\x3c"  # what RAM holds at power-on: nothing to rely on
CORES = {"m4": "M4", "m7": "M7", "m33": "M33"}


def unicorn_module() -> Any:
    """The package, which is imported only where it is needed. Raises ToolMissingError."""
    try:
        import unicorn
    except ImportError:
        raise ToolMissingError(
            "the instruction emulator unicorn is not installed", "pip install 'unicorn>=2.1,<3'"
        ) from None
    return unicorn


@cache
def register_number(name: str) -> int:
    """unicorn's number of "R0", "XPSR", "S15" ..."""
    from unicorn import arm_const

    return getattr(arm_const, f"UC_ARM_REG_{name}")


class Engine:
    """A core with its memories. flash: contents of each flash bank by its address.

    The first flash bank is seen at `aliases` as well. `uc` is unicorn's object.
    """

    def __init__(self, board: Board, flash: dict[int, bytearray], aliases: tuple[int, ...]):
        self.unicorn = unicorn_module()
        self.uc = self.unicorn.Uc(
            self.unicorn.UC_ARCH_ARM, self.unicorn.UC_MODE_THUMB | self.unicorn.UC_MODE_MCLASS
        )
        self.uc.ctl_set_cpu_model(getattr(self.unicorn.arm_const, f"UC_CPU_ARM_CORTEX_{CORES[board.core]}"))
        self._memories: list[tuple[int, Any]] = []
        self._map_memory(board, flash, aliases)
        self.counter = counting.install(self.uc, self._memories)  # before anything is translated

    def _map_memory(self, board: Board, flash: dict[int, bytearray], aliases: tuple[int, ...]) -> None:
        """Memories lie in arrays of ours, so that the counter can look at instructions without asking unicorn."""
        for bank in board.memory:
            pages = (bank.bytes + PAGE - 1) // PAGE * PAGE
            memory = (ctypes.c_uint8 * pages).from_buffer(mmap.mmap(-1, pages))
            if bank.kind == "flash":
                ctypes.memmove(memory, bytes(flash[bank.address]), bank.bytes)
                rights = self.unicorn.UC_PROT_READ | self.unicorn.UC_PROT_EXEC
            else:
                ctypes.memmove(memory, RAM_JUNK * (bank.bytes // len(RAM_JUNK)), bank.bytes)
                rights = self.unicorn.UC_PROT_ALL
            first = bank.kind == "flash" and bank.address == min(flash)
            for address in (bank.address, *(aliases if first else ())):
                self.uc.mem_map_ptr(address, pages, rights, ctypes.addressof(memory))
                self._memories.append((address, memory))

    def register(self, name: str) -> int:
        """The value of a register."""
        return self.uc.reg_read(register_number(name))

    def set_register(self, name: str, value: int) -> None:
        """Changes a register."""
        self.uc.reg_write(register_number(name), value)

    def word(self, address: int) -> int:
        """A word of memory."""
        return int.from_bytes(self.uc.mem_read(address, 4), "little")

    def halfword(self, address: int) -> int:
        """Half a word of memory."""
        return int.from_bytes(self.uc.mem_read(address, 2), "little")
