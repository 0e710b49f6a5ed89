/* Checks and sizes of the operators on bits (ops.h). Tensors of bits are int32 words. */
#include "bits.h"
#include "ops.h"

static uint32_t row_bytes(int32_t rows, int32_t words) {
    return (uint32_t)(rows * words) * (uint32_t)sizeof(uint32_t);
}

uint32_t binarise_check(const void *params) {
    const struct binarise_params *p = params;
    NEED(product_fits(p->rows, p->in_c, 1, 1), binarise, in_c);
    NEED(product_fits(p->rows, bit_words(p->in_c), 4, 1), binarise, in_c);
    return AGREED;
}

struct op_bytes binarise_bytes(const void *params) {
    const struct binarise_params *p = params;
    return (struct op_bytes){{(uint32_t)(p->rows * p->in_c)}, row_bytes(p->rows, bit_words(p->in_c))};
}

uint32_t unbinarise_check(const void *params) {
    const struct unbinarise_params *p = params;
    NEED(product_fits(p->rows, p->out_c, 1, 1), unbinarise, out_c);
    NEED(product_fits(p->rows, bit_words(p->out_c), 4, 1), unbinarise, out_c);
    return AGREED;
}

struct op_bytes unbinarise_bytes(const void *params) {
    const struct unbinarise_params *p = params;
    return (struct op_bytes){{row_bytes(p->rows, bit_words(p->out_c))}, (uint32_t)(p->rows * p->out_c)};
}

/* Every sum, and every sum of one element more a tap, fits. */
#define NEED_BITS(op, p, tap_words)                                                                          \
    NEED(product_fits(4, (p)->in_h, (p)->in_w, bit_words((p)->in_c) * 4), op, in_c);                         \
    NEED(product_fits((p)->out_h, (p)->out_w, (p)->out_c, 1), op, out_c);                                    \
    NEED(product_fits((p)->kernel_h, (p)->kernel_w, bit_words((p)->in_c) * 32, MAX_ELEMS / MAX_REDUCE), op,  \
         kernel_w);                                                                                          \
    NEED(product_fits((p)->out_c, (p)->kernel_h, (p)->kernel_w, 4 * (tap_words)), op, kernel_w)

uint32_t binary_conv2d_check(const void *params) {
    const struct binary_conv2d_params *p = params;
    NEED_WINDOWS(binary_conv2d, p);
    NEED_BITS(binary_conv2d, p, bit_words(p->in_c));
    NEED(product_fits(p->out_h, p->out_w, bit_words(p->out_c), 4), binary_conv2d, out_c);
    NEED(p->sum_min <= p->sum_max, binary_conv2d, sum_max);
    NEED((int64_t)(p->kernel_h * p->kernel_w * p->in_c) << p->lift <= 1 << 30, binary_conv2d, lift);
    return AGREED;
}

struct op_bytes binary_conv2d_bytes(const void *params) {
    const struct binary_conv2d_params *p = params;
    const int32_t pixels = p->out_h * p->out_w;
    return (struct op_bytes){{row_bytes(p->in_h * p->in_w, bit_words(p->in_c))},
                             p->output_bits ? row_bytes(pixels, bit_words(p->out_c))
                                            : (uint32_t)(pixels * p->out_c)};
}

uint32_t binary_max_pool_check(const void *params) {
    const struct binary_max_pool_params *p = params;
    NEED(windows_touch(p->out_h, p->stride_h, p->pad_top, p->in_h, p->kernel_h), binary_max_pool, out_h);
    NEED(windows_touch(p->out_w, p->stride_w, p->pad_left, p->in_w, p->kernel_w), binary_max_pool, out_w);
    NEED(product_fits(p->in_h, p->in_w, bit_words(p->in_c), 4), binary_max_pool, in_c);
    NEED(product_fits(p->out_h, p->out_w, bit_words(p->in_c), 4), binary_max_pool, out_w);
    return AGREED;
}

struct op_bytes binary_max_pool_bytes(const void *params) {
    const struct binary_max_pool_params *p = params;
    const int32_t words = bit_words(p->in_c);
    return (struct op_bytes){{row_bytes(p->in_h * p->in_w, words)}, row_bytes(p->out_h * p->out_w, words)};
}

uint32_t bit_planes_check(const void *params) {
    const struct bit_planes_params *p = params;
    NEED(product_fits(p->rows, p->in_c, 1, 1), bit_planes, in_c);
    NEED(product_fits(p->rows, bit_words(p->in_c), p->planes, 4), bit_planes, in_c);
    return AGREED;
}

struct op_bytes bit_planes_bytes(const void *params) {
    const struct bit_planes_params *p = params;
    return (struct op_bytes){{(uint32_t)(p->rows * p->in_c)},
                             row_bytes(p->rows, p->planes * bit_words(p->in_c))};
}

uint32_t planes_conv2d_check(const void *params) {
    const struct planes_conv2d_params *p = params;
    NEED_WINDOWS(planes_conv2d, p);
    NEED_BITS(planes_conv2d, p, p->weight_planes * bit_words(p->in_c));
    NEED(p->clamp_min <= p->clamp_max, planes_conv2d, clamp_max);
    return AGREED;
}

struct op_bytes planes_conv2d_bytes(const void *params) {
    const struct planes_conv2d_params *p = params;
    return (struct op_bytes){{row_bytes(p->in_h * p->in_w, p->planes * bit_words(p->in_c))},
                             (uint32_t)(p->out_h * p->out_w * p->out_c)};
}
