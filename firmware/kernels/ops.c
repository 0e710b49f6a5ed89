/* What parameters an operator accepts. They come from a plan that nobody has checked: after op_params_valid()
 * said yes, no kernel leaves its buffers, overflows an index or divides by zero, whatever the values.
 *
 * Two stages: every field has a range by its name; then one function an operator relates the fields to each
 * other.
 */
#include <stddef.h>

#include "kernel.h"

/* A dimension, stride or padding; windows span less and begin less than twice that from the image
 * (windows_near). */
#define MAX_DIM 65535
/* Of a tensor or a weights blob; every index into one, and one row more, fits int32. */
#define MAX_ELEMS (1 << 28)
/* Elements of a mean or a pool window: 2^22 * 255 and half of 2^22 fit int32. */
#define MAX_REDUCE (1 << 22)

struct field_range {
    int32_t min, max;
};

#define DIM    {1, MAX_DIM}
#define OFFSET {0, MAX_DIM}
#define ELEMS  {1, MAX_ELEMS}
#define INT8   {INT8_MIN, INT8_MAX}
#define Q31    {0, INT32_MAX}
#define SHIFT  {-31, 30}
#define RIGHT  {-31, 0}
#define AXIS   {0, 3}

#define RANGE_in_n              DIM
#define RANGE_in_h              DIM
#define RANGE_in_w              DIM
#define RANGE_in_c              DIM
#define RANGE_out_n             DIM
#define RANGE_out_h             DIM
#define RANGE_out_w             DIM
#define RANGE_out_c             DIM
#define RANGE_kernel_h          DIM
#define RANGE_kernel_w          DIM
#define RANGE_stride_h          DIM
#define RANGE_stride_w          DIM
#define RANGE_dilation_h        DIM
#define RANGE_dilation_w        DIM
#define RANGE_pad_top           OFFSET
#define RANGE_pad_left          OFFSET
#define RANGE_depth_multiplier  DIM
#define RANGE_input_zero        INT8
#define RANGE_input0_zero       INT8
#define RANGE_input1_zero       INT8
#define RANGE_weights_zero      INT8
#define RANGE_output_zero       INT8
#define RANGE_clamp_min         INT8
#define RANGE_clamp_max         INT8
#define RANGE_rounding          {ROUND_DOUBLE, ROUND_SINGLE}
#define RANGE_multiplier        Q31
#define RANGE_input0_multiplier Q31
#define RANGE_input1_multiplier Q31
#define RANGE_output_multiplier Q31
#define RANGE_shift             SHIFT
#define RANGE_input0_shift      RIGHT
#define RANGE_input1_shift      RIGHT
#define RANGE_output_shift      RIGHT
#define RANGE_left_shift        {0, 20} /* 255 * 2^20 twice fits int32 */
#define RANGE_rows              ELEMS
#define RANGE_depth             {1, 4095} /* exponentials of at most 2^19, summed in int32 */
#define RANGE_elems             ELEMS
#define RANGE_outer             ELEMS
#define RANGE_inner             ELEMS
#define RANGE_reduce            {1, MAX_REDUCE}
#define RANGE_in_inner          ELEMS
#define RANGE_out_inner         ELEMS
#define RANGE_out_offset        {0, MAX_ELEMS}
#define RANGE_before_n          OFFSET
#define RANGE_before_h          OFFSET
#define RANGE_before_w          OFFSET
#define RANGE_before_c          OFFSET
#define RANGE_half_up           {0, 1}
#define RANGE_value             INT8
#define RANGE_in_0              DIM
#define RANGE_in_1              DIM
#define RANGE_in_2              DIM
#define RANGE_in_3              DIM
#define RANGE_perm_0            AXIS
#define RANGE_perm_1            AXIS
#define RANGE_perm_2            AXIS
#define RANGE_perm_3            AXIS

#define FIELD(name)                  RANGE_##name,
#define OP(id, name, inputs, fields) static const struct field_range name##_ranges[] = {fields};
#include "params.def"
#undef OP
#undef FIELD

/* Tensor sizes that an operator's parameters speak of. */
struct sizes {
    uint32_t in0, in1, out;
};

/* A check returns the index of the first field that does not agree with the others, or AGREED. */
#define AGREED              UINT32_MAX
#define INDEX_OF(op, field) ((uint32_t)(offsetof(struct op##_params, field) / sizeof(int32_t)))
#define NEED(condition, op, field)                                                                           \
    if (!(condition)) return INDEX_OF(op, field)

/* Whether the product of non-negative int32s is at most MAX_ELEMS. */
static bool product_fits(int32_t a, int32_t b, int32_t c, int32_t d) {
    const int32_t rest[] = {b, c, d};
    int64_t product = a;
    for (uint32_t i = 0; i < 3; i++) {
        if (product > MAX_ELEMS) return false;
        product *= rest[i];
    }
    return product <= MAX_ELEMS;
}

/* Whether the window, seen along one axis, spans at most MAX_DIM elements. */
static bool extent_fits(int32_t kernel, int32_t dilation) {
    return (int64_t)(kernel - 1) * dilation < MAX_DIM;
}

/* Whether the last window begins at most MAX_DIM after the image. */
static bool windows_near(int32_t out, int32_t stride, int32_t pad, int32_t in) {
    return (int64_t)(out - 1) * stride - pad <= (int64_t)in + MAX_DIM;
}

/* Whether every window, seen along one axis, spans an element of the image: the first one and the last one
 * do. */
static bool windows_touch(int32_t out, int32_t stride, int32_t pad, int32_t in, int32_t kernel) {
    return pad < kernel && (int64_t)(out - 1) * stride - pad < in;
}

#define NEED_WINDOWS(op, p)                                                                                  \
    NEED(extent_fits((p)->kernel_h, (p)->dilation_h), op, kernel_h);                                         \
    NEED(extent_fits((p)->kernel_w, (p)->dilation_w), op, kernel_w);                                         \
    NEED(windows_near((p)->out_h, (p)->stride_h, (p)->pad_top, (p)->in_h), op, out_h);                       \
    NEED(windows_near((p)->out_w, (p)->stride_w, (p)->pad_left, (p)->in_w), op, out_w)

static uint32_t conv2d_check(const void *params) {
    const struct conv2d_params *p = params;
    NEED_WINDOWS(conv2d, p);
    NEED(product_fits(p->in_h, p->in_w, p->in_c, 1), conv2d, in_c);
    NEED(product_fits(p->out_h, p->out_w, p->out_c, 1), conv2d, out_c);
    NEED(product_fits(p->out_c, p->kernel_h, p->kernel_w, p->in_c), conv2d, kernel_w);
    NEED(p->clamp_min <= p->clamp_max, conv2d, clamp_max);
    return AGREED;
}

static struct sizes conv2d_sizes(const void *params) {
    const struct conv2d_params *p = params;
    return (struct sizes){(uint32_t)(p->in_h * p->in_w * p->in_c), 0,
                          (uint32_t)(p->out_h * p->out_w * p->out_c)};
}

static uint32_t depthwise_check(const void *params) {
    const struct depthwise_params *p = params;
    NEED_WINDOWS(depthwise, p);
    NEED(product_fits(p->in_h, p->in_w, p->in_c, 1), depthwise, in_c);
    NEED(product_fits(p->out_h, p->out_w, p->out_c, 1), depthwise, out_c);
    NEED(product_fits(p->out_c, p->kernel_h, p->kernel_w, 1), depthwise, kernel_w);
    NEED((int64_t)p->in_c * p->depth_multiplier == p->out_c, depthwise, depth_multiplier);
    NEED(p->clamp_min <= p->clamp_max, depthwise, clamp_max);
    return AGREED;
}

static struct sizes depthwise_sizes(const void *params) {
    const struct depthwise_params *p = params;
    return (struct sizes){(uint32_t)(p->in_h * p->in_w * p->in_c), 0,
                          (uint32_t)(p->out_h * p->out_w * p->out_c)};
}

static uint32_t fully_connected_check(const void *params) {
    const struct fully_connected_params *p = params;
    NEED(product_fits(p->rows, p->in_c, 1, 1), fully_connected, in_c);
    NEED(product_fits(p->rows, p->out_c, 1, 1), fully_connected, out_c);
    NEED(product_fits(p->in_c, p->out_c, 1, 1), fully_connected, out_c);
    NEED(p->rounding == ROUND_SINGLE, fully_connected, rounding);
    NEED(p->clamp_min <= p->clamp_max, fully_connected, clamp_max);
    return AGREED;
}

static struct sizes fully_connected_sizes(const void *params) {
    const struct fully_connected_params *p = params;
    return (struct sizes){(uint32_t)(p->rows * p->in_c), 0, (uint32_t)(p->rows * p->out_c)};
}

static uint32_t add_check(const void *params) {
    const struct add_params *p = params;
    NEED(p->clamp_min <= p->clamp_max, add, clamp_max);
    return AGREED;
}

static struct sizes add_sizes(const void *params) {
    const uint32_t elems = (uint32_t)((const struct add_params *)params)->elems;
    return (struct sizes){elems, elems, elems};
}

#define NEED_POOL(op, p)                                                                                     \
    NEED(windows_touch((p)->out_h, (p)->stride_h, (p)->pad_top, (p)->in_h, (p)->kernel_h), op, out_h);       \
    NEED(windows_touch((p)->out_w, (p)->stride_w, (p)->pad_left, (p)->in_w, (p)->kernel_w), op, out_w);      \
    NEED((int64_t)(p)->kernel_h *(p)->kernel_w <= MAX_REDUCE, op, kernel_w);                                 \
    NEED(product_fits((p)->in_h, (p)->in_w, (p)->in_c, 1), op, in_c);                                        \
    NEED(product_fits((p)->out_h, (p)->out_w, (p)->in_c, 1), op, out_w);                                     \
    NEED((p)->clamp_min <= (p)->clamp_max, op, clamp_max)

static uint32_t average_pool_check(const void *params) {
    const struct average_pool_params *p = params;
    NEED_POOL(average_pool, p);
    return AGREED;
}

static struct sizes average_pool_sizes(const void *params) {
    const struct average_pool_params *p = params;
    return (struct sizes){(uint32_t)(p->in_h * p->in_w * p->in_c), 0,
                          (uint32_t)(p->out_h * p->out_w * p->in_c)};
}

static uint32_t max_pool_check(const void *params) {
    const struct max_pool_params *p = params;
    NEED_POOL(max_pool, p);
    return AGREED;
}

static struct sizes max_pool_sizes(const void *params) {
    const struct max_pool_params *p = params;
    return (struct sizes){(uint32_t)(p->in_h * p->in_w * p->in_c), 0,
                          (uint32_t)(p->out_h * p->out_w * p->in_c)};
}

static uint32_t mean_check(const void *params) {
    const struct mean_params *p = params;
    NEED(product_fits(p->outer, p->reduce, p->inner, 1), mean, inner);
    return AGREED;
}

static struct sizes mean_sizes(const void *params) {
    const struct mean_params *p = params;
    return (struct sizes){(uint32_t)(p->outer * p->reduce * p->inner), 0, (uint32_t)(p->outer * p->inner)};
}

static uint32_t softmax_check(const void *params) {
    const struct softmax_params *p = params;
    NEED(product_fits(p->rows, p->depth, 1, 1), softmax, depth);
    return AGREED;
}

static struct sizes softmax_sizes(const void *params) {
    const struct softmax_params *p = params;
    const uint32_t elems = (uint32_t)(p->rows * p->depth);
    return (struct sizes){elems, 0, elems};
}

static uint32_t pad_check(const void *params) {
    const struct pad_params *p = params;
    NEED(p->before_n + p->in_n <= p->out_n, pad, out_n);
    NEED(p->before_h + p->in_h <= p->out_h, pad, out_h);
    NEED(p->before_w + p->in_w <= p->out_w, pad, out_w);
    NEED(p->before_c + p->in_c <= p->out_c, pad, out_c);
    NEED(product_fits(p->out_n, p->out_h, p->out_w, p->out_c), pad, out_c);
    return AGREED;
}

static struct sizes pad_sizes(const void *params) {
    const struct pad_params *p = params;
    return (struct sizes){(uint32_t)(p->in_n * p->in_h * p->in_w * p->in_c), 0,
                          (uint32_t)(p->out_n * p->out_h * p->out_w * p->out_c)};
}

static uint32_t transpose_check(const void *params) {
    const struct transpose_params *p = params;
    NEED(product_fits(p->in_0, p->in_1, p->in_2, p->in_3), transpose, in_3);
    const int axes = 1 << p->perm_0 | 1 << p->perm_1 | 1 << p->perm_2 | 1 << p->perm_3;
    NEED(axes == 15, transpose, perm_3);
    return AGREED;
}

static struct sizes transpose_sizes(const void *params) {
    const struct transpose_params *p = params;
    const uint32_t elems = (uint32_t)(p->in_0 * p->in_1 * p->in_2 * p->in_3);
    return (struct sizes){elems, 0, elems};
}

static uint32_t copy_slice_check(const void *params) {
    const struct copy_slice_params *p = params;
    NEED(p->out_offset + p->in_inner <= p->out_inner, copy_slice, out_offset);
    NEED(product_fits(p->outer, p->out_inner, 1, 1), copy_slice, out_inner);
    return AGREED;
}

static struct sizes copy_slice_sizes(const void *params) {
    const struct copy_slice_params *p = params;
    return (struct sizes){(uint32_t)(p->outer * p->in_inner), 0, (uint32_t)(p->outer * p->out_inner)};
}

static uint32_t resize_nearest_check(const void *params) {
    const struct resize_nearest_params *p = params;
    NEED(product_fits(p->in_h, p->in_w, p->in_c, 1), resize_nearest, in_c);
    NEED(product_fits(p->out_h, p->out_w, p->in_c, 1), resize_nearest, out_w);
    return AGREED;
}

static struct sizes resize_nearest_sizes(const void *params) {
    const struct resize_nearest_params *p = params;
    return (struct sizes){(uint32_t)(p->in_h * p->in_w * p->in_c), 0,
                          (uint32_t)(p->out_h * p->out_w * p->in_c)};
}

static uint32_t requantize_check(const void *params) {
    (void)params;
    return AGREED;
}

static struct sizes requantize_sizes(const void *params) {
    const uint32_t elems = (uint32_t)((const struct requantize_params *)params)->elems;
    return (struct sizes){elems, 0, elems};
}

struct op_info {
    const struct field_range *ranges;
    uint32_t (*check)(const void *params);
    struct sizes (*sizes)(const void *params);
    uint16_t fields;
    uint16_t inputs;
};

/* By operator id; those without an operator have no ranges. */
static const struct op_info op_table[] = {
#define OP(id, name, inputs, fields)                                                                         \
    [id] = {name##_ranges, name##_check, name##_sizes, sizeof(struct name##_params) / sizeof(int32_t),       \
            inputs},
#include "params.def"
#undef OP
};

static const struct op_info *op_find(uint32_t op) {
    return op < sizeof op_table / sizeof *op_table && op_table[op].ranges ? &op_table[op] : NULL;
}

uint32_t op_params_bytes(uint32_t op) {
    const struct op_info *info = op_find(op);
    return info ? info->fields * (uint32_t)sizeof(int32_t) : 0;
}

uint32_t op_inputs(uint32_t op) {
    const struct op_info *info = op_find(op);
    return info ? info->inputs : 0;
}

bool op_params_valid(uint32_t op, const void *params, uint32_t *field) {
    const struct op_info *info = op_find(op);
    const int32_t *values = params;
    *field = 0;
    if (info == NULL) return false;
    for (uint32_t i = 0; i < info->fields; i++) {
        *field = i;
        if (values[i] < info->ranges[i].min || values[i] > info->ranges[i].max) return false;
    }
    *field = info->check(params);
    return *field == AGREED;
}

void op_tensor_elems(uint32_t op, const void *params, uint32_t *in0, uint32_t *in1, uint32_t *out) {
    const struct sizes sizes = op_find(op)->sizes(params);
    *in0 = sizes.in0;
    *in1 = sizes.in1;
    *out = sizes.out;
}
