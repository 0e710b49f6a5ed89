#include "transposed_conv2d.h"

#define MOST_INPUTS (1 << 20) /* scratch of 9 MB: no overflow */

/* Where a phase's outputs are and what their windows are: the one of position (0, 0) begins at (top, left) of the input. */
struct phase {
    int32_t py, px;
    int32_t taps_h, taps_w; /* both 0 if there is no tap */
    int32_t top, left;
};

/* Positions are rows * columns, as many as the phase (0, 0) has; other phases may lack the last ones. */
struct layout {
    int32_t rows, columns;
    int32_t inputs; /* of a position, at most */
    int32_t block;  /* positions */
};

struct job {
    const struct transposed_conv2d_params *p;
    const int8_t *in;
    int8_t *out;
    enum gemm_form form;
    struct layout layout;
    struct rescale_layer layer;
    uint32_t *tiles;
    int8_t *aside; /* outputs of a block */
};

/* Inputs of a position, channels filled up. */
static int64_t most_inputs(const struct transposed_conv2d_params *p) {
    const struct transposed_axis v = transposed_axis_of(p->out_h, p->kernel_h, p->stride_h, p->pad_top);
    const struct transposed_axis h = transposed_axis_of(p->out_w, p->kernel_w, p->stride_w, p->pad_left);
    const int64_t taps = (int64_t)v.most * h.most;
    return (taps > 0 ? taps : 1) * 4 * gemm_groups(p->in_c);
}

bool transposed_im2col_supports(const struct transposed_conv2d_params *p) {
    return p->weights_zero == 0 && transposed_phases_fit(p) && most_inputs(p) <= MOST_INPUTS;
}

static struct layout layout_of(const struct transposed_conv2d_params *p) {
    struct layout layout;
    layout.rows = (p->out_h + p->stride_h - 1) / p->stride_h;
    layout.columns = (p->out_w + p->stride_w - 1) / p->stride_w;
    layout.inputs = (int32_t)most_inputs(p);
    layout.block = gemm_block_pixels(layout.inputs, layout.rows * layout.columns);
    return layout;
}

static int32_t tiles_bytes(const struct layout *layout) {
    return gemm_block_bytes(layout->inputs, layout->rows * layout->columns);
}

uint32_t transposed_im2col_scratch_bytes(const struct transposed_conv2d_params *p) {
    const struct layout layout = layout_of(p);
    return (uint32_t)(tiles_bytes(&layout) + (layout.block * p->out_c + 3) / 4 * 4);
}

/* When a phase of the block that begins in row j is written, the block's outputs end with those of its last row, and rows are
 * still read from the first of any phase's window in row j on. */
uint32_t transposed_im2col_gap_bytes(const struct transposed_conv2d_params *p) {
    const struct layout layout = layout_of(p);
    const int32_t all = p->out_h * p->out_w;
    int32_t reach = 0; /* rows of input before row j that a window has */
    for (int32_t py = 0; py < p->stride_h && py < p->out_h; py++) {
        const int32_t taps = transposed_taps(py, p->kernel_h, p->stride_h, p->pad_top);
        const int32_t before = taps - 1 - transposed_newest(py, p->stride_h, p->pad_top);
        if (taps > 0 && before > reach) reach = before;
    }
    int32_t gap = 0;
    for (int32_t j = 0; j < layout.rows && j - reach < p->in_h; j++) {
        const int32_t last = ((j + 1) * layout.columns - 1 + layout.block - 1) / layout.columns;
        const int64_t end = (int64_t)(last + 1) * p->stride_h * p->out_w;
        const int32_t written = end < all ? (int32_t)end : all, unread = j > reach ? j - reach : 0;
        const int32_t ahead = written * p->out_c - unread * p->in_w * p->in_c;
        if (ahead > gap) gap = ahead;
    }
    return (uint32_t)gap;
}

static struct phase phase_of(const struct transposed_conv2d_params *p, int32_t py, int32_t px) {
    struct phase phase = {.py = py,
                          .px = px,
                          .taps_h = transposed_taps(py, p->kernel_h, p->stride_h, p->pad_top),
                          .taps_w = transposed_taps(px, p->kernel_w, p->stride_w, p->pad_left)};
    if (phase.taps_h == 0 || phase.taps_w == 0) phase.taps_h = phase.taps_w = 0;
    phase.top = transposed_newest(py, p->stride_h, p->pad_top) - phase.taps_h + 1;
    phase.left = transposed_newest(px, p->stride_w, p->pad_left) - phase.taps_w + 1;
    return phase;
}

static bool same_windows(const struct phase *a, const struct phase *b) {
    return a->taps_h == b->taps_h && a->taps_w == b->taps_w && a->top == b->top && a->left == b->left;
}

/* One window, whose first tap is at (top, left), into one lane of a tile. */
static void expand_window(const struct job *job, const struct phase *phase, int32_t top, int32_t left,
                          uint32_t *to) {
    const struct transposed_conv2d_params *p = job->p;
    const uint32_t zeros = (uint32_t)(uint8_t)p->input_zero * 0x01010101u;
    for (int32_t y = top; y < top + phase->taps_h; y++) {
        for (int32_t x = left; x < left + phase->taps_w; x++) {
            if (y >= 0 && y < p->in_h && x >= 0 && x < p->in_w) {
                to = gemm_expand_pixel(job->form, job->in + (y * p->in_w + x) * p->in_c, p->in_c, to);
                continue;
            }
            for (int32_t left_groups = gemm_groups(p->in_c); left_groups > 0;
                 left_groups--, to += 2 * GEMM_TILE)
                gemm_put(job->form, zeros, to);
        }
    }
}

/* Four windows next to each other, inside the image. */
static void expand_windows(const struct job *job, const struct phase *phase, int32_t top, int32_t left,
                           uint32_t *to) {
    const struct transposed_conv2d_params *p = job->p;
    const bool words = p->in_c % 4 == 0;
    const int32_t runs = words ? 1 : phase->taps_w, run = words ? phase->taps_w * p->in_c : p->in_c;
    const int8_t *row = job->in + (top * p->in_w + left) * p->in_c;
    for (int32_t ky = 0; ky < phase->taps_h; ky++, row += p->in_w * p->in_c)
        for (int32_t kx = 0; kx < runs; kx++)
            to = gemm_expand_tile(job->form, row + kx * p->in_c, p->in_c, run, to);
}

/* The windows of `count` positions from (row, column) on. */
static void gather(const struct job *job, const struct phase *phase, int32_t row, int32_t column,
                   int32_t count) {
    const struct transposed_conv2d_params *p = job->p;
    const int32_t tile_words = 2 * GEMM_TILE * gemm_groups(p->in_c) * phase->taps_h * phase->taps_w;
    for (int32_t i = 0; i < count;) {
        uint32_t *to = job->tiles + i / GEMM_TILE * tile_words + i % GEMM_TILE;
        const int32_t top = row + phase->top, left = column + phase->left;
        const bool whole =
            i % GEMM_TILE == 0 && count - i >= GEMM_TILE && job->layout.columns - column >= GEMM_TILE;
        int32_t done = 1;
        if (whole && top >= 0 && top + phase->taps_h <= p->in_h && left >= 0 &&
            left + GEMM_TILE - 1 + phase->taps_w <= p->in_w) {
            expand_windows(job, phase, top, left, to);
            done = GEMM_TILE;
        } else {
            expand_window(job, phase, top, left, to);
        }
        i += done;
        column += done;
        if (column == job->layout.columns) {
            column = 0;
            row++;
        }
    }
}

static void copy_bytes(const int8_t *from, int8_t *to, int32_t count) {
    for (; count >= 4; count -= 4, from += 4, to += 4) store_word(to, load_word(from));
    for (; count > 0; count--) *to++ = *from++;
}

/* From aside to where the outputs of a phase lie, as far as there are any. */
static void scatter(const struct job *job, const struct phase *phase, int32_t row, int32_t column,
                    int32_t count) {
    const struct transposed_conv2d_params *p = job->p;
    const int8_t *from = job->aside;
    for (; count > 0; count--, from += p->out_c) {
        const int32_t oy = row * p->stride_h + phase->py, ox = column * p->stride_w + phase->px;
        if (oy < p->out_h && ox < p->out_w)
            copy_bytes(from, job->out + (oy * p->out_w + ox) * p->out_c, p->out_c);
        if (++column == job->layout.columns) {
            column = 0;
            row++;
        }
    }
}

/* The outputs of a phase at `count` gathered positions. Returns the next phase's part of the blob. */
static const void *multiply(const struct job *job, const struct phase *phase, const void *blob, int32_t row,
                            int32_t column, int32_t count) {
    const struct transposed_conv2d_params *p = job->p;
    const int32_t pairs = (p->out_c + 1) / 2, taps = phase->taps_h * phase->taps_w;
    const struct gemm_record *records = blob;
    const struct gemm gemm = {.records = records,
                              .weights = (const uint32_t *)(records + pairs),
                              .groups = taps > 0 ? taps * gemm_groups(p->in_c) : 1,
                              .out_c = p->out_c,
                              .set = &gemm_code_sets[job->form],
                              .layer = job->layer};
    const int32_t oy = row * p->stride_h + phase->py, ox = column * p->stride_w + phase->px;
    const bool in_a_row = column + count <= job->layout.columns;
    if (in_a_row && oy < p->out_h && ox + (count - 1) * p->stride_w < p->out_w) {
        int8_t *out = job->out + (oy * p->out_w + ox) * p->out_c;
        const int32_t step = p->stride_w * p->out_c;
        gemm_pixels(&gemm, job->tiles, count, out, step);
        if (p->clamp_min != INT8_MIN || p->clamp_max != INT8_MAX)
            for (int32_t i = 0; i < count; i++) gemm_clamp(&gemm, out + i * step, p->out_c);
    } else if (!in_a_row || oy < p->out_h) {
        gemm_block(&gemm, job->tiles, count, job->aside);
        scatter(job, phase, row, column, count);
    }
    return gemm.weights + 2 * gemm.groups * pairs;
}

void transposed_im2col_run(const struct kernel_args *args, enum gemm_form form) {
    const struct transposed_conv2d_params *p = args->params;
    struct job job = {.p = p,
                      .in = args->in0,
                      .out = args->out,
                      .form = form,
                      .layout = layout_of(p),
                      .layer = rescale_layer(p->output_zero, p->clamp_min, p->clamp_max, p->rounding),
                      .tiles = args->scratch};
    const struct layout *layout = &job.layout;
    job.aside = (int8_t *)args->scratch + tiles_bytes(layout);
    const int32_t positions = layout->rows * layout->columns;
    for (int32_t begin = 0, count; begin < positions; begin += count) {
        const int32_t row = begin / layout->columns, column = begin % layout->columns;
        count = positions - begin < layout->block ? positions - begin : layout->block;
        if (layout->columns % GEMM_TILE == 0 && count > layout->columns - column)
            count = layout->columns - column;
        const void *blob = args->weights;
        struct phase gathered = {.taps_h = -1};
        for (int32_t py = 0; py < p->stride_h && py < p->out_h; py++) {
            for (int32_t px = 0; px < p->stride_w && px < p->out_w; px++) {
                const struct phase phase = phase_of(p, py, px);
                if (!same_windows(&phase, &gathered)) gather(&job, &phase, row, column, count);
                gathered = phase;
                blob = multiply(&job, &phase, blob, row, column, count);
            }
        }
    }
}
