/* DEPTHWISE_CONV_2D whose kernels are outer products, w[ky][kx][c] = u[ky][c] * v[kx][c]: a pass along the rows with v, then one
 * along the columns with u, kernel_h + kernel_w products an output instead of kernel_h * kernel_w. Also in place.
 *
 * in [in_h][in_w][in_c], out [out_h][out_w][out_c], weights SEPARABLE (depthwise_separable.h), kernels 3, 5 or 7 wide and high, one
 * of them more than 3, stride 1; any size, any padding below the kernel's size that makes the output no wider than the input. The
 * sums of the first pass are kept as they are, in int16: the host refuses rows whose sums could leave it, and layers whose
 * requantisation has none of the two forms of depthwise_planes.h (host/plan/pack_depthwise.py). The second pass is modulo 2^32.
 * Nothing is rounded between, so the output is bit-equal to depthwise_s8_hwc_ref. Padding is input_zero in the first pass, which
 * makes it input_zero * sum(v) in the second, as if the whole window were there.
 *
 * Of four channels at a time, a strip of 20 rows, padding included, is gathered to words (column, column + 1); then channel by
 * channel the first pass writes words (row, row + 1), and the second reads them. 320 bytes of scratch for each word of a row, and
 * 80 for each of a row of outputs. A strip of outputs is written after all its input rows were read.
 *
 * Source: textbook; the pairing is that of depthwise_s8_hwc_planes_wide.
 */
#include <stddef.h>

#include "depthwise_separable.h"

#define DEPTH        SEPARABLE_DEPTH
#define COLUMN_WORDS (SEPARABLE_COLUMN / 4)

static int32_t output_pairs(const struct depthwise_params *p) {
    return (p->out_w + 1) / 2;
}

static int32_t input_pairs(const struct depthwise_params *p) {
    return output_pairs(p) + p->kernel_w / 2;
}

static bool has_passes(int32_t kernel) {
    return kernel == 3 || kernel == 5 || kernel == 7;
}

bool depthwise_s8_hwc_separable_supports(const void *params) {
    const struct depthwise_params *p = params;
    return has_passes(p->kernel_w) && has_passes(p->kernel_h) && p->kernel_w + p->kernel_h > 6 &&
           p->stride_h == 1 && p->stride_w == 1 && planes_supports(p);
}

uint32_t depthwise_s8_hwc_separable_scratch_bytes(const void *params) {
    return (uint32_t)(input_pairs(params) * COLUMN_WORDS + output_pairs(params) * DEPTH) * sizeof(uint32_t);
}

/* By half the kernel's size, rounded down. */
static separable_across_kernel *const across_kernels[] = {NULL, separable_across_3, separable_across_5,
                                                          separable_across_7};
static separable_down_kernel *const down_kernels[][4] = {
    [PLANES_LINEAR] = {NULL, separable_down_3_linear, separable_down_5_linear, separable_down_7_linear},
    [PLANES_DOUBLE] = {NULL, separable_down_3_double, separable_down_5_double, separable_down_7_double},
};

/* `pairs` pairs of columns of a strip's `rows` outputs; of an odd number of rows the last one alone. */
static void down_rows(separable_down_kernel *kernel, struct separable_down pass, int32_t rows,
                      const uint32_t *weights, const uint32_t *record) {
    if (pass.pairs == 0) return;
    pass.rows_bytes = 4 * (rows / 2 * 2);
    if (rows > 1) kernel(&pass, weights, record);
    if (rows % 2 == 0) return;
    pass.from += rows - 1;
    pass.out += (rows - 1) * pass.row_step;
    pass.rows_bytes = 8;
    pass.row_step = 0;
    kernel(&pass, weights, record);
}

/* One channel of a strip of `rows` rows of outputs, the first of them at `out`. */
static void run_channel(const struct kernel_args *args, const uint32_t *plane, uint32_t *sums,
                        const uint32_t *record, int8_t *out, int32_t rows) {
    const struct depthwise_params *p = args->params;
    const uint32_t *across_weights = record + PLANES_RECORD_HEAD;
    const uint32_t *down_weights = across_weights + separable_words(p->kernel_w);
    const struct separable_across across = {.from = plane,
                                            .to = sums,
                                            .rows_bytes = 4 * ((rows + 1) / 2 * 2 + p->kernel_h - 1),
                                            .pairs = output_pairs(p)};
    across_kernels[p->kernel_w / 2](&across, across_weights);

    const uint32_t form = *(const uint32_t *)args->weights == PLANES_LINEAR ? PLANES_LINEAR : PLANES_DOUBLE;
    separable_down_kernel *const kernel = down_kernels[form][p->kernel_h / 2];
    struct separable_down down = {.from = sums,
                                  .out = out,
                                  .pairs = p->out_w / 2,
                                  .row_step = p->out_w * p->out_c,
                                  .out_step = p->out_c,
                                  .zero = p->output_zero};
    down_rows(kernel, down, rows, down_weights, record);
    if (p->out_w % 2 == 0) return;
    down.from += down.pairs * DEPTH;
    down.out += 2 * down.pairs * p->out_c;
    down.pairs = 1;
    down.out_step = 0;
    down_rows(kernel, down, rows, down_weights, record);
}

void depthwise_s8_hwc_separable(const struct kernel_args *args) {
    const struct depthwise_params *p = args->params;
    const uint32_t *record = (const uint32_t *)args->weights + 1;
    const int32_t record_words = separable_record_words(p), row_step = p->out_w * p->out_c;
    const int32_t most = DEPTH - (p->kernel_h - 1); /* rows of outputs in a strip, an even number */
    uint32_t *const plane = args->scratch, *const sums = plane + input_pairs(p) * COLUMN_WORDS;
    struct planes_rows rows = planes_rows(args, input_pairs(p), DEPTH, planes_gather_wide, 0);
    planes_rows_borders(&rows);
    for (rows.c = 0; rows.c < p->out_c; rows.c += 4, record += 4 * record_words) {
        rows.channels = p->out_c - rows.c < 4 ? p->out_c - rows.c : 4;
        int32_t there = 0; /* rows in the strip */
        for (int32_t oy = 0; oy < p->out_h; oy += most) {
            const int32_t count = p->out_h - oy < most ? p->out_h - oy : most;
            const int32_t needed = (count + 1) / 2 * 2 + p->kernel_h - 1;
            planes_rows_gather(&rows, oy - p->pad_top + there, there, needed - there);
            for (int32_t i = 0; i < rows.channels; i++)
                run_channel(args, plane + i * DEPTH, sums, record + i * record_words,
                            args->out + oy * row_step + rows.c + i, count);
            there = p->kernel_h - 1;
            if (oy + most < p->out_h) planes_move(plane, input_pairs(p), DEPTH, most, there);
        }
    }
    planes_clamp(args);
}
