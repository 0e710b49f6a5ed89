/* RM0433 and RM0455: 8.5 clocks, 8.5.5 PLL. From 64 MHz of the HSI to the manifest's clock: voltage, oscillator, PLL, prescalers, wait
 * states, switch, in this order. */
#include "clock.h"

#include "power.h"

#define HSI_HZ RESET_CLOCK_HZ
#define PLL_P  2u /* PLL1 divides by even numbers only */
#define VCO_HZ (BOARD_CLOCK_HZ * PLL_P)

/* Input of the PLL: the largest of 4 to 16 MHz that the usual oscillators give. The wide VCO range needs 2 MHz or more. */
#define PLL_INPUT_HZ(source_hz) ((source_hz) % 8000000u == 0 ? 8000000u : 5000000u)
#define PLL_DIVIDES(source_hz)                                                                               \
    ((source_hz) % PLL_INPUT_HZ(source_hz) == 0 && VCO_HZ % PLL_INPUT_HZ(source_hz) == 0 &&                  \
     (source_hz) / PLL_INPUT_HZ(source_hz) <= 63)

_Static_assert(BOARD_CLOCK_HZ <= LINE_CORE_MAX_HZ, "clock.hz: more than this chip can");
_Static_assert(VCO_HZ >= LINE_VCO_WIDE_MIN_HZ && VCO_HZ <= LINE_VCO_WIDE_MAX_HZ,
               "clock.hz: the VCO runs at twice as much, 192 to 960 or 128 to 560 MHz");
_Static_assert(BOARD_CLOCK_HZ / AHB_DIVIDER <= LINE_AXI_MAX_HZ &&
                   BOARD_CLOCK_HZ / AHB_DIVIDER / APB_DIVIDER <= LINE_APB_MAX_HZ,
               "a bus is too fast");
_Static_assert(PLL_DIVIDES(HSI_HZ), "clock.hz: a multiple of 4 MHz");
_Static_assert(PLL_DIVIDES(BOARD_CRYSTAL_HZ) && BOARD_CRYSTAL_HZ <= 50000000u,
               "clock.crystal_hz: a multiple of 5 or 8 MHz up to 50 that clock.hz follows from, or 0");
_Static_assert(USART_BAUD_FITS(HSI_HZ, BOARD_UART_BAUD), "uart.baud: more than 1 % off without PLL");

static bool pll_starts(uint32_t source, uint32_t source_hz, uint32_t core_hz) {
    const uint32_t input_hz = PLL_INPUT_HZ(source_hz);
    const uint32_t range = input_hz < 8000000u ? RCC_PLLCFGR_PLL1RGE_4_8_MHZ : RCC_PLLCFGR_PLL1RGE_8_16_MHZ;
    RCC->PLLCKSELR = (RCC->PLLCKSELR & ~(RCC_PLLCKSELR_PLLSRC_MASK | RCC_PLLCKSELR_DIVM1_MASK)) | source |
                     source_hz / input_hz << 4;
    RCC->PLLCFGR = (RCC->PLLCFGR & ~(RCC_PLLCFGR_PLL1FRACEN | RCC_PLLCFGR_PLL1VCOSEL |
                                     RCC_PLLCFGR_PLL1RGE_MASK | RCC_PLLCFGR_DIVQ1EN | RCC_PLLCFGR_DIVR1EN)) |
                   range | RCC_PLLCFGR_DIVP1EN;
    RCC->PLL1DIVR =
        (RCC->PLL1DIVR & RCC_PLL1DIVR_Q_R_MASK) | (core_hz * PLL_P / input_hz - 1) | (PLL_P - 1) << 9;
    RCC->CR |= RCC_CR_PLL1ON;
    return wait_for(&RCC->CR, RCC_CR_PLL1RDY, RCC_CR_PLL1RDY);
}

static bool core_switches(uint32_t core_hz) {
    const struct flash_timing timing = power_flash_timing(core_hz / AHB_DIVIDER);
    const uint32_t acr = timing.latency | (uint32_t)timing.wrhighfreq << 4;
    const uint32_t acr_mask = FLASH_ACR_LATENCY_MASK | FLASH_ACR_WRHIGHFREQ_MASK;
    RCC->D1CFGR = RCC_D1CFGR_HPRE | RCC_D1CFGR_D1PPRE_DIV2;
    RCC->D2CFGR = RCC_D2CFGR_D2PPRE1_DIV2 | RCC_D2CFGR_D2PPRE2_DIV2;
    RCC->D3CFGR = RCC_D3CFGR_D3PPRE_DIV2;
    FLASH_ACR = (FLASH_ACR & ~acr_mask) | acr;
    if (!wait_for(&FLASH_ACR, acr_mask, acr)) return false;
    RCC->CFGR = (RCC->CFGR & ~RCC_CFGR_SW_MASK) | RCC_CFGR_SW_PLL1;
    return wait_for(&RCC->CFGR, RCC_CFGR_SWS_MASK, RCC_CFGR_SWS_PLL1);
}

/* Back to the internal oscillator as after a reset; false if the PLL still runs, whose settings are then locked. Voltage and wait states
 * may stay at more than needed. Also undoes what a debugger did before it let the program run. */
static bool stop_all(void) {
    RCC->CR |= RCC_CR_HSION;
    if (!wait_for(&RCC->CR, RCC_CR_HSIRDY, RCC_CR_HSIRDY)) return false;
    RCC->CFGR &= ~RCC_CFGR_SW_MASK;
    if (!wait_for(&RCC->CFGR, RCC_CFGR_SWS_MASK, RCC_CFGR_SWS_HSI)) return false;
    RCC->D1CFGR = 0;
    RCC->D2CFGR = 0;
    RCC->D3CFGR = 0;
    RCC->CR &= ~RCC_CR_PLL1ON;
    return wait_for(&RCC->CR, RCC_CR_PLL1RDY, 0) && crystal_stops();
}

struct clock clock_start(void) {
    const uint32_t core_hz = power_core_hz();
    if (stop_all() && power_supply_is_ours() && power_scale_starts(core_hz)) {
        if (crystal_starts() && pll_starts(RCC_PLLCKSELR_PLLSRC_HSE, BOARD_CRYSTAL_HZ, core_hz) &&
            core_switches(core_hz))
            return (struct clock){core_hz, UART_HZ(core_hz), CLOCK_PLL_CRYSTAL};
        if (stop_all() && pll_starts(RCC_PLLCKSELR_PLLSRC_HSI, HSI_HZ, core_hz) && core_switches(core_hz))
            return (struct clock){core_hz, UART_HZ(core_hz),
                                  BOARD_CRYSTAL_HZ == 0 ? CLOCK_PLL_INTERNAL : CLOCK_FELL_BACK};
        stop_all();
    }
    return (struct clock){HSI_HZ, HSI_HZ, CLOCK_RESET_DEFAULT};
}
