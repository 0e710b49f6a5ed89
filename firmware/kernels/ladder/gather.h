/* The copy of im2col: a window's taps, one after the other, in the order of the weights. */
#ifndef TINYCONV_LADDER_GATHER_H
#define TINYCONV_LADDER_GATHER_H

#include "../kernel.h"

/* Of a window. With so many, scratch and sizes stay far inside int32. */
#define GATHER_MOST_INPUTS (1 << 20)

static inline int32_t gather_inputs(const struct conv2d_params *p) {
    return p->kernel_h * p->kernel_w * p->in_c;
}

static inline bool gather_supports(const struct conv2d_params *p) {
    return p->weights_zero == 0 && p->groups == 1 && gather_inputs(p) <= GATHER_MOST_INPUTS;
}

/* The window of an output pixel, counted along rows; taps outside the image are input_zero. */
void gather_window(const struct kernel_args *args, int32_t pixel, int8_t *to);

#endif
