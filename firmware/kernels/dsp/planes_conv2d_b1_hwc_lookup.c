/* Convolution of bit planes, sixteen pixels at once, bits counted by tables (binary_lookup.h).
 *
 * Tensors and records as planes_conv2d_b1_hwc_ref. Weights COUNTED_BITS: for each output channel an int32, (2^planes - 1) times the
 * worth of its weights' set bits; then words [out_c][weight_planes][kernel_h][kernel_w][words]. A set bit of a level counts +1 or -1:
 *
 *     2 * count(a & w) - count(a) = count(w) - count(a ^ w)
 *
 * so a plane of activations against a plane of weights is what binary_conv2d counts, and padding is clear bits, which give 0.
 * Planes of activations follow each other, the highest first, and double the totals. Scratch as binary_conv2d_b1_hwc_lookup, totals
 * for each plane of weights. A total fits 16 bits: at most 65535 products times 2^planes - 1.
 */
#include <string.h>

#include "../bits.h"
#include "../kernel.h"
#include "../requant.h"
#include "binary_lookup.h"

#define MOST_TOTAL 65535

bool planes_conv2d_b1_hwc_lookup_supports(const void *params) {
    const struct planes_conv2d_params *p = params;
    return (int64_t)p->kernel_h * p->kernel_w * p->in_c * ((1 << p->planes) - 1) <= MOST_TOTAL;
}

uint32_t planes_conv2d_b1_hwc_lookup_scratch_bytes(const void *params) {
    const struct planes_conv2d_params *p = params;
    return 4 *
           lookup_scratch_words(p->kernel_h * p->kernel_w, bit_words(p->in_c), p->out_c * p->weight_planes);
}

/* int8 of one channel of some pixels; totals of its planes of weights follow each other. */
static void put_int8(const struct planes_conv2d_params *p, const struct requant_channel *channel,
                     int32_t counted, const uint16_t *totals, int32_t pixels, int8_t *out) {
    for (const uint16_t *end = totals + pixels; totals != end; totals++, out += p->out_c) {
        uint32_t acc = (uint32_t)channel->bias + (uint32_t)counted;
        for (int32_t plane = 0; plane < p->weight_planes; plane++)
            acc -= (uint32_t)totals[LOOKUP_PIXELS * plane] << plane;
        const int32_t y = requant((int32_t)acc, channel->multiplier, channel->shift, p->rounding);
        *out = (int8_t)add_clamp(y, p->output_zero, p->clamp_min, p->clamp_max);
    }
}

void planes_conv2d_b1_hwc_lookup(const struct kernel_args *args) {
    const struct planes_conv2d_params *p = args->params;
    const struct requant_channel *channels = args->channels;
    const int32_t words = bit_words(p->in_c), rows = p->out_c * p->weight_planes;
    const int32_t *counted = args->weights;
    const uint32_t *in = (const void *)args->in0, *weights = (const uint32_t *)args->weights + p->out_c;
    struct lookup_image image = {.in_h = p->in_h,
                                 .in_w = p->in_w,
                                 .in_c = p->in_c,
                                 .out_w = p->out_w,
                                 .kernel_h = p->kernel_h,
                                 .kernel_w = p->kernel_w,
                                 .stride_h = p->stride_h,
                                 .stride_w = p->stride_w,
                                 .dilation_h = p->dilation_h,
                                 .dilation_w = p->dilation_w,
                                 .pad_top = p->pad_top,
                                 .pad_left = p->pad_left,
                                 .pixel_words = p->planes * words};
    const int32_t all = p->out_h * p->out_w;
    uint32_t *totals = args->scratch;
    for (int32_t pixel = 0; pixel < all; pixel += LOOKUP_PIXELS) {
        const int32_t pixels = all - pixel < LOOKUP_PIXELS ? all - pixel : LOOKUP_PIXELS;
        memset(totals, 0, (size_t)rows * LOOKUP_TOTAL_WORDS * sizeof *totals);
        for (int32_t plane = p->planes - 1; plane >= 0; plane--) {
            image.in = in + plane * words;
            lookup_windows(&image, pixel, weights, rows, totals);
            if (plane > 0)
                for (int32_t i = 0; i < rows * LOOKUP_TOTAL_WORDS; i++) totals[i] *= 2;
        }
        for (int32_t oc = 0; oc < p->out_c; oc++)
            put_int8(p, channels + oc, counted[oc],
                     (const uint16_t *)totals + LOOKUP_PIXELS * p->weight_planes * oc, pixels,
                     args->out + pixel * p->out_c + oc);
    }
}
