"""Reset and clock control of STM32L4+, and the flash's wait states, checked at every write (RM0432 6 and 3.3.3)."""

from __future__ import annotations

from host.emulate.clocks import HPRE, PLL_LOCK_US, PPRE, Hse, mhz
from host.emulate.fields import FieldPeripheral, FieldRegister, register
from host.emulate.peripheral import Chip, Ready
from host.emulate.stm32l4.limits import HALF_SPEED_US, MSI_HZ, MULTIPLIER, REFERENCE
from host.emulate.stm32l4.pwr import Pwr

HSI16_HZ = 16_000_000
LSE_HZ = 32_768
MSI_START_US = 10.0
HSI_START_US = 4.0
HSI48_START_US = 6.0
LSI_START_US = 130.0
# A 32 kHz crystal takes up to seconds (DS12023); half of one keeps emulated runs short and still shows who does not
# wait.
LSE_START_US = 500_000.0
MAIN_SOURCES = ("MSI", "HSI16", "HSE", "PLL")

_GPIO = " ".join(f"GPIO{port}EN[{bit}]" for bit, port in enumerate("ABCDEFGHI"))
_APB1_1 = (
    "TIM2EN[0] TIM3EN[1] TIM4EN[2] TIM5EN[3] TIM6EN[4] TIM7EN[5] RTCAPBEN[10] WWDGEN[11] SPI2EN[14] SPI3EN[15] "
    "USART2EN[17] USART3EN[18] UART4EN[19] UART5EN[20] I2C1EN[21] I2C2EN[22] I2C3EN[23] CRSEN[24] CAN1EN[25] "
    "PWREN[28] DAC1EN[29] OPAMPEN[30] LPTIM1EN[31]"
)
_APB2 = (
    "SYSCFGEN[0] FWEN[7] TIM1EN[11] SPI1EN[12] TIM8EN[13] USART1EN[14] TIM15EN[16] TIM16EN[17] TIM17EN[18] "
    "SAI1EN[21] SAI2EN[22] DFSDM1EN[24] LTDCEN[26] DSIEN[27]"
)
_AHB1 = "DMA1EN[0] DMA2EN[1] DMAMUX1EN[2] FLASHEN[8] CRCEN[12] TSCEN[16] DMA2DEN[17] GFXMMUEN[18]"
_AHB2 = f"{_GPIO} OTGFSEN[12] ADCEN[13] DCMIEN[14] AESEN[16] HASHEN[17] RNGEN[18] OSPIMEN[20] SDMMC1EN[22]"


class Flash(FieldPeripheral):
    """The flash interface: wait states, prefetch and the two caches; nothing here erases or programs (RM0432 3.7.1)."""

    NEEDS_CLOCK = False
    REGISTERS = (
        register(
            0x00,
            "ACR",
            "LATENCY[3:0] PRFTEN[8] ICEN[9] DCEN[10] ICRST[11] DCRST[12] RUN_PD[13] SLEEP_PD[14]",
            reset=0x600,
        ),
    )

    def __init__(self, chip: Chip):
        super().__init__(chip, "FLASH", 0x40022000)

    def write_acr(self, value: int, old: int) -> int:
        """A cache may be reset only while it is off."""
        for cache in ("IC", "DC"):
            reset, enable = self.field("ACR", f"{cache}RST").mask, self.field("ACR", f"{cache}EN").mask
            if value & reset:
                self.chip.require(
                    not old & enable, f"FLASH_ACR.{cache}RST is set while the cache is on", "RM0432 3.7.1"
                )
        if (value ^ old) & 0xF:
            self.chip.event("latency", f"flash: {value & 0xF} wait states")
        if value & ~old & 0x700:
            on = [n for n in ("PRFTEN", "ICEN", "DCEN") if value & ~old & self.field("ACR", n).mask]
            self.chip.event("cache", f"flash: {', '.join(on)} on")
        return value

    @property
    def accelerated(self) -> bool:
        """Whether prefetch and both caches are on."""
        return all(self.get("ACR", name) for name in ("PRFTEN", "ICEN", "DCEN"))

    def settle(self) -> None:
        """Too few wait states harm at once."""
        if self.chip.clock is not None:
            self.chip.clock.check()  # type: ignore[attr-defined]


class Rcc(FieldPeripheral):
    """Oscillators, the main PLL, prescalers, clock enables."""

    NEEDS_CLOCK = False
    REGISTERS = (
        register(
            0x00,
            "CR",
            "MSION[0] MSIPLLEN[2] MSIRGSEL[3] MSIRANGE[7:4] HSION[8] HSIKERON[9] HSIASFS[11] HSEON[16] HSEBYP[18] "
            "CSSON[19] PLLON[24] PLLSAI1ON[26] PLLSAI2ON[28]",
            "MSIRDY[1] HSIRDY[10] HSERDY[17] PLLRDY[25] PLLSAI1RDY[27] PLLSAI2RDY[29]",
            0x61,
        ),
        register(0x04, "ICSCR", "MSITRIM[15:8] HSITRIM[30:24]", "MSICAL[7:0] HSICAL[23:16]", 0x40000000),
        register(
            0x08,
            "CFGR",
            "SW[1:0] HPRE[7:4] PPRE1[10:8] PPRE2[13:11] STOPWUCK[15] MCOSEL[27:24] MCOPRE[30:28]",
            "SWS[3:2]",
        ),
        register(
            0x0C,
            "PLLCFGR",
            "PLLSRC[1:0] PLLM[7:4] PLLN[14:8] PLLPEN[16] PLLP[17] PLLQEN[20] PLLQ[22:21] PLLREN[24] PLLR[26:25] "
            "PLLPDIV[31:27]",
            reset=0x1000,
        ),
        register(
            0x18,
            "CIER",
            "LSIRDYIE[0] LSERDYIE[1] MSIRDYIE[2] HSIRDYIE[3] HSERDYIE[4] PLLRDYIE[5] LSECSSIE[9]",
        ),
        register(0x48, "AHB1ENR", _AHB1, reset=0x100),
        register(0x4C, "AHB2ENR", _AHB2),
        register(0x50, "AHB3ENR", "FMCEN[0] OSPI1EN[8] OSPI2EN[9]"),
        register(0x58, "APB1ENR1", _APB1_1, reset=0x400),
        register(0x5C, "APB1ENR2", "LPUART1EN[0] I2C4EN[1] LPTIM2EN[5]"),
        register(0x60, "APB2ENR", _APB2),
        register(
            0x88,
            "CCIPR",
            "USART1SEL[1:0] USART2SEL[3:2] USART3SEL[5:4] UART4SEL[7:6] UART5SEL[9:8] LPUART1SEL[11:10] "
            "I2C1SEL[13:12] I2C2SEL[15:14] I2C3SEL[17:16] LPTIM1SEL[19:18] LPTIM2SEL[21:20] CLK48SEL[27:26] "
            "ADCSEL[29:28]",
        ),
        register(
            0x90,
            "BDCR",
            "LSEON[0] LSEBYP[2] LSEDRV[4:3] LSECSSON[5] LSESYSDIS[7] RTCSEL[9:8] RTCEN[15] BDRST[16] LSCOEN[24] "
            "LSCOSEL[25]",
            "LSERDY[1] LSECSSD[6]",
        ),
        register(
            0x94,
            "CSR",
            "LSION[0] MSISRANGE[11:8] RMVF[23]",
            "LSIRDY[1] FWRSTF[24] OBLRSTF[25] PINRSTF[26] BORRSTF[27] SFTRSTF[28] IWDGRSTF[29] WWDGRSTF[30] "
            "LPWRRSTF[31]",
            0x0C000600,
        ),
        register(0x98, "CRRCR", "HSI48ON[0]", "HSI48RDY[1] HSI48CAL[15:7]"),
    )

    def __init__(self, chip: Chip, pwr: Pwr, flash: Flash):
        self.pwr, self.flash = pwr, flash
        self.hse = Hse(chip, "RM0432 6.2.1")
        super().__init__(chip, "RCC", 0x40021000)
        self._reset_backup()
        self.reset()

    def _reset_backup(self) -> None:
        self.lse = Ready(self.chip, LSE_START_US if self.chip.options.crystal_starts else None)

    def reset(self) -> None:
        """MSI at 4 MHz, all else off; the backup domain keeps its register."""
        backup = self.values["BDCR"]
        super().reset()
        self.values["BDCR"] = backup
        self.hse.reset()
        self.msi = Ready(self.chip, MSI_START_US)
        self.msi.ready_at_once()
        self.hsi = Ready(self.chip, HSI_START_US)
        self.hsi48 = Ready(self.chip, HSI48_START_US)
        self.lsi = Ready(self.chip, LSI_START_US)
        self.pll = Ready(self.chip, PLL_LOCK_US if self.chip.options.pll_locks else None)
        self._half_speed_since_us: float | None = None

    # Oscillators

    def msi_hz(self) -> int:
        """What MSIRANGE asks for, or MSISRANGE until MSIRGSEL is set."""
        code = self.get("CR", "MSIRANGE") if self.get("CR", "MSIRGSEL") else self.get("CSR", "MSISRANGE")
        return MSI_HZ[code] if code < len(MSI_HZ) else 0

    def source_hz(self, code: int) -> float:
        """A clock that SW can select, 0 if it does not run."""
        if code == 0:
            return self.msi_hz() if self.msi.ready else 0
        if code == 1:
            return HSI16_HZ if self.hsi.ready else 0
        if code == 2:
            return self.hse.hz if self.hse.ready else 0
        return self.output_hz("R") if self.pll.ready else 0

    def read_cr(self) -> int:
        """Enable bits and ready flags."""
        flags = {
            "MSIRDY": self.msi.ready,
            "HSIRDY": self.hsi.ready,
            "HSERDY": self.hse.ready,
            "PLLRDY": self.pll.ready,
        }
        return self.values["CR"] | sum(self.flag("CR", name, on) for name, on in flags.items())

    def write_cr(self, value: int, old: int) -> int:
        """What the core's clock comes from stays on; MSI's range changes only at rest (RM0432 6.4.1)."""
        section = "RM0432 6.4.1"
        violate = self.chip.violate
        bit = {name: self.field("CR", name).mask for name in ("MSION", "HSION", "HSEON", "HSEBYP", "PLLON")}
        feeds_pll = {1: "MSION", 2: "HSION", 3: "HSEON"}.get(self.get("PLLCFGR", "PLLSRC"))
        for code, name in enumerate(("MSION", "HSION", "HSEON", "PLLON")):
            used = self.source() == code or (self.pll.on and name == feeds_pll and value & bit["PLLON"])
            if used and old & bit[name] and not value & bit[name]:
                violate(f"{name} is cleared while the clock in use comes from there", section)
                value |= bit[name]
        if (value ^ old) & (self.field("CR", "MSIRANGE").mask | self.field("CR", "MSIRGSEL").mask):
            value |= old & self.field("CR", "MSIRGSEL").mask  # writing 0 has no effect
            self.chip.require(
                not self.msi.on or self.msi.ready, "MSIRANGE is changed while MSI starts", section
            )
            code = self.field("CR", "MSIRANGE").of(value)
            self.chip.require(code < len(MSI_HZ), f"MSIRANGE = {code} is not allowed", section)
            if self.msi.on and (value ^ old) & self.field("CR", "MSIRANGE").mask:
                self.msi = Ready(self.chip, MSI_START_US)
                self.msi.set(True)
                self.msi.ready_at_once()
            self.chip.event("msi", f"MSI {mhz(MSI_HZ[min(code, len(MSI_HZ) - 1)])}")
        if value & self.field("CR", "MSIPLLEN").mask & ~old:
            self.chip.require(
                self.lse.ready, "MSIPLLEN is set before LSE is ready, which the chip ignores", section
            )
            if not self.lse.ready:
                value &= ~self.field("CR", "MSIPLLEN").mask
        self.hse.write(*(bool(v & bit[name]) for v in (value, old) for name in ("HSEON", "HSEBYP")))
        if (value ^ old) & bit["HSEBYP"] and old & bit["HSEON"]:
            value = value & ~bit["HSEBYP"] | old & bit["HSEBYP"]
        self.msi.set(bool(value & bit["MSION"]))
        self.hsi.set(bool(value & bit["HSION"]))
        if value & 5 << 26:
            violate("PLLSAI1 or PLLSAI2 is switched on, which is not modelled")
        on = bool(value & bit["PLLON"])
        if on and not self.pll.on:
            self._start_pll()
        self.pll.set(on)
        return value

    # PLL

    def input_hz(self) -> float:
        """What PLLSRC selects: nothing, MSI, HSI16, HSE."""
        code = self.get("PLLCFGR", "PLLSRC")
        return self.source_hz(code - 1) if code else 0

    def vco_hz(self) -> float:
        """The VCO's frequency."""
        return self.input_hz() / (self.get("PLLCFGR", "PLLM") + 1) * self.get("PLLCFGR", "PLLN")

    def output_hz(self, letter: str) -> float:
        """Output P, Q or R; 0 if it is off."""
        if not self.get("PLLCFGR", f"PLL{letter}EN"):
            return 0.0
        if letter == "P":
            divider = self.get("PLLCFGR", "PLLPDIV") or (17 if self.get("PLLCFGR", "PLLP") else 7)
        else:
            divider = 2 * self.get("PLLCFGR", f"PLL{letter}") + 2
        return self.vco_hz() / divider

    def _start_pll(self) -> None:
        section = "RM0432 6.4.4"
        require = self.chip.require
        source = self.input_hz()
        require(source > 0, "the PLL is switched on without a running input clock", section)
        reference = source / (self.get("PLLCFGR", "PLLM") + 1)
        multiplier = self.get("PLLCFGR", "PLLN")
        vco = self.pwr.range().vco
        require(reference in REFERENCE, f"the PLL's input is {mhz(reference)}, outside {REFERENCE}", section)
        require(
            multiplier in MULTIPLIER,
            f"PLLN = {multiplier}, outside {MULTIPLIER[0]} to {MULTIPLIER[-1]}",
            section,
        )
        require(
            self.vco_hz() in vco,
            f"the PLL's VCO runs at {mhz(self.vco_hz())}, outside the {vco} of {self.pwr.range().name}",
            section,
        )
        require(self.get("PLLCFGR", "PLLPDIV") != 1, "PLLPDIV = 1 is reserved", section)
        locks = PLL_LOCK_US if self.chip.options.pll_locks and source else None
        self.pll = Ready(self.chip, locks)
        outputs = ", ".join(
            f"{letter} {mhz(self.output_hz(letter))}" for letter in "PQR" if self.output_hz(letter)
        )
        self.chip.event(
            "pll", f"PLL on: input {mhz(reference)}, VCO {mhz(self.vco_hz())}, {outputs or 'no output'}"
        )

    def write_pllcfgr(self, value: int, old: int) -> int:
        """Source and factors while the PLL is off, PLLREN while SYSCLK is not the PLL's (RM0432 6.4.4)."""
        changed = self.changed("PLLCFGR", value, old)
        locked = set()
        if self.pll.on:
            locked = changed - {"PLLPEN", "PLLQEN", "PLLREN"}
        if self.source() == 3:
            locked |= changed & {"PLLREN"}
        for name in sorted(locked):
            self.chip.violate(
                f"{name} is changed while the PLL is in use, which the chip ignores", "RM0432 6.4.4"
            )
            mask = self.field("PLLCFGR", name).mask
            value = value & ~mask | old & mask
        return value

    # System clock

    def source(self) -> int:
        """SWS: which clock the system runs on."""
        return self.get("CFGR", "SW")

    def read_cfgr(self) -> int:
        """SWS follows SW at once when the clock chosen runs."""
        return self.values["CFGR"] | self.source() << 2

    def sysclk_hz(self) -> float:
        """SYSCLK."""
        return self.source_hz(self.source())

    def write_cfgr(self, value: int, old: int) -> int:
        """The switch, and the step at half speed above 80 MHz (RM0432 5.1.8, 6.2.8)."""
        field = self.field("CFGR", "SW")
        code, before_hz = field.of(value), self.sysclk_hz()
        if code != field.of(old):
            after_hz = self.source_hz(code)
            if not after_hz:
                self.chip.violate(f"SW selects {MAIN_SOURCES[code]}, which is not ready", "RM0432 6.4.3")
                return value & ~field.mask | old & field.mask
            self.chip.event("switch", f"system clock from {MAIN_SOURCES[code]}, {mhz(after_hz)}")
        else:
            after_hz = before_hz
        self._step(value, old, before_hz, after_hz)
        return value

    def _step(self, value: int, old: int, before_hz: float, after_hz: float) -> None:
        prescaler = self.field("CFGR", "HPRE")
        divider = HPRE[prescaler.of(value)]
        section = "RM0432 5.1.8"
        limit = 80_000_000
        if before_hz <= limit < after_hz:
            self.chip.require(
                divider >= 2 and HPRE[prescaler.of(old)] >= 2,
                f"SYSCLK goes from {mhz(before_hz)} to {mhz(after_hz)} without HCLK divided by two first",
                section,
            )
            self._half_speed_since_us = self.chip.time_us()
        elif after_hz > limit and divider == 1 and HPRE[prescaler.of(old)] > 1:
            since = self._half_speed_since_us
            waited = self.chip.time_us() - since if since is not None else 0.0
            self.chip.require(
                waited >= HALF_SPEED_US,
                f"HCLK is undivided {waited:.2f} us after SYSCLK rose above 80 MHz; at least 1 us has to pass",
                section,
            )

    # Low-speed clocks

    def write_bdcr(self, value: int, old: int) -> int:
        """The backup domain is write-protected until PWR_CR1.DBP is set (RM0432 6.4.29)."""
        if not self.pwr.get("CR1", "DBP"):
            self.chip.violate(
                "RCC_BDCR is written while PWR_CR1.DBP is 0, which the chip ignores", "RM0432 6.4.29"
            )
            return old
        self.lse.set(bool(value & 1))
        return value

    def read_bdcr(self) -> int:
        """With LSERDY."""
        return self.values["BDCR"] | self.flag("BDCR", "LSERDY", self.lse.ready)

    def write_csr(self, value: int, old: int) -> int:
        """LSI, and RMVF clears the reset flags."""
        self.lsi.set(bool(value & 1))
        cleared = 0x00FFFFFF if value & self.field("CSR", "RMVF").mask else 0xFFFFFFFF
        return value & cleared & ~self.field("CSR", "RMVF").mask

    def read_csr(self) -> int:
        """With LSIRDY."""
        return self.values["CSR"] | self.flag("CSR", "LSIRDY", self.lsi.ready)

    def write_crrcr(self, value: int, old: int) -> int:
        """HSI48."""
        self.hsi48.set(bool(value & 1))
        return value

    def read_crrcr(self) -> int:
        """With HSI48RDY."""
        return self.values["CRRCR"] | self.flag("CRRCR", "HSI48RDY", self.hsi48.ready)

    # For the rest of the chip

    def core_hz(self) -> int:
        """HCLK."""
        return round(self.sysclk_hz() / HPRE[self.get("CFGR", "HPRE")])

    def frequencies(self) -> dict[str, int]:
        """See ClockTree."""
        hclk = self.core_hz()
        return {
            "sysclk": round(self.sysclk_hz()),
            "hclk": hclk,
            "pclk1": hclk // PPRE[self.get("CFGR", "PPRE1")],
            "pclk2": hclk // PPRE[self.get("CFGR", "PPRE2")],
        }

    def uart_hz(self, name: str) -> int:
        """See ClockTree: PCLK, SYSCLK, HSI16, LSE."""
        code = self.get("CCIPR", f"{name}SEL")
        if code == 0:
            return self.frequencies()["pclk2" if name == "USART1" else "pclk1"]
        if code == 1:
            return round(self.sysclk_hz())
        if code == 2:
            return HSI16_HZ if self.hsi.ready else 0
        return LSE_HZ if self.lse.ready else 0

    def enabled(self, name: str) -> bool:
        """See ClockTree."""
        for enr in ("AHB1ENR", "AHB2ENR", "APB1ENR1", "APB1ENR2", "APB2ENR"):
            known = self.register(enr)
            assert isinstance(known, FieldRegister)
            if field := known.fields.get(f"{name}EN"):
                return bool(self.values[enr] & field.mask)
        return True

    # Limits

    def settle(self) -> None:
        """Every limit, at every write."""
        self.check()
        self.chip.clock_changed()

    def check(self) -> None:
        """Records which limits the clocks of this moment break."""
        allowed = self.pwr.range()
        require = self.chip.require
        section = "RM0432 5.1.8"
        for name, hz in self.frequencies().items():
            require(
                hz <= allowed.clock_hz,
                f"{name} is {mhz(hz)}, more than the {mhz(allowed.clock_hz)} that {allowed.name} allows",
                section,
            )
        if self.msi.on:
            require(
                self.msi_hz() <= allowed.msi_hz,
                f"MSI is {mhz(self.msi_hz())}, more than the {mhz(allowed.msi_hz)} that {allowed.name} allows",
                section,
            )
        if self.pll.on:
            for letter in "PQR":
                hz = self.output_hz(letter)
                require(
                    hz <= allowed.clock_hz,
                    f"the PLL's output {letter} is {mhz(hz)}, more than the {mhz(allowed.clock_hz)} that "
                    f"{allowed.name} allows",
                    section,
                )
            require(
                self.vco_hz() in allowed.vco,
                f"the PLL's VCO runs at {mhz(self.vco_hz())}, outside the {allowed.vco} of {allowed.name}",
                section,
            )
        self._check_latency(allowed.name, allowed.wait_states)

    def _check_latency(self, name: str, steps: tuple[int, ...]) -> None:
        hclk = self.core_hz()
        needed = next((n for n, hz in enumerate(steps) if hclk <= hz), None)
        if needed is None:
            return
        latency = self.flash.get("ACR", "LATENCY")
        self.chip.require(
            latency >= needed,
            f"the flash has {latency} wait states; {mhz(hclk)} in {name} need {needed}",
            "RM0432 3.3.3",
        )
