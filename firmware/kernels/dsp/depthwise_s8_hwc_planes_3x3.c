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

bool depthwise_s8_hwc_planes_3x3_supports(const void *params) {
    const struct depthwise_params *p = params;
    return p->kernel_h == 3 && p->kernel_w == 3 && p->stride_h == 1 && p->stride_w == 1 && p->out_w >= 2 &&
           planes_supports(p);
}

uint32_t depthwise_s8_hwc_planes_3x3_scratch_bytes(const void *params) {
    const struct depthwise_params *p = params;
    return (uint32_t)planes_3x3_columns(p->out_w) * PLANES_COLUMN;
}

void depthwise_s8_hwc_planes_3x3(const struct kernel_args *args) {
    const struct depthwise_params *p = args->params;
    const struct planes_view view = {.in = args->in0,
                                     .out = args->out,
                                     .in_h = p->in_h,
                                     .in_w = p->in_w,
                                     .pixel_bytes = p->in_c,
                                     .row_bytes = p->in_w * p->in_c,
                                     .word_rows = planes_word_rows(p, p->in_c),
                                     .out_h = p->out_h,
                                     .out_w = p->out_w,
                                     .out_pixel_bytes = p->out_c,
                                     .out_row_bytes = p->out_w * p->out_c,
                                     .pad_top = p->pad_top,
                                     .pad_left = p->pad_left};
    planes_3x3_strips(args, &view);
    planes_clamp(args);
}
