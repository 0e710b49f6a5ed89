/* RM0432: 3.3.3 flash wait states, 5.1.8 voltage scaling, 6.2 clocks. From 4 MHz of the MSI in range 1 to the manifest's clock, above
 * 80 MHz in boost mode. The PLL's source is a crystal, or else the HSI16: 1 % over temperature where the free MSI may be off by 3 (DS12023),
 * which is what a serial line can bear. */
#include "clock.h"

#define HSI_HZ                  16000000u
#define PLL_R                   2u
#define VCO_HZ                  (BOARD_CLOCK_HZ * PLL_R)
#define NORMAL_MAX_HZ           80000000u
#define BOOST_MAX_HZ            120000000u
#define FLASH_HZ_PER_WAIT_STATE 20000000u /* range 1, table 12 */
#define WAIT_STATES             ((BOARD_CLOCK_HZ - 1) / FLASH_HZ_PER_WAIT_STATE)
#define NEEDS_BOOST             (BOARD_CLOCK_HZ > NORMAL_MAX_HZ)

/* Input of the PLL: the larger of what the usual oscillators give, of 2.66 to 16 MHz. */
#define PLL_INPUT_HZ(source_hz) ((source_hz) % 8000000u == 0 ? 8000000u : 4000000u)
#define PLL_M(source_hz)        ((source_hz) / PLL_INPUT_HZ(source_hz))
#define PLL_N(source_hz)        (VCO_HZ / PLL_INPUT_HZ(source_hz))
#define PLL_FITS(source_hz)                                                                                  \
    (PLL_M(source_hz) >= 1 && PLL_M(source_hz) <= 16 && PLL_N(source_hz) >= 8 && PLL_N(source_hz) <= 127 &&  \
     PLL_M(source_hz) * PLL_INPUT_HZ(source_hz) == (source_hz) &&                                            \
     PLL_N(source_hz) * PLL_INPUT_HZ(source_hz) == VCO_HZ)

_Static_assert(BOARD_CLOCK_HZ <= BOOST_MAX_HZ, "clock.hz: more than this chip can");
_Static_assert(VCO_HZ >= 64000000u && VCO_HZ <= 344000000u,
               "clock.hz: the VCO runs at twice as much, 64 to 344 MHz");
_Static_assert(PLL_FITS(HSI_HZ), "clock.hz: a multiple of 4 MHz");
_Static_assert(BOARD_CRYSTAL_HZ == 0 || (PLL_FITS(BOARD_CRYSTAL_HZ) && BOARD_CRYSTAL_HZ <= 48000000u),
               "clock.crystal_hz: a multiple of 4 MHz up to 48 that clock.hz follows from, or 0");
_Static_assert(WAIT_STATES <= 5, "RM0432 table 12");
_Static_assert(!PORT_UART_LPUART || USART_BAUD_FITS(RESET_CLOCK_HZ, BOARD_UART_BAUD),
               "uart.baud: more than 1 % off without PLL");

static bool internal_starts(void) {
    RCC->CR |= RCC_CR_HSION;
    return wait_for(&RCC->CR, RCC_CR_HSIRDY, RCC_CR_HSIRDY);
}

static bool pll_starts(uint32_t source, uint32_t source_hz) {
    RCC->PLLCFGR = source | (PLL_M(source_hz) - 1) << 4 | PLL_N(source_hz) << 8;
    RCC->CR |= RCC_CR_PLLON;
    RCC->PLLCFGR |= RCC_PLLCFGR_PLLREN;
    return wait_for(&RCC->CR, RCC_CR_PLLRDY, RCC_CR_PLLRDY);
}

/* Wait states, and the caches with nothing in them: they keep what they hold over a reset that follows new contents of the flash. */
static bool flash_start(uint32_t wait_states) {
    FLASH_ACR = wait_states | FLASH_ACR_PRFTEN;
    FLASH_ACR = wait_states | FLASH_ACR_PRFTEN | FLASH_ACR_ICRST | FLASH_ACR_DCRST;
    FLASH_ACR = wait_states | FLASH_ACR_PRFTEN | FLASH_ACR_ICEN | FLASH_ACR_DCEN;
    return wait_for(&FLASH_ACR, FLASH_ACR_LATENCY_MASK, wait_states);
}

/* Range 1 is what reset gives. */
static bool voltage_starts(void) {
    PWR->CR1 = (PWR->CR1 & ~PWR_CR1_VOS_MASK) | PWR_CR1_VOS_RANGE1;
    if (!wait_for(&PWR->SR2, PWR_SR2_VOSF, 0)) return false;
    if (NEEDS_BOOST) PWR->CR5 &= ~PWR_CR5_R1MODE;
    return true;
}

/* Into boost mode the core comes at half its clock for at least 1 us (5.1.8). */
static bool core_switches(void) {
    if (!flash_start(WAIT_STATES)) return false;
    if (NEEDS_BOOST) RCC->CFGR |= RCC_CFGR_HPRE_DIV2;
    RCC->CFGR |= RCC_CFGR_SW_PLL;
    if (!wait_for(&RCC->CFGR, RCC_CFGR_SWS_MASK, RCC_CFGR_SWS_PLL)) return false;
    for (uint32_t i = 0; i < BOARD_CLOCK_HZ / 2 / 1000000u; i++) (void)RCC->CFGR; /* a cycle each, at least */
    RCC->CFGR &= ~RCC_CFGR_HPRE_MASK;
    return true;
}

/* Back to the MSI as after a reset; false if the PLL still runs, whose settings are then locked. Also undoes what a debugger did before
 * it let the program run. */
static bool stop_all(void) {
    RCC->CR |= RCC_CR_MSION;
    if (!wait_for(&RCC->CR, RCC_CR_MSIRDY, RCC_CR_MSIRDY)) return false;
    RCC->CFGR &= ~RCC_CFGR_SW_MASK;
    if (!wait_for(&RCC->CFGR, RCC_CFGR_SWS_MASK, RCC_CFGR_SWS_MSI)) return false;
    RCC->CFGR &= ~RCC_CFGR_HPRE_MASK;
    RCC->CR &= ~RCC_CR_PLLON;
    return wait_for(&RCC->CR, RCC_CR_PLLRDY, 0) && crystal_stops();
}

struct clock clock_start(void) {
    RCC->APB1ENR1 |= RCC_APB1ENR1_PWREN;
    (void)RCC->APB1ENR1; /* the clock reaches the block after the next bus access */
    /* pins PG2 to PG15 have a supply of their own and are cut off until it is declared valid (5.1.3) */
    PWR->CR2 |= PWR_CR2_IOSV;
    if (stop_all() && voltage_starts()) {
        if (crystal_starts() && pll_starts(RCC_PLLCFGR_PLLSRC_HSE, BOARD_CRYSTAL_HZ) && core_switches())
            return (struct clock){BOARD_CLOCK_HZ, PORT_UART_HZ, CLOCK_PLL_CRYSTAL};
        if (stop_all() && internal_starts() && pll_starts(RCC_PLLCFGR_PLLSRC_HSI16, HSI_HZ) &&
            core_switches())
            return (struct clock){BOARD_CLOCK_HZ, PORT_UART_HZ,
                                  BOARD_CRYSTAL_HZ == 0 ? CLOCK_PLL_INTERNAL : CLOCK_FELL_BACK};
        stop_all();
    }
    PWR->CR5 |= PWR_CR5_R1MODE;
    flash_start(0);
    return (struct clock){RESET_CLOCK_HZ, RESET_CLOCK_HZ, CLOCK_RESET_DEFAULT};
}
