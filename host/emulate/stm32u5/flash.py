"""The flash interface and the instruction cache of STM32U5 (RM0456 7.9.1 and 8)."""

from __future__ import annotations

from host.emulate.fields import FieldPeripheral, register
from host.emulate.peripheral import Chip

# A full invalidation takes as many cycles as the cache has lines: 8 KB in lines of 16 bytes (RM0456 8.4.8).
INVALIDATION_CYCLES = 512


class Flash(FieldPeripheral):
    """Wait states and prefetch; nothing here erases or programs."""

    NEEDS_CLOCK = False
    REGISTERS = (
        register(0x00, "ACR", "LATENCY[3:0] PRFTEN[8] LPM[11] PDREQ1[12] PDREQ2[13] SLEEP_PD[14]", reset=0x1),
    )

    def __init__(self, chip: Chip):
        super().__init__(chip, "FLASH", 0x40022000)

    def write_acr(self, value: int, old: int) -> int:
        """Power-down and low-power reading are for slower clocks than ours."""
        for name in ("LPM", "PDREQ1", "PDREQ2"):
            if value & self.field("ACR", name).mask:
                self.chip.violate(f"FLASH_ACR.{name} is set, which is not modelled")
        if (value ^ old) & 0xF:
            self.chip.event("latency", f"flash: {value & 0xF} wait states")
        if value & ~old & 0x100:
            self.chip.event("cache", "flash: prefetch on")
        return value

    def settle(self) -> None:
        """Too few wait states harm at once."""
        if self.chip.clock is not None:
            self.chip.clock.check()  # type: ignore[attr-defined]


class Icache(FieldPeripheral):
    """ICACHE: enable, ways, invalidation."""

    NEEDS_CLOCK = False
    REGISTERS = (
        register(
            0x00,
            "CR",
            "EN[0] CACHEINV[1] WAYSEL[2] HITMEN[16] MISSMEN[17] HITMRST[18] MISSMRST[19]",
            reset=0x4,
        ),
        register(0x04, "SR", "", "BUSYF[0] BSYENDF[1] ERRF[2]", 0x1),
        register(0x08, "IER", "BSYENDIE[1] ERRIE[2]"),
        register(0x0C, "FCR", "CBSYENDF[1] CERRF[2]"),
        register(0x10, "HMONR", "", "HITMON[31:0]"),
        register(0x14, "MMONR", "", "MISSMON[15:0]"),
    )

    def __init__(self, chip: Chip):
        super().__init__(chip, "ICACHE", 0x40030400)
        self.reset()

    def reset(self) -> None:
        """A reset starts an invalidation."""
        super().reset()
        self._since = self.chip.core.cycles()
        self._ended_seen = False

    @property
    def busy(self) -> bool:
        """The flag BUSYF: an invalidation goes on."""
        return self.chip.core.cycles() - self._since < INVALIDATION_CYCLES

    @property
    def on(self) -> bool:
        """Whether the cache is on."""
        return bool(self.get("CR", "EN"))

    def read_sr(self) -> int:
        """BUSYF, and BSYENDF after it until FCR clears it."""
        return 1 if self.busy else 2 * (not self._ended_seen)

    def write_fcr(self, value: int, old: int) -> int:
        """Clears BSYENDF."""
        if value & 2 and not self.busy:
            self._ended_seen = True
        return 0

    def write_cr(self, value: int, old: int) -> int:
        """WAYSEL changes while the cache is off; no command while an invalidation goes on (RM0456 8.4 and 8.7.1)."""
        if value & ~old & 1:
            self.chip.event("icache", "ICACHE on" + (", still invalidating" if self.busy else ""))
        if (value ^ old) & 4:
            self.chip.require(
                not old & 1, "ICACHE_CR.WAYSEL is changed while the cache is on", "RM0456 8.7.1"
            )
        if value & 2:
            self.chip.require(not self.busy, "ICACHE is invalidated while it is busy", "RM0456 8.4.8")
            self._since, self._ended_seen = self.chip.core.cycles(), False
        return value & ~(2 | 0xC0000)
