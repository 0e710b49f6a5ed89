/* DEPTHWISE_CONV_2D, 3x3 with a depth multiplier or dilation, and the 1x1 CONV_2D that reads it, strip_rows rows at a time.
 *
 * in [in_h][in_w][in_c], out [out_h][out_w][out_c], weights PLANES_3X3 (depthwise_planes.h), channels PAIRS (gemm.h).
 * The kernels depthwise_s8_hwc_phases_3x3 and conv2d_s8_hwc_pointwise_pairs by turns, each with its own
 * demands, ranges and exactness; what lies between them is int8 in scratch, of one strip (pair_strips.h). A strip's input is
 * read before its output is written, so the output may overlap the input as far as no later strip reads it. Bit-equal to
 * depthwise_pointwise_s8_hwc_ref. Not supported: what either kernel does not support; rows of windows outside the image.
 */
#include "pair_strips.h"

DECLARE_PAIR_PART(depthwise_s8_hwc_phases_3x3)
DECLARE_PAIR_PART(conv2d_s8_hwc_pointwise_pairs)

static const struct pair_kernels kernels = {PAIR_PART(depthwise_s8_hwc_phases_3x3),
                                            PAIR_PART(conv2d_s8_hwc_pointwise_pairs)};

bool depthwise_pointwise_s8_hwc_phases_3x3_pairs_supports(const void *params) {
    return pair_supports(params, &kernels);
}

uint32_t depthwise_pointwise_s8_hwc_phases_3x3_pairs_scratch_bytes(const void *params) {
    return pair_scratch_bytes(params, &kernels);
}

uint32_t depthwise_pointwise_s8_hwc_phases_3x3_pairs_gap_bytes(const void *params) {
    return pair_gap_bytes(params);
}

void depthwise_pointwise_s8_hwc_phases_3x3_pairs(const struct kernel_args *args) {
    pair_run(args, &kernels);
}
