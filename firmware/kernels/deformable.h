/* Where a deformable convolution reads, exactly as host/oracle/deformable.py defines it, which also proves the ranges.
 *
 * A position counts 2^-12 pixels. Whatever the offsets are, it fits int32 (op_params_valid() bounds the rest), and what is
 * outside the image reads as the zero point.
 */
#ifndef TINYCONV_DEFORMABLE_H
#define TINYCONV_DEFORMABLE_H

#include "dsp.h"
#include "kernel.h"

#define POSITION_BITS 12
#define WEIGHT_BITS   14
#define SAMPLE_BITS   8
#define MASK_SHIFT    15 /* of a masked value to a sample */

/* base pixels and an offset, rounded to a position: (step * multiplier + 2^16) >> 17, |step| <= 65535. */
static inline int32_t deformable_position(int32_t base, int32_t step, int32_t multiplier) {
    return smmlar((uint32_t)step << 15, (uint32_t)multiplier, (int32_t)((uint32_t)base << POSITION_BITS));
}

/* Q14 weights of a cell's corners, [row][column]: each in 0 .. 2^14, together 2^14. */
struct corner_weights {
    int32_t w00, w01, w10, w11;
};

/* y, x: the cell's position; only the fractions matter. */
static inline struct corner_weights corner_weights(int32_t y, int32_t x) {
    const int32_t fy = y & ((1 << POSITION_BITS) - 1), fx = x & ((1 << POSITION_BITS) - 1);
    const int32_t w11 = (fy * fx + (1 << 9)) >> 10;
    const int32_t w10 = 4 * fy - w11;
    return (struct corner_weights){(1 << WEIGHT_BITS) - 4 * fx - w10, 4 * fx - w11, w10, w11};
}

/* Inputs of an output in the SAMPLES layout: for each offset group and tap the group's channels, filled up to four. The caller
 * knows that they fit int32. */
static inline int32_t deformable_inputs(const struct deformable_conv2d_params *p) {
    return p->offset_groups * p->kernel_h * p->kernel_w * ((p->in_c / p->offset_groups + 3) / 4 * 4);
}

/* Element of the offsets without its zero point. */
static inline int32_t deformable_step(const struct kernel_args *args, int32_t index) {
    const struct deformable_conv2d_params *p = args->params;
    const void *offsets = args->in1;
    const int32_t q =
        p->offset_bytes == 2 ? ((const int16_t *)offsets)[index] : ((const int8_t *)offsets)[index];
    return q - p->offset_zero;
}

#endif
