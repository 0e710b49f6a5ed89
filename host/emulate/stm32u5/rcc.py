"""Reset and clock control of STM32U575, checked at every write (RM0456 11)."""

from __future__ import annotations

from host.emulate.clocks import HPRE, PLL_LOCK_US, PPRE, Hse, PllSetting, check_pll, mhz
from host.emulate.fields import FieldPeripheral, FieldRegister, register
from host.emulate.peripheral import Chip, Ready
from host.emulate.stm32u5.flash import Flash
from host.emulate.stm32u5.limits import BOOST_DIVIDERS, MSI_HZ, MULTIPLIER, RAM_CLOCKS, REFERENCE
from host.emulate.stm32u5.pwr import Pwr

HSI16_HZ = 16_000_000
LSE_HZ = 32_768
MSI_START_US = 5.0
HSI_START_US = 2.0
HSI48_START_US = 6.0
# A 32 kHz crystal takes up to seconds (DS13737); half of one keeps emulated runs short and still shows who does not
# wait.
LSE_START_US = 500_000.0
MAIN_SOURCES = ("MSIS", "HSI16", "HSE", "PLL1")

_GPIO = " ".join(f"GPIO{port}EN[{bit}]" for bit, port in enumerate("ABCDEFGHI"))
_AHB1 = (
    "GPDMA1EN[0] CORDICEN[1] FMACEN[2] MDF1EN[3] FLASHEN[8] CRCEN[12] TSCEN[16] RAMCFGEN[17] DMA2DEN[18] "
    "GTZC1EN[24] BKPSRAMEN[28] DCACHE1EN[30] SRAM1EN[31]"
)
_AHB2_1 = (
    f"{_GPIO} ADC1EN[10] DCMI_PSSIEN[12] OTGEN[14] AESEN[16] HASHEN[17] RNGEN[18] PKAEN[19] SAESEN[20] "
    "OCTOSPIMEN[21] OTFDEC1EN[23] OTFDEC2EN[24] SDMMC1EN[27] SDMMC2EN[28] SRAM2EN[30] SRAM3EN[31]"
)
_AHB3 = "LPGPIO1EN[0] PWREN[2] ADC4EN[5] DAC1EN[6] LPDMA1EN[9] ADF1EN[10] GTZC2EN[12] SRAM4EN[31]"
_APB1_1 = (
    "TIM2EN[0] TIM3EN[1] TIM4EN[2] TIM5EN[3] TIM6EN[4] TIM7EN[5] WWDGEN[11] SPI2EN[14] USART2EN[17] USART3EN[18] "
    "UART4EN[19] UART5EN[20] I2C1EN[21] I2C2EN[22] CRSEN[24]"
)
_APB2 = (
    "TIM1EN[11] SPI1EN[12] TIM8EN[13] USART1EN[14] TIM15EN[16] TIM16EN[17] TIM17EN[18] SAI1EN[21] SAI2EN[22]"
)
_APB3 = (
    "SYSCFGEN[1] SPI3EN[5] LPUART1EN[6] I2C3EN[7] LPTIM1EN[11] LPTIM3EN[12] LPTIM4EN[13] OPAMPEN[14] COMPEN[15] "
    "VREFEN[20] RTCAPBEN[21]"
)


def _pll(number: int) -> tuple[FieldRegister, ...]:
    n = number
    boost = " PLL1MBOOST[15:12]" if n == 1 else ""
    return (
        register(
            0x24 + 4 * n,
            f"PLL{n}CFGR",
            f"PLL{n}SRC[1:0] PLL{n}RGE[3:2] PLL{n}FRACEN[4] PLL{n}M[11:8]{boost} PLL{n}PEN[16] PLL{n}QEN[17] "
            f"PLL{n}REN[18]",
        ),
        register(
            0x2C + 8 * n,
            f"PLL{n}DIVR",
            f"PLL{n}N[8:0] PLL{n}P[15:9] PLL{n}Q[22:16] PLL{n}R[30:24]",
            reset=0x01010280,
        ),
        register(0x30 + 8 * n, f"PLL{n}FRACR", f"PLL{n}FRACN[15:3]"),
    )


class Rcc(FieldPeripheral):
    """Oscillators, PLLs, prescalers, clock enables."""

    NEEDS_CLOCK = False
    REGISTERS = (
        register(
            0x00,
            "CR",
            "MSISON[0] MSIKERON[1] MSIPLLEN[3] MSIKON[4] MSIPLLSEL[6] MSIPLLFAST[7] HSION[8] HSIKERON[9] "
            "HSI48ON[12] SHSION[14] HSEON[16] HSEBYP[18] CSSON[19] HSEEXT[20] PLL1ON[24] PLL2ON[26] PLL3ON[28]",
            "MSISRDY[2] MSIKRDY[5] HSIRDY[10] HSI48RDY[13] SHSIRDY[15] HSERDY[17] PLL1RDY[25] PLL2RDY[27] "
            "PLL3RDY[29]",
            0x11,
        ),
        register(
            0x08,
            "ICSCR1",
            "MSIBIAS[22] MSIRGSEL[23] MSIKRANGE[27:24] MSISRANGE[31:28]",
            "MSICAL3[4:0] MSICAL2[9:5] MSICAL1[14:10] MSICAL0[19:15]",
            0x44000000,
        ),
        register(
            0x0C, "ICSCR2", "MSITRIM3[4:0] MSITRIM2[9:5] MSITRIM1[14:10] MSITRIM0[19:15]", reset=0x00084210
        ),
        register(0x10, "ICSCR3", "HSITRIM[20:16]", "HSICAL[11:0]", 0x00100000),
        register(0x14, "CRRCR", "", "HSI48CAL[8:0]"),
        register(0x1C, "CFGR1", "SW[1:0] STOPWUCK[4] STOPKERWUCK[5] MCOSEL[27:24] MCOPRE[30:28]", "SWS[3:2]"),
        register(
            0x20,
            "CFGR2",
            "HPRE[3:0] PPRE1[6:4] PPRE2[10:8] DPRE[14:12] AHB1DIS[16] AHB2DIS1[17] AHB2DIS2[18] APB1DIS[19] "
            "APB2DIS[20]",
            reset=0x6000,
        ),
        register(0x24, "CFGR3", "PPRE3[6:4] AHB3DIS[16] APB3DIS[17]"),
        *_pll(1),
        *_pll(2),
        *_pll(3),
        register(0x88, "AHB1ENR", _AHB1, reset=0xD0200100),
        register(0x8C, "AHB2ENR1", _AHB2_1, reset=0xC0000000),
        register(0x90, "AHB2ENR2", "FSMCEN[0] OCTOSPI1EN[4] OCTOSPI2EN[8]"),
        register(0x94, "AHB3ENR", _AHB3, reset=0x80000000),
        register(0x9C, "APB1ENR1", _APB1_1),
        register(0xA0, "APB1ENR2", "I2C4EN[1] LPTIM2EN[5] FDCAN1EN[9] UCPD1EN[23]"),
        register(0xA4, "APB2ENR", _APB2),
        register(0xA8, "APB3ENR", _APB3),
        register(
            0xE0,
            "CCIPR1",
            "USART1SEL[1:0] USART2SEL[3:2] USART3SEL[5:4] UART4SEL[7:6] UART5SEL[9:8] I2C1SEL[11:10] "
            "I2C2SEL[13:12] I2C4SEL[15:14] SPI2SEL[17:16] LPTIM2SEL[19:18] SPI1SEL[21:20] SYSTICKSEL[23:22] "
            "FDCAN1SEL[25:24] ICLKSEL[27:26] TIMICSEL[31:29]",
        ),
        register(
            0xE8,
            "CCIPR3",
            "LPUART1SEL[2:0] SPI3SEL[4:3] I2C3SEL[7:6] LPTIM34SEL[9:8] LPTIM1SEL[11:10] ADCDACSEL[14:12] "
            "DAC1SEL[15] ADF1SEL[18:16]",
        ),
        register(
            0xF0,
            "BDCR",
            "LSEON[0] LSEBYP[2] LSEDRV[4:3] LSECSSON[5] LSESYSEN[7] RTCSEL[9:8] LSEGFON[12] RTCEN[15] BDRST[16] "
            "LSCOEN[24] LSCOSEL[25] LSION[26] LSIPREDIV[28]",
            "LSERDY[1] LSECSSD[6] LSESYSRDY[11] LSIRDY[27]",
        ),
        register(
            0xF4,
            "CSR",
            "MSIKSRANGE[11:8] MSISSRANGE[15:12] RMVF[23]",
            "OBLRSTF[25] PINRSTF[26] BORRSTF[27] SFTRSTF[28] IWDGRSTF[29] WWDGRSTF[30] LPWRRSTF[31]",
            0x0C004400,
        ),
    )

    def __init__(self, chip: Chip, pwr: Pwr, flash: Flash):
        self.pwr, self.flash = pwr, flash
        self.hse = Hse(chip, "RM0456 11.4.2")
        super().__init__(chip, "RCC", 0x46020C00)
        self.lse = Ready(chip, LSE_START_US if chip.options.crystal_starts else None)
        self.reset()

    def reset(self) -> None:
        """MSIS at 4 MHz, all else off; the backup domain keeps its register."""
        backup = self.values["BDCR"]
        super().reset()
        self.values["BDCR"] = backup
        self.hse.reset()
        self.msis = Ready(self.chip, MSI_START_US)
        self.msik = Ready(self.chip, MSI_START_US)
        self.msis.ready_at_once()
        self.msik.ready_at_once()
        self.hsi = Ready(self.chip, HSI_START_US)
        self.hsi48 = Ready(self.chip, HSI48_START_US)
        self.plls = {n: Ready(self.chip, None) for n in (1, 2, 3)}

    # Oscillators

    def msi_hz(self, which: str) -> int:
        """MSIS or MSIK: which is "S" or "K"."""
        if self.get("ICSCR1", "MSIRGSEL"):
            return MSI_HZ[self.get("ICSCR1", f"MSI{which}RANGE")]
        return MSI_HZ[self.get("CSR", f"MSI{which}SRANGE")]

    def source_hz(self, code: int) -> float:
        """A clock that SW can select, 0 if it does not run."""
        if code == 0:
            return self.msi_hz("S") if self.msis.ready else 0
        if code == 1:
            return HSI16_HZ if self.hsi.ready else 0
        if code == 2:
            return self.hse.hz if self.hse.ready else 0
        return self.pll(1).output_hz(self.pll(1).r) if self.plls[1].ready else 0

    def read_cr(self) -> int:
        """Enable bits and ready flags."""
        flags = {
            "MSISRDY": self.msis.ready,
            "MSIKRDY": self.msik.ready,
            "HSIRDY": self.hsi.ready,
            "HSI48RDY": self.hsi48.ready,
            "HSERDY": self.hse.ready,
        } | {f"PLL{n}RDY": pll.ready for n, pll in self.plls.items()}
        return self.values["CR"] | sum(self.flag("CR", name, on) for name, on in flags.items())

    def write_cr(self, value: int, old: int) -> int:
        """What the core's clock comes from stays on, whatever is written (RM0456 11.8.1)."""
        section = "RM0456 11.8.1"
        names = ("MSISON", "HSION", "HSEON", "PLL1ON", "HSEBYP", "MSIKON", "HSI48ON", "MSIPLLEN")
        bit = {name: self.field("CR", name).mask for name in names}
        feeds = {1: "MSISON", 2: "HSION", 3: "HSEON"}.get(self.get("PLL1CFGR", "PLL1SRC"))
        for code, name in enumerate(("MSISON", "HSION", "HSEON", "PLL1ON")):
            used = self.source() == code or (self.plls[1].on and value & bit["PLL1ON"] and name == feeds)
            if used and old & bit[name] and not value & bit[name]:
                self.chip.violate(f"{name} is cleared while the clock in use comes from there", section)
                value |= bit[name]
        if value & bit["MSIPLLEN"] & ~old and not self.lse.ready:
            self.chip.violate("MSIPLLEN is set before LSE is ready, which the chip ignores", section)
            value &= ~bit["MSIPLLEN"]
        self.hse.write(*(bool(v & bit[name]) for v in (value, old) for name in ("HSEON", "HSEBYP")))
        if (value ^ old) & bit["HSEBYP"] and old & bit["HSEON"]:
            value = value & ~bit["HSEBYP"] | old & bit["HSEBYP"]
        self.msis.set(bool(value & bit["MSISON"]))
        self.msik.set(bool(value & bit["MSIKON"]))
        self.hsi.set(bool(value & bit["HSION"]))
        self.hsi48.set(bool(value & bit["HSI48ON"]))
        for number, pll in self.plls.items():
            on = bool(value & self.field("CR", f"PLL{number}ON").mask)
            if on and not pll.on:
                self._start_pll(number)
            self.plls[number].set(on)
        return value

    def write_icscr1(self, value: int, old: int) -> int:
        """Ranges change while MSI is off or ready; MSIRGSEL is set only (RM0456 11.8.2)."""
        value |= old & self.field("ICSCR1", "MSIRGSEL").mask
        changed = self.changed("ICSCR1", value, old)
        for which, oscillator in (("S", self.msis), ("K", self.msik)):
            if f"MSI{which}RANGE" in changed or "MSIRGSEL" in changed:
                self.chip.require(
                    not oscillator.on or oscillator.ready,
                    f"MSI{which}RANGE is changed while MSI{which} starts",
                    "RM0456 11.8.2",
                )
        if changed & {"MSISRANGE", "MSIRGSEL"}:
            code = self.field("ICSCR1", "MSISRANGE").of(value)
            self.chip.event("msi", f"MSIS {mhz(MSI_HZ[code])}")
        return value

    # PLLs

    def input_hz(self, number: int) -> float:
        """What PLLxSRC selects: nothing, MSIS, HSI16, HSE."""
        code = self.get(f"PLL{number}CFGR", f"PLL{number}SRC")
        return self.source_hz(code - 1) if code else 0

    def booster_hz(self) -> float:
        """The EPOD booster's clock: PLL1's input divided by PLL1MBOOST (RM0456 10.5.4)."""
        code = self.get("PLL1CFGR", "PLL1MBOOST")
        return self.input_hz(1) / BOOST_DIVIDERS[code] if code < len(BOOST_DIVIDERS) else 0.0

    def pll(self, number: int) -> PllSetting:
        """How a PLL is set at this moment."""
        cfgr, divr = f"PLL{number}CFGR", f"PLL{number}DIVR"
        p, q, r = (
            (self.get(divr, f"PLL{number}{letter}") + 1) * self.get(cfgr, f"PLL{number}{letter}EN")
            for letter in "PQR"
        )
        fraction = self.get(f"PLL{number}FRACR", f"PLL{number}FRACN") * self.get(cfgr, f"PLL{number}FRACEN")
        return PllSetting(
            self.input_hz(number),
            self.get(cfgr, f"PLL{number}M") + 1,
            self.get(divr, f"PLL{number}N") + 1,
            fraction,
            p,
            q,
            r,
        )

    def _start_pll(self, number: int) -> None:
        section = "RM0456 11.4.6"
        pll, allowed = self.pll(number), self.pwr.range()
        if allowed.vco is None:
            self.chip.violate(
                f"PLL{number} is switched on in {allowed.name}, where no PLL may run", "RM0456 11.4.10"
            )
        else:
            reference = REFERENCE[self.get(f"PLL{number}CFGR", f"PLL{number}RGE")]
            check_pll(self.chip, f"PLL{number}", pll, reference, MULTIPLIER, allowed.vco, section)
        self.chip.require(
            pll.p <= 1 or pll.p % 2 == 0 or number != 1,
            f"PLL1 divides by an odd PLL1P of {pll.p}, which is not allowed",
            section,
        )
        works = self.chip.options.pll_locks and pll.input_hz > 0 and allowed.vco is not None
        self.plls[number] = Ready(self.chip, PLL_LOCK_US if works else None)
        outputs = ", ".join(f"{letter} {mhz(hz)}" for letter, hz in pll.outputs().items())
        self.chip.event(
            "pll",
            f"PLL{number} on: input {mhz(pll.reference_hz)}, VCO {mhz(pll.vco_hz)}, {outputs or 'no output'}",
        )

    def _keep(self, number: int, name: str, value: int, old: int) -> int:
        """Fields of a PLL that is on keep their values; the booster's prescaler also while the booster is on."""
        for of in sorted(self.changed(name, value, old)):
            free = {f"PLL{number}FRACEN", f"PLL{number}REN" if self.source() != 3 else ""}
            boosting = of in ("PLL1MBOOST", "PLL1SRC") and self.pwr.booster.on
            if (self.plls[number].on and of not in free) or boosting:
                what = "the EPOD booster" if boosting else f"PLL{number}"
                self.chip.violate(
                    f"{of} is changed while {what} is on, which the chip ignores", "RM0456 11.8.9"
                )
                mask = self.field(name, of).mask
                value = value & ~mask | old & mask
        return value

    def write_pll1cfgr(self, value: int, old: int) -> int:
        """While PLL1 is off."""
        return self._keep(1, "PLL1CFGR", value, old)

    def write_pll2cfgr(self, value: int, old: int) -> int:
        """While PLL2 is off."""
        return self._keep(2, "PLL2CFGR", value, old)

    def write_pll3cfgr(self, value: int, old: int) -> int:
        """While PLL3 is off."""
        return self._keep(3, "PLL3CFGR", value, old)

    def write_pll1divr(self, value: int, old: int) -> int:
        """While PLL1 is off."""
        return self._keep(1, "PLL1DIVR", value, old)

    def write_pll2divr(self, value: int, old: int) -> int:
        """While PLL2 is off."""
        return self._keep(2, "PLL2DIVR", value, old)

    def write_pll3divr(self, value: int, old: int) -> int:
        """While PLL3 is off."""
        return self._keep(3, "PLL3DIVR", value, old)

    # System clock

    def source(self) -> int:
        """SWS: which clock the system runs on."""
        return self.get("CFGR1", "SW")

    def read_cfgr1(self) -> int:
        """SWS follows SW at once when the clock chosen runs."""
        return self.values["CFGR1"] | self.source() << 2

    def write_cfgr1(self, value: int, old: int) -> int:
        """The switch, to a clock that runs."""
        field = self.field("CFGR1", "SW")
        code = field.of(value)
        if code != field.of(old):
            hz = self.source_hz(code)
            if not hz:
                self.chip.violate(f"SW selects {MAIN_SOURCES[code]}, which is not ready", "RM0456 11.8.6")
                return value & ~field.mask | old & field.mask
            self.chip.event("switch", f"system clock from {MAIN_SOURCES[code]}, {mhz(hz)}")
        return value

    def sysclk_hz(self) -> float:
        """SYSCLK."""
        return self.source_hz(self.source())

    # Backup domain

    def write_bdcr(self, value: int, old: int) -> int:
        """Write-protected until PWR_DBPR.DBP is set (RM0456 11.8.46)."""
        if not self.pwr.get("DBPR", "DBP"):
            self.chip.violate(
                "RCC_BDCR is written while PWR_DBPR.DBP is 0, which the chip ignores", "RM0456 11.8.46"
            )
            return old
        self.lse.set(bool(value & 1))
        return value

    def read_bdcr(self) -> int:
        """With LSERDY and LSESYSRDY."""
        value = self.values["BDCR"]
        value |= self.flag("BDCR", "LSERDY", self.lse.ready) | self.flag(
            "BDCR", "LSIRDY", bool(value >> 26 & 1)
        )
        return value | self.flag("BDCR", "LSESYSRDY", self.lse.ready and bool(value & 1 << 7))

    def write_csr(self, value: int, old: int) -> int:
        """RMVF clears the reset flags."""
        mask = self.field("CSR", "RMVF").mask
        return (value & 0x00FFFFFF if value & mask else value) & ~mask

    # For the rest of the chip

    def core_hz(self) -> int:
        """HCLK."""
        return round(self.sysclk_hz() / HPRE[self.get("CFGR2", "HPRE")])

    def frequencies(self) -> dict[str, int]:
        """See ClockTree."""
        hclk = self.core_hz()
        return {
            "sysclk": round(self.sysclk_hz()),
            "hclk": hclk,
            "pclk1": hclk // PPRE[self.get("CFGR2", "PPRE1")],
            "pclk2": hclk // PPRE[self.get("CFGR2", "PPRE2")],
            "pclk3": hclk // PPRE[self.get("CFGR3", "PPRE3")],
        }

    def uart_hz(self, name: str) -> int:
        """See ClockTree: PCLK, SYSCLK, HSI16, LSE, and MSIK for LPUART1."""
        if name == "LPUART1":
            code, bus = self.get("CCIPR3", "LPUART1SEL"), "pclk3"
        else:
            code, bus = self.get("CCIPR1", f"{name}SEL"), "pclk2" if name == "USART1" else "pclk1"
        if code == 0:
            return self.frequencies()[bus]
        if code == 1:
            return round(self.sysclk_hz())
        if code == 2:
            return HSI16_HZ if self.hsi.ready else 0
        if code == 3:
            return LSE_HZ if self.lse.ready else 0
        return self.msi_hz("K") if code == 4 and self.msik.ready else 0

    def enabled(self, name: str) -> bool:
        """See ClockTree."""
        for enr in ("AHB1ENR", "AHB2ENR1", "AHB3ENR", "APB1ENR1", "APB1ENR2", "APB2ENR", "APB3ENR"):
            known = self.register(enr)
            assert isinstance(known, FieldRegister)
            if field := known.fields.get(f"{name}EN"):
                return bool(self.values[enr] & field.mask)
        return True

    def clockless(self, address: int, size_bytes: int) -> list[str]:
        """Memories in a range whose clocks are off."""
        clocks = [c for c in RAM_CLOCKS if c.covers(address, size_bytes)]
        return [f"{c.enable}.{c.field}" for c in clocks if not self.get(c.enable, c.field)]

    # Limits

    def settle(self) -> None:
        """Every limit, at every write."""
        self.check()
        self.chip.clock_changed()

    def check(self) -> None:
        """Records which limits the clocks of this moment break (RM0456 10.5.4 and 11.4.10)."""
        allowed = self.pwr.range()
        require = self.chip.require
        clocks = self.frequencies()
        for name, hz in clocks.items():
            require(
                hz <= allowed.clock_hz,
                f"{name} is {mhz(hz)}, more than the {mhz(allowed.clock_hz)} that {allowed.name} allows",
                "RM0456 11.4.9",
            )
        if not self.pwr.booster.ready:
            require(
                clocks["sysclk"] <= allowed.plain_hz,
                f"sysclk is {mhz(clocks['sysclk'])} without the EPOD booster, which is needed above "
                f"{mhz(allowed.plain_hz)}",
                "RM0456 10.5.4",
            )
        for which, oscillator in (("S", self.msis), ("K", self.msik)):
            if oscillator.on:
                hz = self.msi_hz(which)
                require(
                    hz <= allowed.msi_hz,
                    f"MSI{which} is {mhz(hz)}, more than the {mhz(allowed.msi_hz)} that {allowed.name} allows",
                    "RM0456 11.4.10",
                )
        if self.get("CR", "HSEON") and self.hse.hz > allowed.hse_hz:
            self.chip.violate(
                f"HSE is {mhz(self.hse.hz)}, more than the {mhz(allowed.hse_hz)} that {allowed.name} allows",
                "RM0456 11.4.10",
            )
        self._check_plls(allowed.name, allowed.pll_hz, allowed.clock_hz)
        self._check_latency(allowed.name, allowed.wait_states)

    def _check_plls(self, name: str, pll_hz: int, clock_hz: int) -> None:
        for number, pll in self.plls.items():
            if not pll.on:
                continue
            for letter, hz in self.pll(number).outputs().items():
                limit = clock_hz if (number, letter) == (1, "R") else pll_hz
                self.chip.require(
                    hz <= limit,
                    f"PLL{number}'s output {letter} is {mhz(hz)}, more than the {mhz(limit)} that {name} allows",
                    "RM0456 11.4.10",
                )

    def _check_latency(self, name: str, steps: tuple[int, ...]) -> None:
        hclk = self.core_hz()
        needed = next((n for n, hz in enumerate(steps) if hclk <= hz), None)
        if needed is None:
            return
        latency = self.flash.get("ACR", "LATENCY")
        self.chip.require(
            latency >= needed,
            f"the flash has {latency} wait states; {mhz(hclk)} in {name} need {needed}",
            "RM0456 7.3.3",
        )
