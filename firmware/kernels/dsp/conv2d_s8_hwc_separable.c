/* CONV_2D whose kernels are outer products, w[oc][ky][kx][ic] = u[oc][ky] * v[oc][kx][ic]: a pass along rows with v, then one along
 * columns with u; kernel_w * in_c + kernel_h products an output instead of kernel_h * kernel_w * in_c.
 *
 * in [in_h][in_w][in_c], out [out_h][out_w][out_c], weights SEPARABLE_BYTEPAIRS: BYTEPAIRS (gemm.h) of a convolution with v and
 * biases of 0, then int8 [out_c][2][kernel_h], u twice; channels BMS. No alignment needed but the blobs'.
 *
 * A row of the input is copied with its padding, which is input_zero, and multiplied once: four windows become a tile, and the
 * sums go to a ring of kernel_h rows, int32 [tile][channel pair][2][4]. They are below 2^23, by 256 below 2^31; the host refuses
 * other weights (host/plan/pack_separable.py). A row of padding has sums too. Outputs are kernel_h sums times u, modulo 2^32, and
 * the bias: nothing is rounded between, so the output is bit-equal to conv2d_s8_hwc_ref. Row q, counted from the first one of
 * padding, is in slot q % kernel_h; u begins at the slot's place in its second copy, so that no product asks where the ring ends.
 *
 * Scratch: a padded row, a tile of 8 * kernel_w * in_c bytes, and 32 * kernel_h * ceil(out_w / 4) * ceil(out_c / 2) for the ring; at
 * most 1 MB. Rows are read before an output row is written that needs them, so the output may overlap what lies before the first
 * row that is still unread. Not supported: weights_zero other than 0, groups, dilation, kernels of one row.
 *
 * Source: textbook.
 */
#include <string.h>

#include "gemm.h"

#define FORM       GEMM_BYTEPAIRS
#define MOST_WORDS (1 << 18)
#define PAIR_SUMS  (2 * GEMM_TILE)

/* Sizes; those of scratch in words. */
struct shape {
    int32_t tiles;   /* of a row of outputs */
    int32_t pairs;   /* of output channels */
    int64_t columns; /* that the windows of all tiles span */
    int64_t row;     /* a padded row of the input */
    int64_t tile;
    int64_t sums; /* of a row */
};

static struct shape shape_of(const struct conv2d_params *p) {
    struct shape shape = {.tiles = (p->out_w + GEMM_TILE - 1) / GEMM_TILE, .pairs = (p->out_c + 1) / 2};
    shape.columns = (GEMM_TILE * (int64_t)shape.tiles - 1) * p->stride_w + p->kernel_w;
    shape.row = (shape.columns * p->in_c + 3) / 4;
    shape.tile = 2 * GEMM_TILE * gemm_groups(p->kernel_w * p->in_c);
    shape.sums = (int64_t)shape.tiles * shape.pairs * PAIR_SUMS;
    return shape;
}

static int64_t scratch_words(const struct conv2d_params *p) {
    const struct shape shape = shape_of(p);
    return shape.row + shape.tile + shape.sums * p->kernel_h;
}

bool conv2d_s8_hwc_separable_supports(const void *params) {
    const struct conv2d_params *p = params;
    return p->weights_zero == 0 && p->groups == 1 && p->dilation_h == 1 && p->dilation_w == 1 &&
           p->kernel_h > 1 && scratch_words(p) <= MOST_WORDS;
}

uint32_t conv2d_s8_hwc_separable_scratch_bytes(const void *params) {
    return (uint32_t)scratch_words(params) * sizeof(uint32_t);
}

/* Behind output row oy, rows are unread from the end of its window on. */
uint32_t conv2d_s8_hwc_separable_gap_bytes(const void *params) {
    const struct conv2d_params *p = params;
    int32_t gap = 0;
    for (int32_t oy = 0; oy < p->out_h - 1; oy++) {
        const int32_t unread = oy * p->stride_h - p->pad_top + p->kernel_h;
        if (unread >= p->in_h) break;
        const int32_t read = (unread < 0 ? 0 : unread) * p->in_w * p->in_c;
        const int32_t ahead = (oy + 1) * p->out_w * p->out_c - read;
        if (ahead > gap) gap = ahead;
    }
    return (uint32_t)gap;
}

static int32_t clip(int32_t x, int32_t high) {
    return x < high ? x : high;
}

/* An image row with its padding; a row outside the image is nothing else. */
static void copy_row(const struct kernel_args *args, int32_t row, int32_t columns, int8_t *to) {
    const struct conv2d_params *p = args->params;
    memset(to, p->input_zero, (size_t)(columns * p->in_c));
    const int32_t before = clip(p->pad_left, columns), inside = clip(p->in_w, columns - before);
    if (row >= 0 && row < p->in_h)
        memcpy(to + before * p->in_c, args->in0 + row * p->in_w * p->in_c, (size_t)(inside * p->in_c));
}

/* Sums of a padded row: [tile][pair][2][4]. */
static void sum_row(const struct conv2d_params *p, const struct shape *shape, const struct gemm *gemm,
                    const int8_t *row, uint32_t *tile, int32_t *sums) {
    const int32_t step = p->stride_w * p->in_c;
    for (int32_t i = 0; i < shape->tiles; i++, row += GEMM_TILE * step) {
        gemm_expand_tile(FORM, row, step, p->kernel_w * p->in_c, tile);
        for (int32_t pair = 0; pair < shape->pairs; pair++, sums += PAIR_SUMS)
            gemm_bytepairs_sums(tile, gemm->weights + 2 * gemm->groups * pair, gemm->records + pair, sums,
                                gemm->groups);
    }
}

/* What the second pass needs of one output channel. */
struct column {
    const int32_t *sums; /* the channel's in slot 0 */
    int32_t slot_words;
    int32_t tile_words;
    const int8_t *u; /* of slot 0 */
    int32_t rows;
    const struct requant_channel *channel;
    int8_t *out;
    int32_t out_step;
    int32_t count; /* pixels */
};

/* x0 .. x3 of a tile: a macro on scalars, for GCC keeps an array of sums in memory. */
#define SUM_TILE(column, bias)                                                                               \
    uint32_t x0 = bias, x1 = bias, x2 = bias, x3 = bias;                                                     \
    do {                                                                                                     \
        const int32_t *sums = (column)->sums;                                                                \
        const int8_t *u = (column)->u, *end = u + (column)->rows;                                            \
        for (; u != end; u++, sums += (column)->slot_words) {                                                \
            const uint32_t weight = (uint32_t)*u;                                                            \
            x0 += weight * (uint32_t)sums[0];                                                                \
            x1 += weight * (uint32_t)sums[1];                                                                \
            x2 += weight * (uint32_t)sums[2];                                                                \
            x3 += weight * (uint32_t)sums[3];                                                                \
        }                                                                                                    \
    } while (0)

/* Whole tiles of a row, in the short form. */
KEEP_ORDER static void short_tiles(struct column *column, const struct rescale *rescale, int32_t zero) {
    const int32_t step = column->out_step;
    int8_t *out = column->out;
    for (; column->count >= GEMM_TILE; column->count -= GEMM_TILE, column->sums += column->tile_words) {
        SUM_TILE(column, (uint32_t)rescale->bias);
        out[0] = rescale_short((int32_t)x0, rescale, zero);
        out[step] = rescale_short((int32_t)x1, rescale, zero);
        out[2 * step] = rescale_short((int32_t)x2, rescale, zero);
        out[3 * step] = rescale_short((int32_t)x3, rescale, zero);
        out += GEMM_TILE * step;
    }
    column->out = out;
}

/* A row of outputs of one channel. */
static void column_row(struct column column, const struct rescale_layer *layer) {
    struct rescale rescale;
    if (rescale_prepare(&rescale, column.channel, layer)) short_tiles(&column, &rescale, layer->output_zero);
    for (; column.count > 0; column.count -= GEMM_TILE, column.sums += column.tile_words) {
        SUM_TILE(&column, (uint32_t)column.channel->bias);
        const uint32_t x[GEMM_TILE] = {x0, x1, x2, x3};
        for (int32_t i = 0; i < GEMM_TILE && i < column.count; i++, column.out += column.out_step)
            *column.out = rescale_plain((int32_t)x[i], column.channel, layer);
    }
}

void conv2d_s8_hwc_separable(const struct kernel_args *args) {
    const struct conv2d_params *p = args->params;
    const struct shape shape = shape_of(p);
    const struct gemm gemm = gemm_prepare(args, FORM, p->kernel_w * p->in_c);
    const int8_t *u = (const int8_t *)(gemm.weights + 2 * gemm.groups * shape.pairs);
    const int32_t slot_words = (int32_t)shape.sums;
    uint32_t *const row = args->scratch, *const tile = row + shape.row;
    int32_t *const ring = (int32_t *)(tile + shape.tile);
    int32_t ready = 0; /* rows, from the first one of padding */
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        const int32_t top = oy * p->stride_h;
        if (ready < top) ready = top;
        for (; ready < top + p->kernel_h; ready++) {
            copy_row(args, ready - p->pad_top, (int32_t)shape.columns, (int8_t *)row);
            sum_row(p, &shape, &gemm, (const int8_t *)row, tile, ring + ready % p->kernel_h * slot_words);
        }
        for (int32_t oc = 0; oc < p->out_c; oc++) {
            const struct column column = {
                .sums = ring + oc * GEMM_TILE,
                .slot_words = slot_words,
                .tile_words = shape.pairs * PAIR_SUMS,
                .u = u + (2 * oc + 1) * p->kernel_h - top % p->kernel_h,
                .rows = p->kernel_h,
                .channel = (const struct requant_channel *)args->channels + oc,
                .out = args->out + oy * p->out_w * p->out_c + oc,
                .out_step = p->out_c,
                .count = p->out_w,
            };
            column_row(column, &gemm.layer);
        }
    }
}
