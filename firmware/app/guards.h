/* Debug builds (-DTINYCONV_GUARDS=1): words on both sides of the arena show that a step wrote outside it.
 *
 * They cost 32 bytes of the pool and a look after each step, outside of what is counted. In other builds nothing is left of this. */
#ifndef TINYCONV_GUARDS_H
#define TINYCONV_GUARDS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../runtime/plan.h"

#ifndef TINYCONV_GUARDS
    #define TINYCONV_GUARDS 0
#endif

#define GUARD_BYTES (TINYCONV_GUARDS ? 16u : 0u)
#define GUARD_BYTE  0x5a

/* The end of the arena and of the copies behind it. */
static inline uint8_t *guards_end(const struct plan *plan) {
    return plan->arena + ((plan->header->arena_bytes + plan->header->copy_bytes + 3u) & ~3u);
}

#if TINYCONV_GUARDS
static inline void guards_set(const struct plan *plan) {
    memset(plan->arena - GUARD_BYTES, GUARD_BYTE, GUARD_BYTES);
    memset(guards_end(plan), GUARD_BYTE, GUARD_BYTES);
}

static inline bool guards_intact(const struct plan *plan) {
    const uint8_t *before = plan->arena - GUARD_BYTES, *behind = guards_end(plan);
    for (uint32_t i = 0; i < GUARD_BYTES; i++)
        if (before[i] != GUARD_BYTE || behind[i] != GUARD_BYTE) return false;
    return true;
}
#else
static inline void guards_set(const struct plan *plan) {
    (void)plan;
}

static inline bool guards_intact(const struct plan *plan) {
    (void)plan;
    return true;
}
#endif

#endif
