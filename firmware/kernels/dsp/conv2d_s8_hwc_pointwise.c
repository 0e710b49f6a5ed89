/* CONV_2D with a 1x1 kernel and stride 1: a matrix product over all pixels.
 *
 * in [pixels][in_c], out [pixels][out_c], weights OHWI (any alignment), channels BMS. Blocks of 8 pixels are expanded to int16 in
 * scratch, then read once by every pair of output channels (gemm.h). A block is read before it is written, so the output
 * may be the input's place. A product is below 2^14, sums are modulo 2^32. Bit-equal to conv2d_s8_hwc_ref.
 * Not supported: other kernels, strides or padding; weights_zero other than 0.
 */
#include "gemm.h"

#define BLOCK_PIXELS 8

bool conv2d_s8_hwc_pointwise_supports(const void *params) {
    const struct conv2d_params *p = params;
    return p->kernel_h == 1 && p->kernel_w == 1 && p->stride_h == 1 && p->stride_w == 1 &&
           p->out_h == p->in_h && p->out_w == p->in_w && p->pad_top == 0 && p->pad_left == 0 &&
           p->weights_zero == 0;
}

uint32_t conv2d_s8_hwc_pointwise_scratch_bytes(const void *params) {
    const struct conv2d_params *p = params;
    return (uint32_t)(BLOCK_PIXELS / 2 * GEMM_PAIR_WORDS(p->in_c)) * sizeof(uint32_t);
}

void conv2d_s8_hwc_pointwise(const struct kernel_args *args) {
    const struct conv2d_params *p = args->params;
    const struct gemm gemm = {args->weights, args->channels, p->in_c, p->out_c,
                              rescale_layer(p->output_zero, p->clamp_min, p->clamp_max, p->rounding)};
    const int32_t pixels = p->in_h * p->in_w, pair_words = GEMM_PAIR_WORDS(p->in_c);
    const int8_t *in = args->in0;
    int8_t *out = args->out;
    for (int32_t done = 0; done < pixels; done += BLOCK_PIXELS) {
        const int32_t count = pixels - done < BLOCK_PIXELS ? pixels - done : BLOCK_PIXELS;
        for (int32_t i = 0; i < count; i++, in += p->in_c) {
            uint32_t *pair = (uint32_t *)args->scratch + i / 2 * pair_words;
            gemm_expand(in, p->in_c, pair + i % 2 * 2);
        }
        gemm_block(&gemm, args->scratch, count, out);
        out += count * p->out_c;
    }
}
