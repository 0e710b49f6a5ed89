/* CONV_2D with a 1x1 kernel and stride 1: a matrix product over all pixels, weights taken two bytes at a time.
 *
 * in [pixels][in_c], out [pixels][out_c], weights BYTEPAIRS (gemm.h); no alignment needed but the blob's. Any groups, which are
 * layers of their own, one after the other; in_c is that of a group in what follows. Blocks of 4 to 64 pixels are expanded to
 * int16 in scratch: up to 1,920 bytes for in_c <= 120, 4,608 for in_c <= 288, then 8 an input. A block is read before it is
 * written, so the output may overlap the input of a single group as far as it stays behind the next block. Sums are below 2^23,
 * by 256 below 2^31; the host refuses other weights. Bit-equal to conv2d_s8_hwc_ref. Not supported: other kernels, strides or
 * padding; weights_zero other than 0; in_c up to 16, where PAIRS is faster.
 */
#include "gemm_conv.h"

bool conv2d_s8_hwc_pointwise_bytepairs_supports(const void *params) {
    const struct conv2d_params *p = params;
    return gemm_pointwise_supports(p) && p->in_c / p->groups > GEMM_FEW_INPUTS;
}

uint32_t conv2d_s8_hwc_pointwise_bytepairs_scratch_bytes(const void *params) {
    return gemm_pointwise_scratch_bytes(params);
}

uint32_t conv2d_s8_hwc_pointwise_bytepairs_gap_bytes(const void *params) {
    return gemm_pointwise_gap_bytes(params);
}

void conv2d_s8_hwc_pointwise_bytepairs(const struct kernel_args *args) {
    gemm_pointwise_run(args, GEMM_BYTEPAIRS);
}
