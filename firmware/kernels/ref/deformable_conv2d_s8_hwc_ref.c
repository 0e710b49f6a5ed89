/* Deformable convolution, the obvious way: host/oracle/deformable.py in C, the definition that faster ones are tested against.
 *
 * in0 [in_h][in_w][in_c], in1 offsets [out_h][out_w][offset_groups][taps][dy, dx] int8 or int16, in2 mask
 * [out_h][out_w][offset_groups][taps] if masked, out [out_h][out_w][out_c], weights OHWI, channels BMS. Any stride, dilation,
 * padding, groups, weights_zero and rounding, any offsets. Sums are exact in int64: 2^28 products below 2^24. No scratch.
 */
#include "../deformable.h"
#include "../requant.h"

bool deformable_conv2d_s8_hwc_ref_supports(const void *params) {
    (void)params;
    return true;
}

uint32_t deformable_conv2d_s8_hwc_ref_scratch_bytes(const void *params) {
    (void)params;
    return 0;
}

/* The pixel without its zero point, 0 outside the image. */
static int32_t pixel(const struct kernel_args *args, int32_t iy, int32_t ix, int32_t ic) {
    const struct deformable_conv2d_params *p = args->params;
    if (iy < 0 || iy >= p->in_h || ix < 0 || ix >= p->in_w) return 0;
    return args->in0[(iy * p->in_w + ix) * p->in_c + ic] - p->input_zero;
}

/* What the tap at (ky, kx) reads of channel ic for the output at (oy, ox), Q8; with a mask in units of two products of input
 * and mask. */
static int32_t sample(const struct kernel_args *args, int32_t oy, int32_t ox, int32_t ky, int32_t kx,
                      int32_t ic) {
    const struct deformable_conv2d_params *p = args->params;
    const int32_t taps = p->kernel_h * p->kernel_w, group = ic / (p->in_c / p->offset_groups);
    const int32_t index = ((oy * p->out_w + ox) * p->offset_groups + group) * taps + ky * p->kernel_w + kx;
    const int32_t y = deformable_position(oy * p->stride_h - p->pad_top + ky * p->dilation_h,
                                          deformable_step(args, 2 * index), p->offset_multiplier);
    const int32_t x = deformable_position(ox * p->stride_w - p->pad_left + kx * p->dilation_w,
                                          deformable_step(args, 2 * index + 1), p->offset_multiplier);
    const struct corner_weights w = corner_weights(y, x);
    const int32_t iy = y >> POSITION_BITS, ix = x >> POSITION_BITS;
    const int32_t value = w.w00 * pixel(args, iy, ix, ic) + w.w01 * pixel(args, iy, ix + 1, ic) +
                          w.w10 * pixel(args, iy + 1, ix, ic) + w.w11 * pixel(args, iy + 1, ix + 1, ic);
    if (p->masked) return (value * (args->in2[index] - p->mask_zero) + (1 << (MASK_SHIFT - 1))) >> MASK_SHIFT;
    return ((value + 32) >> (WEIGHT_BITS - SAMPLE_BITS)) + p->input_zero * (1 << SAMPLE_BITS);
}

/* Sum over the window at (oy, ox) for output channel oc, modulo 2^32, with bias. */
static int32_t window_sum(const struct kernel_args *args, int32_t oy, int32_t ox, int32_t oc) {
    const struct deformable_conv2d_params *p = args->params;
    const struct requant_channel *channels = args->channels;
    const int8_t *weights = args->weights;
    const int32_t group_c = p->in_c / p->groups, first = oc / (p->out_c / p->groups) * group_c;
    int64_t sum = 1 << (SAMPLE_BITS - 1);
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        for (int32_t kx = 0; kx < p->kernel_w; kx++) {
            for (int32_t ic = 0; ic < group_c; ic++) {
                const int32_t w = weights[((oc * p->kernel_h + ky) * p->kernel_w + kx) * group_c + ic];
                sum += sample(args, oy, ox, ky, kx, first + ic) * (w - p->weights_zero);
            }
        }
    }
    return (int32_t)((uint32_t)(sum >> SAMPLE_BITS) + (uint32_t)channels[oc].bias);
}

void deformable_conv2d_s8_hwc_ref(const struct kernel_args *args) {
    const struct deformable_conv2d_params *p = args->params;
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
