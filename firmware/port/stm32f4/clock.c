/* RM0090: 3.5 flash interface, 5.4 power, 7 clocks. Limits for 2.7 to 3.6 V and scale 1: 168 MHz core, 42 MHz APB1, 84 MHz APB2. */
#include "clock.h"

#define HSI_HZ       RESET_CLOCK_HZ
#define PLL_INPUT_HZ 2000000u /* 1 to 2 MHz; 2 has the least jitter */
#define PLL_P        2u
#define PLL_N        (BOARD_CLOCK_HZ * PLL_P / PLL_INPUT_HZ)
#define VCO_HZ       (PLL_INPUT_HZ * PLL_N)
#define PLL_Q        ((VCO_HZ + 48000000u - 1) / 48000000u) /* USB's clock, unused, at most 48 MHz */
#define FLASH_HZ_PER_WAIT_STATE 30000000u
#define WAIT_STATES             ((BOARD_CLOCK_HZ - 1) / FLASH_HZ_PER_WAIT_STATE)

_Static_assert(BOARD_CLOCK_HZ <= 168000000u && BOARD_CLOCK_HZ % 1000000u == 0,
               "clock.hz: up to 168 whole MHz");
_Static_assert(BOARD_CRYSTAL_HZ % PLL_INPUT_HZ == 0,
               "clock.crystal_hz: a multiple of 2 MHz, or 0 for no crystal");
_Static_assert(VCO_HZ >= 100000000u && VCO_HZ <= 432000000u, "RM0090 7.3.2: range of the PLL");

static bool crystal_starts(void) {
    RCC->CR |= RCC_CR_HSEON;
    if (wait_for(&RCC->CR, RCC_CR_HSERDY, RCC_CR_HSERDY)) return true;
    RCC->CR &= ~RCC_CR_HSEON;
    return false;
}

static bool pll_starts(bool from_crystal) {
    const uint32_t source_hz = from_crystal ? BOARD_CRYSTAL_HZ : HSI_HZ;
    RCC->PLLCFGR = (RCC->PLLCFGR & RCC_PLLCFGR_RESERVED) | source_hz / PLL_INPUT_HZ | PLL_N << 6 |
                   (PLL_P / 2 - 1) << 16 | PLL_Q << 24 | (from_crystal ? RCC_PLLCFGR_SRC_HSE : 0);
    RCC->CR |= RCC_CR_PLLON;
    if (!wait_for(&RCC->CR, RCC_CR_PLLRDY, RCC_CR_PLLRDY)) return false;

    FLASH_ACR = WAIT_STATES | FLASH_ACR_PRFTEN | FLASH_ACR_ICEN | FLASH_ACR_DCEN;
    if (!wait_for(&FLASH_ACR, FLASH_ACR_LATENCY_MASK, WAIT_STATES)) return false;
    RCC->CFGR = RCC_CFGR_PPRE1_DIV4 | RCC_CFGR_PPRE2_DIV2;
    RCC->CFGR |= RCC_CFGR_SW_PLL;
    return wait_for(&RCC->CFGR, RCC_CFGR_SWS_MASK, RCC_CFGR_SWS_PLL);
}

static struct clock full_speed(enum clock_source source) {
    return (struct clock){BOARD_CLOCK_HZ, PORT_UART_HZ, source};
}

struct clock clock_start(void) {
    /* The internal oscillator runs at reset. Where it seems not to, this is an emulator without clock control. */
    if (BOARD_EMULATED && (RCC->CR & RCC_CR_HSIRDY) == 0) return full_speed(CLOCK_EMULATED);

    RCC->APB1ENR |= RCC_APB1ENR_PWREN;
    (void)RCC->APB1ENR; /* the clock reaches the block after the next bus access */
    PWR_CR |= PWR_CR_VOS_SCALE1;
    const bool crystal = BOARD_CRYSTAL_HZ != 0 && crystal_starts();
    if (pll_starts(crystal)) {
        if (crystal) return full_speed(CLOCK_PLL_CRYSTAL);
        return full_speed(BOARD_CRYSTAL_HZ == 0 ? CLOCK_PLL_INTERNAL : CLOCK_FELL_BACK);
    }
    RCC->CFGR = 0;
    RCC->CR &= ~RCC_CR_PLLON;
    FLASH_ACR |= FLASH_ACR_PRFTEN | FLASH_ACR_ICEN | FLASH_ACR_DCEN;
    return (struct clock){HSI_HZ, HSI_HZ, CLOCK_RESET_DEFAULT};
}
