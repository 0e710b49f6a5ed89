/* Cycles on a chip. QEMU has no cycle counter, but its TIM2 counts nanoseconds of virtual time, and the manifest's icount_shift
 * of 0 makes every instruction take one. */
#include "counter.h"

#include <stdbool.h>

#include "family.h"

struct timer {
    volatile uint32_t CR1, CR2, SMCR, DIER, SR, EGR, CCMR1, CCMR2, CCER, CNT, PSC, ARR;
};
#define TIM2        ((struct timer *)0x40000000u) /* in every family */
#define TIM_CR1_CEN (1u << 0)

static bool dwt_counts;

void counter_start(void) {
    dwt_start();
    const uint32_t before = DWT_CYCCNT;
    for (uint32_t i = 0; i < 16; i++) ISB();
    dwt_counts = DWT_CYCCNT != before;
#if BOARD_EMULATED
    _Static_assert(BOARD_ICOUNT_SHIFT == 0, "TIM2 counts instructions only with icount_shift 0");
    if (dwt_counts) return;
    *TIM2_ENABLE_REG |= TIM2_ENABLE;
    TIM2->CR1 = TIM_CR1_CEN;
#endif
}

enum counter_kind counter_kind(void) {
    if (dwt_counts) return COUNTER_CYCLES;
    return BOARD_EMULATED ? COUNTER_INSTRUCTIONS : COUNTER_NONE;
}

uint32_t port_counter(void) {
    return dwt_counts ? DWT_CYCCNT : TIM2->CNT;
}
