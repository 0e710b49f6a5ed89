/* DEPTHWISE_CONV_2D and the 1x1 CONV_2D that reads it, the obvious way: pixel by pixel, all channels between them, then all outputs.
 *
 * in [in_h][in_w][in_c], out [out_h][out_w][out_c], weights OHWI_BMS of the depthwise, [kernel_h][kernel_w][in_c * depth_multiplier],
 * channels OHWI_BMS of the pointwise, [out_c][in_c * depth_multiplier]. Any stride, dilation, padding, zero points and rounding;
 * strip_rows is not read. Scratch: the channels of a pixel. Bit-equal to depthwise_s8_hwc_ref followed by conv2d_s8_hwc_ref.
 */
#include "../depthwise_pointwise.h"
#include "../requant.h"

bool depthwise_pointwise_s8_hwc_ref_supports(const void *params) {
    (void)params;
    return true;
}

uint32_t depthwise_pointwise_s8_hwc_ref_scratch_bytes(const void *params) {
    return (uint32_t)middle_channels(params);
}

/* Sum over the window at (oy, ox) for channel c between the parts, modulo 2^32, without bias. A product is below 2^15. */
static uint32_t window_sum(const struct kernel_args *args, int32_t oy, int32_t ox, int32_t c) {
    const struct depthwise_pointwise_params *p = args->params;
    const int8_t *weights = args->weights;
    const int32_t ic = c / p->depth_multiplier, middle_c = middle_channels(p);
    uint32_t acc = 0;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        for (int32_t kx = 0; kx < p->kernel_w; kx++) {
            const int32_t iy = oy * p->stride_h - p->pad_top + ky * p->dilation_h;
            const int32_t ix = ox * p->stride_w - p->pad_left + kx * p->dilation_w;
            const bool inside = iy >= 0 && iy < p->in_h && ix >= 0 && ix < p->in_w;
            const int32_t x = inside ? args->in0[(iy * p->in_w + ix) * p->in_c + ic] : p->input_zero;
            const int32_t w = weights[(ky * p->kernel_w + kx) * middle_c + c];
            acc += (uint32_t)(x * (w - p->weights_zero));
        }
    }
    return acc;
}

/* Sum over the channels of a pixel for output channel oc, likewise. */
static uint32_t pixel_sum(const struct kernel_args *args, const int8_t *middle, int32_t oc) {
    const struct depthwise_pointwise_params *p = args->params;
    const int32_t middle_c = middle_channels(p);
    const int8_t *weights = (const int8_t *)args->channels + oc * middle_c;
    uint32_t acc = 0;
    for (int32_t c = 0; c < middle_c; c++) acc += (uint32_t)(middle[c] * (weights[c] - p->weights1_zero));
    return acc;
}

void depthwise_pointwise_s8_hwc_ref(const struct kernel_args *args) {
    const struct depthwise_pointwise_params *p = args->params;
    const int32_t middle_c = middle_channels(p);
    const struct requant_channel *first =
        (const void *)((const int8_t *)args->weights + records_place(p->kernel_h * p->kernel_w * middle_c));
    const struct requant_channel *second =
        (const void *)((const int8_t *)args->channels + records_place(p->out_c * middle_c));
    int8_t *middle = args->scratch, *out = args->out;
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        for (int32_t ox = 0; ox < p->out_w; ox++) {
            for (int32_t c = 0; c < middle_c; c++) {
                const int32_t sum = (int32_t)((uint32_t)first[c].bias + window_sum(args, oy, ox, c));
                const int32_t y = requant(sum, first[c].multiplier, first[c].shift, p->rounding);
                middle[c] = (int8_t)add_clamp(y, p->middle_zero, p->middle_min, p->middle_max);
            }
            for (int32_t oc = 0; oc < p->out_c; oc++) {
                const int32_t sum = (int32_t)((uint32_t)second[oc].bias + pixel_sum(args, middle, oc));
                const int32_t y = requant(sum, second[oc].multiplier, second[oc].shift, p->rounding);
                *out++ = (int8_t)add_clamp(y, p->output_zero, p->clamp_min, p->clamp_max);
            }
        }
    }
}
