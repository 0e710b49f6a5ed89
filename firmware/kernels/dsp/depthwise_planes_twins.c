/* The micro-kernels of depthwise_planes_*.S in C: their definition, and what runs where there is no DSP extension. */
#include "depthwise_planes.h"

#include "../dsp.h"

#if !defined(__ARM_FEATURE_DSP)

static void gather(const struct planes_gather *gather, int32_t depth, uint32_t zero) {
    const int8_t *from = gather->from;
    uint32_t *to = gather->to;
    for (int32_t i = 0; i < gather->count; i++, from += gather->step, to += 4 * depth) {
        const struct planes_words first = {from, from + gather->b, 0, 0, to, 1, 4, depth, zero};
        const struct planes_words second = {
            from + gather->c, from + gather->d, 0, 0, to + 1, 1, 4, depth, zero};
        planes_words(&first);
        planes_words(&second);
    }
}

void planes_gather(const struct planes_gather *words) {
    gather(words, PLANES_DEPTH, 0);
}

void planes_gather_wide(const struct planes_gather *words) {
    gather(words, PLANES_WIDE_DEPTH, words->zero);
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

static uint32_t word_at(const uint32_t *plane, int32_t column, int32_t depth) {
    return plane[column * 4 * PLANES_DEPTH + depth];
}

static void planes_3x3(const uint32_t *plane, int8_t *out, const uint32_t *record,
                       const struct planes_block *block, enum planes_form form) {
    const uint32_t *w = record + PLANES_RECORD_HEAD;
    for (int32_t oy = 0; oy < block->rows; oy++) {
        for (int32_t ox = 0; ox < block->columns; ox++) {
            int32_t x = (int32_t)record[0];
            for (int32_t kx = 0; kx < 3; kx++) {
                const uint32_t above = word_at(plane, ox + kx, oy / 2);
                const uint32_t below = word_at(plane, ox + kx, oy / 2 + 1);
                const uint32_t a = w[2 * kx], b = w[2 * kx + 1];
                x = oy % 2 ? smlad(below, b, smlatb(above, a, x)) : smlabt(below, b, smlad(above, a, x));
            }
            out[oy * block->row_step + ox * block->out_step] = requant_form(x, record, form, block->zero);
        }
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
    for (int32_t c = 0; c < block->channels; c++, plane += PLANES_DEPTH, out++) {
        const uint32_t *w = record + PLANES_RECORD_HEAD;
        for (int32_t oy = 1; oy >= 0; oy--) {
            for (int32_t ox = 0; ox < block->columns; ox++) {
                int32_t x = (int32_t)record[0];
                for (int32_t ky = 0; ky < 3; ky++) {
                    const uint32_t next = word_at(plane, ox + 1, 2 * oy + ky), last = w[3 + ky / 2];
                    x = smlad(word_at(plane, ox, 2 * oy + ky), w[ky], x);
                    x = ky == 1 ? smlabt(next, last, x) : smlabb(next, last, x);
                }
                out[oy * block->row_step + ox * block->out_step] = requant_form(x, record, form, block->zero);
            }
        }
        record += PLANES_RECORD_HEAD + 5;
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

static const struct {
    int32_t kernel_w, stride, columns;
} variants[PLANES_WIDE_VARIANTS] = {{5, 1, 2}, {5, 1, 3}, {5, 1, 4}, {5, 1, 5}, {7, 1, 2},
                                    {7, 1, 3}, {7, 1, 4}, {5, 2, 2}, {5, 2, 3}, {5, 2, 4},
                                    {5, 2, 5}, {7, 2, 2}, {7, 2, 3}, {7, 2, 4}, {7, 2, 5}};

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
    return stride == 1 ? smlabt(last, w[2 * half - 1], x) : smlabb(last, w[half], x);
}

void planes_wide(const uint32_t *plane, int8_t *out, const uint32_t *record,
                 const struct planes_wide_block *block) {
    const int32_t kernel_w = variants[block->variant].kernel_w, stride = variants[block->variant].stride;
    const int32_t row_words = planes_wide_row_words(kernel_w, stride);
    for (int32_t oy = 0; oy < block->rows; oy++) {
        const struct planes_wide_row *row = &block->table[oy];
        for (int32_t ox = variants[block->variant].columns - 1; ox >= 0; ox--) {
            int32_t x = (int32_t)record[0];
            for (int32_t i = 0; i < row->count; i++)
                x = wide_row(plane + row->plane_bytes / 4 + i,
                             record + PLANES_RECORD_HEAD + row->weights_bytes / 4 + i * row_words,
                             kernel_w / 2, stride, ox, x);
            out[oy * block->row_step + ox * block->out_step] =
                requant_form(x, record, (enum planes_form)block->form, block->zero);
        }
    }
}

#endif
