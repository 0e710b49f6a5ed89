/* TRANSPOSE_CONV, the obvious way: the definition that faster ones are tested against.
 *
 * in [in_h][in_w][in_c], out [out_h][out_w][out_c], weights OHWI, channels BMS with the bias as it is. Any kernel, stride, size
 * of the output, pad_top and pad_left, weights_zero and rounding. No scratch. Bit-equal to LiteRT 2.3 BUILTIN_REF with
 * ROUND_DOUBLE.
 */
#include "../kernel.h"
#include "../requant.h"

bool transposed_conv2d_s8_hwc_ref_supports(const void *params) {
    (void)params;
    return true;
}

uint32_t transposed_conv2d_s8_hwc_ref_scratch_bytes(const void *params) {
    (void)params;
    return 0;
}

/* The input row or column that kernel position k moves to `to` of the output, -1 if there is none. */
static int32_t source(int32_t to, int32_t pad, int32_t k, int32_t stride, int32_t size) {
    const int32_t from = to + pad - k;
    return from >= 0 && from % stride == 0 && from / stride < size ? from / stride : -1;
}

/* Sum of what reaches (oy, ox) of output channel oc, modulo 2^32, with bias. A product is below 2^16. */
static int32_t output_sum(const struct kernel_args *args, int32_t oy, int32_t ox, int32_t oc) {
    const struct transposed_conv2d_params *p = args->params;
    const struct requant_channel *channels = args->channels;
    const int8_t *weights = args->weights;
    uint32_t acc = (uint32_t)channels[oc].bias;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const int32_t iy = source(oy, p->pad_top, ky, p->stride_h, p->in_h);
        for (int32_t kx = 0; iy >= 0 && kx < p->kernel_w; kx++) {
            const int32_t ix = source(ox, p->pad_left, kx, p->stride_w, p->in_w);
            for (int32_t ic = 0; ix >= 0 && ic < p->in_c; ic++) {
                const int32_t x = args->in0[(iy * p->in_w + ix) * p->in_c + ic] - p->input_zero;
                const int32_t w = weights[((oc * p->kernel_h + ky) * p->kernel_w + kx) * p->in_c + ic];
                acc += (uint32_t)(x * (w - p->weights_zero));
            }
        }
    }
    return (int32_t)acc;
}

void transposed_conv2d_s8_hwc_ref(const struct kernel_args *args) {
    const struct transposed_conv2d_params *p = args->params;
    const struct requant_channel *channels = args->channels;
    int8_t *out = args->out;
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        for (int32_t ox = 0; ox < p->out_w; ox++) {
            for (int32_t oc = 0; oc < p->out_c; oc++) {
                const int32_t sum = output_sum(args, oy, ox, oc);
                const int32_t y = requant(sum, channels[oc].multiplier, channels[oc].shift, p->rounding);
                *out++ = (int8_t)add_clamp(y, p->output_zero, p->clamp_min, p->clamp_max);
            }
        }
    }
}
