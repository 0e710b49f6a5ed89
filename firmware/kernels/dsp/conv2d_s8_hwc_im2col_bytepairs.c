/* CONV_2D of any shape: windows are gathered to tiles of four, then multiplied, weights taken two bytes at a time.
 *
 * in [in_h][in_w][in_c], out [out_h][out_w][out_c], weights BYTEPAIRS (gemm.h) of windows in the order of OHWI; no alignment
 * needed but the blob's. Windows inside the image are expanded from where they are if the runs of bytes that they consist of
 * (rows; pixels if dilated) are whole words, else copied first. Scratch, with K = kernel_h * kernel_w * in_c: a block of
 * pixels as for conv2d_s8_hwc_pointwise_bytepairs with K for in_c, and up to 4 * (K + 3) bytes of windows. A block's windows
 * are read before it is written, so the output may overlap what lies before the top row of the next block's first window.
 * Sums are below 2^23, by 256 below 2^31; the host refuses other weights. Bit-equal to conv2d_s8_hwc_ref. Not supported:
 * weights_zero other than 0; groups other than 1; K up to 16, where PAIRS is faster.
 */
#include "gemm_conv.h"

bool conv2d_s8_hwc_im2col_bytepairs_supports(const void *params) {
    const struct conv2d_params *p = params;
    return gemm_im2col_supports(p) && p->kernel_h * p->kernel_w * p->in_c > GEMM_FEW_INPUTS;
}

uint32_t conv2d_s8_hwc_im2col_bytepairs_scratch_bytes(const void *params) {
    return gemm_im2col_scratch_bytes(params);
}

uint32_t conv2d_s8_hwc_im2col_bytepairs_gap_bytes(const void *params) {
    return gemm_im2col_gap_bytes(params);
}

void conv2d_s8_hwc_im2col_bytepairs(const struct kernel_args *args) {
    gemm_im2col_run(args, GEMM_BYTEPAIRS);
}
