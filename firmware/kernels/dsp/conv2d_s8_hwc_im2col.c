/* CONV_2D of any shape: the windows of 4 to 32 pixels are copied together and expanded, then multiplied
 * (gemm.h).
 *
 * in [in_h][in_w][in_c], out [out_h][out_w][out_c], weights OHWI (any alignment), channels BMS. Scratch: 4 to
 * 32 windows as int16, and one as bytes unless in_c is a multiple of 4. A product is below 2^14, sums are
 * modulo 2^32. Bit-equal to conv2d_s8_hwc_ref. Not supported: weights_zero other than 0.
 */
#include "gemm.h"

#define LEAST_PIXELS 4

static int32_t window_inputs(const struct conv2d_params *p) {
    return p->kernel_h * p->kernel_w * p->in_c;
}

bool conv2d_s8_hwc_im2col_supports(const void *params) {
    const struct conv2d_params *p = params;
    return p->weights_zero == 0 && window_inputs(p) <= 1 << 20; /* scratch of at most 9 MB: no overflow */
}

uint32_t conv2d_s8_hwc_im2col_scratch_bytes(const void *params) {
    const struct conv2d_params *p = params;
    const int32_t bytes_words = p->in_c % 4 ? gemm_groups(window_inputs(p)) : 0;
    return (uint32_t)(gemm_block_words(window_inputs(p), LEAST_PIXELS) + bytes_words) * sizeof(uint32_t);
}

/* Input of tap (ky, kx) of the window at (oy, ox), or NULL in the padding. */
static inline const int8_t *tap(const struct kernel_args *args, int32_t iy, int32_t ix) {
    const struct conv2d_params *p = args->params;
    const bool inside = iy >= 0 && iy < p->in_h && ix >= 0 && ix < p->in_w;
    return inside ? args->in0 + (iy * p->in_w + ix) * p->in_c : NULL;
}

/* in_c is a multiple of 4: each tap is whole groups. */
static void expand_window(const struct kernel_args *args, int32_t top, int32_t left, uint32_t *to) {
    const struct conv2d_params *p = args->params;
    const uint32_t zero = (uint32_t)(uint16_t)p->input_zero * 0x10001u;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        for (int32_t kx = 0; kx < p->kernel_w; kx++) {
            const int8_t *from = tap(args, top + ky * p->dilation_h, left + kx * p->dilation_w);
            if (from) {
                to = gemm_expand(from, p->in_c, to);
            } else {
                for (int32_t ic = 0; ic < p->in_c; ic += 4, to += 4) to[0] = to[1] = zero;
            }
        }
    }
}

static int8_t *copy(const int8_t *from, int32_t count, int8_t *to) {
    for (; count >= 4; count -= 4, from += 4, to += 4) store_word(to, load_word(from));
    for (; count > 0; count--) *to++ = *from++;
    return to;
}

static int8_t *fill(int8_t value, int32_t count, int8_t *to) {
    for (; count > 0; count--) *to++ = value;
    return to;
}

/* Any in_c: the window as bytes, in the order of the weights. A row inside the image, undilated, is one copy. */
static void copy_window(const struct kernel_args *args, int32_t top, int32_t left, int8_t *to) {
    const struct conv2d_params *p = args->params;
    const bool whole_rows = p->dilation_w == 1 && left >= 0 && left + p->kernel_w <= p->in_w;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const int32_t iy = top + ky * p->dilation_h;
        if (iy < 0 || iy >= p->in_h) {
            to = fill((int8_t)p->input_zero, p->kernel_w * p->in_c, to);
        } else if (whole_rows) {
            to = copy(tap(args, iy, left), p->kernel_w * p->in_c, to);
        } else {
            for (int32_t kx = 0; kx < p->kernel_w; kx++) {
                const int8_t *from = tap(args, iy, left + kx * p->dilation_w);
                to = from ? copy(from, p->in_c, to) : fill((int8_t)p->input_zero, p->in_c, to);
            }
        }
    }
}

void conv2d_s8_hwc_im2col(const struct kernel_args *args) {
    const struct conv2d_params *p = args->params;
    const int32_t inputs = window_inputs(p), pair_words = GEMM_PAIR_WORDS(inputs);
    const struct gemm gemm = {args->weights, args->channels, inputs, p->out_c,
                              rescale_layer(p->output_zero, p->clamp_min, p->clamp_max, p->rounding)};
    const int32_t block = gemm_block_pixels(inputs, LEAST_PIXELS);
    uint32_t *pairs = args->scratch;
    int8_t *bytes = (int8_t *)(pairs + gemm_block_words(inputs, LEAST_PIXELS));
    int8_t *out = args->out;
    int32_t waiting = 0;
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        for (int32_t ox = 0; ox < p->out_w; ox++) {
            const int32_t top = oy * p->stride_h - p->pad_top, left = ox * p->stride_w - p->pad_left;
            uint32_t *to = pairs + waiting / 2 * pair_words + waiting % 2 * 2;
            if (p->in_c % 4 == 0) {
                expand_window(args, top, left, to);
            } else {
                copy_window(args, top, left, bytes);
                gemm_expand(bytes, inputs, to);
            }
            if (++waiting == block) {
                gemm_block(&gemm, pairs, waiting, out);
                out += waiting * p->out_c;
                waiting = 0;
            }
        }
    }
    gemm_block(&gemm, pairs, waiting, out);
}
