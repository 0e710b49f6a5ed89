#include "depthwise_planes.h"

#include "../dsp.h"

int32_t planes_wide_row_words(int32_t kernel_w, int32_t stride_w) {
    return stride_w == 1 ? kernel_w / 2 * 2 : (kernel_w + 1) / 2;
}

bool planes_supports(const struct depthwise_params *p) {
    return p->depth_multiplier == 1 && p->weights_zero == 0 && p->dilation_h == 1 && p->dilation_w == 1 &&
           p->pad_top < p->kernel_h && p->pad_left < p->kernel_w && p->out_w <= p->in_w &&
           (int64_t)(p->out_h - 1) * p->stride_h - p->pad_top < p->in_h;
}

/* Each half minus that of y, modulo 2^16. */
static uint32_t subtract_halves(uint32_t x, uint32_t y) {
    return ((x | 0x80008000u) - (y & 0x7fff7fffu)) ^ ((x ^ ~y) & 0x80008000u);
}

void planes_words(const struct planes_words *words) {
    const int8_t *a = words->a, *b = words->b;
    uint32_t *to = words->to;
    const int32_t depth = words->depth;
    const uint32_t zero = words->zero;
    for (int32_t left = words->count; left > 0; left--) {
        const bool whole = words->channels >= 4;
        const uint32_t x = whole ? load_word(a) : load_bytes(a, words->channels);
        const uint32_t y = whole ? load_word(b) : load_bytes(b, words->channels);
        const uint32_t low = pkhbt_lsl16(x, y), high = pkhtb_asr16(y, x);
        to[0] = subtract_halves(sxtb16(low), zero);
        to[depth] = subtract_halves(sxtb16_ror8(low), zero);
        to[2 * depth] = subtract_halves(sxtb16(high), zero);
        to[3 * depth] = subtract_halves(sxtb16_ror8(high), zero);
        a += words->a_step;
        b += words->b_step;
        to += 4 * depth;
    }
}

struct planes_rows planes_rows(const struct kernel_args *args, int32_t pairs, int32_t depth,
                               int32_t subtract) {
    const struct depthwise_params *p = args->params;
    const int32_t first = (p->pad_left + 1) / 2;
    const int32_t end = (p->in_w + p->pad_left) / 2 < pairs ? (p->in_w + p->pad_left) / 2 : pairs;
    return (struct planes_rows){.args = args,
                                .pairs = pairs,
                                .first = first,
                                .inside = end > first ? end - first : 0,
                                .depth = depth,
                                .subtract = subtract,
                                .zero = (uint32_t)(uint8_t)p->input_zero * 0x01010101u};
}

void planes_rows_borders(const struct planes_rows *rows) {
    const struct depthwise_params *p = rows->args->params;
    const uint32_t zero = (uint32_t)(uint16_t)(p->input_zero - rows->subtract) * 0x10001u;
    uint32_t *to = rows->args->scratch;
    for (int32_t i = 0; i < rows->pairs; i++, to += 4 * rows->depth)
        if (2 * i + 1 < p->pad_left || 2 * i >= p->pad_left + p->in_w)
            for (int32_t j = 0; j < 4 * rows->depth; j++) to[j] = zero;
}

/* One row; pairs of which only a half is inside the image are among it. */
static void gather_row(const struct planes_rows *rows, int32_t y, int32_t at) {
    const struct depthwise_params *p = rows->args->params;
    uint32_t *to = (uint32_t *)rows->args->scratch + at;
    const int8_t *zero = (const int8_t *)&rows->zero;
    const int8_t *row = rows->args->in0 + y * p->in_w * p->in_c + rows->c;
    const int32_t right = (p->in_w + p->pad_left - 1) / 2;
    const bool odd_right = (p->in_w + p->pad_left) % 2 == 1 && right < rows->pairs;
    struct planes_words words = {.a = zero,
                                 .b = zero,
                                 .to = to,
                                 .count = rows->pairs,
                                 .channels = rows->channels,
                                 .depth = rows->depth,
                                 .zero = (uint32_t)(uint16_t)rows->subtract * 0x10001u};
    if (y < 0 || y >= p->in_h) {
        planes_words(&words);
        return;
    }
    words.count = 1;
    if (p->pad_left % 2 == 1) {
        words.to = to + (rows->first - 1) * 4 * rows->depth;
        words.b = row;
        planes_words(&words);
    }
    if (odd_right) {
        words.to = to + right * 4 * rows->depth;
        words.a = row + (p->in_w - 1) * p->in_c;
        words.b = zero;
        planes_words(&words);
    }
}

/* Pairs inside the image, of one row. */
static void gather_inside(const struct planes_rows *rows, int32_t y, int32_t at) {
    const struct depthwise_params *p = rows->args->params;
    const int8_t *from = rows->args->in0 + (y * p->in_w + 2 * rows->first - p->pad_left) * p->in_c + rows->c;
    const struct planes_words words = {.a = from,
                                       .b = from + p->in_c,
                                       .a_step = 2 * p->in_c,
                                       .b_step = 2 * p->in_c,
                                       .to = (uint32_t *)rows->args->scratch + rows->first * 4 * rows->depth +
                                             at,
                                       .count = rows->inside,
                                       .channels = rows->channels,
                                       .depth = rows->depth,
                                       .zero = (uint32_t)(uint16_t)rows->subtract * 0x10001u};
    planes_words(&words);
}

/* The same of rows y and y + 1, four channels. */
static void gather_inside2(const struct planes_rows *rows, int32_t y, int32_t at) {
    const struct depthwise_params *p = rows->args->params;
    const int32_t row_bytes = p->in_w * p->in_c;
    const struct planes_gather gather = {
        .from = rows->args->in0 + y * row_bytes + (2 * rows->first - p->pad_left) * p->in_c + rows->c,
        .to = (uint32_t *)rows->args->scratch + rows->first * 4 * rows->depth + at,
        .b = p->in_c,
        .c = row_bytes,
        .d = row_bytes + p->in_c,
        .step = 2 * p->in_c,
        .count = rows->inside,
        .zero = (uint32_t)(uint16_t)rows->subtract * 0x10001u};
    if (rows->depth == PLANES_DEPTH)
        planes_gather(&gather);
    else
        planes_gather_wide(&gather);
}

void planes_rows_gather(const struct planes_rows *rows, int32_t y, int32_t at, int32_t count) {
    const struct depthwise_params *p = rows->args->params;
    for (int32_t end = y + count; y < end; y++, at++) {
        gather_row(rows, y, at);
        if (y < 0 || y >= p->in_h || rows->inside == 0) continue;
        if (y + 1 < end && y + 1 < p->in_h && rows->channels == 4) {
            gather_inside2(rows, y, at);
            y++;
            at++;
            gather_row(rows, y, at);
        } else {
            gather_inside(rows, y, at);
        }
    }
}

void planes_move(uint32_t *scratch, int32_t columns, int32_t depth, int32_t from, int32_t keep) {
    if (from == 0 || keep == 0) return;
    for (int32_t left = 4 * columns; left > 0; left--, scratch += depth)
        for (int32_t i = 0; i < keep; i++) scratch[i] = scratch[from + i];
}

void planes_clamp(const struct kernel_args *args) {
    const struct depthwise_params *p = args->params;
    if (p->clamp_min == INT8_MIN && p->clamp_max == INT8_MAX) return;
    int8_t *out = args->out;
    for (const int8_t *end = out + p->out_h * p->out_w * p->out_c; out != end; out++) {
        if (*out < p->clamp_min) *out = (int8_t)p->clamp_min;
        if (*out > p->clamp_max) *out = (int8_t)p->clamp_max;
    }
}
