/* The caches of a Cortex-M7; other cores have none of their own. Armv7-M Architecture Reference Manual, B2.2 and B3.2. */
#ifndef TINYCONV_CACHE_H
#define TINYCONV_CACHE_H

#include <stdint.h>

#include "../port.h"
#include "board_config.h"
#include "cortexm.h"

#define SCB_CCSIDR  REG32(0xe000ed80u)
#define SCB_CSSELR  REG32(0xe000ed84u)
#define SCB_ICIALLU REG32(0xe000ef50u)
#define SCB_DCISW   REG32(0xe000ef60u)
#define SCB_DCCSW   REG32(0xe000ef6cu)

#define CCR_DC (1u << 16)
#define CCR_IC (1u << 17)

/* One operation on every line of the data cache. */
static inline void data_cache_all(volatile uint32_t *by_set_and_way) {
    SCB_CSSELR = 0; /* level 1, data */
    DSB();
    const uint32_t size = SCB_CCSIDR;
    const uint32_t last_set = (size >> 13) & 0x7fff;
    const uint32_t last_way = (size >> 3) & 0x3ff;
    const uint32_t set_shift = (size & 7) + 4; /* log2 of the bytes in a line */
    const uint32_t way_shift = (uint32_t)__builtin_clz(last_way | 1);
    for (uint32_t set = 0; set <= last_set; set++)
        for (uint32_t way = 0; way <= last_way; way++) *by_set_and_way = way << way_shift | set << set_shift;
    DSB();
}

/* Invalidates both caches, whose contents are random after power-up, then switches them on. One that is on stays as it is. */
static inline void caches_start(void) {
    if (BOARD_CORE != 7) return;
    DSB();
    ISB();
    if ((SCB_CCR & CCR_IC) == 0) {
        SCB_ICIALLU = 0;
        DSB();
        ISB();
        SCB_CCR |= CCR_IC;
    }
    if ((SCB_CCR & CCR_DC) == 0) {
        data_cache_all(&SCB_DCISW);
        SCB_CCR |= CCR_DC;
    }
    DSB();
    ISB();
}

/* Writes back what only the data cache holds: a reset forgets it. */
static inline void caches_clean(void) {
    if (BOARD_CORE == 7 && (SCB_CCR & CCR_DC)) data_cache_all(&SCB_DCCSW);
}

/* Which of them are on, as enum port_flag. The bits read 0 on cores without. */
static inline uint32_t caches_flags(void) {
    const uint32_t ccr = SCB_CCR;
    return (ccr & CCR_IC ? PORT_ICACHE : 0) | (ccr & CCR_DC ? PORT_DCACHE : 0);
}

#endif
