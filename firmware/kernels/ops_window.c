/* Checks and sizes of the operators that slide a window over an image (ops.h). */
#include "ops.h"

uint32_t conv2d_check(const void *params) {
    const struct conv2d_params *p = params;
    NEED_WINDOWS(conv2d, p);
    NEED(product_fits(p->in_h, p->in_w, p->in_c, 1), conv2d, in_c);
    NEED(product_fits(p->out_h, p->out_w, p->out_c, 1), conv2d, out_c);
    NEED(p->in_c % p->groups == 0 && p->out_c % p->groups == 0, conv2d, groups);
    NEED(product_fits(p->out_c, p->kernel_h, p->kernel_w, p->in_c / p->groups), conv2d, kernel_w);
    NEED(p->clamp_min <= p->clamp_max, conv2d, clamp_max);
    return AGREED;
}

struct op_bytes conv2d_bytes(const void *params) {
    const struct conv2d_params *p = params;
    return (struct op_bytes){{(uint32_t)(p->in_h * p->in_w * p->in_c)},
                             (uint32_t)(p->out_h * p->out_w * p->out_c)};
}

uint32_t depthwise_check(const void *params) {
    const struct depthwise_params *p = params;
    NEED_WINDOWS(depthwise, p);
    NEED(product_fits(p->in_h, p->in_w, p->in_c, 1), depthwise, in_c);
    NEED(product_fits(p->out_h, p->out_w, p->out_c, 1), depthwise, out_c);
    NEED(product_fits(p->out_c, p->kernel_h, p->kernel_w, 1), depthwise, kernel_w);
    NEED((int64_t)p->in_c * p->depth_multiplier == p->out_c, depthwise, depth_multiplier);
    NEED(p->clamp_min <= p->clamp_max, depthwise, clamp_max);
    return AGREED;
}

struct op_bytes depthwise_bytes(const void *params) {
    const struct depthwise_params *p = params;
    return (struct op_bytes){{(uint32_t)(p->in_h * p->in_w * p->in_c)},
                             (uint32_t)(p->out_h * p->out_w * p->out_c)};
}

uint32_t transposed_conv2d_check(const void *params) {
    const struct transposed_conv2d_params *p = params;
    NEED(product_fits(p->in_h, p->in_w, p->in_c, 1), transposed_conv2d, in_c);
    NEED(product_fits(p->out_h, p->out_w, p->out_c, 1), transposed_conv2d, out_c);
    NEED(product_fits(p->out_c, p->kernel_h, p->kernel_w, p->in_c), transposed_conv2d, kernel_w);
    NEED(p->clamp_min <= p->clamp_max, transposed_conv2d, clamp_max);
    return AGREED;
}

struct op_bytes transposed_conv2d_bytes(const void *params) {
    const struct transposed_conv2d_params *p = params;
    return (struct op_bytes){{(uint32_t)(p->in_h * p->in_w * p->in_c)},
                             (uint32_t)(p->out_h * p->out_w * p->out_c)};
}

#define NEED_POOL(op, p)                                                                                     \
    NEED(windows_touch((p)->out_h, (p)->stride_h, (p)->pad_top, (p)->in_h, (p)->kernel_h), op, out_h);       \
    NEED(windows_touch((p)->out_w, (p)->stride_w, (p)->pad_left, (p)->in_w, (p)->kernel_w), op, out_w);      \
    NEED((int64_t)(p)->kernel_h *(p)->kernel_w <= MAX_REDUCE, op, kernel_w);                                 \
    NEED(product_fits((p)->in_h, (p)->in_w, (p)->in_c, 1), op, in_c);                                        \
    NEED(product_fits((p)->out_h, (p)->out_w, (p)->in_c, 1), op, out_w);                                     \
    NEED((p)->clamp_min <= (p)->clamp_max, op, clamp_max)

uint32_t average_pool_check(const void *params) {
    const struct average_pool_params *p = params;
    NEED_POOL(average_pool, p);
    return AGREED;
}

struct op_bytes average_pool_bytes(const void *params) {
    const struct average_pool_params *p = params;
    return (struct op_bytes){{(uint32_t)(p->in_h * p->in_w * p->in_c)},
                             (uint32_t)(p->out_h * p->out_w * p->in_c)};
}

uint32_t max_pool_check(const void *params) {
    const struct max_pool_params *p = params;
    NEED_POOL(max_pool, p);
    return AGREED;
}

struct op_bytes max_pool_bytes(const void *params) {
    const struct max_pool_params *p = params;
    return (struct op_bytes){{(uint32_t)(p->in_h * p->in_w * p->in_c)},
                             (uint32_t)(p->out_h * p->out_w * p->in_c)};
}

uint32_t resize_nearest_check(const void *params) {
    const struct resize_nearest_params *p = params;
    NEED(product_fits(p->in_h, p->in_w, p->in_c, 1), resize_nearest, in_c);
    NEED(product_fits(p->out_h, p->out_w, p->in_c, 1), resize_nearest, out_w);
    return AGREED;
}

struct op_bytes resize_nearest_bytes(const void *params) {
    const struct resize_nearest_params *p = params;
    return (struct op_bytes){{(uint32_t)(p->in_h * p->in_w * p->in_c)},
                             (uint32_t)(p->out_h * p->out_w * p->in_c)};
}
