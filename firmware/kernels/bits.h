/* What kernels of binary tensors share. */
#ifndef TINYCONV_BITS_H
#define TINYCONV_BITS_H

#include <stdint.h>

/* Words of `channels` bits. */
static inline int32_t bit_words(int32_t channels) {
    return (int32_t)(((uint32_t)channels + 31) / 32);
}

/* Set bits of a word; Cortex-M has no instruction for it. */
static inline int32_t bit_count(uint32_t x) {
    x -= x >> 1 & 0x55555555u;
    x = (x & 0x33333333u) + (x >> 2 & 0x33333333u);
    return (int32_t)((((x + (x >> 4)) & 0x0f0f0f0fu) * 0x01010101u) >> 24);
}

/* int8 of a sum of +-1 products, as params.def defines it for binary_conv2d; a is sum << lift. */
static inline int32_t affine(int32_t a, int32_t multiplier, int32_t offset, int32_t down) {
    const uint32_t y = (uint32_t)offset + (uint32_t)(((int64_t)a * multiplier) >> 32);
    const int32_t q = (int32_t)y >> down;
    return q < INT8_MIN ? INT8_MIN : q > INT8_MAX ? INT8_MAX : q;
}

#endif
