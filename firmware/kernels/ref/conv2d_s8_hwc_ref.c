/* CONV_2D, the obvious way: the definition that faster convolutions are tested against.
 *
 * in [in_h][in_w][in_c], out [out_h][out_w][out_c], weights OHWI, channels BMS. Any stride, dilation,
 * padding, weights_zero, rounding and groups. Padding reads as input_zero. No scratch. Bit-equal to LiteRT 2.3
 * BUILTIN_REF with ROUND_DOUBLE.
 */
#include "../kernel.h"
#include "../requant.h"

bool conv2d_s8_hwc_ref_supports(const void *params) {
    (void)params;
    return true;
}

uint32_t conv2d_s8_hwc_ref_scratch_bytes(const void *params) {
    (void)params;
    return 0;
}

/* Sum over the window at (oy, ox) for output channel oc, modulo 2^32, with bias. A product is below 2^15. */
static int32_t window_sum(const struct kernel_args *args, int32_t oy, int32_t ox, int32_t oc) {
    const struct conv2d_params *p = args->params;
    const struct requant_channel *channels = args->channels;
    const int8_t *weights = args->weights;
    const int32_t group_c = p->in_c / p->groups, first = oc / (p->out_c / p->groups) * group_c;
    uint32_t acc = (uint32_t)channels[oc].bias;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        for (int32_t kx = 0; kx < p->kernel_w; kx++) {
            const int32_t iy = oy * p->stride_h - p->pad_top + ky * p->dilation_h;
            const int32_t ix = ox * p->stride_w - p->pad_left + kx * p->dilation_w;
            const bool inside = iy >= 0 && iy < p->in_h && ix >= 0 && ix < p->in_w;
            for (int32_t ic = 0; ic < group_c; ic++) {
                const int32_t x =
                    inside ? args->in0[(iy * p->in_w + ix) * p->in_c + first + ic] : p->input_zero;
                const int32_t w = weights[((oc * p->kernel_h + ky) * p->kernel_w + kx) * group_c + ic];
                acc += (uint32_t)(x * (w - p->weights_zero));
            }
        }
    }
    return (int32_t)acc;
}

void conv2d_s8_hwc_ref(const struct kernel_args *args) {
    const struct conv2d_params *p = args->params;
    const struct requant_channel *channels = args->channels;
    int8_t *out = args->out;
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        for (int32_t ox = 0; ox < p->out_w; ox++) {
            for (int32_t oc = 0; oc < p->out_c; oc++) {
                const int32_t sum = window_sum(args, oy, ox, oc);
                const int32_t y = requant(sum, channels[oc].multiplier, channels[oc].shift, p->rounding);
                *out++ = (int8_t)add_clamp(y, p->output_zero, p->clamp_min, p->clamp_max);
            }
        }
    }
}
