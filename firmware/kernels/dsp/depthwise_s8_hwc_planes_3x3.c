/* DEPTHWISE_CONV_2D, 3x3, stride 1, also in place: four channels at a time as columns of int16 pairs, 2x2 outputs a step.
 *
 * in [in_h][in_w][in_c], out [out_h][out_w][in_c], weights PLANES_3X3 (depthwise_planes.h); any size, any padding below 3
 * that makes the output no wider than the input. Bit-equal to depthwise_s8_hwc_ref; host/plan/pack_depthwise.py refuses layers whose
 * requantisation has none of the two forms. Products are below 2^23, sums modulo 2^32.
 *
 * A strip is 8 rows of outputs: words (row, row + 1) of 10 rows, (out_w + 2) * 80 bytes of scratch. The last word of a column
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
    return p->kernel_h == 3 && p->kernel_w == 3 && p->stride_h == 1 && p->stride_w == 1 && planes_supports(p);
}

uint32_t depthwise_s8_hwc_planes_3x3_scratch_bytes(const void *params) {
    return (uint32_t)column_count(params) * PLANES_COLUMN;
}

/* Channels c .. of the layer, and the image's columns in scratch. */
struct group {
    const struct kernel_args *args;
    int32_t c;
    int32_t channels;
    uint32_t *to; /* of the image's first column */
    int32_t columns;
    uint32_t zero; /* four times input_zero */
};

/* Words of rows y and y + 1 at one depth; rows outside the image are input_zero. */
static void gather_pair(const struct group *group, int32_t y, int32_t depth) {
    const struct depthwise_params *p = group->args->params;
    const int8_t *image = group->args->in0 + group->c;
    const bool above = y >= 0 && y < p->in_h, below = y >= -1 && y + 1 < p->in_h;
    const int32_t row_bytes = p->in_w * p->in_c;
    const int8_t *zero = (const int8_t *)&group->zero;
    const struct planes_words words = {.a = above ? image + y * row_bytes : zero,
                                       .b = below ? image + (y + 1) * row_bytes : zero,
                                       .a_step = above ? p->in_c : 0,
                                       .b_step = below ? p->in_c : 0,
                                       .to = group->to + depth,
                                       .count = group->columns,
                                       .channels = group->channels,
                                       .depth = PLANES_DEPTH,
                                       .zero = 0};
    planes_words(&words);
}

/* Depths 1 .. last; depth 0 begins at row y. */
static void gather_strip(const struct group *group, int32_t y, int32_t last) {
    const struct depthwise_params *p = group->args->params;
    const int32_t row_bytes = p->in_w * p->in_c;
    for (int32_t depth = 1; depth <= last; depth++) {
        const int32_t first = y + 2 * depth;
        if (depth < last && group->channels == 4 && first >= 0 && first + 3 < p->in_h) {
            const struct planes_gather gather = {.from = group->args->in0 + first * row_bytes + group->c,
                                                 .to = group->to + depth,
                                                 .b = row_bytes,
                                                 .c = 2 * row_bytes,
                                                 .d = 3 * row_bytes,
                                                 .step = p->in_c,
                                                 .count = group->columns,
                                                 .zero = 0};
            planes_gather(&gather);
            depth++;
        } else {
            gather_pair(group, first, depth);
        }
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
    const int32_t row_step = p->out_w * p->out_c;
    const int32_t inside = column_count(p) - p->pad_left;
    fill_borders(p, scratch);
    for (int32_t c = 0; c < p->out_c; c += 4) {
        const struct group group = {.args = args,
                                    .c = c,
                                    .channels = p->out_c - c < 4 ? p->out_c - c : 4,
                                    .to = scratch + p->pad_left * (PLANES_COLUMN / 4),
                                    .columns = p->in_w < inside ? p->in_w : inside,
                                    .zero = (uint32_t)(uint8_t)p->input_zero * 0x01010101u};
        gather_pair(&group, -p->pad_top, 0);
        for (int32_t oy = 0; oy < p->out_h; oy += STRIP_ROWS) {
            const int32_t rows = p->out_h - oy < STRIP_ROWS ? p->out_h - oy : STRIP_ROWS;
            const struct planes_block block = {.columns = p->out_w,
                                               .rows = rows,
                                               .out_step = p->out_c,
                                               .row_step = row_step,
                                               .zero = p->output_zero,
                                               .channels = 1};
            if (oy > 0) planes_move(scratch, column_count(p), PLANES_DEPTH, PLANES_DEPTH - 1, 1);
            gather_strip(&group, oy - p->pad_top, (rows + 1) / 2);
            for (int32_t i = 0; i < group.channels; i++)
                kernel(scratch + i * PLANES_DEPTH, args->out + oy * row_step + c + i, record + i * RECORD,
                       &block);
        }
        record += 4 * RECORD;
    }
    planes_clamp(args);
}
