/* Checks and sizes of the operators that are two in one (ops.h). */
#include "depthwise_pointwise.h"
#include "ops.h"

uint32_t depthwise_pointwise_check(const void *params) {
    const struct depthwise_pointwise_params *p = params;
    NEED_WINDOWS(depthwise_pointwise, p);
    NEED((int64_t)p->in_c * p->depth_multiplier <= MAX_DIM, depthwise_pointwise, depth_multiplier);
    const int32_t middle_c = middle_channels(p);
    NEED(product_fits(p->in_h, p->in_w, p->in_c, 1), depthwise_pointwise, in_c);
    NEED(product_fits(p->out_h, p->out_w, p->out_c, 1), depthwise_pointwise, out_c);
    NEED(product_fits(p->out_h, p->out_w, middle_c, 1), depthwise_pointwise, out_w);
    NEED(product_fits(middle_c, p->kernel_h, p->kernel_w, 1), depthwise_pointwise, kernel_w);
    NEED(product_fits(middle_c, p->out_c, 1, 1), depthwise_pointwise, out_c);
    NEED(p->middle_min <= p->middle_max, depthwise_pointwise, middle_max);
    NEED(p->clamp_min <= p->clamp_max, depthwise_pointwise, clamp_max);
    NEED(p->strip_rows <= p->out_h, depthwise_pointwise, strip_rows);
    return AGREED;
}

struct op_bytes depthwise_pointwise_bytes(const void *params) {
    const struct depthwise_pointwise_params *p = params;
    return (struct op_bytes){{(uint32_t)(p->in_h * p->in_w * p->in_c)},
                             (uint32_t)(p->out_h * p->out_w * p->out_c)};
}
