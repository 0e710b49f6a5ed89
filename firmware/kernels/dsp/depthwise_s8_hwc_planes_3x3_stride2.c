/* DEPTHWISE_CONV_2D, 3x3, stride 2: four channels at a time as rows of int16 pairs, two output rows a step.
 *
 * in [in_h][in_w][in_c], out [out_h][out_w][in_c], weights PLANES_3X3_STRIDE2 (depthwise_planes.h); any size, any padding below
 * 3. Bit-equal to depthwise_s8_hwc_ref; host/plan/pack_depthwise.py refuses layers whose requantisation has none of the two forms.
 * Products are below 2^23, sums modulo 2^32.
 *
 * A strip is 2 rows of outputs: 5 rows of words (column, column + 1), (out_w + 1) * 80 bytes of scratch. All channels of it come
 * before the next strip, which reads one row again: so outputs may overlap the input as long as those of a strip end where its
 * own input begins. Strip after strip the output falls further behind.
 *
 * Source: own work (prototypes/depthwise of this project).
 */
#include "depthwise_planes.h"

#define RECORD (PLANES_RECORD_HEAD + 6)

static int32_t column_count(const struct depthwise_params *p) {
    return p->out_w + 1;
}

bool depthwise_s8_hwc_planes_3x3_stride2_supports(const void *params) {
    const struct depthwise_params *p = params;
    return p->kernel_h == 3 && p->kernel_w == 3 && p->stride_h == 2 && p->stride_w == 2 && planes_supports(p);
}

uint32_t depthwise_s8_hwc_planes_3x3_stride2_scratch_bytes(const void *params) {
    return (uint32_t)column_count(params) * PLANES_STRIDE2_COLUMN;
}

/* The first strip's two rows of outputs lie before all that it still has to read, padding rows counted as rows. */
uint32_t depthwise_s8_hwc_planes_3x3_stride2_gap_bytes(const void *params) {
    const struct depthwise_params *p = params;
    return (uint32_t)((2 * p->out_w + p->pad_top * p->in_w) * p->in_c);
}

void depthwise_s8_hwc_planes_3x3_stride2(const struct kernel_args *args) {
    const struct depthwise_params *p = args->params;
    const uint32_t *weights = args->weights;
    planes_3x3_kernel *const kernel =
        weights[0] == PLANES_LINEAR ? planes_3x3_stride2_linear : planes_3x3_stride2_double;
    const int32_t row_step = p->out_w * p->out_c;
    struct planes_rows rows =
        planes_rows(args, column_count(p), PLANES_STRIDE2_DEPTH, planes_gather_stride2, 0);
    struct planes_block block = {
        .columns = p->out_w, .rows = 2, .out_step = p->out_c, .row_step = row_step, .zero = p->output_zero};
    int8_t *out = args->out;
    planes_rows_borders(&rows);
    for (int32_t oy = 0; oy < p->out_h; oy += 2, out += 2 * row_step) {
        const bool both = oy + 1 < p->out_h;
        const uint32_t *record = weights + 1;
        if (!both) block.row_step = 0;
        for (int32_t c = 0; c < p->out_c; c += 4, record += 4 * RECORD) {
            rows.c = c;
            rows.channels = block.channels = p->out_c - c < 4 ? p->out_c - c : 4;
            planes_rows_gather(&rows, 2 * oy - p->pad_top, 0, both ? 5 : 3);
            kernel(args->scratch, out + c, record, &block);
        }
    }
    planes_clamp(args);
}
