/* The IWDG counts its own oscillator, LSI, which works whatever the core's clock does: 32 kHz nominally, 17 to 47 kHz over all families
 * (datasheets). At a prescaler of 256 a count takes 8 ms and the longest time is 32.7 s; with the fastest LSI a third less.
 *
 * port_feed() is called between the steps of a plan, so the time must be longer than the longest step. At the slowest clock that a board
 * may fall back to, 4 MHz, and 20,000 ms, 13 s with the fastest LSI, that is 54 million cycles; the longest layer of the README's
 * networks takes 2.5 million.
 */
#include "watchdog.h"

#include "../port.h"
#include "family.h"

struct iwdg {
    volatile uint32_t KR, PR, RLR, SR;
};
#define IWDG             ((struct iwdg *)IWDG_BASE)
#define IWDG_KEY_START   0xccccu
#define IWDG_KEY_UNLOCK  0x5555u
#define IWDG_KEY_RELOAD  0xaaaau
#define IWDG_PR_DIV256   6u
#define IWDG_COUNT_MS    8u
#define IWDG_MAX_RELOAD  0xfffu
#define WAKES_PER_SECOND 64u      /* SysTick has 24 bits: enough for 1 GHz */
#define IWDG_POLLS       1000000u /* the registers cross to the LSI's clock within five of its cycles */

_Static_assert(BOARD_WATCHDOG_MS <= IWDG_COUNT_MS * (IWDG_MAX_RELOAD + 1u), "watchdog_ms: at most 32,768");
_Static_assert(BOARD_WATCHDOG_MS == 0 || BOARD_WATCHDOG_MS >= 1000,
               "watchdog_ms: at least 1,000, for start-up and checks of a plan take their time");

static enum reset_cause cause;

/* The pin's flag is set with every other one, since each reset pulls the pin. */
static enum reset_cause cause_of(uint32_t flags) {
    if (flags & RESET_FLAG_WATCHDOG) return RESET_WATCHDOG;
    if (flags & RESET_FLAG_SOFTWARE) return RESET_SOFTWARE;
    if (flags & RESET_FLAGS_POWER) return RESET_POWER;
    if (flags & RESET_FLAG_PIN) return RESET_PIN;
    return BOARD_EMULATED ? RESET_UNKNOWN : RESET_OTHER;
}

void watchdog_start(void) {
    cause = cause_of(RESET_FLAGS_REG);
    RESET_FLAGS_REG |= RESET_FLAGS_CLEAR;
#if BOARD_WATCHDOG_MS
    IWDG->KR = IWDG_KEY_START;
    IWDG->KR = IWDG_KEY_UNLOCK;
    IWDG->PR = IWDG_PR_DIV256;
    IWDG->RLR = BOARD_WATCHDOG_MS / IWDG_COUNT_MS - 1u;
    for (uint32_t i = 0; i < IWDG_POLLS && IWDG->SR != 0; i++) {}
    port_feed();
#endif
}

void watchdog_wake(uint32_t core_hz) {
    if (BOARD_WATCHDOG_MS == 0) return;
    SYST_RVR = core_hz / WAKES_PER_SECOND - 1u;
    SYST_CVR = 0;
    SYST_CSR = SYST_CSR_CLKSOURCE | SYST_CSR_TICKINT | SYST_CSR_ENABLE;
}

enum reset_cause port_reset_cause(void) {
    return cause;
}

uint32_t port_watchdog_ms(void) {
    return BOARD_WATCHDOG_MS;
}

void port_feed(void) {
    if (BOARD_WATCHDOG_MS) IWDG->KR = IWDG_KEY_RELOAD;
}
