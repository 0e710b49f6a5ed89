/* Requantisation, exactly as the reference kernels do it (TensorFlow Lite, kernels/internal/common.h).
 *
 * All functions are defined for every int32 x, multiplier in [0, 2^31) and shift in [-31, 30]. The plain
 * forms here are the definition; faster forms live beside the kernels that use them and are tested against
 * these. Right shifts of negative numbers are arithmetic and conversions to int32 wrap, as in every compiler
 * we use.
 */
#ifndef TINYCONV_REQUANT_H
#define TINYCONV_REQUANT_H

#include <stdint.h>

#include "kernel.h"

/* clamp(x + zero, min, max); |x| <= 2^62, so the sum cannot overflow. */
static inline int32_t add_clamp(int64_t x, int32_t zero, int32_t min, int32_t max) {
    const int64_t sum = x + zero;
    return sum < min ? min : sum > max ? max : (int32_t)sum;
}

/* x * 2^left modulo 2^32, as the reference's compilers do it; 0 <= left <= 30. */
static inline int32_t shift_left_wrapping(int32_t x, int32_t left) {
    return (int32_t)((uint32_t)x << left);
}

/* gemmlowp's SaturatingRoundingDoublingHighMul for multiplier >= 0: x * multiplier / 2^31, halves rounded up.
 * |x * multiplier| < 2^62, and only INT32_MIN * INT32_MIN would saturate. */
static inline int32_t rounding_doubling_high_mul(int32_t x, int32_t multiplier) {
    return (int32_t)(((int64_t)x * multiplier + (1 << 30)) >> 31);
}

/* gemmlowp's RoundingDivideByPOT: x / 2^exponent, halves rounded away from zero; 0 <= exponent <= 31. */
static inline int32_t rounding_divide_by_pot(int32_t x, int32_t exponent) {
    const int32_t mask = (int32_t)((UINT32_C(1) << exponent) - 1);
    const int32_t remainder = x & mask;
    const int32_t threshold = (mask >> 1) + (x < 0);
    return (x >> exponent) + (remainder > threshold);
}

/* MultiplyByQuantizedMultiplier with two roundings: of the product, and of the right shift. */
static inline int32_t requant_double(int32_t x, int32_t multiplier, int32_t shift) {
    const int32_t left = shift > 0 ? shift : 0;
    const int32_t right = shift > 0 ? 0 : -shift;
    return rounding_divide_by_pot(rounding_doubling_high_mul(shift_left_wrapping(x, left), multiplier),
                                  right);
}

/* MultiplyByQuantizedMultiplier with one rounding, halves rounded up. The sum is below 2^62 + 2^61. The
 * result wraps where it does not fit, which a left shift can cause. */
static inline int32_t requant_single(int32_t x, int32_t multiplier, int32_t shift) {
    const int32_t total = 31 - shift;
    return (int32_t)(((int64_t)x * multiplier + (INT64_C(1) << (total - 1))) >> total);
}

/* The same with a nudge of the channel's own and without the wrap: |x * multiplier + nudge| < 2^63. */
static inline int64_t requant_nudged(int32_t x, const struct nudged_channel *channel) {
    const int64_t nudge = (int64_t)((uint64_t)(uint32_t)channel->nudge_high << 32 | channel->nudge_low);
    return ((int64_t)x * channel->multiplier + nudge) >> (31 - channel->shift);
}

static inline int32_t requant(int32_t x, int32_t multiplier, int32_t shift, int32_t rounding) {
    return rounding == ROUND_SINGLE ? requant_single(x, multiplier, shift)
                                    : requant_double(x, multiplier, shift);
}

#endif
