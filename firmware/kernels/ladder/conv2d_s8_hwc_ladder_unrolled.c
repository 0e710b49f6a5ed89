/* CONV_2D, four output channels at a time: every input is loaded once for four products.
 *
 * in [in_h][in_w][in_c], out [out_h][out_w][out_c], weights OHWI, channels BMS. Register blocking in plain C: four sums stay in
 * registers, and the loop over the input channels is unrolled four times. A tap outside the image reads the same zero point again
 * and again, by a step of 0. The last four channels may overlap those before, and are computed twice then. A product is below
 * 2^15, sums are modulo 2^32. No scratch. Bit-equal to conv2d_s8_hwc_ref. Not supported: weights_zero other than 0, groups,
 * fewer than four output channels.
 */
#include "../kernel.h"
#include "../requant.h"

bool conv2d_s8_hwc_ladder_unrolled_supports(const void *params) {
    const struct conv2d_params *p = params;
    return p->weights_zero == 0 && p->groups == 1 && p->out_c >= 4;
}

uint32_t conv2d_s8_hwc_ladder_unrolled_scratch_bytes(const void *params) {
    (void)params;
    return 0;
}

/* Sums over the window at (top, left) with four output channels' weights, `inputs` apart. */
static void window_sums(const struct kernel_args *args, int32_t top, int32_t left, const int8_t *w0,
                        int32_t inputs, uint32_t sums[4]) {
    const struct conv2d_params *p = args->params;
    const int8_t zero = (int8_t)p->input_zero, *w1 = w0 + inputs, *w2 = w1 + inputs, *w3 = w2 + inputs;
    uint32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const int32_t iy = top + ky * p->dilation_h;
        for (int32_t kx = 0; kx < p->kernel_w; kx++) {
            const int32_t ix = left + kx * p->dilation_w;
            const bool inside = iy >= 0 && iy < p->in_h && ix >= 0 && ix < p->in_w;
            const int8_t *x = inside ? args->in0 + (iy * p->in_w + ix) * p->in_c : &zero;
#pragma GCC unroll 4
            for (int32_t ic = 0; ic < p->in_c; ic++, x += inside) {
                s0 += (uint32_t)(*x * *w0++);
                s1 += (uint32_t)(*x * *w1++);
                s2 += (uint32_t)(*x * *w2++);
                s3 += (uint32_t)(*x * *w3++);
            }
        }
    }
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
}

void conv2d_s8_hwc_ladder_unrolled(const struct kernel_args *args) {
    const struct conv2d_params *p = args->params;
    const int32_t inputs = p->kernel_h * p->kernel_w * p->in_c;
    int8_t *out = args->out;
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        for (int32_t ox = 0; ox < p->out_w; ox++, out += p->out_c) {
            for (int32_t block = 0; block < p->out_c; block += 4) {
                const int32_t oc = block < p->out_c - 4 ? block : p->out_c - 4;
                const struct requant_channel *channels = (const struct requant_channel *)args->channels + oc;
                uint32_t sums[4];
                window_sums(args, oy * p->stride_h - p->pad_top, ox * p->stride_w - p->pad_left,
                            (const int8_t *)args->weights + oc * inputs, inputs, sums);
                for (int32_t i = 0; i < 4; i++) {
                    const int32_t y = requant((int32_t)(sums[i] + (uint32_t)channels[i].bias),
                                              channels[i].multiplier, channels[i].shift, p->rounding);
                    out[oc + i] = (int8_t)add_clamp(y, p->output_zero, p->clamp_min, p->clamp_max);
                }
            }
        }
    }
}
