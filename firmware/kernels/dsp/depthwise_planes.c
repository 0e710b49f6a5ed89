#include "depthwise_planes.h"

#include <stddef.h>

#include "../dsp.h"

int32_t planes_wide_row_words(int32_t kernel_w, int32_t stride_w) {
    return stride_w == 1 ? kernel_w / 2 * 2 : (kernel_w + 1) / 2;
}

bool planes_supports(const struct depthwise_params *p) {
    return p->depth_multiplier == 1 && p->weights_zero == 0 && p->dilation_h == 1 && p->dilation_w == 1 &&
           p->pad_top < p->kernel_h && p->pad_left < p->kernel_w && p->out_w <= p->in_w &&
           (int64_t)(p->out_h - 1) * p->stride_h - p->pad_top < p->in_h;
}

void planes_words(const struct planes_words *words) {
    if (words->channels == 4) {
        planes_words4(words);
        return;
    }
    const int8_t *a = words->a, *b = words->b;
    uint32_t *to = words->to;
    const int32_t depth = words->depth;
    for (int32_t left = words->count; left > 0; left--) {
        const uint32_t x = load_bytes(a, words->channels), y = load_bytes(b, words->channels);
        const uint32_t low = pkhbt_lsl16(x, y);
        to[0] = ssub16(sxtb16(low), words->zero);
        to[depth] = ssub16(sxtb16_ror8(low), words->zero);
        to[2 * depth] = ssub16(sxtb16(pkhtb_asr16(y, x)), words->zero);
        a += words->a_step;
        b += words->b_step;
        to += 4 * depth;
    }
}

int32_t planes_word_rows(const struct depthwise_params *p, int32_t c) {
    if (p->in_c - c >= 4) return p->in_h;
    return p->in_w * p->in_c >= 3 ? p->in_h - 1 : 0;
}

struct planes_rows planes_rows(const struct kernel_args *args, int32_t pairs, int32_t depth,
                               planes_gather_kernel *kernel, int32_t subtract) {
    const struct depthwise_params *p = args->params;
    const int32_t first = (p->pad_left + 1) / 2, columns = p->in_w + p->pad_left;
    const int32_t end = columns / 2 < pairs ? columns / 2 : pairs;
    const int32_t inside = end > first ? end - first : 0;
    const int32_t row_bytes = p->in_w * p->in_c;
    const uint32_t zero = (uint32_t)(uint16_t)subtract * 0x10001u;
    return (struct planes_rows){
        .args = args,
        .pairs = pairs,
        .first = first,
        .right = columns % 2 == 1 && columns / 2 < pairs ? columns / 2 : -1,
        .zero = (uint32_t)(uint8_t)p->input_zero * 0x01010101u,
        .gather = {.b = p->in_c,
                   .c = row_bytes,
                   .d = row_bytes + p->in_c,
                   .step = 2 * p->in_c,
                   .count = inside,
                   .zero = zero},
        .kernel = kernel,
        .words =
            {.a_step = 2 * p->in_c, .b_step = 2 * p->in_c, .count = inside, .zero = zero, .depth = depth},
    };
}

void planes_rows_borders(const struct planes_rows *rows) {
    const struct depthwise_params *p = rows->args->params;
    const int32_t depth = rows->words.depth;
    const uint32_t zero = ssub16((uint32_t)(uint16_t)p->input_zero * 0x10001u, rows->words.zero);
    uint32_t *to = rows->args->scratch;
    for (int32_t i = 0; i < rows->pairs; i++, to += 4 * depth)
        if (2 * i + 1 < p->pad_left || 2 * i >= p->pad_left + p->in_w)
            for (int32_t j = 0; j < 4 * depth; j++) to[j] = zero;
}

/* Words of one row that are not wholly inside the image: all of a row outside, else up to two. */
static void gather_border(const struct planes_rows *rows, const int8_t *row, uint32_t *to) {
    const struct depthwise_params *p = rows->args->params;
    const int8_t *zero = (const int8_t *)&rows->zero;
    struct planes_words words = {.a = zero,
                                 .b = zero,
                                 .to = to,
                                 .count = rows->pairs,
                                 .zero = rows->words.zero,
                                 .depth = rows->words.depth,
                                 .channels = rows->channels};
    if (!row) {
        planes_words(&words);
        return;
    }
    words.count = 1;
    if (p->pad_left % 2 == 1) {
        words.to = to + (rows->first - 1) * 4 * words.depth;
        words.b = row;
        planes_words(&words);
    }
    if (rows->right >= 0) {
        words.to = to + rows->right * 4 * words.depth;
        words.a = row + (p->in_w - 1) * p->in_c;
        words.b = zero;
        planes_words(&words);
    }
}

void planes_rows_gather(struct planes_rows *rows, int32_t y, int32_t at, int32_t count) {
    const struct depthwise_params *p = rows->args->params;
    const int32_t row_bytes = p->in_w * p->in_c;
    const int32_t indent = (2 * rows->first - p->pad_left) * p->in_c;
    const int32_t last = planes_word_rows(p, rows->c);
    const bool border = p->pad_left % 2 == 1 || rows->right >= 0;
    const int8_t *row = rows->args->in0 + y * row_bytes + rows->c;
    uint32_t *to = (uint32_t *)rows->args->scratch + at;
    for (int32_t end = y + count; y < end; y++, to++, row += row_bytes) {
        if (y < 0 || y >= p->in_h) {
            gather_border(rows, NULL, to);
            continue;
        }
        if (border) gather_border(rows, row, to);
        if (rows->gather.count == 0) continue;
        uint32_t *inside = to + rows->first * 4 * rows->words.depth;
        if (y + 1 < end && y + 1 < last) {
            rows->gather.from = row + indent;
            rows->gather.to = inside;
            rows->kernel(&rows->gather);
            y++;
            to++;
            row += row_bytes;
            if (border) gather_border(rows, row, to);
        } else {
            rows->words.a = row + indent;
            rows->words.b = row + indent + p->in_c;
            rows->words.to = inside;
            rows->words.channels = y < last ? 4 : rows->channels;
            planes_words(&rows->words);
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
