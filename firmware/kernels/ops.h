/* What ops.c shares with the files that know the operators: for each operator of params.def a check and its sizes.
 *
 * <name>_check(params) relates the fields to each other; every field is already in the range that ops.c has for its name. It
 * returns the index of the first field that does not agree with the others, or AGREED. <name>_bytes(params) are the tensors'
 * sizes, of parameters that passed.
 */
#ifndef TINYCONV_OPS_H
#define TINYCONV_OPS_H

#include <stddef.h>

#include "kernel.h"

/* A dimension, stride or padding; windows span less and begin less than twice that from the image
 * (windows_near). */
#define MAX_DIM 65535
/* Of a tensor or a weights blob; every index into one, and one row more, fits int32. */
#define MAX_ELEMS (1 << 28)
/* Elements of a mean or a pool window: 2^22 * 255 and half of 2^22 fit int32. */
#define MAX_REDUCE (1 << 22)

#define OP(id, name, inputs, fields)                                                                         \
    uint32_t name##_check(const void *params);                                                               \
    struct op_bytes name##_bytes(const void *params);
#include "params.def"
#undef OP

#define AGREED              UINT32_MAX
#define INDEX_OF(op, field) ((uint32_t)(offsetof(struct op##_params, field) / sizeof(int32_t)))
#define NEED(condition, op, field)                                                                           \
    if (!(condition)) return INDEX_OF(op, field)

/* Whether the product of non-negative int32s is at most MAX_ELEMS. */
static inline bool product_fits(int32_t a, int32_t b, int32_t c, int32_t d) {
    const int32_t rest[] = {b, c, d};
    int64_t product = a;
    for (uint32_t i = 0; i < 3; i++) {
        if (product > MAX_ELEMS) return false;
        product *= rest[i];
    }
    return product <= MAX_ELEMS;
}

/* Whether the window, seen along one axis, spans at most MAX_DIM elements. */
static inline bool extent_fits(int32_t kernel, int32_t dilation) {
    return (int64_t)(kernel - 1) * dilation < MAX_DIM;
}

/* Whether the last window begins at most MAX_DIM after the image. */
static inline bool windows_near(int32_t out, int32_t stride, int32_t pad, int32_t in) {
    return (int64_t)(out - 1) * stride - pad <= (int64_t)in + MAX_DIM;
}

/* Whether every window, seen along one axis, spans an element of the image: the first one and the last one
 * do. */
static inline bool windows_touch(int32_t out, int32_t stride, int32_t pad, int32_t in, int32_t kernel) {
    return pad < kernel && (int64_t)(out - 1) * stride - pad < in;
}

#define NEED_WINDOWS(op, p)                                                                                  \
    NEED(extent_fits((p)->kernel_h, (p)->dilation_h), op, kernel_h);                                         \
    NEED(extent_fits((p)->kernel_w, (p)->dilation_w), op, kernel_w);                                         \
    NEED(windows_near((p)->out_h, (p)->stride_h, (p)->pad_top, (p)->in_h), op, out_h);                       \
    NEED(windows_near((p)->out_w, (p)->stride_w, (p)->pad_left, (p)->in_w), op, out_w)

#endif
