/* STM32H742/743/750/753. RM0433: 4.3.8 flash, 6.4.1 supply, 6.6.2 voltage scaling, 12 SYSCFG. Supplied by the LDO: these lines have no
 * SMPS. */
#include "clock.h"
#include "family.h"
#include "power.h"
#include "startup.h"

#ifdef TINYCONV_H743_H

    #define PWR_CR3_BYPASS       (1u << 0)
    #define PWR_CR3_LDOEN        (1u << 1)
    #define PWR_CR3_SCUEN        (1u << 2) /* reads 1 until the supply has been decided */
    #define PWR_CR3_SUPPLY_MASK  (PWR_CR3_SCUEN | PWR_CR3_LDOEN | PWR_CR3_BYPASS)
    #define PWR_D3CR_VOS_SCALE1  (3u << 14)
    #define RCC_APB4ENR_SYSCFGEN (1u << 1)
    #define SYSCFG_PWRCR         REG32(0x5800042cu)
    #define SYSCFG_PWRCR_ODEN    (1u << 0)
    #define DBGMCU_REVISION_Y    0x1003u
    #define DBGMCU_REVISION_V    0x2003u
    #define AXI_TARG7_FN_MOD     REG32(0x51008108u)
    #define AXI_FN_MOD_READ_ISS  (1u << 0)

    #define SCALE1_MAX_HZ      400000000u
    #define REVISION_Y_VCO_MAX 836000000u

_Static_assert(SCALE1_MAX_HZ * 2 <= REVISION_Y_VCO_MAX,
               "DS12110: VCO of revision Y, which runs at twice the core's clock");
_Static_assert(BOARD_CLOCK_HZ <= SCALE1_MAX_HZ || USART_BAUD_FITS(UART_HZ(SCALE1_MAX_HZ), BOARD_UART_BAUD),
               "uart.baud: more than 1 % off on chips of revision Y");

/* Until the supply is decided and there, the chip is in Run* mode, in which RAM is not to be written (6.4.1). The lower byte takes one
 * write a power-up, and a reset does not open it again. On a chip of the other line this choice would be its end, so nothing is chosen. */
void port_before_ram(void) {
    if ((DBGMCU_IDC & DBGMCU_IDC_DEV_ID_MASK) != LINE_DEV_ID) return;
    if (PWR->CR3 & PWR_CR3_SCUEN) PWR->CR3 = (PWR->CR3 & ~PWR_CR3_SUPPLY_MASK) | PWR_CR3_LDOEN;
    for (uint32_t i = 0; i < SUPPLY_POLLS && (PWR->CSR1 & PWR_CSR1_ACTVOSRDY) == 0; i++) {}
}

/* Whoever decided: SCUEN may still be set where another program wrote it. */
bool power_supply_is_ours(void) {
    return (PWR->CR3 & (PWR_CR3_LDOEN | PWR_CR3_BYPASS)) == PWR_CR3_LDOEN && (PWR->CSR1 & PWR_CSR1_ACTVOSRDY);
}

/* Scale 0, and with it more than 400 MHz, came with revision V (DS12110, ES0392). */
uint32_t power_core_hz(void) {
    const uint32_t revision = DBGMCU_IDC >> 16;
    /* ES0392 2.2.9: several reads of the AXI SRAM under way at once may give wrong data */
    if (revision <= DBGMCU_REVISION_Y) AXI_TARG7_FN_MOD |= AXI_FN_MOD_READ_ISS;
    return revision >= DBGMCU_REVISION_V || BOARD_CLOCK_HZ < SCALE1_MAX_HZ ? BOARD_CLOCK_HZ : SCALE1_MAX_HZ;
}

bool power_scale_starts(uint32_t core_hz) {
    PWR->D3CR = (PWR->D3CR & ~PWR_D3CR_VOS_MASK) | PWR_D3CR_VOS_SCALE1;
    (void)PWR->D3CR; /* until the write has arrived, the flag tells of the scale before */
    if (!wait_for(&PWR->D3CR, PWR_D3CR_VOSRDY, PWR_D3CR_VOSRDY)) return false;
    if (core_hz <= SCALE1_MAX_HZ) return true;
    /* scale 0 is scale 1 with the overdrive of SYSCFG */
    RCC_ENABLE->APB4ENR |= RCC_APB4ENR_SYSCFGEN;
    (void)RCC_ENABLE->APB4ENR; /* the clock reaches the block after the next bus access */
    SYSCFG_PWRCR |= SYSCFG_PWRCR_ODEN;
    (void)SYSCFG_PWRCR;
    return wait_for(&PWR->D3CR, PWR_D3CR_VOSRDY, PWR_D3CR_VOSRDY);
}

struct flash_timing power_flash_timing(uint32_t axi_hz) {
    /* RM0433 table 17; scale 0 only adds the last line to scale 1 */
    static const struct flash_timing timings[] = {
        {70000000u, 0, 0},  {140000000u, 1, 1}, {185000000u, 2, 1},
        {210000000u, 2, 2}, {225000000u, 3, 2}, {240000000u, 4, 2},
    };
    const struct flash_timing *timing = timings;
    while (timing->up_to_hz < axi_hz) timing++; /* ends, as LINE_CORE_MAX_HZ is held */
    return *timing;
}

#endif
