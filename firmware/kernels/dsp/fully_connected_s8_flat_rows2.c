/* FULLY_CONNECTED, two rows of weights at a time.
 *
 * in [rows][in_c], out [rows][out_c], weights [out_c][in_c] (any alignment), channels BMSN. Scratch: one
 * input row as int16, in the order that SXTB16 makes of a weight word. A product is below 2^14, sums are
 * modulo 2^32. Bit-equal to fully_connected_s8_flat_ref. Not supported: weights_zero other than 0.
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

/* Four inputs. A macro on scalars: see gemm.c. */
#define ACCUMULATE(w0, w1)                                                                                   \
    do {                                                                                                     \
        const uint32_t word0 = (w0), word1 = (w1), even = x[0], odd = x[1];                                  \
        s0 = smlad(even, sxtb16(word0), s0);                                                                 \
        s0 = smlad(odd, sxtb16_ror8(word0), s0);                                                             \
        s1 = smlad(even, sxtb16(word1), s1);                                                                 \
        s1 = smlad(odd, sxtb16_ror8(word1), s1);                                                             \
        w0_next += 4, w1_next += 4, x += 2;                                                                  \
    } while (0)

KEEP_ORDER static void multiply(const int8_t *w0_next, const int8_t *w1_next, const uint32_t *x,
                                int32_t inputs, int32_t sums[2]) {
    int32_t s0 = sums[0], s1 = sums[1];
    for (const uint32_t *end = x + (inputs & ~15) / 2; x != end;) {
        ACCUMULATE(load_word(w0_next), load_word(w1_next));
        ACCUMULATE(load_word(w0_next), load_word(w1_next));
        ACCUMULATE(load_word(w0_next), load_word(w1_next));
        ACCUMULATE(load_word(w0_next), load_word(w1_next));
    }
    for (inputs &= 15; inputs >= 4; inputs -= 4) ACCUMULATE(load_word(w0_next), load_word(w1_next));
    if (inputs) ACCUMULATE(load_bytes(w0_next, inputs), load_bytes(w1_next, inputs));
    sums[0] = s0;
    sums[1] = s1;
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
            int32_t sums[2] = {channels[0].bias, channels[second].bias};
            multiply(weights, weights + second * p->in_c, args->scratch, p->in_c, sums);
            out[0] = rescaled(sums[0], &channels[0], p);
            out[second] = rescaled(sums[1], &channels[second], p);
        }
    }
}
