"""Clock tree, power and flash interface of STM32F4 and F7, which differ in little more than limits and a few bits.

Sources: RM0090 (F405, F407, F42x, F43x), RM0390 (F446), RM0385 (F74x, F75x), RM0410 (F76x, F77x), and the datasheets'
tables of PLL characteristics. For a supply of 2.7 to 3.6 V.
"""

from __future__ import annotations

from dataclasses import dataclass

from host.emulate.peripheral import WORD, Chip, Peripheral, Ready, Register

HSI_HZ = 16_000_000
MHZ = 1_000_000
# Typical times of the datasheets, in us.
HSI_START_US, BYPASS_START_US, CRYSTAL_START_US, PLL_LOCK_US = 2.2, 20.0, 2000.0, 200.0
SCALE_US, OVERDRIVE_US = 40.0, 45.0
AHB_DIVIDERS = (1,) * 8 + (2, 4, 8, 16, 64, 128, 256, 512)
APB_DIVIDERS = (1,) * 4 + (2, 4, 8, 16)
SW_HSI, SW_HSE, SW_PLL = range(3)


@dataclass(frozen=True)
class Sections:
    """Where the reference manual has its rules."""

    pll: str
    sysclk: str
    latency: str
    scale: str
    overdrive: str


@dataclass(frozen=True)
class Limits:
    """What a line of chips can do.

    hclk_hz: maximum by (VOS field, over-drive). pclk1_hz, pclk2_hz: maxima without and with over-drive.
    """

    hclk_hz: dict[tuple[int, bool], int]
    pclk1_hz: tuple[int, int]
    pclk2_hz: tuple[int, int]
    pll_out_hz: tuple[int, int]
    overdrive: bool
    pll_has_r: bool
    hz_per_wait_state: int = 30 * MHZ


class FlashInterface(Peripheral):
    """FLASH: wait states and accelerator; programming is not modelled.

    accelerator: the parts of it by their enable bit in ACR: what they are called, and the bit that empties them or 0.
    """

    NEEDS_CLOCK = False

    def __init__(
        self, chip: Chip, base: int, acr_writable: int, accelerator: dict[int, tuple[str, int]], section: str
    ):
        self._accelerator, self._section = accelerator, section
        self._emptied = 0
        self.REGISTERS = (
            Register(0x00, "ACR", writable=acr_writable),
            Register(0x04, "KEYR"),
            Register(0x08, "OPTKEYR"),
            Register(0x0C, "SR", writable=0xFF, readonly=1 << 16),
            Register(0x10, "CR", 0x80000000),
            Register(0x14, "OPTCR", 0x0FFFAAED),
            Register(0x18, "OPTCR1", 0x0FFF0000),
        )
        super().__init__(chip, "FLASH", base)

    def reset(self) -> None:
        super().reset()
        self._emptied = 0

    @property
    def latency(self) -> int:
        """Wait states."""
        return self.values["ACR"] & 0xF

    def on(self, what: str) -> bool:
        """Whether the accelerator's part of that name is on."""
        return any(self.values["ACR"] & bit for bit, (name, _) in self._accelerator.items() if name == what)

    def write_acr(self, value: int, old: int) -> None:
        if (value ^ old) & 0xF:
            self.chip.event("latency", f"flash wait states {value & 0xF}")
        for bit, (name, empties) in self._accelerator.items():
            if value & empties and not old & empties:
                self.chip.require(
                    not old & bit, f"FLASH: the {name} is emptied while it is on", self._section
                )
                self._emptied |= empties
            if value & ~old & bit and empties:
                self.chip.require(
                    not value & empties, f"FLASH: the {name} is on while it is held empty", self._section
                )
                self.chip.require(
                    bool(self._emptied & empties),
                    f"FLASH: the {name} is switched on without being emptied, and may hold what the flash held before",
                    self._section,
                )
            if (value ^ old) & bit:
                self.chip.event("accelerator", f"flash {name} {'on' if value & bit else 'off'}")

    def write_keyr(self, value: int, old: int) -> int:
        self.chip.violate("FLASH: programming the flash is not modelled")
        return 0

    def settle(self) -> None:
        self.chip.find("RCC").settle()


class Power(Peripheral):
    """PWR: voltage scale and over-drive. `names`: how the family calls the control and the status register."""

    VOS_SHIFT = 14
    ODEN, ODSWEN, VOSRDY = 1 << 16, 1 << 17, 1 << 14

    def __init__(
        self, chip: Chip, base: int, limits: Limits, sections: Sections, registers: tuple[Register, ...]
    ):
        self.REGISTERS = registers
        self._limits, self._sections = limits, sections
        self._control, self._status = registers[0].name, registers[1].name
        self._drive = Ready(chip, OVERDRIVE_US)
        self._drive_switch = Ready(chip, OVERDRIVE_US)
        self._scale_since_us = 0.0
        self._scale_told = False
        super().__init__(chip, "PWR", base)
        self._writers[registers[0].offset] = self._write_control
        self._readers[registers[1].offset] = self._read_status

    def reset(self) -> None:
        super().reset()
        self._drive.set(False)
        self._drive_switch.set(False)
        self._scale_told = False

    @property
    def vos(self) -> int:
        """The VOS field."""
        return self.values[self._control] >> self.VOS_SHIFT & (3 if self._limits.overdrive else 1)

    @property
    def overdrive(self) -> bool:
        """Whether over-drive is on and switched to."""
        return self._limits.overdrive and self._drive.ready and self._drive_switch.ready

    def pll_started(self) -> None:
        """The voltage scale that was asked for becomes active with the PLL."""
        self._scale_since_us = self.chip.time_us()

    def _write_control(self, value: int, old: int) -> None:
        rcc = self.chip.find("RCC")
        assert isinstance(rcc, Rcc)
        vos_mask = (3 if self._limits.overdrive else 1) << self.VOS_SHIFT
        if (value ^ old) & vos_mask:
            self.chip.require(
                not rcc.pll.on, "PWR: the voltage scale changes while the PLL is on", self._sections.scale
            )
            self.chip.require(
                value & vos_mask != 0 or not self._limits.overdrive,
                "PWR: VOS = 0 is reserved",
                self._sections.scale,
            )
        if (value ^ old) & vos_mask or not self._scale_told:
            self._scale_told = True
            self.chip.event(
                "scale", f"voltage scale {self._scale_name((value & vos_mask) >> self.VOS_SHIFT)}"
            )
        if not self._limits.overdrive:
            return
        if value & self.ODEN & ~old:
            self.chip.event("overdrive", "over-drive on")
        if value & self.ODSWEN & ~old:
            self.chip.require(self._drive.ready, "PWR: ODSWEN is set before ODRDY", self._sections.overdrive)
            busy = rcc.clocked() - {"PWR"}
            self.chip.require(
                not busy,
                f"PWR: peripheral clocks are on during the over-drive switch: {', '.join(sorted(busy))}",
                self._sections.overdrive,
            )
            self.chip.event("overdrive", "over-drive switch")
        if (value ^ old) & (self.ODEN | self.ODSWEN):
            self.chip.require(
                rcc.switched != SW_PLL,
                "PWR: over-drive changes while the PLL is the system clock",
                self._sections.overdrive,
            )
        self._drive.set(bool(value & self.ODEN))
        self._drive_switch.set(bool(value & self.ODSWEN) and bool(value & self.ODEN))

    def _scale_name(self, vos: int) -> str:
        if not self._limits.overdrive:
            return "1" if vos else "2"
        return {1: "3", 2: "2", 3: "1"}.get(vos, "reserved")

    def _read_status(self) -> int:
        rcc = self.chip.find("RCC")
        assert isinstance(rcc, Rcc)
        value = self.values[self._status] & ~(self.VOSRDY | 3 << 16)
        # while the PLL is off the regulator is at its own scale, which needs no time
        if not rcc.pll.on or self.chip.time_us() - self._scale_since_us >= SCALE_US:
            value |= self.VOSRDY
        if self._limits.overdrive:
            value |= self._drive.ready << 16 | self._drive_switch.ready << 17
        return value

    def settle(self) -> None:
        self.chip.find("RCC").settle()


class Rcc(Peripheral):
    """RCC: oscillators, main PLL, prescalers, enables. The audio and display PLLs only have ready flags.

    enables: bits of the enable registers by the peripheral's name, like {"PWR": ("APB1ENR", 28)}.
    """

    NEEDS_CLOCK = False

    def __init__(
        self, chip: Chip, base: int, limits: Limits, sections: Sections,
        enables: dict[str, tuple[str, int]], registers: tuple[Register, ...],
    ):  # fmt: skip
        self.REGISTERS = (
            Register(0x00, "CR", 0x83, writable=0x150D00F9, readonly=0x2A02FF02),
            Register(0x04, "PLLCFGR", 0x24003010, writable=0x7F437FFF if limits.pll_has_r else 0x0F437FFF),
            Register(0x08, "CFGR", writable=0xFFFFFCF3, readonly=0xC),
            Register(0x0C, "CIR", writable=0x00FF7F00, readonly=0xFF),
            *registers,
        )
        self.limits, self.sections, self._enables = limits, sections, enables
        board, options = chip.board, chip.options
        self._crystal_hz = board.clock.crystal_hz
        self._bypass = bool(getattr(board.clock, "bypass", False))
        exists = options.crystal_starts and self._crystal_hz > 0
        start_us = BYPASS_START_US if self._bypass else CRYSTAL_START_US
        self.hsi = Ready(chip, HSI_START_US)
        self.hse = Ready(chip, start_us if exists else None)
        self.pll = Ready(chip, PLL_LOCK_US if options.pll_locks else None)
        self.others = {26: Ready(chip, PLL_LOCK_US), 28: Ready(chip, PLL_LOCK_US)}
        self._states()
        super().__init__(chip, "RCC", base)

    def _states(self) -> None:
        self.hsi.ready_at_once()
        for state in (self.hse, self.pll, *self.others.values()):
            state.set(False)
        self.switched = SW_HSI

    def reset(self) -> None:
        super().reset()
        self._states()

    # -- the tree

    def source_hz(self, source: int) -> int:
        """Frequency of what SW can choose; 0 while it is not ready."""
        if source == SW_HSI:
            return HSI_HZ if self.hsi.ready else 0
        if source == SW_HSE:
            return self._crystal_hz if self.hse.ready else 0
        if source == SW_PLL and self.pll.ready:
            return self.vco_hz() // self.pll_p()
        return 0

    def pll_p(self) -> int:
        """Divider of the PLL's main output."""
        return (self.values["PLLCFGR"] >> 16 & 3) * 2 + 2

    def pll_input_hz(self) -> float:
        """What enters the PLL, after its divider; 0 if its source is not ready."""
        source = SW_HSE if self.values["PLLCFGR"] >> 22 & 1 else SW_HSI
        divider = self.values["PLLCFGR"] & 0x3F
        return self.source_hz(source) / divider if divider else 0.0

    def vco_hz(self) -> int:
        """The PLL's oscillator."""
        return round(self.pll_input_hz() * (self.values["PLLCFGR"] >> 6 & 0x1FF))

    def sysclk_hz(self) -> int:
        """The system clock."""
        self._update()
        return self.source_hz(self.switched)

    def core_hz(self) -> int:
        """See ClockTree: HCLK."""
        return self.sysclk_hz() // AHB_DIVIDERS[self.values["CFGR"] >> 4 & 0xF]

    def pclk_hz(self, bus: int) -> int:
        """Clock of APB1 or APB2."""
        return self.core_hz() // APB_DIVIDERS[self.values["CFGR"] >> (10 if bus == 1 else 13) & 7]

    def frequencies(self) -> dict[str, int]:
        """See ClockTree."""
        return {
            "sysclk": self.sysclk_hz(), "hclk": self.core_hz(), "pclk1": self.pclk_hz(1), "pclk2": self.pclk_hz(2),
        }  # fmt: skip

    def uart_hz(self, name: str) -> int:
        """See ClockTree."""
        register, _ = self._enables[name]
        return self.pclk_hz(1 if register.startswith("APB1") else 2)

    def enabled(self, name: str) -> bool:
        """See ClockTree."""
        if name not in self._enables:
            return True
        register, bit = self._enables[name]
        return bool(self.values[register] >> bit & 1)

    def clocked(self) -> set[str]:
        """Names of all peripherals that get a clock."""
        return {name for name in self._enables if self.enabled(name)}

    # -- registers

    def read_cr(self) -> int:
        self._update()
        value = self.values["CR"] & ~0x2A020002
        value |= self.hsi.ready << 1 | self.hse.ready << 17 | self.pll.ready << 25
        for bit, state in self.others.items():
            value |= state.ready << bit + 1
        return value

    def write_cr(self, value: int, old: int) -> int:
        require, sections = self.chip.require, self.sections
        if (value ^ old) >> 18 & 1:
            require(not old >> 16 & 1, "RCC: HSEBYP changes while HSEON is set", sections.sysclk)
        if value >> 16 & 1 and not old >> 16 & 1:
            require(self._crystal_hz > 0, "RCC: HSEON on a board without crystal", sections.sysclk)
            bypassed = bool(value >> 18 & 1)
            if self._crystal_hz:
                require(
                    bypassed == self._bypass,
                    f"RCC: HSEBYP is {bypassed:d}, but the board has a {'clock signal' if self._bypass else 'crystal'}",
                    sections.sysclk,
                )
            if bypassed != self._bypass:
                self.hse.delay_us = None
            require(
                not self._crystal_hz or 4 * MHZ <= self._crystal_hz <= 26 * MHZ,
                f"RCC: a crystal of {self._crystal_hz:,} Hz is outside 4 to 26 MHz", sections.sysclk,
            )  # fmt: skip
            self.chip.event("crystal", "external oscillator on" + (", bypassed" if bypassed else ""))
        uses_pll = self.switched == SW_PLL
        pll_from_hse = bool(self.values["PLLCFGR"] >> 22 & 1)
        if not value >> 16 & 1 and old >> 16 & 1:
            in_use = self.switched == SW_HSE or (self.pll.on and pll_from_hse)
            require(
                not in_use, "RCC: HSEON is cleared while the external oscillator is in use", sections.sysclk
            )
        if not value & 1 and old & 1:
            in_use = self.switched == SW_HSI or (self.pll.on and not pll_from_hse)
            require(
                not in_use, "RCC: HSION is cleared while the internal oscillator is in use", sections.sysclk
            )
        if not value >> 24 & 1 and old >> 24 & 1:
            require(not uses_pll, "RCC: PLLON is cleared while the PLL is the system clock", sections.pll)
        if value >> 24 & 1 and not old >> 24 & 1:
            self._check_pll(value)
        self.hsi.set(bool(value & 1))
        self.hse.set(bool(value >> 16 & 1))
        self.pll.set(bool(value >> 24 & 1))
        for bit, state in self.others.items():
            state.set(bool(value >> bit & 1))
        return value

    def _check_pll(self, control: int) -> None:
        """The rules for a PLL that is switched on."""
        config, section, require = self.values["PLLCFGR"], self.sections.pll, self.chip.require
        from_hse = bool(config >> 22 & 1)
        source = self.hse if from_hse else self.hsi
        require(
            source.ready,
            f"RCC: the PLL is switched on while its source, {'HSE' if from_hse else 'HSI'}, is not ready",
            section,
        )
        m, n, q = config & 0x3F, config >> 6 & 0x1FF, config >> 24 & 0xF
        require(2 <= m <= 63, f"RCC: PLLM is {m}, not 2 to 63", section)
        require(50 <= n <= 432, f"RCC: PLLN is {n}, not 50 to 432", section)
        require(q >= 2, f"RCC: PLLQ is {q}, not 2 to 15", section)
        source_hz = self._crystal_hz if from_hse else HSI_HZ
        input_hz = source_hz / m if m else 0.0
        vco_hz = input_hz * n
        require(
            0.95e6 <= input_hz <= 2.1e6,
            f"RCC: {input_hz / 1e6:.3f} MHz enter the PLL, not 0.95 to 2.1",
            section,
        )
        require(
            100e6 <= vco_hz <= 432e6,
            f"RCC: the PLL's VCO is at {vco_hz / 1e6:.1f} MHz, not 100 to 432",
            section,
        )
        low, high = self.limits.pll_out_hz
        out_hz = vco_hz / self.pll_p()
        require(
            low <= out_hz <= high,
            f"RCC: the PLL gives {out_hz / 1e6:.1f} MHz, not {low // MHZ} to {high // MHZ}",
            section,
        )
        if q >= 2:
            require(
                vco_hz / q <= 75e6,
                f"RCC: the PLL's 48 MHz output is at {vco_hz / q / 1e6:.1f} MHz, above 75",
                section,
            )
        if self.limits.pll_has_r:
            r = config >> 28 & 7
            require(r >= 2, f"RCC: PLLR is {r}, not 2 to 7", section)
        power = self.chip.find("PWR")
        assert isinstance(power, Power)
        power.pll_started()
        self.chip.event(
            "pll",
            f"PLL on: {source_hz / 1e6:g} MHz / {m} x {n} = {vco_hz / 1e6:g} MHz, "
            f"/ {self.pll_p()} = {out_hz / 1e6:g} MHz",
        )

    def write_pllcfgr(self, value: int, old: int) -> None:
        if value != old:
            self.chip.require(
                not self.pll.on, "RCC: PLLCFGR is written while the PLL is on", self.sections.pll
            )

    def read_cfgr(self) -> int:
        self._update()
        return self.values["CFGR"] & ~0xC | self.switched << 2

    def write_cfgr(self, value: int, old: int) -> None:
        self.chip.require(value & 3 != 3, "RCC: SW = 3 is not allowed", self.sections.sysclk)
        for shift, bits, name, table in (
            (4, 0xF, "AHB", AHB_DIVIDERS),
            (10, 7, "APB1", APB_DIVIDERS),
            (13, 7, "APB2", APB_DIVIDERS),
        ):
            if (value ^ old) >> shift & bits:
                self.chip.event("prescaler", f"{name} divided by {table[value >> shift & bits]}")

    def write_csr(self, value: int, old: int) -> int:
        flags = 0 if value & 1 << 24 else old & 0xFE000000  # RMVF clears them
        return flags | value & 0x00FFFFFF

    def read_csr(self) -> int:
        value = self.values["CSR"]
        return value & ~2 | (value & 1) << 1  # LSIRDY

    # -- limits

    def _update(self) -> None:
        """A switch that was asked for happens once its source is ready."""
        wanted = self.values["CFGR"] & 3
        if wanted != self.switched and wanted != 3 and self.source_hz(wanted):
            self.switched = wanted
            self.chip.clock_changed()
            self.chip.event(
                "switch",
                f"system clock {('HSI', 'HSE', 'PLL')[wanted]}, {self.source_hz(wanted) / 1e6:g} MHz",
            )
            self._check()

    def settle(self) -> None:
        self._update()
        self.chip.clock_changed()
        self._check()

    def _check(self) -> None:
        """Limits that hold at every moment."""
        flash, power = self.chip.find("FLASH"), self.chip.find("PWR")
        assert isinstance(flash, FlashInterface) and isinstance(power, Power)
        limits, require = self.limits, self.chip.require
        hclk = self.core_hz()
        require(hclk > 0, "RCC: the system clock has stopped", self.sections.sysclk)
        overdrive = power.overdrive
        highest = limits.hclk_hz.get((power.vos, overdrive), 0)
        state = f"at VOS {power.vos}" + (" with over-drive" if overdrive else "")
        require(
            hclk <= highest,
            f"RCC: HCLK is {hclk / 1e6:g} MHz, above {highest / 1e6:g} {state}",
            self.sections.scale,
        )
        for bus, most in ((1, limits.pclk1_hz), (2, limits.pclk2_hz)):
            pclk = self.pclk_hz(bus)
            require(
                pclk <= most[overdrive],
                f"RCC: PCLK{bus} is {pclk / 1e6:g} MHz, above {most[overdrive] / 1e6:g}",
                self.sections.sysclk,
            )
        needed = max(0, -(-hclk // limits.hz_per_wait_state) - 1)
        require(
            flash.latency >= needed,
            f"FLASH: {flash.latency} wait states at HCLK {hclk / 1e6:g} MHz, {needed} are needed",
            self.sections.latency,
        )


def spare(offsets: dict[int, str], reset: dict[str, int] | None = None) -> tuple[Register, ...]:
    """Registers that only hold what is written, by offset and name."""
    return tuple(Register(offset, name, (reset or {}).get(name, 0), WORD) for offset, name in offsets.items())
