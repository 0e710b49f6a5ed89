#include "gemm.h"

/* Sums of two channels at two pixels: [channel][pixel]. */
struct sums {
    int32_t s00, s01, s10, s11;
};

static inline struct sums accumulate(struct sums s, uint32_t w0, uint32_t w1, const uint32_t *x) {
    const uint32_t w0_even = sxtb16(w0), w0_odd = sxtb16_ror8(w0);
    const uint32_t w1_even = sxtb16(w1), w1_odd = sxtb16_ror8(w1);
    s.s00 = smlad(x[0], w0_even, s.s00);
    s.s10 = smlad(x[0], w1_even, s.s10);
    s.s00 = smlad(x[1], w0_odd, s.s00);
    s.s10 = smlad(x[1], w1_odd, s.s10);
    s.s01 = smlad(x[2], w0_even, s.s01);
    s.s11 = smlad(x[2], w1_even, s.s11);
    s.s01 = smlad(x[3], w0_odd, s.s01);
    s.s11 = smlad(x[3], w1_odd, s.s11);
    return s;
}

static inline struct sums multiply(const int8_t *w0, const int8_t *w1, const uint32_t *x, int32_t inputs,
                                   int32_t bias0, int32_t bias1) {
    struct sums s = {bias0, bias0, bias1, bias1};
    for (const uint32_t *end = x + (inputs & ~7); x != end; w0 += 8, w1 += 8, x += 8) {
        s = accumulate(s, load_word(w0), load_word(w1), x);
        s = accumulate(s, load_word(w0 + 4), load_word(w1 + 4), x + 4);
    }
    if (inputs & 4) {
        s = accumulate(s, load_word(w0), load_word(w1), x);
        w0 += 4, w1 += 4, x += 4;
    }
    const int32_t rest = inputs & 3;
    return rest ? accumulate(s, load_bytes(w0, rest), load_bytes(w1, rest), x) : s;
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
    out += oc;
    for (; pixels > 0; pixels -= 2, pairs += pair_words, out += 2 * out_c) {
        const struct sums s = multiply(w0, w1, pairs, inputs, r0.bias, r1.bias);
        int8_t y00, y01, y10, y11;
        if (is_short) {
            const int32_t addend = gemm->layer.addend;
            y00 = rescale_short(s.s00, &r0, addend);
            y01 = rescale_short(s.s01, &r0, addend);
            y10 = rescale_short(s.s10, &r1, addend);
            y11 = rescale_short(s.s11, &r1, addend);
        } else {
            y00 = rescale_plain(s.s00, c0, &gemm->layer);
            y01 = rescale_plain(s.s01, c0, &gemm->layer);
            y10 = rescale_plain(s.s10, c1, &gemm->layer);
            y11 = rescale_plain(s.s11, c1, &gemm->layer);
        }
        /* without a second channel both are the first */
        out[0] = y00;
        out[second] = y10;
        if (pixels > 1) {
            out[out_c] = y01;
            out[out_c + second] = y11;
        }
    }
}

void gemm_block(const struct gemm *gemm, const uint32_t *pairs, int32_t pixels, int8_t *out) {
    int32_t oc = 0;
    for (; oc + 1 < gemm->out_c; oc += 2) channel_pair(gemm, pairs, pixels, oc, 1, out);
    if (oc < gemm->out_c) channel_pair(gemm, pairs, pixels, oc, 0, out);
}
