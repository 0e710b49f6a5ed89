/* FULLY_CONNECTED, two rows of weights at a time.
 *
 * in [rows][in_c], out [rows][out_c], weights [out_c][in_c] (any alignment), channels BMSN. Scratch: one input row as int16, in the order that SXTB16
 * makes of a weight word. A product is below 2^14, sums are modulo 2^32. Bit-equal to fully_connected_s8_flat_ref.
 * Not supported: weights_zero other than 0.
 */
#include "../dsp.h"
#include "../kernel.h"
#include "../requant.h"

bool fully_connected_s8_flat_rows2_supports(const void *params) {
    return ((const struct fully_connected_params *)params)->weights_zero == 0;
}

uint32_t fully_connected_s8_flat_rows2_scratch_bytes(const void *params) {
    const struct fully_connected_params *p = params;
    return (uint32_t)(p->in_c + 3) / 4 * 8;
}

static void expand(const int8_t *from, int32_t count, uint32_t *to) {
    for (; count > 0; count -= 4, from += 4, to += 2) {
        const uint32_t word = count >= 4 ? load_word(from) : load_bytes(from, count);
        to[0] = sxtb16(word);
        to[1] = sxtb16_ror8(word);
    }
}

struct sums {
    int32_t s0, s1;
};

static inline struct sums accumulate(struct sums s, uint32_t w0, uint32_t w1, const uint32_t *x) {
    s.s0 = smlad(x[0], sxtb16(w0), s.s0);
    s.s1 = smlad(x[0], sxtb16(w1), s.s1);
    s.s0 = smlad(x[1], sxtb16_ror8(w0), s.s0);
    s.s1 = smlad(x[1], sxtb16_ror8(w1), s.s1);
    return s;
}

static inline struct sums multiply(const int8_t *w0, const int8_t *w1, const uint32_t *x, int32_t inputs,
                                   struct sums s) {
    for (const uint32_t *end = x + (inputs & ~7) / 2; x != end; w0 += 8, w1 += 8, x += 4) {
        s = accumulate(s, load_word(w0), load_word(w1), x);
        s = accumulate(s, load_word(w0 + 4), load_word(w1 + 4), x + 2);
    }
    if (inputs & 4) {
        s = accumulate(s, load_word(w0), load_word(w1), x);
        w0 += 4, w1 += 4, x += 2;
    }
    const int32_t rest = inputs & 3;
    return rest ? accumulate(s, load_bytes(w0, rest), load_bytes(w1, rest), x) : s;
}

static int8_t rescaled(int32_t sum, const struct nudged_channel *channel,
                       const struct fully_connected_params *p) {
    return (int8_t)add_clamp(requant_nudged(sum, channel), p->output_zero, p->clamp_min, p->clamp_max);
}

void fully_connected_s8_flat_rows2(const struct kernel_args *args) {
    const struct fully_connected_params *p = args->params;
    for (int32_t row = 0; row < p->rows; row++) {
        expand(args->in0 + row * p->in_c, p->in_c, args->scratch);
        const struct nudged_channel *channels = args->channels;
        const int8_t *weights = args->weights;
        int8_t *out = args->out + row * p->out_c;
        for (int32_t left = p->out_c; left > 0; left -= 2, weights += 2 * p->in_c, channels += 2, out += 2) {
            const int32_t second = left > 1; /* without one, both are the first */
            const struct sums bias = {channels[0].bias, channels[second].bias};
            const struct sums s = multiply(weights, weights + second * p->in_c, args->scratch, p->in_c, bias);
            out[0] = rescaled(s.s0, &channels[0], p);
            out[second] = rescaled(s.s1, &channels[second], p);
        }
    }
}
