/* Check and sizes of the deformable convolution (ops.h). */
#include "ops.h"

uint32_t deformable_conv2d_check(const void *params) {
    const struct deformable_conv2d_params *p = params;
    NEED_WINDOWS(deformable_conv2d, p);
    NEED(product_fits(p->in_h, p->in_w, p->in_c, 1), deformable_conv2d, in_c);
    NEED(product_fits(p->out_h, p->out_w, p->out_c, 1), deformable_conv2d, out_c);
    NEED(p->in_c % p->groups == 0 && p->out_c % p->groups == 0, deformable_conv2d, groups);
    NEED(product_fits(p->out_c, p->kernel_h, p->kernel_w, p->in_c / p->groups), deformable_conv2d, kernel_w);
    NEED(p->in_c % p->offset_groups == 0, deformable_conv2d, offset_groups);
    NEED(product_fits(p->offset_groups, p->kernel_h, p->kernel_w, 2 * p->offset_bytes), deformable_conv2d,
         offset_groups);
    NEED(product_fits(p->out_h, p->out_w, p->offset_groups * p->kernel_h * p->kernel_w, 2 * p->offset_bytes),
         deformable_conv2d, offset_groups);
    NEED(p->clamp_min <= p->clamp_max, deformable_conv2d, clamp_max);
    return AGREED;
}

struct op_bytes deformable_conv2d_bytes(const void *params) {
    const struct deformable_conv2d_params *p = params;
    const int32_t taps = p->out_h * p->out_w * p->offset_groups * p->kernel_h * p->kernel_w;
    return (struct op_bytes){{(uint32_t)(p->in_h * p->in_w * p->in_c), (uint32_t)(2 * p->offset_bytes * taps),
                              p->masked ? (uint32_t)taps : 0},
                             (uint32_t)(p->out_h * p->out_w * p->out_c)};
}
