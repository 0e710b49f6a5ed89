#include "depthwise_planes.h"

#include "../dsp.h"

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
    const int32_t pad = p->stride_w == 2 ? (p->pad_left + 1) / 2 * 2 : p->pad_left;
    const int32_t first = (pad + 1) / 2, columns = p->in_w + pad;
    const int32_t end = columns / 2 < pairs ? columns / 2 : pairs;
    const int32_t inside = end > first ? end - first : 0;
    const int32_t row_bytes = p->in_w * p->in_c;
    const uint32_t zero = (uint32_t)(uint16_t)subtract * 0x10001u;
    return (struct planes_rows){
        .args = args,
        .pad = pad,
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
        if (2 * i + 1 < rows->pad || 2 * i >= rows->pad + p->in_w)
            for (int32_t j = 0; j < 4 * depth; j++) to[j] = zero;
}

/* A row outside the image. */
static void gather_outside(const struct planes_rows *rows, uint32_t *to) {
    const int8_t *zero = (const int8_t *)&rows->zero;
    const struct planes_words words = {.a = zero,
                                       .b = zero,
                                       .to = to,
                                       .count = rows->pairs,
                                       .zero = rows->words.zero,
                                       .depth = rows->words.depth,
                                       .channels = 4};
    planes_words(&words);
}

/* Words of which one half is outside the image: `count` rows of the pixels at `from`, in one half, input_zero in the other. */
static void gather_edge(const struct planes_rows *rows, const int8_t *from, int32_t count, bool upper,
                        uint32_t *to) {
    const struct depthwise_params *p = rows->args->params;
    const uint32_t zero = rows->words.zero;
    const int32_t depth = rows->words.depth;
    for (int32_t left = count; left > 0; left--, from += p->in_w * p->in_c, to++) {
        const uint32_t pixel = rows->channels == 4 ? load_word(from) : load_bytes(from, rows->channels);
        const uint32_t a = upper ? rows->zero : pixel, b = upper ? pixel : rows->zero;
        const uint32_t low = pkhbt_lsl16(a, b), high = pkhtb_asr16(b, a);
        to[0] = ssub16(sxtb16(low), zero);
        to[depth] = ssub16(sxtb16_ror8(low), zero);
        to[2 * depth] = ssub16(sxtb16(high), zero);
        if (rows->channels == 4) to[3 * depth] = ssub16(sxtb16_ror8(high), zero);
    }
}

void planes_rows_gather(struct planes_rows *rows, int32_t y, int32_t at, int32_t count) {
    const struct depthwise_params *p = rows->args->params;
    const int32_t row_bytes = p->in_w * p->in_c, column = 4 * rows->words.depth;
    const int32_t last = planes_word_rows(p, rows->c);
    uint32_t *to = (uint32_t *)rows->args->scratch + at;
    int32_t end = y + count;
    for (; y < 0 && y < end; y++) gather_outside(rows, to++);
    for (; end > p->in_h && end > y; end--) gather_outside(rows, to + (end - 1 - y));
    if (y >= end) return;
    const int8_t *row = rows->args->in0 + y * row_bytes + rows->c;
    if (rows->pad % 2 == 1) gather_edge(rows, row, end - y, true, to + (rows->first - 1) * column);
    if (rows->right >= 0)
        gather_edge(rows, row + (p->in_w - 1) * p->in_c, end - y, false, to + rows->right * column);
    if (rows->gather.count == 0) return;
    row += (2 * rows->first - rows->pad) * p->in_c;
    to += rows->first * column;
    while (y < end) {
        if (y + 1 < end && y + 1 < last) {
            rows->gather.from = row;
            rows->gather.to = to;
            rows->kernel(&rows->gather);
            row += 2 * row_bytes;
            to += 2;
            y += 2;
        } else {
            rows->words.a = row;
            rows->words.b = row + p->in_c;
            rows->words.to = to;
            rows->words.channels = y < last ? 4 : rows->channels;
            planes_words(&rows->words);
            row += row_bytes;
            to++;
            y++;
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
