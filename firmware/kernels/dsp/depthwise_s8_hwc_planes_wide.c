/* DEPTHWISE_CONV_2D, kernels 5 or 7 wide and up to 9 high, stride 1 or 2, also in place: four channels at a time as rows of
 * int16 pairs, 2 to 5 outputs of a row a step, kernel rows outside the image left out.
 *
 * in [in_h][in_w][in_c], out [out_h][out_w][in_c], weights PLANES_WIDE (depthwise_planes.h); any size, any padding below the
 * kernel's size that makes the output no wider than the input. Bit-equal to depthwise_s8_hwc_ref; host/plan/pack_depthwise.py
 * refuses layers whose requantisation has none of the two forms. Pixels minus input_zero are below 2^8, products below 2^24,
 * sums modulo 2^32.
 *
 * A strip is 20 rows of words (column, column + 1), 320 bytes of scratch a word; what a later row needs again is moved to its
 * beginning. An output row is written after the input rows up to its number were read, so the output may be the input.
 *
 * Source: own work (prototypes/depthwise of this project).
 */
#include "depthwise_planes.h"

#define MAX_KERNEL_H 9
#define TABLE_ROWS   20 /* of outputs at a time */

static int32_t column_count(const struct depthwise_params *p) {
    const int32_t out_w = p->out_w < 2 ? 2 : p->out_w;
    return p->stride_w == 1 ? (out_w + p->kernel_w) / 2 : out_w + p->kernel_w / 2;
}

bool depthwise_s8_hwc_planes_wide_supports(const void *params) {
    const struct depthwise_params *p = params;
    return (p->kernel_w == 5 || p->kernel_w == 7) && p->kernel_h <= MAX_KERNEL_H && p->stride_w <= 2 &&
           planes_supports(p);
}

uint32_t depthwise_s8_hwc_planes_wide_scratch_bytes(const void *params) {
    return (uint32_t)column_count(params) * PLANES_WIDE_COLUMN;
}

/* Output columns of the next block, of `left` that remain. With stride 1 all begin at even columns but for a second half of ten.
 * 2 for a last one. */
static int32_t block_columns(const struct depthwise_params *p, int32_t left) {
    const int32_t most = p->stride_w == 1 && p->kernel_w == 7 ? 4 : 5;
    if (left < 2) return 2;
    if (left <= most) return left;
    if (p->stride_w == 2) return left == 6 ? 3 : 5;
    if (p->kernel_w == 5) return left == 10 ? 5 : 4;
    return left == 5 ? 2 : 4;
}

static int32_t variant_of(const struct depthwise_params *p, int32_t ox, int32_t columns) {
    if (p->stride_w == 1 && ox % 2 == 1) return PLANES_5_S1_X5_ODD;
    const int32_t first = p->stride_w == 1 ? (p->kernel_w == 5 ? PLANES_5_S1_X2 : PLANES_7_S1_X2)
                                           : (p->kernel_w == 5 ? PLANES_5_S2_X2 : PLANES_7_S2_X2);
    return first + columns - 2;
}

/* Image rows in scratch. */
struct strip {
    int32_t first;
    int32_t count;
};

static int32_t end_of(struct strip strip) {
    return strip.first + strip.count;
}

/* Forgets the rows above y, and reads as many as there is room for. */
static void advance(struct planes_rows *rows, struct strip *strip, int32_t y) {
    const struct depthwise_params *p = rows->args->params;
    if (y > strip->first) {
        const int32_t gone = y < end_of(*strip) ? y - strip->first : strip->count;
        planes_move(rows->args->scratch, rows->pairs, PLANES_WIDE_DEPTH, gone, strip->count - gone);
        strip->first = y;
        strip->count -= gone;
    }
    const int32_t room = PLANES_WIDE_DEPTH - strip->count, left = p->in_h - end_of(*strip);
    const int32_t count = room < left ? room : left;
    planes_rows_gather(rows, end_of(*strip), strip->count, count);
    strip->count += count;
}

/* Entries of output rows oy .. whose image rows are all there; at least one. */
static int32_t fill_table(const struct depthwise_params *p, struct strip strip, int32_t oy,
                          struct planes_wide_row *table) {
    const int32_t row_bytes = 4 * planes_wide_row_words(p->kernel_w, p->stride_w);
    int32_t count = 0;
    for (; count < TABLE_ROWS && oy + count < p->out_h; count++) {
        const int32_t top = (oy + count) * p->stride_h - p->pad_top;
        const int32_t end = top + p->kernel_h < p->in_h ? top + p->kernel_h : p->in_h;
        const int32_t first = top > 0 ? top : 0;
        if (end > end_of(strip)) break;
        table[count] =
            (struct planes_wide_row){4 * (first - strip.first), end - first, (first - top) * row_bytes};
    }
    table[count].count = 0;
    return count;
}

void depthwise_s8_hwc_planes_wide(const struct kernel_args *args) {
    const struct depthwise_params *p = args->params;
    const uint32_t *weights = args->weights;
    const uint32_t *record = weights + 1;
    const int32_t record_words =
        PLANES_RECORD_HEAD + p->kernel_h * planes_wide_row_words(p->kernel_w, p->stride_w);
    const int32_t row_step = p->out_w * p->out_c;
    const uint32_t *scratch = args->scratch;
    const bool one_strip = p->in_h <= PLANES_WIDE_DEPTH && p->out_h <= TABLE_ROWS;
    struct planes_wide_row table[TABLE_ROWS + 1];
    struct planes_rows rows =
        planes_rows(args, column_count(p), PLANES_WIDE_DEPTH, planes_gather_wide, p->input_zero);
    struct planes_wide_block block = {
        .out_step = p->out_w > 1 ? p->out_c : 0,
        .row_step = row_step,
        .zero = p->output_zero,
        .form = weights[0] == PLANES_LINEAR ? PLANES_LINEAR : PLANES_DOUBLE,
        .table = table,
        .record_bytes = 4 * record_words,
    };
    planes_rows_borders(&rows);
    for (rows.c = 0; rows.c < p->out_c; rows.c += 4, record += 4 * record_words) {
        struct strip strip = {0, 0};
        int32_t count = p->out_h;
        rows.channels = block.channels = p->out_c - rows.c < 4 ? p->out_c - rows.c : 4;
        for (int32_t oy = 0; oy < p->out_h; oy += count) {
            advance(&rows, &strip, oy * p->stride_h - p->pad_top);
            if (!one_strip || rows.c == 0) count = fill_table(p, strip, oy, table);
            int32_t columns;
            for (int32_t ox = 0; ox < p->out_w; ox += columns) {
                columns = block_columns(p, p->out_w - ox);
                block.variant = variant_of(p, ox, columns);
                planes_wide(scratch + ox * p->stride_w / 2 * (PLANES_WIDE_COLUMN / 4),
                            args->out + oy * row_step + ox * p->out_c + rows.c, record, &block);
            }
        }
    }
    planes_clamp(args);
}
