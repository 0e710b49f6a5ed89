/* Checks and sizes of the operators without a window (ops.h). */
#include "ops.h"

uint32_t fully_connected_check(const void *params) {
    const struct fully_connected_params *p = params;
    NEED(product_fits(p->rows, p->in_c, 1, 1), fully_connected, in_c);
    NEED(product_fits(p->rows, p->out_c, 1, 1), fully_connected, out_c);
    NEED(product_fits(p->in_c, p->out_c, 1, 1), fully_connected, out_c);
    NEED(p->rounding == ROUND_SINGLE, fully_connected, rounding);
    NEED(p->clamp_min <= p->clamp_max, fully_connected, clamp_max);
    return AGREED;
}

struct op_bytes fully_connected_bytes(const void *params) {
    const struct fully_connected_params *p = params;
    return (struct op_bytes){{(uint32_t)(p->rows * p->in_c)}, (uint32_t)(p->rows * p->out_c)};
}

uint32_t add_check(const void *params) {
    const struct add_params *p = params;
    NEED(p->clamp_min <= p->clamp_max, add, clamp_max);
    return AGREED;
}

struct op_bytes add_bytes(const void *params) {
    const uint32_t elems = (uint32_t)((const struct add_params *)params)->elems;
    return (struct op_bytes){{elems, elems}, elems};
}

uint32_t mean_check(const void *params) {
    const struct mean_params *p = params;
    NEED(product_fits(p->outer, p->reduce, p->inner, 1), mean, inner);
    return AGREED;
}

struct op_bytes mean_bytes(const void *params) {
    const struct mean_params *p = params;
    return (struct op_bytes){{(uint32_t)(p->outer * p->reduce * p->inner)}, (uint32_t)(p->outer * p->inner)};
}

uint32_t softmax_check(const void *params) {
    const struct softmax_params *p = params;
    NEED(product_fits(p->rows, p->depth, 1, 1), softmax, depth);
    return AGREED;
}

struct op_bytes softmax_bytes(const void *params) {
    const struct softmax_params *p = params;
    const uint32_t elems = (uint32_t)(p->rows * p->depth);
    return (struct op_bytes){{elems}, elems};
}

uint32_t pad_check(const void *params) {
    const struct pad_params *p = params;
    NEED(p->before_n + p->in_n <= p->out_n, pad, out_n);
    NEED(p->before_h + p->in_h <= p->out_h, pad, out_h);
    NEED(p->before_w + p->in_w <= p->out_w, pad, out_w);
    NEED(p->before_c + p->in_c <= p->out_c, pad, out_c);
    NEED(product_fits(p->out_n, p->out_h, p->out_w, p->out_c), pad, out_c);
    return AGREED;
}

struct op_bytes pad_bytes(const void *params) {
    const struct pad_params *p = params;
    return (struct op_bytes){{(uint32_t)(p->in_n * p->in_h * p->in_w * p->in_c)},
                             (uint32_t)(p->out_n * p->out_h * p->out_w * p->out_c)};
}

uint32_t transpose_check(const void *params) {
    const struct transpose_params *p = params;
    NEED(product_fits(p->in_0, p->in_1, p->in_2, p->in_3), transpose, in_3);
    const int axes = 1 << p->perm_0 | 1 << p->perm_1 | 1 << p->perm_2 | 1 << p->perm_3;
    NEED(axes == 15, transpose, perm_3);
    return AGREED;
}

struct op_bytes transpose_bytes(const void *params) {
    const struct transpose_params *p = params;
    const uint32_t elems = (uint32_t)(p->in_0 * p->in_1 * p->in_2 * p->in_3);
    return (struct op_bytes){{elems}, elems};
}

uint32_t copy_slice_check(const void *params) {
    const struct copy_slice_params *p = params;
    NEED(p->out_offset + p->in_inner <= p->out_inner, copy_slice, out_offset);
    NEED(product_fits(p->outer, p->out_inner, 1, 1), copy_slice, out_inner);
    return AGREED;
}

struct op_bytes copy_slice_bytes(const void *params) {
    const struct copy_slice_params *p = params;
    return (struct op_bytes){{(uint32_t)(p->outer * p->in_inner)}, (uint32_t)(p->outer * p->out_inner)};
}

uint32_t requantize_check(const void *params) {
    (void)params;
    return AGREED;
}

struct op_bytes requantize_bytes(const void *params) {
    const uint32_t elems = (uint32_t)((const struct requantize_params *)params)->elems;
    return (struct op_bytes){{elems}, elems};
}
