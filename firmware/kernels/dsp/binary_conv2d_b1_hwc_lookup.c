/* Binary convolution, sixteen pixels at once, bits counted by tables (binary_lookup.h).
 *
 * Tensors, weights and records as binary_conv2d_b1_hwc_ref, which it equals if the bits behind the last channel are clear. Scratch:
 * totals, 32 bytes an output channel, and tables, 1 KB for each of up to 7 words of a window. At most 65535 products in a
 * window. Padding of 0 counts half of the channels, which must be an even number. Not supported: less than 4 pixels, where
 * tables do not pay.
 */
#include <string.h>

#include "../bits.h"
#include "../dsp.h"
#include "../kernel.h"
#include "binary_lookup.h"

#define LEAST_PIXELS  4
#define MOST_PRODUCTS 65535

bool binary_conv2d_b1_hwc_lookup_supports(const void *params) {
    const struct binary_conv2d_params *p = params;
    return p->kernel_h * p->kernel_w * p->in_c <= MOST_PRODUCTS && p->out_h * p->out_w >= LEAST_PIXELS &&
           (!p->zero_padding || p->in_c % 2 == 0);
}

uint32_t binary_conv2d_b1_hwc_lookup_scratch_bytes(const void *params) {
    const struct binary_conv2d_params *p = params;
    return 4 * lookup_scratch_words(p->kernel_h * p->kernel_w, bit_words(p->in_c), p->out_c);
}

static int32_t clip(int32_t x, int32_t low, int32_t high) {
    return x < low ? low : x > high ? high : x;
}

static bool clamps(const struct binary_conv2d_params *p) {
    const int32_t products = p->kernel_h * p->kernel_w * p->in_c;
    return p->sum_min > -products || p->sum_max < products;
}

/* int8 of all channels of some pixels: affine() of the sum, which is products - 2 * total. */
static void put_int8(const struct binary_conv2d_params *p, const struct affine_channel *channels,
                     const uint16_t *totals, int32_t pixels, int8_t *out) {
    const int32_t products = p->kernel_h * p->kernel_w * p->in_c, step = p->out_c, down = p->down;
    const uint32_t all = (uint32_t)products << p->lift, twice = 2u << p->lift;
    const bool clamped = clamps(p);
    if (!clamped && pixels == LOOKUP_PIXELS && down == LOOKUP_DOWN) {
        const struct lookup_put put = {channels + step, step, all, twice};
        lookup_put_int8(totals, channels, out, &put);
        return;
    }
    for (int32_t oc = 0; oc < step; oc++, totals += LOOKUP_PIXELS, channels++) {
        const uint32_t multiplier = (uint32_t)channels->multiplier;
        const int32_t offset = channels->offset;
        int8_t *to = out + oc;
        if (clamped) {
            for (int32_t i = 0; i < pixels; i++, to += step) {
                const int32_t sum = clip(products - 2 * totals[i], p->sum_min, p->sum_max);
                *to = (int8_t)ssat8(smmla((uint32_t)sum << p->lift, multiplier, offset) >> down);
            }
            continue;
        }
        for (int32_t i = 0; i < pixels; i++, to += step)
            *to = (int8_t)ssat8(smmla(all - totals[i] * twice, multiplier, offset) >> down);
    }
}

/* Bits of all channels of a pixel. */
static void put_bits(const struct binary_conv2d_params *p, const struct affine_channel *channels,
                     const uint16_t *totals, uint32_t *out) {
    const int32_t products = p->kernel_h * p->kernel_w * p->in_c, out_c = p->out_c;
    const bool clamped = clamps(p);
    for (int32_t oc = 0; oc < out_c; out++) {
        const int32_t end = out_c - oc < 32 ? out_c : oc + 32;
        uint32_t bits = 0;
        for (uint32_t bit = 1; oc < end; oc++, bit <<= 1, totals += LOOKUP_PIXELS) {
            int32_t sum = products - 2 * *totals;
            if (clamped) sum = clip(sum, p->sum_min, p->sum_max);
            if (sum < channels[oc].multiplier) bits |= bit;
        }
        *out = bits;
    }
}

void binary_conv2d_b1_hwc_lookup(const struct kernel_args *args) {
    const struct binary_conv2d_params *p = args->params;
    const struct affine_channel *channels = args->channels;
    const struct lookup_image image = {.in = (const void *)args->in0,
                                       .in_h = p->in_h,
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
                                       .pixel_words = bit_words(p->in_c),
                                       .half = p->zero_padding};
    const int32_t all = p->out_h * p->out_w;
    const uint16_t *totals = args->scratch;
    for (int32_t pixel = 0; pixel < all; pixel += LOOKUP_PIXELS) {
        const int32_t pixels = all - pixel < LOOKUP_PIXELS ? all - pixel : LOOKUP_PIXELS;
        memset(args->scratch, 0, (size_t)p->out_c * LOOKUP_TOTAL_WORDS * sizeof(uint32_t));
        lookup_windows(&image, pixel, args->weights, p->out_c, args->scratch);
        if (p->output_bits) {
            uint32_t *out = (uint32_t *)(void *)args->out + pixel * bit_words(p->out_c);
            for (int32_t i = 0; i < pixels; i++, out += bit_words(p->out_c))
                put_bits(p, channels, totals + i, out);
        } else {
            put_int8(p, channels, totals, pixels, args->out + pixel * p->out_c);
        }
    }
}
