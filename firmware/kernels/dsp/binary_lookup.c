#include "binary_lookup.h"

#include <stddef.h>

#include "../bits.h"
#include "../dsp.h"

#define ONES 0x11111111u /* one in each lane of four bits */

#if !defined(__ARM_FEATURE_DSP)

/* Definition of binary_lookup_count.S. */
void lookup_count(const uint32_t *tables, const uint32_t *weights, uint32_t *totals,
                  const struct lookup_pass *pass) {
    for (; totals != pass->totals_end; totals += LOOKUP_TOTAL_WORDS) {
        for (const uint32_t *table = tables; table != pass->tables_end; weights++) {
            for (int32_t nibble = 0; nibble < 8; nibble++, table += LOOKUP_TABLE_WORDS / 8) {
                const uint32_t *found = table + 2 * (*weights >> 4 * nibble & 15);
                for (int32_t half = 0; half < 2; half++) {
                    uint32_t *to = totals + 4 * half;
                    for (int32_t i = 0; i < 2; i++) {
                        to[i] += found[half] >> 8 * i & 0x000f000fu;
                        to[2 + i] += found[half] >> (8 * i + 4) & 0x000f000fu;
                    }
                }
            }
        }
        weights += pass->skip_bytes / 4;
    }
}

#endif

/* Lane of the sixteen positions, eight in each half. */
static int32_t lane_of(int32_t position) {
    static const uint8_t lanes[LOOKUP_PIXELS / 2] = {0, 4, 2, 6, 1, 5, 3, 7};
    return lanes[position % 8] + position / 8 * 8;
}

static int32_t chunk_words(int32_t window_words) {
    const int32_t chunks = (window_words + LOOKUP_WORDS - 1) / LOOKUP_WORDS;
    return (window_words + chunks - 1) / chunks;
}

uint32_t lookup_scratch_words(int32_t window_words, int32_t rows) {
    return (uint32_t)rows * LOOKUP_TOTAL_WORDS + (uint32_t)chunk_words(window_words) * LOOKUP_TABLE_WORDS;
}

/* Where one tap of each lane's window is. */
struct tap {
    const uint32_t *from[LOOKUP_PIXELS]; /* NULL in the padding */
    uint32_t inside[2]; /* a one for each lane inside the image, or where padding is like the image */
};

struct origin {
    int32_t iy, ix;
};

/* Words of 32 bits of eight lanes to eight words of a nibble of each lane. */
static void transpose_nibbles(const uint32_t *const *from, int32_t word, uint32_t *to) {
    uint32_t x[8], y[8];
    for (int32_t i = 0; i < 4; i++) {
        const uint32_t a = from[i] ? from[i][word] : 0, b = from[i + 4] ? from[i + 4][word] : 0;
        x[i] = pkhbt_lsl16(a, b);
        x[i + 4] = pkhtb_asr16(b, a);
    }
    for (int32_t i = 0; i < 8; i += 4) {
        for (int32_t j = i; j < i + 2; j++) {
            const uint32_t a = x[j], b = x[j + 2], mask = 0x00ff00ffu;
            y[j] = (a & mask) | (b & mask) << 8;
            y[j + 2] = (a >> 8 & mask) | (b & ~mask);
        }
    }
    for (int32_t i = 0; i < 8; i += 2) {
        const uint32_t a = y[i], b = y[i + 1], mask = 0x0f0f0f0fu;
        to[i] = (a & mask) | (b & mask) << 4;
        to[i + 1] = (a >> 4 & mask) | (b & ~mask);
    }
}

/* Counts of the sixteen ways of weights: t without any, and what each weight adds to the lanes. */
static void put_table(uint32_t t, const uint32_t *adds, uint32_t *to) {
    const uint32_t a = adds[0], b = adds[1], c = adds[2], d = adds[3];
    for (int32_t i = 0; i < 2; i++, t += d, to += 16) {
        const uint32_t ta = t + a, tb = t + b, tab = ta + b;
        to[0] = t;
        to[2] = ta;
        to[4] = tb;
        to[6] = tab;
        to[8] = t + c;
        to[10] = ta + c;
        to[12] = tb + c;
        to[14] = tab + c;
    }
}

/* The tables of one word of one half; `channels` of it exist. */
static void make_tables(const struct lookup_image *image, const struct tap *tap, int32_t half, int32_t word,
                        int32_t channels, uint32_t *table) {
    uint32_t nibbles[8], adds[4];
    transpose_nibbles(tap->from + 8 * half, word, nibbles);
    const uint32_t inside = tap->inside[half], outside = ONES ^ inside;
    for (int32_t i = 0; i < 8; i++, channels -= 4, table += LOOKUP_TABLE_WORDS / 8) {
        const uint32_t here = nibbles[i];
        uint32_t none = 0;
        for (int32_t ic = 0; ic < 4; ic++) {
            const uint32_t x = here >> ic & ONES;
            none += x;
            adds[ic] = image->both ? x : inside - 2 * x;
        }
        if (image->both) none = 0;
        if (outside) none += outside * (uint32_t)(channels >= 4 ? 2 : channels > 0 ? channels / 2 : 0);
        put_table(none, adds, table + half);
    }
}

static void locate(const struct lookup_image *image, const struct origin *origins, int32_t tap_index,
                   struct tap *tap) {
    const int32_t dy = tap_index / image->kernel_w * image->dilation_h;
    const int32_t dx = tap_index % image->kernel_w * image->dilation_w;
    tap->inside[0] = tap->inside[1] = ONES;
    for (int32_t i = 0; i < LOOKUP_PIXELS; i++) {
        const int32_t iy = origins[i].iy + dy, ix = origins[i].ix + dx;
        if (iy >= 0 && iy < image->in_h && ix >= 0 && ix < image->in_w) {
            tap->from[i] = image->in + (iy * image->in_w + ix) * image->pixel_words;
            continue;
        }
        tap->from[i] = NULL;
        if (image->half) tap->inside[i / 8] &= ~(1u << 4 * (i % 8));
    }
}

void lookup_windows(const struct lookup_image *image, int32_t pixel, const uint32_t *weights, int32_t rows,
                    uint32_t *scratch) {
    const int32_t words = bit_words(image->in_c), window_words = image->kernel_h * image->kernel_w * words;
    const int32_t chunk = chunk_words(window_words);
    uint32_t *totals = scratch, *tables = scratch + rows * LOOKUP_TOTAL_WORDS;
    struct origin origins[LOOKUP_PIXELS];
    struct tap tap;
    for (int32_t position = 0; position < LOOKUP_PIXELS; position++) {
        struct origin *origin = &origins[lane_of(position)];
        origin->iy = (pixel + position) / image->out_w * image->stride_h - image->pad_top;
        origin->ix = (pixel + position) % image->out_w * image->stride_w - image->pad_left;
    }
    for (int32_t begin = 0; begin < window_words; begin += chunk) {
        const int32_t end = begin + chunk < window_words ? begin + chunk : window_words;
        uint32_t *table = tables;
        for (int32_t at = begin; at < end; at++, table += LOOKUP_TABLE_WORDS) {
            const int32_t word = at % words;
            if (at == begin || word == 0) locate(image, origins, at / words, &tap);
            make_tables(image, &tap, 0, word, image->in_c - 32 * word, table);
            make_tables(image, &tap, 1, word, image->in_c - 32 * word, table);
        }
        const struct lookup_pass pass = {table, totals + rows * LOOKUP_TOTAL_WORDS,
                                         4 * (window_words - (end - begin))};
        lookup_count(tables, weights + begin, totals, &pass);
    }
}
