/* TRANSPOSE_CONV of any shape, phase by phase: windows are gathered to tiles of four, then multiplied, for any weights.
 *
 * As transposed_conv2d_s8_hwc_im2col_bytepairs, with weights TRANSPOSED_PAIRS (transposed_conv2d.h). A product is below 2^14,
 * sums are modulo 2^32. Bit-equal to transposed_conv2d_s8_hwc_ref. Not supported: weights_zero other than 0; stride_h *
 * stride_w above 256; K above 2^20.
 */
#include "transposed_conv2d.h"

bool transposed_conv2d_s8_hwc_im2col_pairs_supports(const void *params) {
    return transposed_im2col_supports(params);
}

uint32_t transposed_conv2d_s8_hwc_im2col_pairs_scratch_bytes(const void *params) {
    return transposed_im2col_scratch_bytes(params);
}

uint32_t transposed_conv2d_s8_hwc_im2col_pairs_gap_bytes(const void *params) {
    return transposed_im2col_gap_bytes(params);
}

void transposed_conv2d_s8_hwc_im2col_pairs(const struct kernel_args *args) {
    transposed_im2col_run(args, GEMM_PAIRS);
}
