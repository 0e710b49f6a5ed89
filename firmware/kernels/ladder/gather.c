#include "gather.h"

#include <string.h>

void gather_window(const struct kernel_args *args, int32_t pixel, int8_t *to) {
    const struct conv2d_params *p = args->params;
    const int32_t top = pixel / p->out_w * p->stride_h - p->pad_top;
    const int32_t left = pixel % p->out_w * p->stride_w - p->pad_left;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const int32_t iy = top + ky * p->dilation_h;
        for (int32_t kx = 0; kx < p->kernel_w; kx++, to += p->in_c) {
            const int32_t ix = left + kx * p->dilation_w;
            if (iy >= 0 && iy < p->in_h && ix >= 0 && ix < p->in_w)
                memcpy(to, args->in0 + (iy * p->in_w + ix) * p->in_c, (size_t)p->in_c);
            else
                memset(to, p->input_zero, (size_t)p->in_c);
        }
    }
}
