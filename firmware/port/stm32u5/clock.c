/* RM0456: 7.3.3 flash wait states, 8 ICACHE, 10.5.4 voltage scaling and booster, 11.4 clocks. From 4 MHz of the MSIS in range 4 to the
 * manifest's clock in range 1. The PLL's source is a crystal, or else the HSI16, which is 1 % over temperature. The core stays on
 * the LDO, as at reset: the SMPS would save current, not time, and would take boards without its coil down. */
#include "clock.h"

#define HSI_HZ          16000000u
#define FALL_BACK_HZ    24000000u /* of the MSIS without PLL: its 4 MHz are too few for the serial line */
#define PLL_R           2u
#define VCO_HZ          (BOARD_CLOCK_HZ * PLL_R)
#define CORE_MAX_HZ     160000000u
#define BOOSTER_FROM_HZ 55000000u
#define FLASH_HZ_PER_WAIT_STATE 32000000u /* range 1, table 54 */
#define WAIT_STATES             ((BOARD_CLOCK_HZ - 1) / FLASH_HZ_PER_WAIT_STATE)
#define NEEDS_BOOSTER           (BOARD_CLOCK_HZ > BOOSTER_FROM_HZ)

/* Input of the PLL: the larger of what the usual oscillators give, of 4 to 16 MHz. */
#define PLL_INPUT_HZ(source_hz) ((source_hz) % 8000000u == 0 ? 8000000u : 5000000u)
#define PLL_M(source_hz)        ((source_hz) / PLL_INPUT_HZ(source_hz))
#define PLL_N(source_hz)        (VCO_HZ / PLL_INPUT_HZ(source_hz))
#define PLL_FITS(source_hz)                                                                                  \
    (PLL_M(source_hz) >= 1 && PLL_M(source_hz) <= 16 && PLL_N(source_hz) >= 4 && PLL_N(source_hz) <= 512 &&  \
     PLL_M(source_hz) * PLL_INPUT_HZ(source_hz) == (source_hz) &&                                            \
     PLL_N(source_hz) * PLL_INPUT_HZ(source_hz) == VCO_HZ)

/* The booster wants 4 to 16 MHz: its prescaler divides the PLL's source by 1, 2 or 4 for the codes 0 to 2. */
#define BOOST_CODE(source_hz) ((source_hz) <= 16000000u ? 0u : (source_hz) <= 32000000u ? 1u : 2u)

_Static_assert(BOARD_CLOCK_HZ <= CORE_MAX_HZ, "clock.hz: more than this chip can");
_Static_assert(VCO_HZ >= 128000000u && VCO_HZ <= 544000000u,
               "clock.hz: the VCO runs at twice as much, 128 to 544 MHz");
_Static_assert(PLL_FITS(HSI_HZ), "clock.hz: a multiple of 4 MHz");
_Static_assert(BOARD_CRYSTAL_HZ == 0 || (PLL_FITS(BOARD_CRYSTAL_HZ) && BOARD_CRYSTAL_HZ <= 50000000u),
               "clock.crystal_hz: a multiple of 5 or 8 MHz up to 50 that clock.hz follows from, or 0");
_Static_assert(WAIT_STATES <= 4, "RM0456 table 54");
_Static_assert(USART_BAUD_FITS(FALL_BACK_HZ, BOARD_UART_BAUD), "uart.baud: more than 1 % off without PLL");

static bool internal_starts(void) {
    RCC->CR |= RCC_CR_HSION;
    return wait_for(&RCC->CR, RCC_CR_HSIRDY, RCC_CR_HSIRDY);
}

/* The booster is fed with the PLL's source and has to run before the core goes beyond 55 MHz. */
static bool booster_starts(void) {
    if (!NEEDS_BOOSTER) return true;
    PWR->VOSR |= PWR_VOSR_BOOSTEN;
    return wait_for(&PWR->VOSR, PWR_VOSR_BOOSTRDY, PWR_VOSR_BOOSTRDY);
}

static bool pll_starts(uint32_t source, uint32_t source_hz) {
    const uint32_t range =
        PLL_INPUT_HZ(source_hz) < 8000000u ? RCC_PLL1CFGR_RGE_4_8_MHZ : RCC_PLL1CFGR_RGE_8_16_MHZ;
    RCC->PLL1CFGR = source | range | (PLL_M(source_hz) - 1) << 8 | BOOST_CODE(source_hz) << 12;
    RCC->PLL1DIVR = (PLL_N(source_hz) - 1) | (PLL_R - 1) << 24;
    if (!booster_starts()) return false;
    RCC->PLL1CFGR |= RCC_PLL1CFGR_REN;
    RCC->CR |= RCC_CR_PLL1ON;
    return wait_for(&RCC->CR, RCC_CR_PLL1RDY, RCC_CR_PLL1RDY);
}

static bool voltage_starts(void) {
    PWR->VOSR = (PWR->VOSR & ~PWR_VOSR_VOS_MASK) | PWR_VOSR_VOS_RANGE1;
    (void)PWR->VOSR; /* until the write has arrived, the flag tells of the range before */
    return wait_for(&PWR->VOSR, PWR_VOSR_VOSRDY, PWR_VOSR_VOSRDY);
}

static bool flash_start(void) {
    FLASH_ACR = (FLASH_ACR & ~FLASH_ACR_LATENCY_MASK) | FLASH_ACR_PRFTEN | WAIT_STATES;
    return wait_for(&FLASH_ACR, FLASH_ACR_LATENCY_MASK, WAIT_STATES);
}

/* A reset has it invalidated; a program that a debugger loaded has not. */
static void icache_start(void) {
    if (!wait_for(&ICACHE->SR, ICACHE_SR_BUSYF, 0)) return;
    ICACHE->CR |= ICACHE_CR_CACHEINV;
    if (!wait_for(&ICACHE->SR, ICACHE_SR_BUSYF, 0)) return;
    ICACHE->CR |= ICACHE_CR_EN;
}

static bool core_switches(void) {
    RCC->CFGR1 |= RCC_CFGR1_SW_PLL1;
    return wait_for(&RCC->CFGR1, RCC_CFGR1_SWS_MASK, RCC_CFGR1_SWS_PLL1);
}

/* Back to the MSIS as after a reset; false if the PLL still runs, whose settings are then locked. Voltage and wait states may stay at more
 * than needed. Also undoes what a debugger did before it let the program run. */
static bool stop_all(void) {
    RCC->CR |= RCC_CR_MSISON;
    if (!wait_for(&RCC->CR, RCC_CR_MSISRDY, RCC_CR_MSISRDY)) return false;
    RCC->CFGR1 &= ~RCC_CFGR1_SW_MASK;
    if (!wait_for(&RCC->CFGR1, RCC_CFGR1_SWS_MASK, RCC_CFGR1_SWS_MSIS)) return false;
    RCC->CFGR2 &= ~RCC_CFGR2_HPRE_MASK;
    RCC->CCIPR1 &= ~UART_KERNEL_MASK;
    RCC->CR &= ~RCC_CR_PLL1ON;
    if (!wait_for(&RCC->CR, RCC_CR_PLL1RDY, 0)) return false;
    PWR->VOSR &= ~PWR_VOSR_BOOSTEN; /* as with the crystal: it feeds on what is switched off next */
    return wait_for(&PWR->VOSR, PWR_VOSR_BOOSTRDY, 0) && crystal_stops();
}

/* The MSIS at 24 MHz for the serial line. The core gets half of it, which SRAM and flash bear without wait states in any range. */
static struct clock without_pll(void) {
    RCC->CFGR2 = (RCC->CFGR2 & ~RCC_CFGR2_HPRE_MASK) | RCC_CFGR2_HPRE_DIV2;
    RCC->CCIPR1 = (RCC->CCIPR1 & ~UART_KERNEL_MASK) | UART_KERNEL_SYSCLK;
    RCC->ICSCR1 =
        (RCC->ICSCR1 & ~RCC_ICSCR1_MSISRANGE_MASK) | RCC_ICSCR1_MSISRANGE_24_MHZ | RCC_ICSCR1_MSIRGSEL;
    (void)wait_for(&RCC->CR, RCC_CR_MSISRDY, RCC_CR_MSISRDY);
    return (struct clock){FALL_BACK_HZ / 2, FALL_BACK_HZ, CLOCK_RESET_DEFAULT};
}

static struct clock core_start(void) {
    if (stop_all() && flash_start() && voltage_starts()) {
        if (crystal_starts() && pll_starts(RCC_PLL1CFGR_SRC_HSE, BOARD_CRYSTAL_HZ) && core_switches())
            return (struct clock){BOARD_CLOCK_HZ, PORT_UART_HZ, CLOCK_PLL_CRYSTAL};
        if (stop_all() && internal_starts() && pll_starts(RCC_PLL1CFGR_SRC_HSI16, HSI_HZ) && core_switches())
            return (struct clock){BOARD_CLOCK_HZ, PORT_UART_HZ,
                                  BOARD_CRYSTAL_HZ == 0 ? CLOCK_PLL_INTERNAL : CLOCK_FELL_BACK};
        stop_all();
    }
    return without_pll();
}

struct clock clock_start(void) {
    RCC->AHB3ENR |= RCC_AHB3ENR_PWREN;
    (void)RCC->AHB3ENR; /* the clock reaches the block after the next bus access */
    const struct clock clock = core_start();
    icache_start();
    return clock;
}
