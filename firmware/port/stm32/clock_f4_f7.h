/* From reset to the manifest's clock on an STM32F4 or F7, whose oscillators, PLL and regulator work alike. A family's clock.c includes
 * this once; what differs comes from family.h:
 *
 *   CORE_MAX_HZ, APB1_MAX_HZ, APB2_MAX_HZ  limits at 2.7 to 3.6 V and voltage scale 1
 *   NORMAL_MAX_HZ                          above this the core needs the over-drive mode
 *   PWR_CR_VOS_MASK, PWR_CR_VOS_SCALE1     voltage scaling
 *   PWR_VOS_FOLLOWS_PLL                    1 if the regulator goes to the chosen scale only once the PLL runs, and PWR_CSR_VOSRDY tells when
 *   FLASH_ACR_RESET, FLASH_ACR_ENABLE      the flash accelerator's bits
 *
 * Order (RM0090 5.1.4 and 7.2.3, RM0390 5.1.4, RM0385 and RM0410 4.1.4): scale, then PLL, then regulator ready, over-drive, wait
 * states, bus prescalers, switch. No peripheral clock but that of PWR may be on while the over-drive mode starts. */
#ifndef TINYCONV_CLOCK_F4_F7_H
#define TINYCONV_CLOCK_F4_F7_H

#include "clock.h"
#include "family.h"

#define HSI_HZ       RESET_CLOCK_HZ
#define PLL_INPUT_HZ (BOARD_CRYSTAL_HZ % 2000000u == 0 ? 2000000u : 1000000u) /* 2 MHz has the least jitter */
#define PLL_P        2u
#define PLL_N        (BOARD_CLOCK_HZ * PLL_P / PLL_INPUT_HZ)
#define VCO_HZ       (PLL_INPUT_HZ * PLL_N)
#define PLL_Q        ((VCO_HZ + 48000000u - 1) / 48000000u) /* USB's clock, unused, at most 48 MHz */
#define FLASH_HZ_PER_WAIT_STATE 30000000u                   /* at 2.7 to 3.6 V, in all of them */
#define WAIT_STATES             ((BOARD_CLOCK_HZ - 1) / FLASH_HZ_PER_WAIT_STATE)
#define NEEDS_OVERDRIVE         (BOARD_CLOCK_HZ > NORMAL_MAX_HZ)

_Static_assert(BOARD_CLOCK_HZ <= CORE_MAX_HZ, "clock.hz: more than this chip can");
_Static_assert(VCO_HZ == BOARD_CLOCK_HZ * PLL_P, "clock.hz: whole MHz");
_Static_assert(BOARD_CRYSTAL_HZ % PLL_INPUT_HZ == 0, "clock.crystal_hz: whole MHz, or 0 for no crystal");
_Static_assert(BOARD_CRYSTAL_HZ == 0 ||
                   (BOARD_CRYSTAL_BYPASS ? BOARD_CRYSTAL_HZ >= 1000000u && BOARD_CRYSTAL_HZ <= 50000000u
                                         : BOARD_CRYSTAL_HZ >= 4000000u && BOARD_CRYSTAL_HZ <= 26000000u),
               "clock.crystal_hz: 4 to 26 MHz, a signal 1 to 50 MHz");
_Static_assert(BOARD_CRYSTAL_HZ == 0 ||
                   (BOARD_CRYSTAL_HZ / PLL_INPUT_HZ >= 2 && BOARD_CRYSTAL_HZ / PLL_INPUT_HZ <= 63),
               "PLLM is 2 to 63");
_Static_assert(PLL_N >= 50 && PLL_N <= 432 && VCO_HZ >= 100000000u && VCO_HZ <= 432000000u,
               "clock.hz: PLLN is 50 to 432, the VCO runs at 100 to 432 MHz");
_Static_assert(PLL_Q >= 2 && PLL_Q <= 15, "PLLQ is 2 to 15");
_Static_assert(BOARD_CLOCK_HZ / APB1_DIVIDER <= APB1_MAX_HZ && BOARD_CLOCK_HZ / APB2_DIVIDER <= APB2_MAX_HZ,
               "a bus is too fast");
_Static_assert(WAIT_STATES <= FLASH_ACR_LATENCY_MASK, "the flash is too slow");

/* Wait states, and the accelerator with nothing in it: it keeps what it holds over a reset that follows new contents of the flash. */
static bool flash_start(uint32_t wait_states) {
    FLASH_ACR = wait_states;
    FLASH_ACR = wait_states | FLASH_ACR_RESET;
    FLASH_ACR = wait_states | FLASH_ACR_ENABLE;
    return wait_for(&FLASH_ACR, FLASH_ACR_LATENCY_MASK, wait_states);
}

static bool overdrive_starts(void) {
    PWR_CR |= PWR_CR_ODEN;
    if (!wait_for(&PWR_CSR, PWR_CSR_ODRDY, PWR_CSR_ODRDY)) return false;
    PWR_CR |= PWR_CR_ODSWEN;
    return wait_for(&PWR_CSR, PWR_CSR_ODSWRDY, PWR_CSR_ODSWRDY);
}

static bool pll_starts(bool from_crystal) {
    const uint32_t source_hz = from_crystal ? BOARD_CRYSTAL_HZ : HSI_HZ;
    RCC->PLLCFGR = (RCC->PLLCFGR & RCC_PLLCFGR_RESERVED) | source_hz / PLL_INPUT_HZ | PLL_N << 6 |
                   (PLL_P / 2 - 1) << 16 | PLL_Q << 24 | (from_crystal ? RCC_PLLCFGR_SRC_HSE : 0);
    RCC->CR |= RCC_CR_PLLON;
    if (!wait_for(&RCC->CR, RCC_CR_PLLRDY, RCC_CR_PLLRDY)) return false;
    if (PWR_VOS_FOLLOWS_PLL && !wait_for(&PWR_CSR, PWR_CSR_VOSRDY, PWR_CSR_VOSRDY)) return false;
    if (NEEDS_OVERDRIVE && !overdrive_starts()) return false;
    if (!flash_start(WAIT_STATES)) return false;
    RCC->CFGR = RCC_CFGR_PPRE1_DIV4 | RCC_CFGR_PPRE2_DIV2;
    RCC->CFGR |= RCC_CFGR_SW_PLL;
    return wait_for(&RCC->CFGR, RCC_CFGR_SWS_MASK, RCC_CFGR_SWS_PLL);
}

/* Back to the internal oscillator as after a reset; false if the PLL still runs, whose settings are then locked. Also undoes what a
 * debugger did before it let the program run. */
static bool stop_all(void) {
    RCC->CR |= RCC_CR_HSION;
    if (!wait_for(&RCC->CR, RCC_CR_HSIRDY, RCC_CR_HSIRDY)) return false;
    RCC->CFGR = RCC_CFGR_SW_HSI;
    if (!wait_for(&RCC->CFGR, RCC_CFGR_SWS_MASK, RCC_CFGR_SWS_HSI)) return false;
    RCC->CR &= ~RCC_CR_PLLON;
    if (!wait_for(&RCC->CR, RCC_CR_PLLRDY, 0)) return false;
    if (!crystal_stops()) return false;
    if (NEEDS_OVERDRIVE) PWR_CR &= ~(PWR_CR_ODEN | PWR_CR_ODSWEN);
    return true;
}

static struct clock full_speed(enum clock_source source) {
    return (struct clock){BOARD_CLOCK_HZ, PORT_UART_HZ, source};
}

struct clock clock_start(void) {
    /* The internal oscillator runs at reset. Where it seems not to, this is an emulator without clock control. */
    if (BOARD_EMULATED && (RCC->CR & RCC_CR_HSIRDY) == 0) return full_speed(CLOCK_EMULATED);

    RCC->APB1ENR |= RCC_APB1ENR_PWREN;
    (void)RCC->APB1ENR; /* the clock reaches the block after the next bus access */
    bool stopped = stop_all();
    PWR_CR = (PWR_CR & ~PWR_CR_VOS_MASK) | PWR_CR_VOS_SCALE1;
    if (BOARD_CRYSTAL_HZ != 0 && stopped) {
        if (crystal_starts() && pll_starts(true)) return full_speed(CLOCK_PLL_CRYSTAL);
        stopped = stop_all();
    }
    if (stopped) {
        if (pll_starts(false))
            return full_speed(BOARD_CRYSTAL_HZ == 0 ? CLOCK_PLL_INTERNAL : CLOCK_FELL_BACK);
        stop_all();
    }
    flash_start(0);
    return (struct clock){HSI_HZ, HSI_HZ, CLOCK_RESET_DEFAULT};
}

#endif
