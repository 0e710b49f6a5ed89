"""Reset and clock control, and the flash's wait states, checked at every write (RM0433 8 and 4.3, RM0455 8 and 4.3)."""

from __future__ import annotations

from host.emulate.clocks import HPRE, PLL_LOCK_US, PPRE, Hse, PllSetting, Span, check_pll, mhz
from host.emulate.fields import FieldPeripheral, FieldRegister, register
from host.emulate.peripheral import Chip, Ready
from host.emulate.stm32h7.parts import MEDIUM_VCO, REFERENCE, Part
from host.emulate.stm32h7.pwr import Pwr

HSI_HZ = 64_000_000
CSI_HZ = 4_000_000
LSE_HZ = 32_768
HSI_START_US = 2.0
CSI_START_US = 6.0
HSI48_START_US = 4.0

_BASE = 0x58024400
_GPIO = " ".join(f"GPIO{port}EN[{bit}]" for bit, port in enumerate("ABCDEFGHIJK"))
_AHB2 = "DCMIEN[0] CRYPTEN[4] HASHEN[5] RNGEN[6] SDMMC2EN[9] BDMA1EN[11] SRAM1EN[29] SRAM2EN[30] SRAM3EN[31]"
_APB1L = (
    "TIM2EN[0] TIM3EN[1] TIM4EN[2] TIM5EN[3] TIM6EN[4] TIM7EN[5] TIM12EN[6] TIM13EN[7] TIM14EN[8] LPTIM1EN[9] "
    "WWDG2EN[11] SPI2EN[14] SPI3EN[15] SPDIFRXEN[16] USART2EN[17] USART3EN[18] UART4EN[19] UART5EN[20] "
    "I2C1EN[21] I2C2EN[22] I2C3EN[23] I2C5EN[25] CECEN[27] DAC12EN[29] UART7EN[30] UART8EN[31]"
)
_APB2 = (
    "TIM1EN[0] TIM8EN[1] USART1EN[4] USART6EN[5] UART9EN[6] USART10EN[7] SPI1EN[12] SPI4EN[13] TIM15EN[16] "
    "TIM16EN[17] TIM17EN[18] SPI5EN[20] SAI1EN[22] SAI2EN[23] SAI3EN[24] DFSDM1EN[28] HRTIMEN[29]"
)
_APB4 = (
    "SYSCFGEN[1] LPUART1EN[3] SPI6EN[5] I2C4EN[7] LPTIM2EN[9] LPTIM3EN[10] LPTIM4EN[11] LPTIM5EN[12] "
    "COMP12EN[14] VREFEN[15] RTCAPBEN[16] SAI4EN[21] DTSEN[26]"
)


def _registers(part: Part) -> tuple[FieldRegister, ...]:
    """Names are RM0433's; RM0455 calls D1 CD, D3 SRD (D1CFGR: CDCFGR1, D2CFGR: CDCFGR2, D3CFGR: SRDCFGR)."""
    plls = [
        f"DIV{output}{number}EN[{13 + 3 * number + i}]"
        for number in (1, 2, 3)
        for i, output in enumerate("PQR")
    ]
    ranges = [
        f"PLL{n}FRACEN[{4 * n - 4}] PLL{n}VCOSEL[{4 * n - 3}] PLL{n}RGE[{4 * n - 1}:{4 * n - 2}]"
        for n in (1, 2, 3)
    ]
    dividers = [
        register(
            0x28 + 8 * n,
            f"PLL{n}DIVR",
            f"DIVN{n}[8:0] DIVP{n}[15:9] DIVQ{n}[22:16] DIVR{n}[30:24]",
            reset=0x01010280,
        )
        for n in (1, 2, 3)
    ]
    fractions = [register(0x2C + 8 * n, f"PLL{n}FRACR", f"FRACN{n}[15:3]") for n in (1, 2, 3)]
    external = " HSEEXT[20]" if part.has_smps else ""
    at = part.enables
    return (
        register(
            0x00,
            "CR",
            "HSION[0] HSIKERON[1] HSIDIV[4:3] CSION[7] CSIKERON[9] HSI48ON[12] HSEON[16] HSEBYP[18] HSECSSON[19] "
            f"PLL1ON[24] PLL2ON[26] PLL3ON[28]{external}",
            "HSIRDY[2] HSIDIVF[5] CSIRDY[8] HSI48RDY[13] D1CKRDY[14] D2CKRDY[15] HSERDY[17] "
            "PLL1RDY[25] PLL2RDY[27] PLL3RDY[29]",
            0x1,
        ),
        register(0x04, "HSICFGR", "HSITRIM[30:24]", "HSICAL[11:0]", 0x40000000),
        register(0x08, "CRRCR", "", "HSI48CAL[9:0]"),
        register(
            0x0C, "CSICFGR", "CSITRIM[29:24]", "CSICAL[7:0]" if part.has_smps else "CSICAL[8:0]", 0x20000000
        ),
        register(
            0x10,
            "CFGR",
            "SW[2:0] STOPWUCK[6] STOPKERWUCK[7] RTCPRE[13:8] HRTIMSEL[14] TIMPRE[15] MCO1PRE[21:18] MCO1[24:22] "
            "MCO2PRE[28:25] MCO2[31:29]",
            "SWS[5:3]",
        ),
        register(0x18, "D1CFGR", "HPRE[3:0] D1PPRE[6:4] D1CPRE[11:8]"),
        register(0x1C, "D2CFGR", "D2PPRE1[6:4] D2PPRE2[10:8]"),
        register(0x20, "D3CFGR", "D3PPRE[6:4]"),
        register(0x28, "PLLCKSELR", "PLLSRC[1:0] DIVM1[9:4] DIVM2[17:12] DIVM3[25:20]", reset=0x02020200),
        register(0x2C, "PLLCFGR", " ".join(ranges + plls), reset=0x01FF0000),
        *dividers,
        *fractions,
        register(
            0x4C,
            "D1CCIPR",
            "FMCSEL[1:0] QSPISEL[5:4] DSISEL[8] SDMMCSEL[16] CKPERSEL[29:28]",
        ),
        register(
            0x50,
            "D2CCIP1R",
            "SAI1SEL[2:0] SAI23SEL[8:6] SPI123SEL[14:12] SPI45SEL[18:16] SPDIFRXSEL[21:20] DFSDM1SEL[24] "
            "FDCANSEL[29:28] SWPSEL[31]",
        ),
        register(
            0x54,
            "D2CCIP2R",
            "USART234578SEL[2:0] USART16910SEL[5:3] RNGSEL[9:8] I2C1235SEL[13:12] USBSEL[21:20] CECSEL[23:22] "
            "LPTIM1SEL[30:28]",
        ),
        register(
            0x58,
            "D3CCIPR",
            "LPUART1SEL[2:0] I2C4SEL[9:8] LPTIM2SEL[12:10] LPTIM345SEL[15:13] ADCSEL[17:16] SAI4ASEL[23:21] "
            "SAI4BSEL[26:24] DFSDM2SEL[27] SPI6SEL[30:28]",
        ),
        register(
            at - 4,
            "RSR",
            "RMVF[16]",
            "CPURSTF[17] D1RSTF[19] D2RSTF[20] BORRSTF[21] PINRSTF[22] PORRSTF[23] SFTRSTF[24] IWDG1RSTF[26] "
            "WWDG1RSTF[28] LPWRRSTF[30]",
            0x00E80000,
        ),
        register(
            at,
            "AHB3ENR",
            "MDMAEN[0] DMA2DEN[4] JPGDECEN[5] FMCEN[12] QSPIEN[14] SDMMC1EN[16] OCTOSPI2EN[19] IOMNGREN[21] "
            "OTFD1EN[22] OTFD2EN[23] GFXMMUEN[24]",
        ),
        register(
            at + 0x04,
            "AHB1ENR",
            "DMA1EN[0] DMA2EN[1] ADC12EN[5] CRCEN[9] ARTEN[14] ETH1MACEN[15] ETH1TXEN[16] ETH1RXEN[17] "
            "USB_OTG_HSEN[25] USB_OTG_HS_ULPIEN[26] USB_OTG_FSEN[27] USB_OTG_FS_ULPIEN[28]",
        ),
        register(at + 0x08, "AHB2ENR", _AHB2),
        register(
            at + 0x0C,
            "AHB4ENR",
            f"{_GPIO} CRCEN[19] BDMAEN[21] ADC3EN[24] HSEMEN[25] BKPSRAMEN[28] SRDSRAMEN[29]",
        ),
        register(at + 0x10, "APB3ENR", "LTDCEN[3] DSIEN[4] WWDG1EN[6]"),
        register(at + 0x14, "APB1LENR", _APB1L),
        register(
            at + 0x18,
            "APB1HENR",
            "CRSEN[1] SWPEN[2] OPAMPEN[4] MDIOSEN[5] FDCANEN[8] TIM23EN[24] TIM24EN[25]",
        ),
        register(at + 0x1C, "APB2ENR", _APB2),
        register(at + 0x20, "APB4ENR", _APB4),
    )


# Which USARTs each selector serves, and what its codes are (RM0433 8.7.19 and 8.7.20).
_UART_SOURCES = ("pclk", "pll2_q", "pll3_q", "hsi", "csi", "lse")


class Flash(FieldPeripheral):
    """The flash interface: wait states only; nothing here erases or programs."""

    NEEDS_CLOCK = False

    def __init__(self, chip: Chip, part: Part):
        self.part = part
        self.REGISTERS = (register(0x00, "ACR", "LATENCY[3:0] WRHIGHFREQ[5:4]", reset=part.acr_reset),)
        super().__init__(chip, "FLASH", 0x52002000, 0x1000)

    def settle(self) -> None:
        """Too few wait states harm at once."""
        if self.chip.clock is not None:
            self.chip.clock.check()  # type: ignore[attr-defined]

    def write_acr(self, value: int, old: int) -> int:
        """Wait states count from the moment at which they can be read back."""
        if value != old:
            latency, delay = self.field("ACR", "LATENCY").of(value), self.field("ACR", "WRHIGHFREQ").of(value)
            self.chip.event("latency", f"flash: {latency} wait states, WRHIGHFREQ {delay}")
        return value


class Rcc(FieldPeripheral):
    """Oscillators, PLLs, prescalers, clock enables."""

    NEEDS_CLOCK = False

    def __init__(self, chip: Chip, part: Part, pwr: Pwr, flash: Flash):
        self.part, self.pwr, self.flash = part, pwr, flash
        self.REGISTERS = _registers(part)
        self.hse = Hse(chip, self.section("8.5.2"))
        super().__init__(chip, "RCC", _BASE)
        self.reset()

    def section(self, number: str) -> str:
        """A section of the part's manual."""
        return f"{self.part.manual} {number}"

    def write_rsr(self, value: int, old: int) -> int:
        """RMVF clears the reset flags."""
        return 0 if value & 1 << 16 else old

    def reset(self) -> None:
        """HSI at 64 MHz, all else off."""
        super().reset()
        self.hse.reset()
        self.hsi = Ready(self.chip, HSI_START_US)
        self.hsi.ready_at_once()
        self.csi = Ready(self.chip, CSI_START_US)
        self.hsi48 = Ready(self.chip, HSI48_START_US)
        locks = PLL_LOCK_US if self.chip.options.pll_locks else None
        self.plls = {n: Ready(self.chip, locks) for n in (1, 2, 3)}

    # Accesses

    def _plain_offset(self, offset: int) -> int:
        # RCC_C1_* of the STM32H743 are second addresses of the same registers (RM0433 8.7, table 66).
        return offset - 0x60 if self.part.enables == 0xD4 and 0x130 <= offset < 0x180 else offset

    def read(self, offset: int, size: int) -> int:
        """Second addresses are resolved."""
        return super().read(self._plain_offset(offset), size)

    def write(self, offset: int, value: int, size: int) -> None:
        """Second addresses are resolved."""
        super().write(self._plain_offset(offset), value, size)

    # CR

    def csi_ready(self) -> bool:
        """The flag CSIRDY."""
        return self.csi.ready

    def read_cr(self) -> int:
        """Enable bits and ready flags."""
        value = self.values["CR"] | self.flag("CR", "D1CKRDY", True) | self.flag("CR", "D2CKRDY", True)
        value |= self.flag("CR", "HSIRDY", self.hsi.ready) | self.flag("CR", "HSIDIVF", self.hsi.ready)
        value |= self.flag("CR", "CSIRDY", self.csi.ready) | self.flag("CR", "HSI48RDY", self.hsi48.ready)
        value |= self.flag("CR", "HSERDY", self.hse.ready)
        for number, pll in self.plls.items():
            value |= self.flag("CR", f"PLL{number}RDY", pll.ready)
        return value

    def write_cr(self, value: int, old: int) -> int:
        """What keeps the clock alive stays on, whatever is written (RM0433 8.7.2)."""
        bit = {name: self.field("CR", name).mask for name in ("HSION", "CSION", "HSEON", "HSEBYP", "HSIDIV")}
        section = self.section("8.7.2")
        for name, code in (("HSION", 0), ("CSION", 1), ("HSEON", 2)):
            used = self.source() == code or (
                self.source() == 3 and self.get("PLLCKSELR", "PLLSRC") == code and self.plls[1].on
            )
            if used and old & bit[name] and not value & bit[name]:
                self.chip.violate(f"{name} is cleared while the core's clock comes from there", section)
                value |= bit[name]
        if self.source() == 3 and old & 1 << 24 and not value & 1 << 24:
            self.chip.violate("PLL1ON is cleared while PLL1 is the system clock", section)
            value |= 1 << 24
        feeds = self.get("PLLCKSELR", "PLLSRC") == 0 and any(pll.on for pll in self.plls.values())
        if (value ^ old) & bit["HSIDIV"] and feeds:
            self.chip.violate("HSIDIV is changed while a PLL runs on HSI, which the chip ignores", section)
            value = value & ~bit["HSIDIV"] | old & bit["HSIDIV"]
        self.hse.write(*(bool(v & bit[name]) for v in (value, old) for name in ("HSEON", "HSEBYP")))
        if (value ^ old) & bit["HSEBYP"] and old & bit["HSEON"]:
            value = value & ~bit["HSEBYP"] | old & bit["HSEBYP"]
        self.hsi.set(bool(value & bit["HSION"]))
        self.csi.set(bool(value & bit["CSION"]))
        self.hsi48.set(bool(value & 1 << 12))
        for number, pll in self.plls.items():
            on = bool(value & self.field("CR", f"PLL{number}ON").mask)
            if on and not pll.on:
                self._check_pll(number)
                source = self.source_hz(self.get("PLLCKSELR", "PLLSRC"))
                self.chip.event("pll", f"PLL{number} on: {self._pll_words(number)}")
                locks = PLL_LOCK_US if self.chip.options.pll_locks and source > 0 else None
                self.plls[number] = Ready(self.chip, locks)
            self.plls[number].set(on)
        return value

    # PLLs

    def source_hz(self, code: int) -> int:
        """A clock that SW and PLLSRC can select, 0 if it does not run: HSI, CSI, HSE (RM0433 8.7.8)."""
        if code == 0:
            return HSI_HZ >> self.get("CR", "HSIDIV") if self.hsi.ready else 0
        if code == 1:
            return CSI_HZ if self.csi.ready else 0
        if code == 2:
            return self.hse.hz if self.hse.ready else 0
        return 0

    def pll(self, number: int) -> PllSetting:
        """How a PLL is set at this moment."""
        register_name = f"PLL{number}DIVR"
        dividers = {
            letter: (self.get(register_name, f"DIV{letter}{number}") + 1)
            * self.get("PLLCFGR", f"DIV{letter}{number}EN")
            for letter in "PQR"
        }
        fraction = self.get(f"PLL{number}FRACR", f"FRACN{number}") * self.get("PLLCFGR", f"PLL{number}FRACEN")
        return PllSetting(
            self.source_hz(self.get("PLLCKSELR", "PLLSRC")),
            self.get("PLLCKSELR", f"DIVM{number}"),
            self.get(register_name, f"DIVN{number}") + 1,
            fraction,
            dividers["P"],
            dividers["Q"],
            dividers["R"],
        )

    def _pll_words(self, number: int) -> str:
        pll = self.pll(number)
        outputs = ", ".join(f"{letter} {mhz(hz)}" for letter, hz in pll.outputs().items())
        return f"input {mhz(pll.reference_hz)}, VCO {mhz(pll.vco_hz)}, {outputs or 'no output'}"

    def _vco(self, number: int) -> Span:
        return MEDIUM_VCO if self.get("PLLCFGR", f"PLL{number}VCOSEL") else self.part.wide_vco

    def _check_pll(self, number: int) -> None:
        section = self.section("8.5.5")
        pll = self.pll(number)
        code = self.get("PLLCFGR", f"PLL{number}RGE")
        self.chip.require(
            pll.m > 0, f"PLL{number} is switched on with DIVM{number} = 0, its prescaler off", section
        )
        check_pll(
            self.chip, f"PLL{number}", pll, REFERENCE[code], self.part.multiplier, self._vco(number), section
        )
        if 0 < pll.reference_hz < 2e6:
            self.chip.require(
                bool(self.get("PLLCFGR", f"PLL{number}VCOSEL")),
                f"PLL{number}'s input is below 2 MHz, which needs the medium VCO",
                section,
            )
        if number == 1 and pll.p:
            self.chip.require(
                pll.p == 1 or pll.p % 2 == 0,
                f"PLL1 divides by an odd DIVP1 of {pll.p}, which is not allowed",
                section,
            )

    def _locked(self, what: str, numbers: tuple[int, ...], section: str) -> bool:
        on = [n for n in numbers if self.plls[n].on]
        self.chip.require(
            not on, f"{what} is changed while PLL{on[0] if on else ''} is on, which the chip ignores", section
        )
        return bool(on)

    def _keep(self, name: str, value: int, old: int, section: str) -> int:
        """Fields of PLLs that are on keep their values."""
        for of in self.changed(name, value, old):
            numbers = (1, 2, 3) if of == "PLLSRC" else tuple(n for n in (1, 2, 3) if str(n) in of)
            if of.endswith("FRACEN"):
                continue
            if self._locked(of, numbers, section):
                mask = self.field(name, of).mask
                value = value & ~mask | old & mask
        return value

    def write_pllckselr(self, value: int, old: int) -> int:
        """PLLSRC while no PLL is on, DIVMx while that one is off."""
        return self._keep("PLLCKSELR", value, old, self.section("8.7.11"))

    def write_pllcfgr(self, value: int, old: int) -> int:
        """All but FRACEN while the PLL is off."""
        return self._keep("PLLCFGR", value, old, self.section("8.7.12"))

    def write_pll1divr(self, value: int, old: int) -> int:
        """While PLL1 is off."""
        return self._keep("PLL1DIVR", value, old, self.section("8.7.13"))

    def write_pll2divr(self, value: int, old: int) -> int:
        """While PLL2 is off."""
        return self._keep("PLL2DIVR", value, old, self.section("8.7.15"))

    def write_pll3divr(self, value: int, old: int) -> int:
        """While PLL3 is off."""
        return self._keep("PLL3DIVR", value, old, self.section("8.7.17"))

    # System clock

    def source(self) -> int:
        """SWS: which clock the system runs on."""
        return self.get("CFGR", "SW")

    def read_cfgr(self) -> int:
        """SWS follows SW at once when the clock chosen runs."""
        return self.values["CFGR"] | self.source() << 3

    def write_cfgr(self, value: int, old: int) -> int:
        """The switch: to a clock that runs, after the supply has been configured."""
        field = self.field("CFGR", "SW")
        code = field.of(value)
        if code == field.of(old):
            return value
        self.chip.require(
            self.pwr.configured,
            "the system clock is switched before PWR_CR3 is written",
            self.section("6.8.4"),
        )
        runs = self.plls[1].ready if code == 3 else code < 3 and self.source_hz(code) > 0
        name = ("HSI", "CSI", "HSE", "PLL1")[code] if code < 4 else "reserved"
        if not runs:
            self.chip.violate(f"SW selects {name}, which is not ready", self.section("8.7.6"))
            return value & ~field.mask | old & field.mask
        if code == 3 and not self.pll(1).p:
            self.chip.violate("SW selects PLL1 with its output P off (DIVP1EN = 0)", self.section("8.7.12"))
            return value & ~field.mask | old & field.mask
        self.chip.event("switch", f"system clock from {name}")
        return value

    # Frequencies

    def sysclk_hz(self) -> float:
        """sys_ck."""
        if self.source() == 3:
            return self.pll(1).output_hz(self.pll(1).p)
        return self.source_hz(self.source())

    def core_hz(self) -> int:
        """The core's clock."""
        return round(self.sysclk_hz() / HPRE[self.get("D1CFGR", "D1CPRE")])

    def hclk_hz(self) -> float:
        """AXI and AHB."""
        return self.sysclk_hz() / HPRE[self.get("D1CFGR", "D1CPRE")] / HPRE[self.get("D1CFGR", "HPRE")]

    def frequencies(self) -> dict[str, int]:
        """See ClockTree."""
        hclk = self.hclk_hz()
        buses = {
            "pclk1": ("D2CFGR", "D2PPRE1"),
            "pclk2": ("D2CFGR", "D2PPRE2"),
            "pclk3": ("D1CFGR", "D1PPRE"),
            "pclk4": ("D3CFGR", "D3PPRE"),
        }
        clocks = {"sysclk": round(self.sysclk_hz()), "cpu": self.core_hz(), "hclk": round(hclk)}
        return clocks | {name: round(hclk / PPRE[self.get(*field)]) for name, field in buses.items()}

    def uart_hz(self, name: str) -> int:
        """See ClockTree."""
        if name == "LPUART1":
            code, bus = self.get("D3CCIPR", "LPUART1SEL"), "pclk4"
        elif name in ("USART1", "USART6", "UART9", "USART10"):
            code, bus = self.get("D2CCIP2R", "USART16910SEL"), "pclk2"
        else:
            code, bus = self.get("D2CCIP2R", "USART234578SEL"), "pclk1"
        source = _UART_SOURCES[code] if code < len(_UART_SOURCES) else ""
        if source == "pclk":
            return self.frequencies()[bus]
        if source in ("pll2_q", "pll3_q"):
            number = int(source[3])
            return round(self.pll(number).output_hz(self.pll(number).q)) if self.plls[number].ready else 0
        if source in ("hsi", "csi"):
            return self.source_hz(("hsi", "csi").index(source))
        return 0

    def enabled(self, name: str) -> bool:
        """See ClockTree."""
        for enr in ("AHB4ENR", "AHB2ENR", "APB1LENR", "APB2ENR", "APB4ENR", "AHB3ENR", "AHB1ENR"):
            known = self.register(enr)
            assert isinstance(known, FieldRegister)
            if field := known.fields.get(f"{name}EN"):
                return bool(self.values[enr] & field.mask)
        return True

    def clockless(self, address: int, size_bytes: int) -> list[str]:
        """Memories in a range whose clocks are off."""
        clocks = [c for c in self.part.ram_clocks if c.covers(address, size_bytes)]
        return [f"{c.enable}.{c.field}" for c in clocks if not self.get(c.enable, c.field)]

    # Limits

    def settle(self) -> None:
        """Every limit, at every write."""
        self.check()
        self.chip.clock_changed()

    def check(self) -> None:
        """Records which limits the clocks of this moment break (DS12110, DS13195: "General operating conditions")."""
        scale = self.pwr.scale()
        clocks = self.frequencies()
        require = self.chip.require
        section = self.section("6.6.2")
        limits = {"cpu": scale.cpu_hz, "hclk": scale.axi_hz}
        # The chip comes out of reset in VOS3 with HSI undivided on every bus: that much is allowed, whatever the
        # table says.
        limits |= {f"pclk{n}": max(scale.apb_hz, HSI_HZ) for n in (1, 2, 3, 4)}
        for name, limit in limits.items():
            require(
                clocks[name] <= limit,
                f"{name} is {mhz(clocks[name])}, more than the {mhz(limit)} that {scale.name} allows",
                section,
            )
        for number, pll in self.plls.items():
            if not pll.on:
                continue
            for letter, hz in self.pll(number).outputs().items():
                require(
                    hz <= scale.cpu_hz,
                    f"PLL{number}'s output {letter} is {mhz(hz)}, more than the {mhz(scale.cpu_hz)} that "
                    f"{scale.name} allows",
                    section,
                )
        self._check_latency(clocks["hclk"])

    def _check_latency(self, hclk_hz: int) -> None:
        scale = self.pwr.scale()
        needed = next((row[1:] for row in scale.wait_states if hclk_hz <= row[0]), None)
        if needed is None:
            return
        latency, delay = self.flash.get("ACR", "LATENCY"), self.flash.get("ACR", "WRHIGHFREQ")
        section = self.section("4.3.8")
        self.chip.require(
            latency >= needed[0],
            f"the flash has {latency} wait states; {mhz(hclk_hz)} in {scale.name} need {needed[0]}",
            section,
        )
        self.chip.require(
            delay >= needed[1],
            f"WRHIGHFREQ is {delay}; {mhz(hclk_hz)} in {scale.name} need {needed[1]}",
            section,
        )
