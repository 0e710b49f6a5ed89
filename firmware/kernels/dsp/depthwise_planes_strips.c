#include "depthwise_planes.h"

#define STRIP_ROWS (2 * (PLANES_DEPTH - 1))
#define RECORD     (PLANES_RECORD_HEAD + 6)

/* Channels c .. of the layer, and what gathers them. */
struct group {
    const int8_t *image; /* its first pixel */
    int32_t in_h;
    int32_t row_bytes;
    int32_t word_rows; /* planes_word_rows() */
    int32_t channels;
    uint32_t zero;               /* four times input_zero */
    struct planes_gather gather; /* of four rows; from and to change */
    uint32_t *to;                /* of the image's first column */
};

/* Words of rows y and y + 1 at one depth; rows outside the image are input_zero. */
static void gather_pair(const struct group *group, int32_t y, int32_t depth) {
    const bool above = y >= 0 && y < group->in_h, below = y >= -1 && y + 1 < group->in_h;
    const int8_t *zero = (const int8_t *)&group->zero;
    const int8_t *row = group->image + y * group->row_bytes;
    const struct planes_words words = {.a = above ? row : zero,
                                       .b = below ? row + group->row_bytes : zero,
                                       .to = group->to + depth,
                                       .a_step = above ? group->gather.step : 0,
                                       .b_step = below ? group->gather.step : 0,
                                       .count = group->gather.count,
                                       .zero = 0,
                                       .depth = PLANES_DEPTH,
                                       .channels = y + 1 < group->word_rows ? 4 : group->channels};
    (words.channels == 4 ? planes_words4 : planes_words)(&words);
}

/* Depths first .. last; depth 0 begins at row y. */
static void gather_strip(struct group *group, int32_t y, int32_t first, int32_t last) {
    for (int32_t depth = first; depth <= last; depth++) {
        const int32_t row = y + 2 * depth;
        if (depth < last && row >= 0 && row + 3 < group->word_rows) {
            group->gather.from = group->image + row * group->row_bytes;
            group->gather.to = group->to + depth;
            planes_gather(&group->gather);
            depth++;
        } else {
            gather_pair(group, row, depth);
        }
    }
}

/* The last word of every column to its beginning. */
static void carry(uint32_t *to, int32_t columns) {
    for (const uint32_t *end = to + columns * (PLANES_COLUMN / 4); to != end; to += PLANES_COLUMN / 4) {
        to[0] = to[PLANES_DEPTH - 1];
        to[PLANES_DEPTH] = to[2 * PLANES_DEPTH - 1];
        to[2 * PLANES_DEPTH] = to[3 * PLANES_DEPTH - 1];
        to[3 * PLANES_DEPTH] = to[4 * PLANES_DEPTH - 1];
    }
}

/* Columns outside the image; nothing else is ever written there. */
static void fill_borders(const struct planes_view *view, int32_t input_zero, uint32_t *scratch) {
    const uint32_t zero = (uint32_t)(uint16_t)input_zero * 0x10001u;
    uint32_t *left = scratch + view->pad_left * (PLANES_COLUMN / 4);
    uint32_t *end = scratch + planes_3x3_columns(view->out_w) * (PLANES_COLUMN / 4);
    for (uint32_t *to = scratch; to < left; to++) *to = zero;
    if (view->pad_left + view->in_w >= planes_3x3_columns(view->out_w)) return;
    for (uint32_t *to = left + view->in_w * (PLANES_COLUMN / 4); to < end; to++) *to = zero;
}

/* Output channels of up to four input channels, one by one: those of an input channel read the same words. */
static void multiply_apart(planes_3x3_kernel *kernel, const uint32_t *scratch, int8_t *out,
                           const uint32_t *record, struct planes_block block, int32_t multiplier) {
    const int32_t count = block.channels;
    block.channels = 1;
    for (int32_t c = 0; c < count; c++, scratch += PLANES_DEPTH)
        for (int32_t i = 0; i < multiplier; i++, out++, record += RECORD)
            kernel(scratch, out, record, &block);
}

void planes_3x3_strips(const struct kernel_args *args, const struct planes_view *view) {
    const struct depthwise_params *p = args->params;
    const uint32_t *weights = args->weights;
    planes_3x3_kernel *const kernel = weights[0] == PLANES_LINEAR ? planes_3x3_linear : planes_3x3_double;
    const uint32_t *record = weights + 1;
    uint32_t *scratch = args->scratch;
    const int32_t inside = planes_3x3_columns(view->out_w) - view->pad_left, multiplier = p->depth_multiplier;
    struct planes_block block = {.columns = view->out_w,
                                 .out_step = view->out_pixel_bytes,
                                 .row_step = view->out_row_bytes,
                                 .zero = p->output_zero,
                                 .channels = 4};
    struct group group = {.image = view->in,
                          .in_h = view->in_h,
                          .row_bytes = view->row_bytes,
                          .channels = 4,
                          .zero = (uint32_t)(uint8_t)p->input_zero * 0x01010101u,
                          .gather = {.b = view->row_bytes,
                                     .c = 2 * view->row_bytes,
                                     .d = 3 * view->row_bytes,
                                     .step = view->pixel_bytes,
                                     .count = view->in_w < inside ? view->in_w : inside,
                                     .zero = 0},
                          .to = scratch + view->pad_left * (PLANES_COLUMN / 4)};
    fill_borders(view, p->input_zero, scratch);
    for (int32_t c = 0; c < p->in_c; c += 4, group.image += 4, record += 4 * multiplier * RECORD) {
        if (p->in_c - c < 4) block.channels = group.channels = p->in_c - c;
        group.word_rows = p->in_c - c < 4 ? view->word_rows : view->in_h;
        for (int32_t oy = 0; oy < view->out_h; oy += STRIP_ROWS) {
            int8_t *out = view->out + oy * view->out_row_bytes + c * multiplier;
            block.rows = view->out_h - oy < STRIP_ROWS ? view->out_h - oy : STRIP_ROWS;
            if (oy > 0) carry(group.to, group.gather.count);
            int32_t last = (block.rows + 1) / 2;
            /* In a plane of one strip, a last word below the image is the same for all channels. */
            if (c > 0 && view->out_h <= STRIP_ROWS && 2 * last - view->pad_top >= view->in_h) last--;
            gather_strip(&group, oy - view->pad_top, oy > 0, last);
            if (multiplier == 1)
                kernel(scratch, out, record, &block);
            else
                multiply_apart(kernel, scratch, out, record, block, multiplier);
        }
    }
}
