/* Requantisation to int8 in four DSP instructions, bit-equal to requant_double() and the clamp for every int32 sum.
 *
 *     high = smmlar(x, 2 * multiplier, x)      2 * multiplier, as int32, is 2^32 too small: hence + x
 *     half = high + (high >> 31)               the -1 of a sign rounds halves away from 0
 *     y    = ssat8(smmlar(half, power, zero))  power = 2^(32 - exponent)
 *
 * Holds for multiplier >= 2^30, 2 <= exponent <= 31 (|half| <= 2^31 - 1, for the multiplier is below 2^31) and no clamp but
 * int8's. multiplier 0 runs through it too, with power = 0: y is zero. All else takes the plain form. Source: own work.
 */
#ifndef TINYCONV_RESCALE_H
#define TINYCONV_RESCALE_H

#include "../dsp.h"
#include "../kernel.h"
#include "../requant.h"

/* What a layer's channels have in common. */
struct rescale_layer {
    int32_t output_zero;
    int32_t clamp_min;
    int32_t clamp_max;
    int32_t rounding;
    bool plain; /* rounding or clamps rule out the short form */
};

/* One channel, ready for the short form if it has one. */
struct rescale {
    uint32_t twice; /* 2 * multiplier */
    uint32_t power;
    int32_t bias;
};

static inline struct rescale_layer rescale_layer(int32_t output_zero, int32_t clamp_min, int32_t clamp_max,
                                                 int32_t rounding) {
    const bool plain = rounding != ROUND_DOUBLE || clamp_min != INT8_MIN || clamp_max != INT8_MAX;
    return (struct rescale_layer){output_zero, clamp_min, clamp_max, rounding, plain};
}

/* Whether the channel has the short form; *rescale is only meant for it. */
static inline bool rescale_prepare(struct rescale *rescale, const struct requant_channel *channel,
                                   const struct rescale_layer *layer) {
    rescale->twice = 2 * (uint32_t)channel->multiplier;
    rescale->power = 0;
    rescale->bias = channel->bias;
    if (layer->plain) return false;
    if (channel->multiplier == 0) return true;
    if (channel->multiplier < 1 << 30 || channel->shift > -2) return false;
    rescale->power = UINT32_C(1) << (32 + channel->shift);
    return true;
}

/* The rescale before saturation. */
static inline int32_t rescale_wide(int32_t x, const struct rescale *rescale, int32_t zero) {
    const int32_t high = smmlar((uint32_t)x, rescale->twice, x);
    return smmlar((uint32_t)high + (uint32_t)(high >> 31), rescale->power, zero);
}

static inline int8_t rescale_short(int32_t x, const struct rescale *rescale, int32_t zero) {
    return (int8_t)ssat8(rescale_wide(x, rescale, zero));
}

__attribute__((noinline, unused)) static int8_t
rescale_plain(int32_t x, const struct requant_channel *channel, const struct rescale_layer *layer) {
    const int32_t y = requant(x, channel->multiplier, channel->shift, layer->rounding);
    return (int8_t)add_clamp(y, layer->output_zero, layer->clamp_min, layer->clamp_max);
}

#endif
