/* CONV_2D with a 1x1 kernel and stride 1: a matrix product over all pixels, for any weights.
 *
 * As conv2d_s8_hwc_pointwise_bytepairs, with weights PAIRS (gemm.h). A product is below 2^14, sums are modulo 2^32. Bit-equal
 * to conv2d_s8_hwc_ref. Not supported: other kernels, strides or padding; weights_zero other than 0.
 */
#include "gemm_conv.h"

bool conv2d_s8_hwc_pointwise_pairs_supports(const void *params) {
    return gemm_pointwise_supports(params);
}

uint32_t conv2d_s8_hwc_pointwise_pairs_scratch_bytes(const void *params) {
    return gemm_pointwise_scratch_bytes(params);
}

uint32_t conv2d_s8_hwc_pointwise_pairs_gap_bytes(const void *params) {
    return gemm_pointwise_gap_bytes(params);
}

void conv2d_s8_hwc_pointwise_pairs(const struct kernel_args *args) {
    gemm_pointwise_run(args, GEMM_PAIRS);
}
