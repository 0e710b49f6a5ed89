/* What the start of every clock tree needs: waiting, but not for ever, and the crystal, whose bits all families have in the same place. */
#include "clock.h"

/* A look at the flag and a pause make at least 80 instructions; together 62 ms at the clock of reset, where nearly all waiting is done. */
#define PAUSE_TURNS 25u
#define POLLS       (RESET_CLOCK_HZ / 1280u)

bool wait_for(const volatile uint32_t *reg, uint32_t mask, uint32_t value) {
    for (uint32_t i = 0; i < POLLS; i++) {
        if ((*reg & mask) == value) return true;
        for (uint32_t turn = 0; turn < PAUSE_TURNS; turn++) __asm volatile("nop");
    }
    return false;
}

bool crystal_starts(void) {
    if (BOARD_CRYSTAL_HZ == 0) return false;
    if (BOARD_CRYSTAL_BYPASS) RCC->CR |= RCC_CR_HSEBYP; /* only while HSEON is 0 */
    RCC->CR |= RCC_CR_HSEON;
    return wait_for(&RCC->CR, RCC_CR_HSERDY, RCC_CR_HSERDY);
}

bool crystal_stops(void) {
    RCC->CR &= ~RCC_CR_HSEON;
    if (!wait_for(&RCC->CR, RCC_CR_HSERDY, 0)) return false;
    RCC->CR &= ~RCC_CR_HSEBYP;
    return true;
}
