"""Power control of STM32U5: voltage ranges, the EPOD booster, the regulator, and VDDIO2 (RM0456 10)."""

from __future__ import annotations

from host.emulate.clocks import mhz
from host.emulate.fields import FieldPeripheral, register
from host.emulate.gpio import ALTERNATE, OUTPUT, Gpio
from host.emulate.peripheral import Chip, Ready
from host.emulate.stm32u5.limits import BOOST_CLOCK, RANGES, Range

# DS13737, "Embedded reset and power control block characteristics": tens of microseconds each.
RANGE_US = 30.0
BOOST_US = 50.0
REGULATOR_US = 20.0


class Pwr(FieldPeripheral):
    """What a running core needs of PWR."""

    REGISTERS = (
        register(
            0x00,
            "CR1",
            "LPMS[2:0] RRSB1[5] RRSB2[6] ULPMEN[7] SRAM1PD[8] SRAM2PD[9] SRAM3PD[10] SRAM4PD[11]",
        ),
        register(0x08, "CR3", "REGSEL[1] FSTEN[2]"),
        register(0x0C, "VOSR", "VOS[17:16] BOOSTEN[18]", "BOOSTRDY[14] VOSRDY[15]"),
        register(
            0x10,
            "SVMCR",
            "PVDE[4] PVDLS[7:5] UVMEN[24] IO2VMEN[25] AVM1EN[26] AVM2EN[27] USV[28] IO2SV[29] ASV[30]",
        ),
        register(0x28, "DBPR", "DBP[0]"),
        register(0x2C, "UCPDR", "UCPD_DBDIS[0] UCPD_STBY[1]"),
        register(0x38, "SR", "CSSF[0]", "STOPF[1] SBF[2]"),
        register(
            0x3C,
            "SVMSR",
            "",
            "REGS[1] PVDO[4] ACTVOSRDY[15] ACTVOS[17:16] VDDUSBRDY[24] VDDIO2RDY[25] VDDA1RDY[26] VDDA2RDY[27]",
        ),
    )

    def __init__(self, chip: Chip):
        super().__init__(chip, "PWR", 0x46020800)
        self.reset()

    def reset(self) -> None:
        """Range 4 from the LDO, booster off."""
        super().reset()
        self._from_code = 0
        self._since_us = float("-inf")
        self.booster = Ready(self.chip, BOOST_US)
        self._smps = Ready(self.chip, REGULATOR_US)

    @property
    def range_ready(self) -> bool:
        """The flag VOSRDY."""
        return self.chip.time_us() - self._since_us >= RANGE_US

    def range(self) -> Range:
        """The range that may be relied on at this moment: while it changes, the slower of the two."""
        code = self.get("VOSR", "VOS")
        return RANGES[code if self.range_ready else min(code, self._from_code)]

    def read_vosr(self) -> int:
        """VOSRDY and BOOSTRDY."""
        ready = self.flag("VOSR", "VOSRDY", self.range_ready)
        return self.values["VOSR"] | ready | self.flag("VOSR", "BOOSTRDY", self.booster.ready)

    def read_svmsr(self) -> int:
        """The range and the regulator in use; every supply is there."""
        code = RANGES_CODES[self.range().name]
        value = self.field("SVMSR", "ACTVOS").mask & code << 16 | 0xF << 24
        value |= self.flag("SVMSR", "ACTVOSRDY", self.range_ready)
        return value | self.flag("SVMSR", "REGS", self._smps.ready)

    def write_cr3(self, value: int, old: int) -> int:
        """REGSEL: LDO or SMPS."""
        self._smps.set(bool(value & 2))
        if (value ^ old) & 2:
            self.chip.event("supply", f"regulator: {'SMPS' if value & 2 else 'LDO'}")
        return value

    def write_vosr(self, value: int, old: int) -> int:
        """A new range, and the booster, which needs its clock from PLL1's input (RM0456 10.5.4)."""
        section = "RM0456 10.5.4"
        vos, boost = self.field("VOSR", "VOS"), self.field("VOSR", "BOOSTEN").mask
        code, before = vos.of(value), vos.of(old)
        if code != before:
            self._from_code, self._since_us = before, self.chip.time_us()
            self.chip.event("scale", f"voltage {RANGES[code].name} is selected")
        on = bool(value & boost)
        if on and not old & boost:
            hz = self.chip.clock.booster_hz()  # type: ignore[union-attr]
            self.chip.require(
                hz in BOOST_CLOCK,
                f"the EPOD booster is switched on with a clock of {mhz(hz)}, outside {BOOST_CLOCK}: PLL1SRC and "
                "PLL1MBOOST come first",
                section,
            )
            self.chip.require(
                code >= 2, f"the EPOD booster is for ranges 1 and 2, not {RANGES[code].name}", section
            )
            self.booster = Ready(self.chip, BOOST_US if hz in BOOST_CLOCK and code >= 2 else None)
            self.chip.event("boost", f"EPOD booster on, clocked with {mhz(hz)}")
        self.booster.set(on)
        return value

    def settle(self) -> None:
        """A lower voltage may be too low for the clock that runs."""
        if self.chip.clock is not None:
            self.chip.clock.check()  # type: ignore[attr-defined]


RANGES_CODES = {allowed.name: code for code, allowed in RANGES.items()}


class GpioG(Gpio):
    """Port G, whose pins 2 to 15 are fed by VDDIO2 and cut off until IO2SV says that it is there (RM0456 10.4.1)."""

    def settle(self) -> None:
        """A pin that drives or is handed to a peripheral needs its supply."""
        super().settle()
        pwr = self.chip.find("PWR")
        assert isinstance(pwr, Pwr)
        if pwr.get("SVMCR", "IO2SV"):
            return
        used = [f"PG{pin}" for pin in range(2, 16) if self.mode(pin) in (OUTPUT, ALTERNATE)]
        self.chip.require(
            not used,
            f"{', '.join(used)} in use while PWR_SVMCR.IO2SV is 0: VDDIO2's pins are cut off",
            "RM0456 10.4.1",
        )
