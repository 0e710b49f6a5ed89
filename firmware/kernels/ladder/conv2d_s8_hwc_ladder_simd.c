/* CONV_2D as conv2d_s8_hwc_ladder_im2col, with the instructions of the DSP extension: two products in one SMLAD.
 *
 * in [in_h][in_w][in_c], out [out_h][out_w][out_c], weights OHWI, channels BMS. Two gathered windows are expanded to int16 once,
 * even inputs of a group of four in one word and odd ones in the next, as SXTB16 makes them of a word of weights. For 16 products:
 * 6 loads, 4 SXTB16, 8 SMLAD. Requantisation takes four instructions where rescale.h has them. A product is below 2^14, sums are
 * modulo 2^32. Scratch: two windows as int16, one as int8. Bit-equal to conv2d_s8_hwc_ref. Not supported: weights_zero other
 * than 0, groups, windows of more than 2^20 inputs.
 */
#include "../dsp/rescale.h"
#include "gather.h"

bool conv2d_s8_hwc_ladder_simd_supports(const void *params) {
    return gather_supports(params);
}

static int32_t window_groups(const struct conv2d_params *p) {
    return (gather_inputs(p) + 3) / 4;
}

uint32_t conv2d_s8_hwc_ladder_simd_scratch_bytes(const void *params) {
    return (2 * 8 + 4) * (uint32_t)window_groups(params);
}

/* A window as words; the last group is filled up with what lies behind it in the buffer, which meets weights of 0. */
static void expand(const int8_t *from, int32_t groups, uint32_t *to) {
    for (; groups > 0; groups--, from += 4) {
        const uint32_t word = load_word(from);
        *to++ = sxtb16(word);
        *to++ = sxtb16_ror8(word);
    }
}

/* Four inputs of two windows and two channels. A macro on scalars, for GCC keeps an array of sums in memory. */
#define ACCUMULATE(w0, w1)                                                                                   \
    do {                                                                                                     \
        const uint32_t word0 = (w0), word1 = (w1);                                                           \
        const uint32_t even0 = sxtb16(word0), odd0 = sxtb16_ror8(word0);                                     \
        const uint32_t even1 = sxtb16(word1), odd1 = sxtb16_ror8(word1);                                     \
        s00 = smlad(x0[1], odd0, smlad(x0[0], even0, s00));                                                  \
        s10 = smlad(x0[1], odd1, smlad(x0[0], even1, s10));                                                  \
        s01 = smlad(x1[1], odd0, smlad(x1[0], even0, s01));                                                  \
        s11 = smlad(x1[1], odd1, smlad(x1[0], even1, s11));                                                  \
        x0 += 2, x1 += 2;                                                                                    \
    } while (0)

/* sums[channel][pixel], which hold the biases. */
KEEP_ORDER static void multiply(const uint32_t *x0, const uint32_t *x1, const int8_t *w0, const int8_t *w1,
                                int32_t inputs, int32_t sums[2][2]) {
    int32_t s00 = sums[0][0], s01 = sums[0][1], s10 = sums[1][0], s11 = sums[1][1];
    for (; inputs >= 4; inputs -= 4, w0 += 4, w1 += 4) ACCUMULATE(load_word(w0), load_word(w1));
    if (inputs) ACCUMULATE(load_bytes(w0, inputs), load_bytes(w1, inputs));
    sums[0][0] = s00;
    sums[0][1] = s01;
    sums[1][0] = s10;
    sums[1][1] = s11;
}

void conv2d_s8_hwc_ladder_simd(const struct kernel_args *args) {
    const struct conv2d_params *p = args->params;
    const struct requant_channel *channels = args->channels;
    const struct rescale_layer layer = rescale_layer(p->output_zero, p->clamp_min, p->clamp_max, p->rounding);
    const int32_t inputs = gather_inputs(p), groups = window_groups(p), pixels = p->out_h * p->out_w;
    uint32_t *window0 = args->scratch, *window1 = window0 + 2 * groups, *bytes = window1 + 2 * groups;
    bytes[groups - 1] = 0;
    for (int32_t pixel = 0; pixel < pixels; pixel += 2) {
        const int32_t count = pixels - pixel < 2 ? 1 : 2;
        gather_window(args, pixel, (int8_t *)bytes);
        expand((const int8_t *)bytes, groups, window0);
        gather_window(args, pixel + count - 1, (int8_t *)bytes);
        expand((const int8_t *)bytes, groups, window1);
        for (int32_t oc = 0; oc < p->out_c; oc += 2) {
            const int32_t second = p->out_c - oc < 2 ? 0 : 1;
            const int8_t *w0 = (const int8_t *)args->weights + oc * inputs;
            const int32_t bias0 = channels[oc].bias, bias1 = channels[oc + second].bias;
            int32_t sums[2][2] = {{bias0, bias0}, {bias1, bias1}};
            multiply(window0, window1, w0, w0 + second * inputs, inputs, sums);
            for (int32_t c = 0; c <= second; c++) {
                const struct requant_channel *channel = &channels[oc + c];
                int8_t *out = args->out + pixel * p->out_c + oc + c;
                struct rescale rescale;
                const bool is_short = rescale_prepare(&rescale, channel, &layer);
                for (int32_t i = 0; i < count; i++)
                    out[i * p->out_c] = is_short ? rescale_short(sums[c][i], &rescale, layer.output_zero)
                                                 : rescale_plain(sums[c][i], channel, &layer);
            }
        }
    }
}
