"""The independent watchdog, IWDG, and the flags in which the RCC keeps what the last resets were.

IWDG: RM0090 21, RM0410 33, RM0433 47, RM0432 42, RM0456 60. Flags: RCC_CSR or RCC_RSR of the same manuals.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from host.emulate.peripheral import Chip, Peripheral, Register

LSI_HZ = 32_000
KEY_START, KEY_UNLOCK, KEY_RELOAD = 0xCCCC, 0x5555, 0xAAAA
COUNTER = 0xFFF


@dataclass(frozen=True)
class ResetFlags:
    """Where a family keeps them; masks. `clear` is RMVF."""

    register: str
    clear: int
    watchdog: int
    software: int
    pin: int
    power: int

    @property
    def all(self) -> int:
        """Of those that are modelled."""
        return self.watchdog | self.software | self.pin | self.power

    def set(self, chip: Chip, before: int, cause: str) -> None:
        """Called after a reset of the registers: flags stay until RMVF clears them, and every reset pulls the pin."""
        values = chip.find("RCC").values
        kept = before & self.all | getattr(self, cause) | self.pin
        values[self.register] = values[self.register] & ~self.all | kept

    def now(self, chip: Chip) -> int:
        """The flags that are set."""
        return chip.find("RCC").values[self.register] & self.all


def _csr(clear: int, power: int) -> ResetFlags:
    return ResetFlags("CSR", 1 << clear, 1 << 29, 1 << 28, 1 << 26, power)


FLAGS = {
    "stm32f4": _csr(24, 1 << 27 | 1 << 25),
    "stm32f7": _csr(24, 1 << 27 | 1 << 25),
    "stm32l4": _csr(23, 1 << 27),
    "stm32u5": _csr(23, 1 << 27),
    "stm32h7": ResetFlags("RSR", 1 << 16, 1 << 26, 1 << 24, 1 << 22, 1 << 23 | 1 << 21),
}
BASES = {"stm32h7": 0x58004800}
USUAL_BASE = 0x40003000


class IndependentWatchdog(Peripheral):
    """Counts LSI cycles in emulated time; `on_bite` is called when it has come to zero."""

    NEEDS_CLOCK = False
    REGISTERS = (
        Register(0x00, "KR", writable=0xFFFF),
        Register(0x04, "PR", writable=0x7),
        Register(0x08, "RLR", COUNTER, writable=COUNTER),
        Register(0x0C, "SR", writable=0, readonly=0x7),
        Register(0x10, "WINR", COUNTER, writable=COUNTER),
    )

    def __init__(self, chip: Chip, on_bite: Callable[[], None]):
        self.running = False
        self._unlocked = False
        self._turn = 0
        self._on_bite = on_bite
        super().__init__(chip, "IWDG", BASES.get(chip.board.family, USUAL_BASE), 0x400)

    def reset(self) -> None:
        """A system reset stops it."""
        super().reset()
        self.running = self._unlocked = False
        self._turn += 1

    def timeout_us(self) -> float:
        """From a reload to the reset."""
        prescaler = 4 << min(self.values["PR"], 6)
        return (self.values["RLR"] + 1) * prescaler * 1e6 / LSI_HZ

    def write_kr(self, value: int, old: int) -> int:
        """Keys; any other value protects PR, RLR and WINR again."""
        self._unlocked = value == KEY_UNLOCK
        if value == KEY_START:
            if not self.running:
                self.chip.event("watchdog", "independent watchdog started")
            self.running = True
        if value in (KEY_START, KEY_RELOAD) and self.running:
            self._reload()
        return 0

    def _reload(self) -> None:
        self._turn += 1
        turn = self._turn

        def bite() -> None:
            if self.running and turn == self._turn:
                self._on_bite()

        self.chip.core.call_at(self.chip.core.cycles() + self.chip.cycles_in(self.timeout_us()), bite)

    def _protected(self, name: str, value: int, old: int) -> int:
        self.chip.require(
            self._unlocked,
            f"IWDG: {name} is written without the key 0x5555, which the chip ignores",
            "RM0090 21.3.2",
        )
        return value if self._unlocked else old

    def write_pr(self, value: int, old: int) -> int:
        return self._protected("PR", value, old)

    def write_rlr(self, value: int, old: int) -> int:
        return self._protected("RLR", value, old)

    def write_winr(self, value: int, old: int) -> int:
        return self._protected("WINR", value, old)
