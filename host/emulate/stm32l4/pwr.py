"""Power control of STM32L4+: voltage ranges, the boost of range 1, and VDDIO2 (RM0432 5)."""

from __future__ import annotations

from host.emulate.fields import FieldPeripheral, register
from host.emulate.gpio import ALTERNATE, OUTPUT, Gpio
from host.emulate.peripheral import Chip
from host.emulate.stm32l4.limits import BOOST, NORMAL, RANGE_2, Range

# DS12023, "tVOST": 20 us typical for range 2 to 1.
RANGE_US = 20.0


class Pwr(FieldPeripheral):
    """CR1 to CR5 as far as a running core is concerned."""

    REGISTERS = (
        register(0x00, "CR1", "LPMS[2:0] RRSTP[4] DBP[8] VOS[10:9] LPR[14]", reset=0x200),
        register(0x04, "CR2", "PVDE[0] PLS[3:1] PVME1[4] PVME2[5] PVME3[6] PVME4[7] IOSV[9] USV[10]"),
        register(
            0x08,
            "CR3",
            "EWUP1[0] EWUP2[1] EWUP3[2] EWUP4[3] EWUP5[4] RRS[9:8] APC[10] ENULP[11] DSIPDEN[12] EIWF[15]",
            reset=0x8000,
        ),
        register(0x0C, "CR4", "WP1[0] WP2[1] WP3[2] WP4[3] WP5[4] VBE[8] VBRS[9]"),
        register(0x10, "SR1", "", "WUF1[0] WUF2[1] WUF3[2] WUF4[3] WUF5[4] SBF[8] WUFI[15]"),
        register(
            0x14,
            "SR2",
            "",
            "REGLPS[8] REGLPF[9] VOSF[10] PVDO[11] PVMO1[12] PVMO2[13] PVMO3[14] PVMO4[15]",
        ),
        register(0x18, "SCR", "CWUF1[0] CWUF2[1] CWUF3[2] CWUF4[3] CWUF5[4] CSBF[8]"),
        register(0x80, "CR5", "R1MODE[8]", reset=0x100),
    )

    def __init__(self, chip: Chip):
        super().__init__(chip, "PWR", 0x40007000)
        self.reset()

    def reset(self) -> None:
        """Range 1, normal."""
        super().reset()
        self._from_code = 1
        self._since_us = float("-inf")

    @property
    def changing(self) -> bool:
        """The flag VOSF: the regulator is on its way to another range."""
        return self.chip.time_us() - self._since_us < RANGE_US

    def range(self) -> Range:
        """The range that may be relied on at this moment: while it changes, the slower of the two."""
        codes = {self.get("CR1", "VOS")} | ({self._from_code} if self.changing else set())
        if 2 in codes:
            return RANGE_2
        return NORMAL if self.get("CR5", "R1MODE") else BOOST

    def read_sr2(self) -> int:
        """REGLPS is set as long as the low-power regulator is ready, which it is."""
        return self.flag("SR2", "REGLPS", True) | self.flag("SR2", "VOSF", self.changing)

    def write_cr1(self, value: int, old: int) -> int:
        """A new range; codes 0 and 3 are forbidden (RM0432 5.4.1)."""
        field = self.field("CR1", "VOS")
        code, before = field.of(value), field.of(old)
        if code not in (1, 2):
            self.chip.violate(f"VOS = {code} is forbidden, the chip ignores it", "RM0432 5.4.1")
            return value & ~field.mask | old & field.mask
        if code != before:
            self._from_code, self._since_us = before, self.chip.time_us()
            self.chip.event("scale", f"voltage range {code} is selected")
        return value

    def write_cr5(self, value: int, old: int) -> int:
        """R1MODE = 0 is the boost."""
        if value != old:
            self.chip.event("scale", f"range 1 {'normal' if value & 0x100 else 'boost'}")
        return value

    def write_scr(self, value: int, old: int) -> int:
        """Flags are cleared; none is ever set here."""
        return 0

    def settle(self) -> None:
        """A lower voltage may be too low for the clock that runs."""
        if self.chip.clock is not None:
            self.chip.clock.check()  # type: ignore[attr-defined]


class GpioG(Gpio):
    """Port G, whose pins 2 to 15 are fed by VDDIO2 and cut off until IOSV says that it is there (RM0432 5.1.5)."""

    def settle(self) -> None:
        """A pin that drives or is handed to a peripheral needs its supply."""
        super().settle()
        pwr = self.chip.find("PWR")
        assert isinstance(pwr, Pwr)
        if pwr.get("CR2", "IOSV"):
            return
        used = [f"PG{pin}" for pin in range(2, 16) if self.mode(pin) in (OUTPUT, ALTERNATE)]
        self.chip.require(
            not used,
            f"{', '.join(used)} in use while PWR_CR2.IOSV is 0: VDDIO2's pins are cut off",
            "RM0432 5.1.5",
        )
