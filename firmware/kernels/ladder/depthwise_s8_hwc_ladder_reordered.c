/* DEPTHWISE_CONV_2D with channels innermost: they are neighbours in memory, in the image and in the weights.
 *
 * in [in_h][in_w][in_c], out [out_h][out_w][in_c], weights [kernel_h][kernel_w][in_c], channels BMS. A tap's place and check serve
 * all channels; their sums wait in memory for the next tap. The zero point is in the plan's bias, so padding, which reads as
 * input_zero, adds products too. A product is below 2^15, sums are modulo 2^32. Scratch: a sum of each channel. Bit-equal to
 * depthwise_s8_hwc_ref. Not supported: depth_multiplier other than 1, weights_zero other than 0.
 */
#include "../kernel.h"
#include "../requant.h"

bool depthwise_s8_hwc_ladder_reordered_supports(const void *params) {
    const struct depthwise_params *p = params;
    return p->weights_zero == 0 && p->depth_multiplier == 1;
}

uint32_t depthwise_s8_hwc_ladder_reordered_scratch_bytes(const void *params) {
    const struct depthwise_params *p = params;
    return (uint32_t)p->in_c * sizeof(uint32_t);
}

/* Adds the window at (top, left) to the sums. */
static void add_window(const struct kernel_args *args, int32_t top, int32_t left, uint32_t *sums) {
    const struct depthwise_params *p = args->params;
    const int32_t channels = p->in_c;
    const int8_t *w = args->weights;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const int32_t iy = top + ky * p->dilation_h;
        for (int32_t kx = 0; kx < p->kernel_w; kx++, w += channels) {
            const int32_t ix = left + kx * p->dilation_w;
            if (iy >= 0 && iy < p->in_h && ix >= 0 && ix < p->in_w) {
                const int8_t *x = args->in0 + (iy * p->in_w + ix) * channels;
                for (int32_t c = 0; c < channels; c++) sums[c] += (uint32_t)(x[c] * w[c]);
            } else {
                for (int32_t c = 0; c < channels; c++) sums[c] += (uint32_t)(p->input_zero * w[c]);
            }
        }
    }
}

void depthwise_s8_hwc_ladder_reordered(const struct kernel_args *args) {
    const struct depthwise_params *p = args->params;
    const struct requant_channel *channels = args->channels;
    uint32_t *sums = args->scratch;
    int8_t *out = args->out;
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        for (int32_t ox = 0; ox < p->out_w; ox++) {
            for (int32_t c = 0; c < p->in_c; c++) sums[c] = (uint32_t)channels[c].bias;
            add_window(args, oy * p->stride_h - p->pad_top, ox * p->stride_w - p->pad_left, sums);
            for (int32_t c = 0; c < p->in_c; c++) {
                const int32_t y =
                    requant((int32_t)sums[c], channels[c].multiplier, channels[c].shift, p->rounding);
                *out++ = (int8_t)add_clamp(y, p->output_zero, p->clamp_min, p->clamp_max);
            }
        }
    }
}
