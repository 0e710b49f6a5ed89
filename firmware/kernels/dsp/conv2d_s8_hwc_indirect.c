/* CONV_2D of any shape whose groups have whole words of channels: windows are read through a table of offsets, never copied.
 *
 * in [in_h][in_w][in_c], out [out_h][out_w][out_c], weights BYTEPAIRS (gemm.h) in the order of OHWI; no alignment needed but
 * the blob's. The indirect convolution of Dukhan 2019 (XNNPACK's igemm) with offsets for pointers and int16 lanes for inputs:
 *
 *     Each input row is expanded once, into a ring that holds the rows of one window. Its element e holds column e of four
 *     lanes, `lane` output pixels apart, as the tiles of gemm.h want them:
 *         columns  e - pad_left + {0, 1, 2, 3} * lane * stride_w,   lane = ceil(out_w / 4)
 *     so the tile of outputs x, x + lane, x + 2 lane, x + 3 lane finds tap kx in element x * stride_w + kx * dilation_w, and
 *     without dilation a whole row of the window is one run of words. `lane` tiles make a row of outputs. Up to three outputs
 *     of the last lane lie beyond the row: in the next one, which overwrites them, or by way of the stack if there is none.
 *     The table has 16 bits for each run: the kernel's rows, or with dilation_w its taps. It is made anew for each output row;
 *     rows outside the image point at one row of zero points, which lies in a slot of the ring that no such window needs.
 *
 * Groups are layers of their own, one after the other.
 *
 * Scratch, with n = min((kernel_h - 1) * dilation_h + 1, in_h + 1) rows in the ring and
 * e = (lane - 1) * stride_w + (kernel_w - 1) * dilation_w + 1 elements in each: 8 * in_c / groups * e * n bytes, at most 2 MB,
 * 4 * n of tags and 2 for each run. Rows are read before an output row is written that needs them, so the output of a single
 * group may overlap what lies before the first row that is still unread, three pixels less. Sums are below 2^23, by 256 below
 * 2^31; the host refuses other weights. Bit-equal to conv2d_s8_hwc_ref. Not supported: weights_zero other than 0; in_c / groups
 * no multiple of 4; larger rings.
 */
#include "gemm_indirect.h"

#define EMPTY (-1)
#define ZEROS (-2)

/* Sizes; a group is four inputs of four pixels, 2 * GEMM_TILE words. */
struct shape {
    int32_t lane;     /* tiles in a row of outputs, and output pixels between the pixels of a tile */
    int32_t groups;   /* of an element */
    int32_t elements; /* of a row in the ring */
    int32_t rows;     /* in the ring */
    int32_t taps;     /* runs of a kernel's row */
};

static struct shape shape_of(const struct conv2d_params *p) {
    struct shape shape;
    shape.lane = (p->out_w + GEMM_TILE - 1) / GEMM_TILE;
    shape.groups = p->in_c / p->groups / 4;
    shape.elements = (shape.lane - 1) * p->stride_w + (p->kernel_w - 1) * p->dilation_w + 1;
    shape.rows = (p->kernel_h - 1) * p->dilation_h + 1;
    if (shape.rows > p->in_h + 1) shape.rows = p->in_h + 1;
    shape.taps = p->dilation_w == 1 ? 1 : p->kernel_w;
    return shape;
}

bool conv2d_s8_hwc_indirect_supports(const void *params) {
    const struct conv2d_params *p = params;
    if (p->weights_zero != 0 || p->in_c / p->groups % 4 != 0) return false;
    const struct shape shape = shape_of(p);
    return (int64_t)shape.rows * shape.elements * shape.groups <= GEMM_MOST_SPAN;
}

static int32_t row_words(const struct shape *shape) {
    return 2 * GEMM_TILE * shape->groups * shape->elements;
}

uint32_t conv2d_s8_hwc_indirect_scratch_bytes(const void *params) {
    const struct conv2d_params *p = params;
    const struct shape shape = shape_of(p);
    const uint32_t table = (uint32_t)(p->kernel_h * shape.taps) * sizeof(uint16_t);
    return (uint32_t)(shape.rows * (row_words(&shape) + 1)) * sizeof(uint32_t) + (table + 3) / 4 * 4;
}

/* Bytes of output that are written when row oy is done. */
static int32_t written_bytes(const struct conv2d_params *p, const struct shape *shape, int32_t oy) {
    const int32_t all = p->out_h * p->out_w, pixels = oy * p->out_w + GEMM_TILE * shape->lane;
    return (pixels < all ? pixels : all) * p->out_c;
}

/* Each group reads from the front again. Behind output row oy, rows are unread from the end of its window on; with dilation_h from the next window's top on. */
uint32_t conv2d_s8_hwc_indirect_gap_bytes(const void *params) {
    const struct conv2d_params *p = params;
    const struct shape shape = shape_of(p);
    if (p->groups > 1) return (uint32_t)(p->out_h * p->out_w * p->out_c);
    int32_t gap = 0;
    for (int32_t oy = 0; oy < p->out_h - 1; oy++) {
        const int32_t top = oy * p->stride_h - p->pad_top, bottom = top + p->kernel_h;
        int32_t unread = top + p->stride_h;
        if (p->dilation_h == 1 && unread < bottom) unread = bottom;
        if (unread >= p->in_h) break;
        if (unread < 0) unread = 0;
        const int32_t ahead = written_bytes(p, &shape, oy) - unread * p->in_w * p->in_c;
        if (ahead > gap) gap = ahead;
    }
    return (uint32_t)gap;
}

/* Sees to it that the ring holds the rows of the window at `top`, and makes the table. A slot's tag is the row in it. Rows above
 * the image share the slot of row -1, those below it that of row in_h: no window that has them needs it for another row. */
static void prepare_row(const struct kernel_args *args, const struct shape *shape,
                        const struct gemm_rows *rows, int32_t top, int32_t *tags, uint16_t *offsets) {
    const struct conv2d_params *p = args->params;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const int32_t row = top + ky * p->dilation_h;
        const bool inside = row >= 0 && row < p->in_h;
        const int32_t slot = inside ? row % shape->rows : row < 0 ? shape->rows - 1 : p->in_h % shape->rows;
        uint32_t *to = (uint32_t *)args->scratch + slot * row_words(shape);
        if (inside && tags[slot] != row) gemm_expand_row(rows, row, to);
        if (!inside && tags[slot] != ZEROS) gemm_expand_zeros(rows, to);
        tags[slot] = inside ? row : ZEROS;
        for (int32_t tap = 0; tap < shape->taps; tap++)
            *offsets++ = (uint16_t)((slot * shape->elements + tap * p->dilation_w) * shape->groups);
    }
}

void conv2d_s8_hwc_indirect(const struct kernel_args *args) {
    const struct conv2d_params *p = args->params;
    const struct shape shape = shape_of(p);
    const int32_t group_c = p->in_c / p->groups, inputs = p->kernel_h * p->kernel_w * group_c;
    struct gemm gemm = gemm_prepare(args, GEMM_BYTEPAIRS, inputs);
    struct gemm_rows rows = {.in = args->in0,
                             .width = p->in_w,
                             .channels = group_c,
                             .pixel_bytes = p->in_c,
                             .zero = p->input_zero,
                             .first = -p->pad_left,
                             .step = shape.lane * p->stride_w,
                             .elements = shape.elements,
                             .groups = shape.groups};
    int32_t *tags = (int32_t *)args->scratch + shape.rows * row_words(&shape);
    uint16_t *offsets = (uint16_t *)(tags + shape.rows);
    const int32_t tile_step = 8 * GEMM_TILE * shape.groups * p->stride_w;
    const int32_t runs = p->kernel_h * shape.taps, run_groups = gemm.groups / runs;
    const struct gemm_indirect_pass pass = {.out_step = shape.lane * p->out_c,
                                            .zero = p->output_zero,
                                            .tiles_bytes = shape.lane * tile_step,
                                            .out_next = p->out_c,
                                            .tile_step = tile_step,
                                            .run_bytes = 8 * run_groups,
                                            .skip = gemm_skip(run_groups),
                                            .offsets = offsets,
                                            .runs = runs};
    for (int32_t g = 0; g < p->groups; g++, rows.in += group_c) {
        if (g > 0) gemm_next_group(&gemm);
        int8_t *out = args->out + g * gemm.out_c;
        for (int32_t slot = 0; slot < shape.rows; slot++) tags[slot] = EMPTY;
        for (int32_t oy = 0; oy < p->out_h; oy++, out += p->out_w * p->out_c) {
            prepare_row(args, &shape, &rows, oy * p->stride_h - p->pad_top, tags, offsets);
            if (oy * p->out_w + GEMM_TILE * shape.lane <= p->out_h * p->out_w)
                gemm_indirect_row(&gemm, pass, args->scratch, out);
            else
                gemm_indirect_part(&gemm, pass, args->scratch, out, p->out_w);
            gemm_clamp_pixels(&gemm, out, p->out_w, p->out_c);
        }
    }
}
