"""Power control: PWR, and the overdrive bit in SYSCFG (RM0433 6 and 12, RM0455 6)."""

from __future__ import annotations

from host.emulate.fields import FieldPeripheral, register
from host.emulate.peripheral import Chip
from host.emulate.stm32h7.parts import BOARD_SUPPLY, Part, Scale, supply

# The regulator settles within some tens of microseconds (datasheets; the flags have to be polled).
SUPPLY_US = 40.0
SCALE_US = 60.0

_BASE = 0x58024800


class Pwr(FieldPeripheral):
    """Supply configuration and voltage scaling."""

    NEEDS_CLOCK = False

    def __init__(self, chip: Chip, part: Part):
        self.part = part
        # D3CR is named SRDCR in RM0455. SCUEN of an STM32H743 stands where an SMPS part has SDEN (RM0455: SMPSEN).
        smps = "SDEN[2] SDEXTHP[3] SDLEVEL[5:4]" if part.has_smps else "SCUEN[2]"
        usb = "VBE[8] VBRS[9] USB33DEN[24] USBREGEN[25]"
        ready = "USB33RDY[26] SDEXTRDY[16]" if part.has_smps else "USB33RDY[26]"
        self.vosr = "SRDCR" if part.has_smps else "D3CR"
        self.REGISTERS = (
            register(
                0x00,
                "CR1",
                "LPDS[0] PVDE[4] PLS[7:5] DBP[8] FLPS[9] SVOS[15:14] AVDEN[16] ALS[18:17]",
                reset=0xF000C000,
            ),
            register(0x04, "CSR1", "", "PVDO[4] ACTVOSRDY[13] ACTVOS[15:14] AVDO[16]", 0x4000),
            register(0x08, "CR2", "BREN[0] MONEN[4]", "BRRDY[16] VBATL[20] VBATH[21] TEMPL[22] TEMPH[23]"),
            register(0x0C, "CR3", f"BYPASS[0] LDOEN[1] {smps} {usb}", ready, 0x6),
            register(
                0x10,
                "CPUCR",
                "PDDS_D1[0] PDDS_D2[1] PDDS_D3[2] CSSF[9] RUN_D3[11]",
                "STOPF[5] SBF[6] SBF_D1[7] SBF_D2[8]",
            ),
            register(0x18, self.vosr, "VOS[15:14]", "VOSRDY[13]", part.vos_reset << 14),
        )
        setattr(self, f"write_{self.vosr.lower()}", self._write_vos)
        setattr(self, f"read_{self.vosr.lower()}", self._read_vos)
        self.configured = False
        self._supply: str | None = "at reset"
        self._supply_since_us = 0.0
        self._cr3 = 0x6
        super().__init__(chip, "PWR", _BASE)
        self.reset()

    def reset(self) -> None:
        """A system reset leaves CR3 and its lock alone: only a power-on resets them (RM0433 6.8.4)."""
        super().reset()
        self.values["CR3"] = self._cr3
        self.overdrive = False
        self._from = self._to = self.part.scales[self.part.vos_reset]
        self._since_us = float("-inf")

    def _section(self, h743: str, h7a3: str) -> str:
        return f"{self.part.manual} {h7a3 if self.part.has_smps else h743}"

    # Supply

    def write_cr3(self, value: int, old: int) -> int:
        """The lowest byte is written once after power-on; an invalid combination locks it all the same."""
        section = self._section("6.8.4", "6.8.4")
        if self.configured:
            changed = (value ^ old) & 0xFF & ~(0 if self.part.has_smps else 0x4)
            self.chip.require(
                not changed,
                f"PWR_CR3's supply configuration is written a second time, 0x{value & 0xFF:02x} after "
                f"0x{old & 0xFF:02x}; the chip takes the first one only",
                section,
            )
            self._cr3 = value & ~0xFF | old & 0xFF
            return self._cr3
        self.configured = True
        bits = [self.field("CR3", "BYPASS").of(value), self.field("CR3", "LDOEN").of(value)]
        if self.part.has_smps:
            bits += [self.field("CR3", name).of(value) for name in ("SDEN", "SDEXTHP", "SDLEVEL")]
        else:
            bits += [0, 0, 0]
        self._supply = supply(self.part, *bits)
        self._supply_since_us = self.chip.time_us()
        wanted = BOARD_SUPPLY.get(self.chip.board.id)
        self.chip.require(
            self._supply is not None,
            f"PWR_CR3 = 0x{value & 0xFF:02x} is no valid supply configuration; the register is locked until the "
            "power is cycled",
            self._section("6.4.1", "6.4.1"),
        )
        valid = self._supply is not None
        if valid and wanted is not None and self._supply != wanted:
            self.chip.violate(
                f"the supply is configured as {self._supply}; the board is wired for {wanted}",
                self._section("6.4.1", "6.4.1"),
            )
            self._supply = None
        self.chip.event("supply", f"supply: {self._supply or 'invalid'}")
        self._cr3 = value & 0xFF if valid else old & 0xFF
        if not self.part.has_smps:
            self._cr3 &= ~0x4
        self._cr3 |= value & ~0xFF
        return self._cr3

    @property
    def supply_ready(self) -> bool:
        """The flag ACTVOSRDY as far as the supply goes: it stays 0 until CR3 has been written (Run* mode)."""
        if not self.configured or self._supply is None:
            return False
        return self.chip.time_us() - self._supply_since_us >= SUPPLY_US

    def read_csr1(self) -> int:
        """ACTVOS is the scale applied, ACTVOSRDY whether its voltage is reached."""
        code = next(code for code, scale in self.part.scales.items() if scale is self._plain(self.scale()))
        return code << 14 | self.flag("CSR1", "ACTVOSRDY", self.supply_ready and self.scale_ready)

    # Voltage scaling

    def _plain(self, scale: Scale) -> Scale:
        return self.part.scales[3] if scale is self.part.overdrive else scale

    @property
    def scale_ready(self) -> bool:
        """The flag VOSRDY."""
        return self.chip.time_us() - self._since_us >= SCALE_US

    def scale(self) -> Scale:
        """The scale that may be relied on at this moment: until the voltage is reached, the slower of the two."""
        if self.scale_ready:
            return self._to
        return min(self._from, self._to, key=lambda scale: scale.cpu_hz)

    def set_scale(self, scale: Scale) -> None:
        """Starts the change to another scale."""
        self._from, self._to, self._since_us = self.scale(), scale, self.chip.time_us()
        self.chip.event("scale", f"voltage scale {scale.name} is selected")

    def _read_vos(self) -> int:
        return self.values[self.vosr] | self.flag(self.vosr, "VOSRDY", self.scale_ready)

    def _write_vos(self, value: int, old: int) -> int:
        code = self.field(self.vosr, "VOS").of(value)
        if code == self.field(self.vosr, "VOS").of(old):
            return value
        section = self._section("6.8.6", "6.8.6")
        require = self.chip.require
        require(
            self.configured and self.supply_ready,
            "VOS is changed before PWR_CR3 is written and ACTVOSRDY is set",
            self._section("6.4.1", "6.4.1"),
        )
        require(not self.overdrive, "VOS is changed while ODEN is set", self._section("6.6.2", "6.6.2"))
        scale = self.part.scales.get(code)
        if scale is None:
            self.chip.violate(f"VOS = {code} is reserved", section)
            return old
        if not self.supply_ready:
            return old
        self.set_scale(scale)
        return value

    def settle(self) -> None:
        """A lower voltage may be too low for the clock that runs."""
        if self.chip.clock is not None:
            self.chip.clock.check()  # type: ignore[attr-defined]


class Syscfg(FieldPeripheral):
    """SYSCFG: the overdrive of revision V, and the compensation cell of the pins (RM0433 12.3, RM0455 12.3)."""

    def __init__(self, chip: Chip, part: Part, pwr: Pwr):
        self.part, self.pwr = part, pwr
        analog = "BOOSTE[8] BOOSTVDDSEL[9] PA0SO[24] PA1SO[25] PC2SO[26] PC3SO[27]"
        i2c = "I2C1FMP[0] I2C2FMP[1] I2C3FMP[2] I2C4FMP[3] PB6FMP[4] PB7FMP[5] PB8FMP[6] PB9FMP[7]"
        power = () if part.has_smps else (register(0x2C, "PWRCR", "ODEN[0]"),)
        self.REGISTERS = (
            register(0x04, "PMCR", f"{i2c} {analog} EPIS[23:21]"),
            register(0x20, "CCCSR", "EN[0] CS[1] HSLV[16]", "READY[8]"),
            *power,
        )
        super().__init__(chip, "SYSCFG", 0x58000400)

    def write_pwrcr(self, value: int, old: int) -> int:
        """ODEN is for VOS1 with its voltage reached, and only where the LDO makes VCORE (RM0433 6.6.2)."""
        on = bool(value & 1)
        if on == bool(old & 1):
            return value
        section = "RM0433 6.6.2"
        if on and self.part.overdrive is None:
            self.chip.violate(f"ODEN is set, but {self.part.name} has no overdrive", "ES0392")
            return old
        vos1 = self.part.scales[3]
        if on:
            ready = self.pwr.scale() is vos1 and self.pwr.scale_ready
            self.chip.require(ready, "ODEN is set before VOS1 is ready", section)
            if not ready:
                return old
            assert self.part.overdrive is not None
            self.pwr.overdrive = True
            self.pwr.set_scale(self.part.overdrive)
        else:
            self.pwr.overdrive = False
            self.pwr.set_scale(vos1)
        self.pwr.settle()
        return value

    def read_cccsr(self) -> int:
        """The compensation cell works by the CSI clock (RM0433 12.3.9)."""
        value = self.values["CCCSR"]
        running = self.chip.clock is not None and self.chip.clock.csi_ready()  # type: ignore[attr-defined]
        return value | self.flag("CCCSR", "READY", bool(value & 1) and running)
