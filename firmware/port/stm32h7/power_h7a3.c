/* STM32H7A3/7B0/7B3 with SMPS. RM0455: 4.3.8 flash, 6.4.1 supply, 6.6.2 voltage scaling. Supplied by the SMPS directly, as the boards
 * whose names end in -Q are wired: with the LDO chosen the core loses its supply until the next power-up. */
#include "clock.h"
#include "family.h"
#include "power.h"
#include "startup.h"

#ifdef TINYCONV_H7A3_H

    #define PWR_CR3_BYPASS    (1u << 0)
    #define PWR_CR3_LDOEN     (1u << 1)
    #define PWR_CR3_SMPSEN    (1u << 2)
    #define PWR_CR3_SMPSEXTHP (1u << 3)
    #define PWR_CR3_SMPSLEVEL (3u << 4)
    #define PWR_CR3_SUPPLY_MASK                                                                              \
        (PWR_CR3_SMPSLEVEL | PWR_CR3_SMPSEXTHP | PWR_CR3_SMPSEN | PWR_CR3_LDOEN | PWR_CR3_BYPASS)
    #define PWR_CR3_UNDECIDED    (PWR_CR3_SMPSEN | PWR_CR3_LDOEN) /* since power-up */
    #define PWR_SRDCR_VOS_SCALE1 (2u << 14)
    #define PWR_SRDCR_VOS_SCALE0 (3u << 14)

/* Until the supply is decided and there, the chip is in Run* mode, in which RAM is not to be written (6.4.1). The lower byte takes one
 * write a power-up, and a reset does not open it again. On a chip of the other line this choice would be its end, so nothing is chosen. */
void port_before_ram(void) {
    if ((DBGMCU_IDC & DBGMCU_IDC_DEV_ID_MASK) != LINE_DEV_ID) return;
    const uint32_t supply = PWR->CR3 & PWR_CR3_SUPPLY_MASK;
    if (supply == PWR_CR3_UNDECIDED) PWR->CR3 = (PWR->CR3 & ~PWR_CR3_SUPPLY_MASK) | PWR_CR3_SMPSEN;
    for (uint32_t i = 0; i < SUPPLY_POLLS && (PWR->CSR1 & PWR_CSR1_ACTVOSRDY) == 0; i++) {}
}

bool power_supply_is_ours(void) {
    return (PWR->CR3 & PWR_CR3_SUPPLY_MASK) == PWR_CR3_SMPSEN && (PWR->CSR1 & PWR_CSR1_ACTVOSRDY);
}

uint32_t power_core_hz(void) {
    return BOARD_CLOCK_HZ;
}

static bool scale_starts(uint32_t scale) {
    PWR->D3CR = (PWR->D3CR & ~PWR_D3CR_VOS_MASK) | scale;
    (void)PWR->D3CR; /* until the write has arrived, the flag tells of the scale before */
    return wait_for(&PWR->D3CR, PWR_D3CR_VOSRDY, PWR_D3CR_VOSRDY);
}

/* Scale 0 by way of scale 1, as stm32h7xx-hal does it on the Nucleo-H7A3ZI-Q (its pull request 429). */
bool power_scale_starts(uint32_t core_hz) {
    (void)core_hz;
    return scale_starts(PWR_SRDCR_VOS_SCALE1) && scale_starts(PWR_SRDCR_VOS_SCALE0);
}

struct flash_timing power_flash_timing(uint32_t axi_hz) {
    /* RM0455 table 16, scale 0 */
    static const struct flash_timing timings[] = {
        {42000000u, 0, 0},  {84000000u, 1, 0},  {126000000u, 2, 1}, {168000000u, 3, 1},
        {210000000u, 4, 2}, {252000000u, 5, 2}, {280000000u, 6, 3},
    };
    const struct flash_timing *timing = timings;
    while (timing->up_to_hz < axi_hz) timing++; /* ends, as LINE_CORE_MAX_HZ is held */
    return *timing;
}

#endif
