/* The stack's use and its end. The linker script puts it at the beginning of RAM, growing towards memory that does not answer.
 *
 * Painted at the start, so that what was ever used shows. Where the core can forbid privileged code an address, the lowest bytes are
 * forbidden too: Armv7-M Architecture Reference Manual B3.5. An Armv8-M MPU cannot; there MSPLIM ends the stack (startup.c).
 */
#ifndef TINYCONV_STACK_H
#define TINYCONV_STACK_H

#include <stdbool.h>
#include <stdint.h>

#include "../port.h"
#include "cortexm.h"

extern uint32_t __stack_start[], __stack_end[];

#define STACK_PAINT       0xc5c5c5c5u
#define STACK_GUARD_LOG2  5u
#define STACK_GUARD_BYTES (1u << STACK_GUARD_LOG2)

#define MPU_CTRL REG32(0xe000ed94u)
#define MPU_RNR  REG32(0xe000ed98u)
#define MPU_RBAR REG32(0xe000ed9cu)
#define MPU_RASR REG32(0xe000eda0u)

#define MPU_CTRL_ENABLE     (1u << 0)
#define MPU_CTRL_PRIVDEFENA (1u << 2) /* everywhere else as without an MPU */
#define MPU_RASR_ENABLE     (1u << 0)
#define MPU_RASR_SIZE(log2) (((log2) - 1u) << 1)
#define MPU_RASR_XN         (1u << 28) /* no access at all: AP is 0 */

static inline uint32_t *stack_lowest(void) {
    return __stack_start + STACK_GUARD_BYTES / sizeof(uint32_t);
}

/* Fills what is not in use yet. */
static inline __attribute__((always_inline)) void stack_paint(void) {
    volatile uint32_t *const end = __builtin_frame_address(0);
    for (volatile uint32_t *word = __stack_start; word < end - 16; word++) *word = STACK_PAINT;
}

static inline void stack_guard(void) {
    if (BOARD_CORE == 33) return;
    MPU_CTRL = 0; /* whoever ran before may have left regions */
    MPU_RNR = 0;
    MPU_RBAR = (uint32_t)__stack_start;
    MPU_RASR = MPU_RASR_XN | MPU_RASR_SIZE(STACK_GUARD_LOG2) | MPU_RASR_ENABLE;
    MPU_CTRL = MPU_CTRL_PRIVDEFENA | MPU_CTRL_ENABLE;
    DSB();
    ISB();
}

static inline bool stack_in_guard(uint32_t address) {
    return BOARD_CORE != 33 && address - (uint32_t)__stack_start < STACK_GUARD_BYTES;
}

static inline struct port_stack stack_measure(void) {
    const uint32_t *word = stack_lowest();
    while (word < __stack_end && *word == STACK_PAINT) word++;
    const uint32_t bytes = (uint32_t)((uintptr_t)__stack_end - (uintptr_t)__stack_start);
    return (struct port_stack){bytes, (uint32_t)((uintptr_t)__stack_end - (uintptr_t)word)};
}

#endif
