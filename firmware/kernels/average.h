/* Means of sums over a pool's window, as the reference rounds them. */
#ifndef TINYCONV_AVERAGE_H
#define TINYCONV_AVERAGE_H

#include <stdint.h>

/* sum / count, halves away from zero. */
static inline int32_t mean_half_away(int32_t sum, int32_t count) {
    return sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count;
}

/* floor((sum + count / 2) / count). */
static inline int32_t mean_half_up(int32_t sum, int32_t count) {
    const int32_t nudged = sum + count / 2;
    const int32_t quotient = nudged / count;
    return quotient * count > nudged ? quotient - 1 : quotient;
}

#endif
