/* CONV_2D of any shape, with groups or dilated columns, for any weights.
 *
 * As conv2d_s8_hwc_gathered_bytepairs, with weights GATHERED_PAIRS (gemm.h). A product is below 2^14, sums are modulo 2^32.
 * Bit-equal to conv2d_s8_hwc_ref. Not supported: weights_zero other than 0; a single group that is not dilated; larger windows
 * than 2^20 inputs, larger rings.
 */
#include "gemm_conv.h"

bool conv2d_s8_hwc_gathered_pairs_supports(const void *params) {
    return gemm_gathered_supports(params);
}

uint32_t conv2d_s8_hwc_gathered_pairs_scratch_bytes(const void *params) {
    return gemm_gathered_scratch_bytes(params);
}

uint32_t conv2d_s8_hwc_gathered_pairs_gap_bytes(const void *params) {
    return gemm_gathered_gap_bytes(params);
}

void conv2d_s8_hwc_gathered_pairs(const struct kernel_args *args) {
    gemm_gathered_run(args, GEMM_PAIRS);
}
