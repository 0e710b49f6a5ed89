#include "gemm.h"

/* Sums of two channels at two pixels. */
enum { C0P0, C0P1, C1P0, C1P1, SUMS };

/* Adds four inputs: a weight word of each channel, four words of the pixel pair. A macro on scalars, for GCC keeps an array
 * of sums in memory. */
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

KEEP_ORDER static void multiply(const int8_t *w0_next, const int8_t *w1_next, const uint32_t *x,
                                int32_t inputs, int32_t sums[SUMS]) {
    int32_t s00 = sums[C0P0], s01 = sums[C0P1], s10 = sums[C1P0], s11 = sums[C1P1];
    for (const uint32_t *end = x + (inputs & ~7); x != end;) {
        ACCUMULATE(load_word(w0_next), load_word(w1_next));
        ACCUMULATE(load_word(w0_next), load_word(w1_next));
    }
    if (inputs & 4) ACCUMULATE(load_word(w0_next), load_word(w1_next));
    const int32_t rest = inputs & 3;
    if (rest) ACCUMULATE(load_bytes(w0_next, rest), load_bytes(w1_next, rest));
    sums[C0P0] = s00;
    sums[C0P1] = s01;
    sums[C1P0] = s10;
    sums[C1P1] = s11;
}

/* Channels oc and oc + second (0 or 1) for all pixels. */
static void channel_pair(const struct gemm *gemm, const uint32_t *pairs, int32_t pixels, int32_t oc,
                         int32_t second, int8_t *out) {
    const struct requant_channel *c0 = &gemm->channels[oc], *c1 = c0 + second;
    const int8_t *w0 = gemm->weights + oc * gemm->inputs, *w1 = w0 + second * gemm->inputs;
    const int32_t inputs = gemm->inputs, out_c = gemm->out_c, pair_words = GEMM_PAIR_WORDS(inputs);
    struct rescale r0, r1;
    const bool short0 = rescale_prepare(&r0, c0, &gemm->layer);
    const bool is_short = rescale_prepare(&r1, c1, &gemm->layer) && short0;
    const int32_t addend = gemm->layer.addend;
    out += oc;
    for (; pixels > 0; pixels -= 2, pairs += pair_words, out += 2 * out_c) {
        int32_t s[SUMS] = {r0.bias, r0.bias, r1.bias, r1.bias};
        multiply(w0, w1, pairs, inputs, s);
        int8_t y[SUMS];
        if (is_short) {
            y[C0P0] = rescale_short(s[C0P0], &r0, addend);
            y[C0P1] = rescale_short(s[C0P1], &r0, addend);
            y[C1P0] = rescale_short(s[C1P0], &r1, addend);
            y[C1P1] = rescale_short(s[C1P1], &r1, addend);
        } else {
            for (int32_t i = 0; i < SUMS; i++) y[i] = rescale_plain(s[i], i < C1P0 ? c0 : c1, &gemm->layer);
        }
        /* without a second channel both are the first */
        out[0] = y[C0P0];
        out[second] = y[C1P0];
        if (pixels > 1) {
            out[out_c] = y[C0P1];
            out[out_c + second] = y[C1P1];
        }
    }
}

void gemm_block(const struct gemm *gemm, const uint32_t *pairs, int32_t pixels, int8_t *out) {
    int32_t oc = 0;
    for (; oc + 1 < gemm->out_c; oc += 2) channel_pair(gemm, pairs, pixels, oc, 1, out);
    if (oc < gemm->out_c) channel_pair(gemm, pairs, pixels, oc, 0, out);
}
