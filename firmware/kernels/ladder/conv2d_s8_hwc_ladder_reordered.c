/* CONV_2D with input channels innermost: they are neighbours in memory, in the image and in the weights.
 *
 * in [in_h][in_w][in_c], out [out_h][out_w][out_c], weights OHWI, channels BMS. What does not change from channel to channel has
 * left the innermost loop: two addresses, the check whether the tap lies inside the image, and the zero point, which the plan's
 * bias has folded in. So padding, which reads as input_zero, adds products too. A product is below 2^15, sums are modulo 2^32.
 * No scratch. Bit-equal to conv2d_s8_hwc_ref. Not supported: weights_zero other than 0, groups.
 */
#include "../kernel.h"
#include "../requant.h"

bool conv2d_s8_hwc_ladder_reordered_supports(const void *params) {
    const struct conv2d_params *p = params;
    return p->weights_zero == 0 && p->groups == 1;
}

uint32_t conv2d_s8_hwc_ladder_reordered_scratch_bytes(const void *params) {
    (void)params;
    return 0;
}

/* Sum over the window at (top, left) with one output channel's weights. */
static uint32_t window_sum(const struct kernel_args *args, int32_t top, int32_t left, const int8_t *w) {
    const struct conv2d_params *p = args->params;
    const int32_t in_c = p->in_c;
    uint32_t sum = 0;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const int32_t iy = top + ky * p->dilation_h;
        for (int32_t kx = 0; kx < p->kernel_w; kx++, w += in_c) {
            const int32_t ix = left + kx * p->dilation_w;
            if (iy >= 0 && iy < p->in_h && ix >= 0 && ix < p->in_w) {
                const int8_t *x = args->in0 + (iy * p->in_w + ix) * in_c;
                for (int32_t ic = 0; ic < in_c; ic++) sum += (uint32_t)(x[ic] * w[ic]);
            } else {
                for (int32_t ic = 0; ic < in_c; ic++) sum += (uint32_t)(p->input_zero * w[ic]);
            }
        }
    }
    return sum;
}

void conv2d_s8_hwc_ladder_reordered(const struct kernel_args *args) {
    const struct conv2d_params *p = args->params;
    const struct requant_channel *channels = args->channels;
    const int32_t inputs = p->kernel_h * p->kernel_w * p->in_c;
    int8_t *out = args->out;
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        for (int32_t ox = 0; ox < p->out_w; ox++) {
            const int8_t *weights = args->weights;
            for (int32_t oc = 0; oc < p->out_c; oc++, weights += inputs) {
                const uint32_t sum =
                    window_sum(args, oy * p->stride_h - p->pad_top, ox * p->stride_w - p->pad_left, weights);
                const int32_t y = requant((int32_t)(sum + (uint32_t)channels[oc].bias),
                                          channels[oc].multiplier, channels[oc].shift, p->rounding);
                *out++ = (int8_t)add_clamp(y, p->output_zero, p->clamp_min, p->clamp_max);
            }
        }
    }
}
