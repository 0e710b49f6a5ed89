/* CONV_2D as textbooks write it: one multiplication after the other, in the order of NCHW.
 *
 * in [in_h][in_w][in_c], out [out_h][out_w][out_c], weights OHWI, channels BMS. Everything happens in the innermost body: the
 * place of the tap, the check whether it lies inside the image, the zero point's subtraction. Channels of a pixel are neighbours
 * in memory, but the loops go to the next row and column first. A product is below 2^15, sums are modulo 2^32. No scratch.
 * Bit-equal to conv2d_s8_hwc_ref. Not supported: weights_zero other than 0, groups.
 */
#include "../kernel.h"
#include "../requant.h"

bool conv2d_s8_hwc_ladder_naive_supports(const void *params) {
    const struct conv2d_params *p = params;
    return p->weights_zero == 0 && p->groups == 1;
}

uint32_t conv2d_s8_hwc_ladder_naive_scratch_bytes(const void *params) {
    (void)params;
    return 0;
}

/* The bias of the file: the plan's has -input_zero * sum(w) folded in, which spares faster kernels the subtraction. */
static uint32_t file_bias(const struct kernel_args *args, int32_t oc) {
    const struct conv2d_params *p = args->params;
    const int32_t count = p->kernel_h * p->kernel_w * p->in_c;
    const int8_t *weights = (const int8_t *)args->weights + oc * count;
    uint32_t bias = (uint32_t)((const struct requant_channel *)args->channels)[oc].bias;
    for (int32_t i = 0; i < count; i++) bias += (uint32_t)(p->input_zero * weights[i]);
    return bias;
}

void conv2d_s8_hwc_ladder_naive(const struct kernel_args *args) {
    const struct conv2d_params *p = args->params;
    const struct requant_channel *channels = args->channels;
    const int8_t *weights = args->weights;
    for (int32_t oc = 0; oc < p->out_c; oc++) {
        const uint32_t bias = file_bias(args, oc);
        for (int32_t oy = 0; oy < p->out_h; oy++) {
            for (int32_t ox = 0; ox < p->out_w; ox++) {
                uint32_t acc = bias;
                for (int32_t ic = 0; ic < p->in_c; ic++) {
                    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
                        for (int32_t kx = 0; kx < p->kernel_w; kx++) {
                            const int32_t iy = oy * p->stride_h - p->pad_top + ky * p->dilation_h;
                            const int32_t ix = ox * p->stride_w - p->pad_left + kx * p->dilation_w;
                            if (iy < 0 || iy >= p->in_h || ix < 0 || ix >= p->in_w) continue;
                            const int32_t x = args->in0[(iy * p->in_w + ix) * p->in_c + ic] - p->input_zero;
                            const int32_t w =
                                weights[((oc * p->kernel_h + ky) * p->kernel_w + kx) * p->in_c + ic];
                            acc += (uint32_t)(x * w);
                        }
                    }
                }
                const int32_t y =
                    requant((int32_t)acc, channels[oc].multiplier, channels[oc].shift, p->rounding);
                args->out[(oy * p->out_w + ox) * p->out_c + oc] =
                    (int8_t)add_clamp(y, p->output_zero, p->clamp_min, p->clamp_max);
            }
        }
    }
}
