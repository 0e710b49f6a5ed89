/* CONV_2D of any shape: windows are gathered to tiles of four, then multiplied, for any weights.
 *
 * As conv2d_s8_hwc_im2col_bytepairs, with weights PAIRS (gemm.h). A product is below 2^14, sums are modulo 2^32. Bit-equal to
 * conv2d_s8_hwc_ref. Not supported: weights_zero other than 0; groups other than 1; windows of more than 2^20 inputs.
 */
#include "gemm_conv.h"

bool conv2d_s8_hwc_im2col_pairs_supports(const void *params) {
    return gemm_im2col_supports(params);
}

uint32_t conv2d_s8_hwc_im2col_pairs_scratch_bytes(const void *params) {
    return gemm_im2col_scratch_bytes(params);
}

uint32_t conv2d_s8_hwc_im2col_pairs_gap_bytes(const void *params) {
    return gemm_im2col_gap_bytes(params);
}

void conv2d_s8_hwc_im2col_pairs(const struct kernel_args *args) {
    gemm_im2col_run(args, GEMM_PAIRS);
}
