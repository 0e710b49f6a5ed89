#include "binary_lookup.h"

#include "../bits.h"
#include "../dsp.h"

#define ONES 0x11111111u /* one in each lane of four bits */

#if !defined(__ARM_FEATURE_DSP)

/* Definitions of binary_lookup_arm.S. */
void lookup_put_int8(const uint16_t *totals, const struct affine_channel *channels, int8_t *out,
                     const struct lookup_put *put) {
    for (; channels != put->channels_end; channels++, totals += LOOKUP_PIXELS, out++) {
        for (int32_t i = 0; i < LOOKUP_PIXELS; i++) {
            const uint32_t sum = put->all - totals[i] * put->twice;
            const int32_t y = smmla(sum, (uint32_t)channels->multiplier, channels->offset);
            out[i * put->out_c] = (int8_t)ssat8(y >> LOOKUP_DOWN);
        }
    }
}

void lookup_tables(const uint32_t *nibbles, uint32_t *table, uint32_t inside, const uint32_t *padding) {
    for (int32_t nibble = 0; nibble < 8; nibble++, nibbles++, padding++) {
        for (uint32_t weights = 0; weights < 16; weights++, table += 2) {
            *table = *padding;
            for (int32_t ic = 0; ic < 4; ic++) {
                const uint32_t x = *nibbles >> ic & ONES;
                *table += weights >> ic & 1 ? inside - x : x;
            }
        }
    }
}

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

uint32_t lookup_scratch_words(int32_t taps, int32_t words, int32_t rows) {
    const uint32_t tables = (uint32_t)chunk_words(taps * words) * LOOKUP_TABLE_WORDS;
    return (uint32_t)rows * LOOKUP_TOTAL_WORDS + tables + (uint32_t)words;
}

/* Where one tap of each lane's window is. */
struct tap {
    const uint32_t *from[LOOKUP_PIXELS]; /* zeros in the padding */
    uint32_t inside[2]; /* a one for each lane inside the image, or where padding is like the image */
};

/* The first tap of a lane, and the place of its pixel, in words; either may be outside of the image. */
struct origin {
    int32_t iy, ix;
    uint32_t at; /* modulo 2^32 */
};

/* Swaps the fields of a that are shift bits above the mask with those of b under it. */
static inline void swap_fields(uint32_t *a, uint32_t *b, int32_t shift, uint32_t mask) {
    const uint32_t differ = (*a >> shift ^ *b) & mask;
    *b ^= differ;
    *a ^= differ << shift;
}

/* Words of 32 bits of eight lanes to eight words of a nibble of each lane. */
static void transpose_nibbles(const uint32_t *const *from, int32_t word, uint32_t *to) {
    const uint32_t a = from[0][word], b = from[4][word], c = from[1][word], d = from[5][word];
    const uint32_t e = from[2][word], f = from[6][word], g = from[3][word], h = from[7][word];
    uint32_t x0 = pkhbt_lsl16(a, b), x4 = pkhtb_asr16(b, a), x1 = pkhbt_lsl16(c, d), x5 = pkhtb_asr16(d, c);
    uint32_t x2 = pkhbt_lsl16(e, f), x6 = pkhtb_asr16(f, e), x3 = pkhbt_lsl16(g, h), x7 = pkhtb_asr16(h, g);
    swap_fields(&x0, &x2, 8, 0x00ff00ffu);
    swap_fields(&x1, &x3, 8, 0x00ff00ffu);
    swap_fields(&x4, &x6, 8, 0x00ff00ffu);
    swap_fields(&x5, &x7, 8, 0x00ff00ffu);
    swap_fields(&x0, &x1, 4, 0x0f0f0f0fu);
    swap_fields(&x2, &x3, 4, 0x0f0f0f0fu);
    swap_fields(&x4, &x5, 4, 0x0f0f0f0fu);
    swap_fields(&x6, &x7, 4, 0x0f0f0f0fu);
    to[0] = x0;
    to[1] = x1;
    to[2] = x2;
    to[3] = x3;
    to[4] = x4;
    to[5] = x5;
    to[6] = x6;
    to[7] = x7;
}

/* The tables of one word of one half; `channels` of it exist. */
static void make_tables(const struct tap *tap, int32_t half, int32_t word, int32_t channels,
                        uint32_t *table) {
    uint32_t nibbles[8], padding[8] = {0};
    transpose_nibbles(tap->from + 8 * half, word, nibbles);
    const uint32_t outside = ONES ^ tap->inside[half];
    if (outside)
        for (int32_t i = 0; i < 8; i++, channels -= 4)
            padding[i] = outside * (uint32_t)(channels >= 4 ? 2 : channels > 0 ? channels / 2 : 0);
    lookup_tables(nibbles, table + half, tap->inside[half], padding);
}

static void locate(const struct lookup_image *image, const struct origin *origins, int32_t tap_index,
                   const uint32_t *zeros, struct tap *tap) {
    const int32_t dy = tap_index / image->kernel_w * image->dilation_h;
    const int32_t dx = tap_index % image->kernel_w * image->dilation_w;
    const uint32_t in_h = (uint32_t)image->in_h, in_w = (uint32_t)image->in_w;
    const uint32_t offset = ((uint32_t)dy * in_w + (uint32_t)dx) * (uint32_t)image->pixel_words;
    const uint32_t *const in = image->in;
    uint32_t outside[2] = {0, 0};
    for (int32_t half = 0; half < 2; half++) {
        const uint32_t **from = tap->from + 8 * half;
        for (uint32_t lane = 1; lane != 0; lane <<= 4, origins++) {
            if ((uint32_t)(origins->iy + dy) < in_h && (uint32_t)(origins->ix + dx) < in_w) {
                *from++ = in + (origins->at + offset);
            } else {
                *from++ = zeros;
                outside[half] |= lane;
            }
        }
        tap->inside[half] = image->half ? ONES ^ outside[half] : ONES;
    }
}

void lookup_windows(const struct lookup_image *image, int32_t pixel, const uint32_t *weights, int32_t rows,
                    uint32_t *scratch) {
    const int32_t words = bit_words(image->in_c), window_words = image->kernel_h * image->kernel_w * words;
    const int32_t chunk = chunk_words(window_words);
    uint32_t *totals = scratch, *tables = scratch + rows * LOOKUP_TOTAL_WORDS;
    uint32_t *zeros = tables + chunk * LOOKUP_TABLE_WORDS;
    struct origin origins[LOOKUP_PIXELS];
    struct tap tap;
    memset(zeros, 0, (size_t)words * sizeof *zeros);
    for (int32_t position = 0; position < LOOKUP_PIXELS; position++) {
        struct origin *origin = &origins[lane_of(position)];
        origin->iy = (pixel + position) / image->out_w * image->stride_h - image->pad_top;
        origin->ix = (pixel + position) % image->out_w * image->stride_w - image->pad_left;
        origin->at = ((uint32_t)origin->iy * (uint32_t)image->in_w + (uint32_t)origin->ix) *
                     (uint32_t)image->pixel_words;
    }
    for (int32_t begin = 0; begin < window_words; begin += chunk) {
        const int32_t end = begin + chunk < window_words ? begin + chunk : window_words;
        uint32_t *table = tables;
        for (int32_t at = begin; at < end; at++, table += LOOKUP_TABLE_WORDS) {
            const int32_t word = at % words;
            if (at == begin || word == 0) locate(image, origins, at / words, zeros, &tap);
            make_tables(&tap, 0, word, image->in_c - 32 * word, table);
            make_tables(&tap, 1, word, image->in_c - 32 * word, table);
        }
        const struct lookup_pass pass = {table, totals + rows * LOOKUP_TOTAL_WORDS,
                                         4 * (window_words - (end - begin))};
        lookup_count(tables, weights + begin, totals, &pass);
    }
}
