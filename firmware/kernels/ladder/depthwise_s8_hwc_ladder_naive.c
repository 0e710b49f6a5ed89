/* DEPTHWISE_CONV_2D as textbooks write it: plane by plane, one multiplication after the other.
 *
 * in [in_h][in_w][in_c], out [out_h][out_w][in_c], weights [kernel_h][kernel_w][in_c], channels BMS. As
 * conv2d_s8_hwc_ladder_naive: place, check and zero point of a tap in the innermost body. A product is below 2^15, sums are modulo
 * 2^32. No scratch. Bit-equal to depthwise_s8_hwc_ref. Not supported: depth_multiplier other than 1, weights_zero other than 0.
 */
#include "../kernel.h"
#include "../requant.h"

bool depthwise_s8_hwc_ladder_naive_supports(const void *params) {
    const struct depthwise_params *p = params;
    return p->weights_zero == 0 && p->depth_multiplier == 1;
}

uint32_t depthwise_s8_hwc_ladder_naive_scratch_bytes(const void *params) {
    (void)params;
    return 0;
}

/* The bias of the file: the plan's has -input_zero * sum(w) folded in, which spares faster kernels the subtraction. */
static uint32_t file_bias(const struct kernel_args *args, int32_t c) {
    const struct depthwise_params *p = args->params;
    const int8_t *weights = (const int8_t *)args->weights + c;
    uint32_t bias = (uint32_t)((const struct requant_channel *)args->channels)[c].bias;
    for (int32_t i = 0; i < p->kernel_h * p->kernel_w; i++)
        bias += (uint32_t)(p->input_zero * weights[i * p->in_c]);
    return bias;
}

void depthwise_s8_hwc_ladder_naive(const struct kernel_args *args) {
    const struct depthwise_params *p = args->params;
    const struct requant_channel *channels = args->channels;
    const int8_t *weights = args->weights;
    for (int32_t c = 0; c < p->in_c; c++) {
        const uint32_t bias = file_bias(args, c);
        for (int32_t oy = 0; oy < p->out_h; oy++) {
            for (int32_t ox = 0; ox < p->out_w; ox++) {
                uint32_t acc = bias;
                for (int32_t ky = 0; ky < p->kernel_h; ky++) {
                    for (int32_t kx = 0; kx < p->kernel_w; kx++) {
                        const int32_t iy = oy * p->stride_h - p->pad_top + ky * p->dilation_h;
                        const int32_t ix = ox * p->stride_w - p->pad_left + kx * p->dilation_w;
                        if (iy < 0 || iy >= p->in_h || ix < 0 || ix >= p->in_w) continue;
                        const int32_t x = args->in0[(iy * p->in_w + ix) * p->in_c + c] - p->input_zero;
                        const int32_t w = weights[(ky * p->kernel_w + kx) * p->in_c + c];
                        acc += (uint32_t)(x * w);
                    }
                }
                const int32_t y =
                    requant((int32_t)acc, channels[c].multiplier, channels[c].shift, p->rounding);
                args->out[(oy * p->out_w + ox) * p->in_c + c] =
                    (int8_t)add_clamp(y, p->output_zero, p->clamp_min, p->clamp_max);
            }
        }
    }
}
