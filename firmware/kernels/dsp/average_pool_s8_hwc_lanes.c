/* AVERAGE_POOL_2D, four channels at a time: two words of two int16 sums, emptied every 255 pixels (255 * 128 < 2^15).
 *
 * in [in_h][in_w][in_c], out [out_h][out_w][in_c]; no alignment needed. No scratch. Windows count the pixels inside the image.
 * Sums stay below 2^22 * 128. Bit-equal to average_pool_s8_hwc_ref, for any shape.
 */
#include "../average.h"
#include "../dsp.h"
#include "../kernel.h"
#include "../requant.h"

#define MOST_PIXELS 255

bool average_pool_s8_hwc_lanes_supports(const void *params) {
    (void)params;
    return true;
}

uint32_t average_pool_s8_hwc_lanes_scratch_bytes(const void *params) {
    (void)params;
    return 0;
}

/* Adds `count` pixels, `step` bytes apart: `channels`, 1 .. 4, of each. */
static void add_pixels(const int8_t *from, int32_t step, int32_t count, int32_t channels, int32_t sums[4]) {
    while (count > 0) {
        int32_t part = count < MOST_PIXELS ? count : MOST_PIXELS;
        uint32_t even = 0, odd = 0;
        count -= part;
        if (channels == 4) {
            for (; part >= 2; part -= 2, from += 2 * step) {
                const uint32_t word = load_word(from), next = load_word(from + step);
                even = sxtab16(sxtab16(even, word), next);
                odd = sxtab16_ror8(sxtab16_ror8(odd, word), next);
            }
        }
        for (; part > 0; part--, from += step) {
            const uint32_t word = channels == 4 ? load_word(from) : load_bytes(from, channels);
            even = sxtab16(even, word);
            odd = sxtab16_ror8(odd, word);
        }
        sums[0] += (int16_t)(uint16_t)even;
        sums[1] += (int16_t)(uint16_t)odd;
        sums[2] += (int16_t)(uint16_t)(even >> 16);
        sums[3] += (int16_t)(uint16_t)(odd >> 16);
    }
}

void average_pool_s8_hwc_lanes(const struct kernel_args *args) {
    const struct average_pool_params *p = args->params;
    int8_t *out = args->out;
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        const int32_t top = oy * p->stride_h - p->pad_top, bottom = top + p->kernel_h;
        const int32_t y0 = top > 0 ? top : 0, y1 = bottom < p->in_h ? bottom : p->in_h;
        for (int32_t ox = 0; ox < p->out_w; ox++) {
            const int32_t left = ox * p->stride_w - p->pad_left, right = left + p->kernel_w;
            const int32_t x0 = left > 0 ? left : 0, x1 = right < p->in_w ? right : p->in_w;
            const int32_t count = (y1 - y0) * (x1 - x0);
            /* rows of the whole width follow each other */
            const int32_t run = x1 - x0 == p->in_w ? count : x1 - x0;
            const int8_t *window = args->in0 + (y0 * p->in_w + x0) * p->in_c;
            for (int32_t c = 0; c < p->in_c; c += 4) {
                const int32_t channels = p->in_c - c < 4 ? p->in_c - c : 4;
                const int8_t *from = window + c;
                int32_t sums[4] = {0, 0, 0, 0};
                for (int32_t done = 0; done < count; done += run, from += p->in_w * p->in_c)
                    add_pixels(from, p->in_c, run, channels, sums);
                for (int32_t i = 0; i < channels; i++) {
                    const int32_t mean =
                        p->half_up ? mean_half_up(sums[i], count) : mean_half_away(sums[i], count);
                    *out++ = (int8_t)add_clamp(mean, 0, p->clamp_min, p->clamp_max);
                }
            }
        }
    }
}
