/* CONV_2D as a matrix product: windows are copied to a buffer first (im2col), and what is left is one long loop (GEMM).
 *
 * in [in_h][in_w][in_c], out [out_h][out_w][out_c], weights OHWI, channels BMS. Two pixels meet two output channels: four products
 * for four loads, and no check, address or short loop of a tap between them. A last pixel or channel without a partner is its own.
 * A product is below 2^15, sums are modulo 2^32. Scratch: two windows. Bit-equal to conv2d_s8_hwc_ref. Not supported:
 * weights_zero other than 0, groups, windows of more than 2^20 inputs.
 */
#include "../requant.h"
#include "gather.h"

bool conv2d_s8_hwc_ladder_im2col_supports(const void *params) {
    return gather_supports(params);
}

uint32_t conv2d_s8_hwc_ladder_im2col_scratch_bytes(const void *params) {
    return 2 * (uint32_t)gather_inputs(params);
}

/* sums[channel][pixel] */
static void multiply(const int8_t *x0, const int8_t *x1, const int8_t *w0, const int8_t *w1, int32_t inputs,
                     uint32_t sums[2][2]) {
    uint32_t s00 = 0, s01 = 0, s10 = 0, s11 = 0;
#pragma GCC unroll 4
    for (const int8_t *end = x0 + inputs; x0 != end;) {
        const int32_t a0 = *x0++, a1 = *x1++, b0 = *w0++, b1 = *w1++;
        s00 += (uint32_t)(a0 * b0);
        s01 += (uint32_t)(a1 * b0);
        s10 += (uint32_t)(a0 * b1);
        s11 += (uint32_t)(a1 * b1);
    }
    sums[0][0] = s00;
    sums[0][1] = s01;
    sums[1][0] = s10;
    sums[1][1] = s11;
}

void conv2d_s8_hwc_ladder_im2col(const struct kernel_args *args) {
    const struct conv2d_params *p = args->params;
    const struct requant_channel *channels = args->channels;
    const int32_t inputs = gather_inputs(p), pixels = p->out_h * p->out_w;
    int8_t *window0 = args->scratch, *window1 = window0 + inputs;
    for (int32_t pixel = 0; pixel < pixels; pixel += 2) {
        const int32_t count = pixels - pixel < 2 ? 1 : 2;
        gather_window(args, pixel, window0);
        gather_window(args, pixel + count - 1, window1);
        for (int32_t oc = 0; oc < p->out_c; oc += 2) {
            const int32_t second = p->out_c - oc < 2 ? 0 : 1;
            const int8_t *w0 = (const int8_t *)args->weights + oc * inputs;
            uint32_t sums[2][2];
            multiply(window0, window1, w0, w0 + second * inputs, inputs, sums);
            for (int32_t c = 0; c <= second; c++) {
                const struct requant_channel *channel = &channels[oc + c];
                for (int32_t i = 0; i < count; i++) {
                    const int32_t y = requant((int32_t)(sums[c][i] + (uint32_t)channel->bias),
                                              channel->multiplier, channel->shift, p->rounding);
                    args->out[(pixel + i) * p->out_c + oc + c] =
                        (int8_t)add_clamp(y, p->output_zero, p->clamp_min, p->clamp_max);
                }
            }
        }
    }
}
