/* Registers that every Cortex-M4 and M7 has. Names as in the Armv7-M Architecture Reference Manual. */
#ifndef TINYCONV_CORTEXM_H
#define TINYCONV_CORTEXM_H

#include <stdint.h>

#include "board_config.h"

#define REG32(address) (*(volatile uint32_t *)(address))

#define SYST_CSR  REG32(0xe000e010u)
#define SYST_RVR  REG32(0xe000e014u)
#define SYST_CVR  REG32(0xe000e018u)
#define SCB_VTOR  REG32(0xe000ed08u)
#define SCB_AIRCR REG32(0xe000ed0cu)
#define SCB_CCR   REG32(0xe000ed14u)
#define SCB_SHCSR REG32(0xe000ed24u)
#define SCB_CFSR  REG32(0xe000ed28u)
#define SCB_MMFAR REG32(0xe000ed34u)
#define SCB_CPACR REG32(0xe000ed88u)
#define SCB_DEMCR REG32(0xe000edfcu)

#define DWT_CTRL   REG32(0xe0001000u)
#define DWT_CYCCNT REG32(0xe0001004u)
#define DWT_LAR    REG32(0xe0001fb0u)

#define NVIC_ISER(n) REG32(0xe000e100u + 4u * (n))

#define CFSR_MMARVALID       (1u << 7)
#define CFSR_STKOF           (1u << 20) /* Armv8-M */
#define SYST_CSR_ENABLE      (1u << 0)
#define SYST_CSR_TICKINT     (1u << 1)
#define SYST_CSR_CLKSOURCE   (1u << 2) /* the core's */
#define AIRCR_VECTKEY        (0x5fau << 16)
#define AIRCR_SYSRESETREQ    (1u << 2)
#define CCR_DIV_0_TRP        (1u << 4)
#define CPACR_CP10_CP11_FULL (0xfu << 20)
#define DEMCR_TRCENA         (1u << 24)
#define DWT_CTRL_CYCCNTENA   (1u << 0)
#define DWT_CTRL_NOCYCCNT    (1u << 25)
#define LAR_KEY              0xc5acce55u

#define DSB()         __asm volatile("dsb" ::: "memory")
#define ISB()         __asm volatile("isb" ::: "memory")
#define NOP()         __asm volatile("nop")
#define WFI()         __asm volatile("wfi" ::: "memory")
#define IRQ_DISABLE() __asm volatile("cpsid i" ::: "memory")
#define IRQ_ENABLE()  __asm volatile("cpsie i" ::: "memory")

static inline void nvic_enable(uint32_t irq) {
    NVIC_ISER(irq / 32) = 1u << (irq % 32);
}

/* Starts the core's cycle counter; whether it counts is only known afterwards, by looking at it twice. The Cortex-M7 ignores
 * writes to the block until its CoreSight lock access register has been given the key. */
static inline void dwt_start(void) {
    SCB_DEMCR |= DEMCR_TRCENA;
#if BOARD_CORE == 7
    DWT_LAR = LAR_KEY;
#endif
    DWT_CYCCNT = 0;
    DWT_CTRL |= DWT_CTRL_CYCCNTENA;
}

#endif
