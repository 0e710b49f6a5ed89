/* CONV_2D with a 1x1 kernel and stride 1: a matrix product over all pixels.
 *
 * in [pixels][in_c], out [pixels][out_c], weights OHWI (any alignment), channels BMS. Blocks of 8 to 32
 * pixels are expanded to int16 in scratch, then read once by every pair of output channels (gemm.h). A block
 * is read before it is written, so the output may overlap the input as far as it stays behind the next block.
 * A product is below 2^14, sums are modulo 2^32. Bit-equal to conv2d_s8_hwc_ref. Not supported: other
 * kernels, strides or padding; weights_zero other than 0.
 */
#include "gemm.h"

#define LEAST_PIXELS 8

bool conv2d_s8_hwc_pointwise_supports(const void *params) {
    const struct conv2d_params *p = params;
    return p->kernel_h == 1 && p->kernel_w == 1 && p->stride_h == 1 && p->stride_w == 1 &&
           p->out_h == p->in_h && p->out_w == p->in_w && p->pad_top == 0 && p->pad_left == 0 &&
           p->weights_zero == 0;
}

uint32_t conv2d_s8_hwc_pointwise_scratch_bytes(const void *params) {
    const struct conv2d_params *p = params;
    return (uint32_t)gemm_block_words(p->in_c, LEAST_PIXELS) * sizeof(uint32_t);
}

uint32_t conv2d_s8_hwc_pointwise_gap_bytes(const void *params) {
    const struct conv2d_params *p = params;
    const int32_t block = gemm_block_pixels(p->in_c, LEAST_PIXELS);
    const int32_t before_last_block = (p->in_h * p->in_w - 1) / block * block;
    return p->out_c > p->in_c ? (uint32_t)((p->out_c - p->in_c) * before_last_block) : 0;
}

void conv2d_s8_hwc_pointwise(const struct kernel_args *args) {
    const struct conv2d_params *p = args->params;
    const struct gemm gemm = {args->weights, args->channels, p->in_c, p->out_c,
                              rescale_layer(p->output_zero, p->clamp_min, p->clamp_max, p->rounding)};
    const int32_t pixels = p->in_h * p->in_w, pair_words = GEMM_PAIR_WORDS(p->in_c);
    const int32_t block = gemm_block_pixels(p->in_c, LEAST_PIXELS);
    const int8_t *in = args->in0;
    int8_t *out = args->out;
    for (int32_t done = 0; done < pixels; done += block) {
        const int32_t count = pixels - done < block ? pixels - done : block;
        for (int32_t i = 0; i < count; i++, in += p->in_c) {
            uint32_t *pair = (uint32_t *)args->scratch + i / 2 * pair_words;
            gemm_expand(in, p->in_c, pair + i % 2 * 2);
        }
        gemm_block(&gemm, args->scratch, count, out);
        out += count * p->out_c;
    }
}
