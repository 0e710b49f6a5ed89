/* TRANSPOSE_CONV of any shape, phase by phase (transposed_conv2d.h), reading the input through a table of offsets.
 *
 * in [in_h][in_w][in_c], out [out_h][out_w][out_c], weights TRANSPOSED_BYTEPAIRS; no alignment needed but the blob's. As
 * conv2d_s8_hwc_indirect for the convolution of each phase, but the phases share one ring: each input row is expanded once.
 * Its element e holds column e + first of four lanes that are `lane` columns apart, where lane = ceil(ceil(out_w / stride_w)
 * / 4); the four pixels of a tile are lane * stride_w apart in the output, where the phases meet. A phase's taps of one row
 * are one run. Output row oy needs input rows up to (oy + pad_top) / stride_h. Pixels of a phase's last tile that lie beyond
 * the row are overwritten by later rows, or go by way of the stack if there is none.
 *
 * Scratch, with n rows and m columns of taps that a phase has at most: 32 * ceil(in_c / 4) * e * n bytes, where e is lane + m
 * - 1, or one more if the phases' first columns differ; at most 2 MB; 4 * n of tags and 2 * n of offsets. An input row is
 * read before an output row is written that needs it, so the output may overlap what lies before the first row that is still
 * unread. Sums of a phase are below 2^23, by 256 below 2^31; the host refuses other weights. Bit-equal to
 * transposed_conv2d_s8_hwc_ref. Not supported: weights_zero other than 0; stride_h * stride_w above 256; larger rings.
 */
#include "gemm_indirect.h"
#include "transposed_conv2d.h"

#define EMPTY (-1)
#define ZEROS (-2)

struct shape {
    int32_t lane;     /* tiles in a row of a phase */
    int32_t groups;   /* of an element */
    int32_t first;    /* column of element 0 */
    int32_t elements; /* of a row in the ring */
    int32_t rows;     /* in the ring */
};

static struct shape shape_of(const struct transposed_conv2d_params *p) {
    const struct transposed_axis v = transposed_axis_of(p->out_h, p->kernel_h, p->stride_h, p->pad_top);
    const struct transposed_axis h = transposed_axis_of(p->out_w, p->kernel_w, p->stride_w, p->pad_left);
    struct shape shape;
    shape.lane = ((p->out_w + p->stride_w - 1) / p->stride_w + GEMM_TILE - 1) / GEMM_TILE;
    shape.groups = gemm_groups(p->in_c);
    shape.rows = v.most > 0 ? v.most : 1;
    shape.first = INT32_MAX;
    int32_t last = 0;
    for (int32_t px = 0; px < h.phases; px++) {
        const int32_t taps = transposed_taps(px, p->kernel_w, p->stride_w, p->pad_left);
        if (taps == 0) continue;
        const int32_t column = transposed_newest(px, p->stride_w, p->pad_left);
        if (column - taps + 1 < shape.first) shape.first = column - taps + 1;
        last = column;
    }
    if (h.tapped == 0) shape.first = 0;
    shape.elements = shape.lane + last - shape.first;
    return shape;
}

bool transposed_conv2d_s8_hwc_indirect_supports(const void *params) {
    const struct transposed_conv2d_params *p = params;
    if (p->weights_zero != 0 || !transposed_phases_fit(p)) return false;
    const struct shape shape = shape_of(p);
    return (int64_t)shape.rows * shape.elements * shape.groups <= GEMM_MOST_SPAN;
}

static int32_t row_words(const struct shape *shape) {
    return 2 * GEMM_TILE * shape->groups * shape->elements;
}

uint32_t transposed_conv2d_s8_hwc_indirect_scratch_bytes(const void *params) {
    const struct shape shape = shape_of(params);
    const uint32_t table = (uint32_t)shape.rows * sizeof(uint16_t);
    return (uint32_t)(shape.rows * (row_words(&shape) + 1)) * sizeof(uint32_t) + (table + 3) / 4 * 4;
}

/* Pixels from the first of output row oy to behind the last that a phase's whole tiles write. */
static int32_t tiles_end(const struct transposed_conv2d_params *p, const struct shape *shape, int32_t px) {
    return px + (GEMM_TILE * shape->lane - 1) * p->stride_w + 1;
}

uint32_t transposed_conv2d_s8_hwc_indirect_gap_bytes(const void *params) {
    const struct transposed_conv2d_params *p = params;
    const struct shape shape = shape_of(p);
    const int32_t phases = p->stride_w < p->out_w ? p->stride_w : p->out_w, all = p->out_h * p->out_w;
    int32_t gap = 0;
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        const int32_t unread = transposed_newest(oy, p->stride_h, p->pad_top) + 1;
        if (unread >= p->in_h) break;
        int32_t written = oy * p->out_w + tiles_end(p, &shape, phases - 1);
        if (written > all) written = all;
        const int32_t ahead = written * p->out_c - unread * p->in_w * p->in_c;
        if (ahead > gap) gap = ahead;
    }
    return (uint32_t)gap;
}

struct job {
    const struct transposed_conv2d_params *p;
    struct shape shape;
    struct gemm_rows rows;
    struct rescale_layer layer;
    uint32_t *ring;
    int32_t *tags;     /* the row in each slot */
    uint16_t *offsets; /* of the rows of a window */
};

/* The slot of a row: -1 is the last one. */
static int32_t slot_of(const struct job *job, int32_t row) {
    return (row + job->shape.rows) % job->shape.rows;
}

/* Sees to it that the ring holds the newest row of the output row and as many before it as it takes. */
static void prepare_rows(const struct job *job, int32_t row) {
    for (int32_t i = row - job->shape.rows + 1; i <= row; i++) {
        const bool inside = i >= 0 && i < job->p->in_h;
        const int32_t slot = slot_of(job, i), tag = inside ? i : ZEROS;
        if (job->tags[slot] == tag) continue;
        job->tags[slot] = tag;
        uint32_t *to = job->ring + slot * row_words(&job->shape);
        if (inside)
            gemm_expand_row(&job->rows, i, to);
        else
            gemm_expand_zeros(&job->rows, to);
    }
}

/* The outputs of one phase in row oy, whose first pixel is at `out`. Returns the next phase's part of the blob. */
static const void *multiply_phase(const struct job *job, int32_t taps_h, int32_t oy, int32_t px,
                                  const void *blob, int8_t *out) {
    static const uint16_t no_offset = 0;
    const struct transposed_conv2d_params *p = job->p;
    const int32_t taps_w = transposed_taps(px, p->kernel_w, p->stride_w, p->pad_left);
    const bool tapped = taps_h > 0 && taps_w > 0;
    const int32_t pairs = (p->out_c + 1) / 2, element_groups = job->shape.groups;
    const int32_t run_groups = tapped ? taps_w * element_groups : 1, runs = tapped ? taps_h : 1;
    const struct gemm_record *records = blob;
    const struct gemm gemm = {.records = records,
                              .weights = (const uint32_t *)(records + pairs),
                              .groups = runs * run_groups,
                              .out_c = p->out_c,
                              .layer = job->layer};
    const int32_t tile_step = 8 * GEMM_TILE * element_groups;
    const struct gemm_indirect_pass pass = {.out_step = job->shape.lane * p->stride_w * p->out_c,
                                            .zero = p->output_zero,
                                            .tiles_bytes = job->shape.lane * tile_step,
                                            .out_next = p->stride_w * p->out_c,
                                            .tile_step = tile_step,
                                            .run_bytes = 8 * run_groups,
                                            .skip = gemm_skip(run_groups),
                                            .offsets = tapped ? job->offsets : &no_offset,
                                            .runs = runs};
    const uint32_t *tiles = job->ring;
    if (tapped) {
        const int32_t column = transposed_newest(px, p->stride_w, p->pad_left) - taps_w + 1;
        tiles += 2 * GEMM_TILE * element_groups * (column - job->shape.first);
    }
    out += px * p->out_c;
    if (oy * p->out_w + tiles_end(p, &job->shape, px) <= p->out_h * p->out_w)
        gemm_indirect_row(&gemm, pass, tiles, out);
    else
        gemm_indirect_part(&gemm, pass, tiles, out, (p->out_w - px + p->stride_w - 1) / p->stride_w);
    return gemm.weights + 2 * gemm.groups * pairs;
}

void transposed_conv2d_s8_hwc_indirect(const struct kernel_args *args) {
    const struct transposed_conv2d_params *p = args->params;
    struct job job = {.p = p,
                      .shape = shape_of(p),
                      .layer = rescale_layer(p->output_zero, p->clamp_min, p->clamp_max, p->rounding),
                      .ring = args->scratch};
    job.rows = (struct gemm_rows){.in = args->in0,
                                  .width = p->in_w,
                                  .channels = p->in_c,
                                  .pixel_bytes = p->in_c,
                                  .zero = p->input_zero,
                                  .first = job.shape.first,
                                  .step = job.shape.lane,
                                  .elements = job.shape.elements,
                                  .groups = job.shape.groups};
    job.tags = (int32_t *)job.ring + job.shape.rows * row_words(&job.shape);
    job.offsets = (uint16_t *)(job.tags + job.shape.rows);
    for (int32_t slot = 0; slot < job.shape.rows; slot++) job.tags[slot] = EMPTY;
    const struct gemm clamped = {.layer = job.layer};
    const int32_t phases = p->stride_w < p->out_w ? p->stride_w : p->out_w;
    const void *blob = args->weights;
    int8_t *out = args->out;
    for (int32_t oy = 0; oy < p->out_h; oy++, out += p->out_w * p->out_c) {
        const int32_t py = oy % p->stride_h, row = transposed_newest(oy, p->stride_h, p->pad_top);
        const int32_t taps = transposed_taps(py, p->kernel_h, p->stride_h, p->pad_top);
        prepare_rows(&job, row);
        for (int32_t i = 0; i < taps; i++)
            job.offsets[i] =
                (uint16_t)(slot_of(&job, row - taps + 1 + i) * job.shape.elements * job.shape.groups);
        if (py == 0) blob = args->weights;
        for (int32_t px = 0; px < phases; px++) blob = multiply_phase(&job, taps, oy, px, blob, out);
        gemm_clamp(&clamped, out, p->out_w * p->out_c);
    }
}
