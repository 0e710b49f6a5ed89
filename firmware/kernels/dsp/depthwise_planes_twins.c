/* The micro-kernels of depthwise_planes_*.S in C: their definition, and what runs where there is no DSP extension. */
#include "depthwise_planes.h"

#include "../dsp.h"

#if !defined(__ARM_FEATURE_DSP)

static void words_at(const int8_t *a, const int8_t *b, uint32_t *to, int32_t depth, uint32_t zero) {
    const uint32_t x = load_word(a), y = load_word(b);
    const uint32_t low = pkhbt_lsl16(x, y), high = pkhtb_asr16(y, x);
    to[0] = ssub16(sxtb16(low), zero);
    to[depth] = ssub16(sxtb16_ror8(low), zero);
    to[2 * depth] = ssub16(sxtb16(high), zero);
    to[3 * depth] = ssub16(sxtb16_ror8(high), zero);
}

static void gather(const struct planes_gather *gather, int32_t depth, uint32_t zero) {
    for (int32_t i = 0; i < gather->count; i++) {
        const int8_t *from = gather->from + i * gather->step;
        uint32_t *to = gather->to + i * 4 * depth;
        words_at(from, from + gather->b, to, depth, zero);
        words_at(from + gather->c, from + gather->d, to + 1, depth, zero);
    }
}

void planes_gather(const struct planes_gather *words) {
    gather(words, PLANES_DEPTH, 0);
}

void planes_gather_stride2(const struct planes_gather *words) {
    gather(words, PLANES_STRIDE2_DEPTH, 0);
}

void planes_gather_wide(const struct planes_gather *words) {
    gather(words, PLANES_WIDE_DEPTH, words->zero);
}

void planes_words4(const struct planes_words *words) {
    for (int32_t i = 0; i < words->count; i++)
        words_at(words->a + i * words->a_step, words->b + i * words->b_step, words->to + i * 4 * words->depth,
                 words->depth, words->zero);
}

static int8_t linear(int32_t x, const uint32_t *record) {
    return (int8_t)ssat8(smmla((uint32_t)x, record[1], (int32_t)record[2]) >> PLANES_LINEAR_SHIFT);
}

static int8_t twice(int32_t x, const uint32_t *record, int32_t zero) {
    const int32_t y = smmlar((uint32_t)x, record[1], x);
    return (int8_t)ssat8(smmlar((uint32_t)y, record[2], zero));
}

static int8_t requant_form(int32_t x, const uint32_t *record, enum planes_form form, int32_t zero) {
    return form == PLANES_LINEAR ? linear(x, record) : twice(x, record, zero);
}

static void planes_3x3(const uint32_t *plane, int8_t *out, const uint32_t *record,
                       const struct planes_block *block, enum planes_form form) {
    for (int32_t c = 0; c < block->channels; c++, plane += PLANES_DEPTH, out++) {
        const uint32_t *w = record + PLANES_RECORD_HEAD;
        for (int32_t oy = 0; oy < block->rows; oy++) {
            for (int32_t ox = 0; ox < block->columns; ox++) {
                int32_t x = (int32_t)record[0];
                for (int32_t kx = 0; kx < 3; kx++) {
                    const uint32_t *words = plane + (ox + kx) * 4 * PLANES_DEPTH + oy / 2;
                    const uint32_t a = w[2 * kx], b = w[2 * kx + 1];
                    x = oy % 2 ? smlad(words[1], b, smlatb(words[0], a, x))
                               : smlabt(words[1], b, smlad(words[0], a, x));
                }
                out[oy * block->row_step + ox * block->out_step] = requant_form(x, record, form, block->zero);
            }
        }
        record += PLANES_RECORD_HEAD + 6;
    }
}

void planes_3x3_linear(const uint32_t *plane, int8_t *out, const uint32_t *record,
                       const struct planes_block *block) {
    planes_3x3(plane, out, record, block, PLANES_LINEAR);
}

void planes_3x3_double(const uint32_t *plane, int8_t *out, const uint32_t *record,
                       const struct planes_block *block) {
    planes_3x3(plane, out, record, block, PLANES_DOUBLE);
}

static void planes_3x3_stride2(const uint32_t *plane, int8_t *out, const uint32_t *record,
                               const struct planes_block *block, enum planes_form form) {
    for (int32_t c = 0; c < block->channels; c++, plane += PLANES_STRIDE2_DEPTH, out++) {
        const uint32_t *w = record + PLANES_RECORD_HEAD;
        for (int32_t oy = 1; oy >= 0; oy--) {
            for (int32_t ox = 0; ox < block->columns; ox++) {
                int32_t x = (int32_t)record[0];
                for (int32_t ky = 0; ky < 3; ky++) {
                    const uint32_t *words = plane + ox * 4 * PLANES_STRIDE2_DEPTH + 2 * oy + ky;
                    x = smlad(words[4 * PLANES_STRIDE2_DEPTH], w[3 + ky], smlad(words[0], w[ky], x));
                }
                out[oy * block->row_step + ox * block->out_step] = requant_form(x, record, form, block->zero);
            }
        }
        record += PLANES_RECORD_HEAD + 6;
    }
}

void planes_3x3_stride2_linear(const uint32_t *plane, int8_t *out, const uint32_t *record,
                               const struct planes_block *block) {
    planes_3x3_stride2(plane, out, record, block, PLANES_LINEAR);
}

void planes_3x3_stride2_double(const uint32_t *plane, int8_t *out, const uint32_t *record,
                               const struct planes_block *block) {
    planes_3x3_stride2(plane, out, record, block, PLANES_DOUBLE);
}

void planes_registers_3x3(int8_t *pixels, const uint32_t *record, int32_t channels, int32_t input_zero) {
    for (int32_t c = 0; c < channels; c++, pixels++, record += PLANES_RECORD_HEAD + 6) {
        const uint32_t *b = record + PLANES_RECORD_HEAD, *a = b + 3;
        int32_t x[9];
        for (int32_t i = 0; i < 9; i++) x[i] = pixels[i * channels] - input_zero;
        for (int32_t i = 0; i < 9; i++) {
            const int32_t oy = i / 3, ox = i % 3;
            int32_t sum = (int32_t)record[0];
            for (int32_t column = 0; column < 3; column++) {
                const int32_t kx = column - ox + 1;
                if (kx < 0 || kx > 2) continue;
                const uint32_t x0 = (uint32_t)x[column], x1 = (uint32_t)x[3 + column];
                const uint32_t x2 = (uint32_t)x[6 + column];
                if (oy == 0) sum = smlabt(x1, b[kx], smlabb(x0, b[kx], sum));
                if (oy == 1) sum = smlabt(x2, b[kx], smlabt(x1, a[kx], smlabb(x0, a[kx], sum)));
                if (oy == 2) sum = smlabt(x2, a[kx], smlabb(x1, a[kx], sum));
            }
            pixels[i * channels] = linear(sum, record);
        }
    }
}

static const struct {
    int32_t kernel_w, stride, columns, odd;
} variants[PLANES_WIDE_VARIANTS] = {
    [PLANES_5_S1_X2] = {5, 1, 2, 0},     [PLANES_5_S1_X3] = {5, 1, 3, 0}, [PLANES_5_S1_X4] = {5, 1, 4, 0},
    [PLANES_5_S1_X5] = {5, 1, 5, 0},     [PLANES_7_S1_X2] = {7, 1, 2, 0}, [PLANES_7_S1_X3] = {7, 1, 3, 0},
    [PLANES_5_S1_X5_ODD] = {5, 1, 5, 1}, [PLANES_7_S1_X4] = {7, 1, 4, 0}, [PLANES_5_S2_X2] = {5, 2, 2, 0},
    [PLANES_5_S2_X3] = {5, 2, 3, 0},     [PLANES_5_S2_X4] = {5, 2, 4, 0}, [PLANES_5_S2_X5] = {5, 2, 5, 0},
    [PLANES_7_S2_X2] = {7, 2, 2, 0},     [PLANES_7_S2_X3] = {7, 2, 3, 0}, [PLANES_7_S2_X4] = {7, 2, 4, 0},
    [PLANES_7_S2_X5] = {7, 2, 5, 0},
};

/* One kernel row for output column ox. */
static int32_t wide_row(const uint32_t *plane, const uint32_t *w, int32_t half, int32_t stride, int32_t ox,
                        int32_t x) {
    const int32_t odd = stride == 1 ? ox % 2 : 0;
    plane += (stride == 1 ? ox / 2 : ox) * 4 * PLANES_WIDE_DEPTH;
    if (odd) x = smlatb(plane[0], w[0], x);
    for (int32_t i = 0; i < half; i++)
        x = smlad(plane[(i + odd) * 4 * PLANES_WIDE_DEPTH], w[i + odd * half], x);
    if (odd) return x;
    const uint32_t last = plane[half * 4 * PLANES_WIDE_DEPTH];
    return stride == 1 ? smlabt(last, w[2 * half - 1], x) : smlad(last, w[half], x);
}

static void wide_channel(const uint32_t *plane, int8_t *out, const uint32_t *record,
                         const struct planes_wide_block *block) {
    const int32_t kernel_w = variants[block->variant].kernel_w, stride = variants[block->variant].stride;
    const int32_t row_words = planes_wide_row_words(kernel_w, stride);
    for (int32_t oy = 0; block->table[oy].count > 0; oy++) {
        const struct planes_wide_row *row = &block->table[oy];
        for (int32_t ox = variants[block->variant].columns - 1; ox >= 0; ox--) {
            int32_t x = (int32_t)record[0];
            for (int32_t i = 0; i < row->count; i++)
                x = wide_row(plane + row->plane_bytes / 4 + i,
                             record + PLANES_RECORD_HEAD + row->weights_bytes / 4 + i * row_words,
                             kernel_w / 2, stride, ox + variants[block->variant].odd, x);
            out[oy * block->row_step + ox * block->out_step] =
                requant_form(x, record, (enum planes_form)block->form, block->zero);
        }
    }
}

void planes_wide(const uint32_t *plane, int8_t *out, const uint32_t *record,
                 const struct planes_wide_block *block) {
    for (int32_t c = 0; c < block->channels; c++, plane += PLANES_WIDE_DEPTH, out++) {
        wide_channel(plane, out, record, block);
        record += block->record_bytes / 4;
    }
}

#endif
