/* FULLY_CONNECTED, four rows of weights at a time, taken two bytes at a time (rows4.h).
 *
 * in [rows][in_c], out [rows][out_c], weights ROWS4; no alignment needed but the blob's. Scratch: one input row as int16
 * lanes, 2 bytes an input, in_c rounded up to a multiple of 8. Sums are below 2^23, by 256 below 2^31; the host refuses other
 * weights, shifts beyond -25 .. 5 and unusual nudges. Bit-equal to fully_connected_s8_flat_ref. Not supported: weights_zero
 * other than 0.
 */
#include "rows4.h"

#include "../dsp.h"
#include "../kernel.h"
#include "../requant.h"

bool fully_connected_s8_flat_rows4_supports(const void *params) {
    return ((const struct fully_connected_params *)params)->weights_zero == 0;
}

uint32_t fully_connected_s8_flat_rows4_scratch_bytes(const void *params) {
    return (uint32_t)rows4_groups(((const struct fully_connected_params *)params)->in_c) * 8;
}

#if !defined(__ARM_FEATURE_DSP)

/* Definition of rows4_kernel.S. */
void rows4_multiply(const uint32_t *input, const uint32_t *blob, int8_t *out, const struct rows4_pass *pass) {
    for (int32_t block = 0; block < pass->blocks; block++) {
        int32_t sums[4];
        memcpy(sums, blob, sizeof sums);
        blob += 4;
        for (const uint32_t *x = input; x != pass->end; x += 2, blob += 4)
            for (int32_t i = 0; i < 4; i++)
                sums[i] = smlad(sxtb16(blob[i]), x[1], smlad(blob[i], x[0], sums[i]));
        for (int32_t i = 0; i < 4; i++) {
            const uint32_t y = (uint32_t)smmla((uint32_t)sums[i], blob[i], 0);
            *out++ = (int8_t)ssat8(smmlar(y, blob[4 + i], pass->zero));
        }
        blob += 8;
    }
}

#endif

static void expand(const int8_t *from, int32_t count, uint32_t *to, const uint32_t *end) {
    for (; count > 0; count -= 4, from += 4, to += 2) {
        const uint32_t word = count >= 4 ? load_word(from) : load_bytes(from, count);
        to[0] = sxtb16_ror8(word);
        to[1] = rev16(word) ^ 0x007f007fu;
    }
    if (to != end) to[0] = to[1] = 0;
}

void fully_connected_s8_flat_rows4(const struct kernel_args *args) {
    const struct fully_connected_params *p = args->params;
    uint32_t *input = args->scratch;
    const int32_t groups = rows4_groups(p->in_c), blocks = p->out_c / 4, rest = p->out_c % 4;
    const int32_t skip = (ROWS4_COPIES - groups / 2 % ROWS4_COPIES) % ROWS4_COPIES;
    struct rows4_pass pass = {input + 2 * groups, blocks, p->output_zero, skip};
    const uint32_t *last = (const uint32_t *)args->weights + blocks * rows4_block_words(p->in_c);
    const int8_t *in = args->in0;
    int8_t *out = args->out;
    for (int32_t row = 0; row < p->rows; row++, in += p->in_c) {
        expand(in, p->in_c, input, pass.end);
        pass.blocks = blocks;
        if (blocks > 0) rows4_multiply(input, args->weights, out, &pass);
        out += 4 * blocks;
        if (rest > 0) {
            int8_t four[4];
            pass.blocks = 1;
            rows4_multiply(input, last, four, &pass);
            for (int32_t i = 0; i < rest; i++) *out++ = four[i];
        }
    }
    if (p->clamp_min == INT8_MIN && p->clamp_max == INT8_MAX) return;
    for (int8_t *at = args->out; at != out; at++) *at = (int8_t)add_clamp(*at, 0, p->clamp_min, p->clamp_max);
}
