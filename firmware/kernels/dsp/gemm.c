#include "gemm.h"

/* Adds four inputs: a weight word of each channel, four words of the pixel pair, to the sums
 * s<channel><pixel>. A macro on scalars, for GCC keeps an array of sums in memory. */
#define ACCUMULATE(w0, w1)                                                                                   \
    do {                                                                                                     \
        const uint32_t word0 = (w0), word1 = (w1);                                                           \
        const uint32_t even0 = sxtb16(word0), odd0 = sxtb16_ror8(word0);                                     \
        const uint32_t even1 = sxtb16(word1), odd1 = sxtb16_ror8(word1);                                     \
        uint32_t even = x[0], odd = x[1];                                                                    \
        s00 = smlad(even, even0, s00);                                                                       \
        s10 = smlad(even, even1, s10);                                                                       \
        s00 = smlad(odd, odd0, s00);                                                                         \
        s10 = smlad(odd, odd1, s10);                                                                         \
        even = x[2], odd = x[3];                                                                             \
        s01 = smlad(even, even0, s01);                                                                       \
        s11 = smlad(even, even1, s11);                                                                       \
        s01 = smlad(odd, odd0, s01);                                                                         \
        s11 = smlad(odd, odd1, s11);                                                                         \
        w0_next += 4, w1_next += 4, x += 4;                                                                  \
    } while (0)

/* Two channels for all pixels of a block, ready to run. */
struct tile {
    const int8_t *w0, *w1;
    const struct requant_channel *c0, *c1;
    struct rescale r0, r1;
    const struct rescale_layer *layer;
    int32_t inputs;
    int32_t out_c;
    int32_t second; /* channels from the first to the second: 1, or 0 if there is none */
};

#define MULTIPLY(tile)                                                                                       \
    const int8_t *w0_next = (tile)->w0, *w1_next = (tile)->w1;                                               \
    int32_t s00 = (tile)->r0.bias, s01 = s00, s10 = (tile)->r1.bias, s11 = s10;                              \
    for (const uint32_t *end = x + ((tile)->inputs & ~7); x != end;) {                                       \
        ACCUMULATE(load_word(w0_next), load_word(w1_next));                                                  \
        ACCUMULATE(load_word(w0_next), load_word(w1_next));                                                  \
    }                                                                                                        \
    if ((tile)->inputs & 4) ACCUMULATE(load_word(w0_next), load_word(w1_next));                              \
    const int32_t rest = (tile)->inputs & 3;                                                                 \
    if (rest) ACCUMULATE(load_bytes(w0_next, rest), load_bytes(w1_next, rest))

/* Whole pairs of pixels and short rescales. */
KEEP_ORDER static const uint32_t *short_pairs(const struct tile *tile, const uint32_t *x, int32_t pairs,
                                              int8_t *out) {
    const int32_t addend = tile->layer->addend;
    for (; pairs > 0; pairs--) {
        MULTIPLY(tile);
        int8_t *next = out + tile->out_c;
        out[0] = rescale_short(s00, &tile->r0, addend);
        out[1] = rescale_short(s10, &tile->r1, addend);
        next[0] = rescale_short(s01, &tile->r0, addend);
        next[1] = rescale_short(s11, &tile->r1, addend);
        out = next + tile->out_c;
    }
    return x;
}

/* Anything else: an odd last pixel, a single channel (then both are the first), a plain rescale. */
KEEP_ORDER static void plain_pairs(const struct tile *tile, const uint32_t *x, int32_t pixels, int8_t *out) {
    for (; pixels > 0; pixels -= 2, out += 2 * tile->out_c) {
        MULTIPLY(tile);
        out[0] = rescale_plain(s00, tile->c0, tile->layer);
        out[tile->second] = rescale_plain(s10, tile->c1, tile->layer);
        if (pixels > 1) {
            out[tile->out_c] = rescale_plain(s01, tile->c0, tile->layer);
            out[tile->out_c + tile->second] = rescale_plain(s11, tile->c1, tile->layer);
        }
    }
}

void gemm_block(const struct gemm *gemm, const uint32_t *pairs, int32_t pixels, int8_t *out) {
    struct tile tile = {.layer = &gemm->layer, .inputs = gemm->inputs, .out_c = gemm->out_c};
    for (int32_t oc = 0; oc < gemm->out_c; oc += 2) {
        tile.second = oc + 1 < gemm->out_c;
        tile.c0 = &gemm->channels[oc];
        tile.c1 = tile.c0 + tile.second;
        tile.w0 = gemm->weights + oc * gemm->inputs;
        tile.w1 = tile.w0 + tile.second * gemm->inputs;
        const bool short0 = rescale_prepare(&tile.r0, tile.c0, &gemm->layer);
        const bool short1 = rescale_prepare(&tile.r1, tile.c1, &gemm->layer);
        const int32_t whole = short0 && short1 && tile.second ? pixels / 2 : 0;
        const uint32_t *x = short_pairs(&tile, pairs, whole, out + oc);
        plain_pairs(&tile, x, pixels - 2 * whole, out + oc + 2 * whole * gemm->out_c);
    }
}
