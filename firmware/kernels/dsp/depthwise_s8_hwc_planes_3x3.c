/* DEPTHWISE_CONV_2D, 3x3, stride 1, also in place: four channels at a time as columns of int16 pairs, 2x2 outputs a step.
 *
 * in [in_h][in_w][in_c], out [out_h][out_w][in_c], weights PLANES_3X3 (depthwise_planes.h); any size, any padding below 3
 * that makes the output no wider than the input. Bit-equal to depthwise_s8_hwc_ref; host/plan/pack_depthwise.py refuses layers whose
 * requantisation has none of the two forms. Products are below 2^23, sums modulo 2^32.
 *
 * A strip is 14 rows of outputs: words (row, row + 1) of 16 rows, (out_w + 2) * 128 bytes of scratch. The last word of a column
 * is the next strip's first. An output row is written when 2 rows more have been read, so the output may be the input.
 *
 * Source: own work (prototypes/depthwise of this project); SMLAD pairs along a column serve two output rows.
 */
#include "depthwise_planes.h"

#define STRIP_ROWS (2 * (PLANES_DEPTH - 1))
#define RECORD     (PLANES_RECORD_HEAD + 6)

static int32_t column_count(const struct depthwise_params *p) {
    return p->out_w + 2;
}

bool depthwise_s8_hwc_planes_3x3_supports(const void *params) {
    const struct depthwise_params *p = params;
    return p->kernel_h == 3 && p->kernel_w == 3 && p->stride_h == 1 && p->stride_w == 1 && p->out_w >= 2 &&
           planes_supports(p);
}

uint32_t depthwise_s8_hwc_planes_3x3_scratch_bytes(const void *params) {
    return (uint32_t)column_count(params) * PLANES_COLUMN;
}

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
    planes_words(&words);
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
static void fill_borders(const struct depthwise_params *p, uint32_t *scratch) {
    const uint32_t zero = (uint32_t)(uint16_t)p->input_zero * 0x10001u;
    uint32_t *left = scratch + p->pad_left * (PLANES_COLUMN / 4);
    uint32_t *end = scratch + column_count(p) * (PLANES_COLUMN / 4);
    for (uint32_t *to = scratch; to < left; to++) *to = zero;
    if (p->pad_left + p->in_w >= column_count(p)) return;
    for (uint32_t *to = left + p->in_w * (PLANES_COLUMN / 4); to < end; to++) *to = zero;
}

void depthwise_s8_hwc_planes_3x3(const struct kernel_args *args) {
    const struct depthwise_params *p = args->params;
    const uint32_t *weights = args->weights;
    planes_3x3_kernel *const kernel = weights[0] == PLANES_LINEAR ? planes_3x3_linear : planes_3x3_double;
    const uint32_t *record = weights + 1;
    uint32_t *scratch = args->scratch;
    const int32_t inside = column_count(p) - p->pad_left;
    const int32_t row_step = p->out_w * p->out_c, row_bytes = p->in_w * p->in_c;
    struct planes_block block = {.columns = p->out_w,
                                 .out_step = p->out_c,
                                 .row_step = row_step,
                                 .zero = p->output_zero,
                                 .channels = 4};
    struct group group = {.image = args->in0,
                          .in_h = p->in_h,
                          .row_bytes = row_bytes,
                          .channels = 4,
                          .zero = (uint32_t)(uint8_t)p->input_zero * 0x01010101u,
                          .gather = {.b = row_bytes,
                                     .c = 2 * row_bytes,
                                     .d = 3 * row_bytes,
                                     .step = p->in_c,
                                     .count = p->in_w < inside ? p->in_w : inside,
                                     .zero = 0},
                          .to = scratch + p->pad_left * (PLANES_COLUMN / 4)};
    fill_borders(p, scratch);
    for (int32_t c = 0; c < p->out_c; c += 4, group.image += 4, record += 4 * RECORD) {
        if (p->out_c - c < 4) block.channels = group.channels = p->out_c - c;
        group.word_rows = planes_word_rows(p, c);
        for (int32_t oy = 0; oy < p->out_h; oy += STRIP_ROWS) {
            block.rows = p->out_h - oy < STRIP_ROWS ? p->out_h - oy : STRIP_ROWS;
            if (oy > 0) carry(group.to, group.gather.count);
            int32_t last = (block.rows + 1) / 2;
            /* In a plane of one strip, a last word below the image is the same for all channels. */
            if (c > 0 && p->out_h <= STRIP_ROWS && 2 * last - p->pad_top >= p->in_h) last--;
            gather_strip(&group, oy - p->pad_top, oy > 0, last);
            kernel(scratch, args->out + oy * row_step + c, record, &block);
        }
    }
    planes_clamp(args);
}
