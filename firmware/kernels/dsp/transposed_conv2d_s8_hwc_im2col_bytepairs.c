/* TRANSPOSE_CONV of any shape, phase by phase (transposed_conv2d.h): windows are gathered to tiles of four, then multiplied.
 *
 * in [in_h][in_w][in_c], out [out_h][out_w][out_c], weights TRANSPOSED_BYTEPAIRS; no alignment needed but the blob's.
 * Positions are counted through the rows of a phase, so that a tile may begin at the end of a row and no pixel is computed in
 * vain; where rows are whole tiles, blocks end with them and are written in place, else by way of scratch. With K = 4 *
 * ceil(in_c / 4) * (most taps of a phase), scratch holds K-input pixels as for conv2d_s8_hwc_im2col_bytepairs and out_c bytes
 * of each. A block's windows and later ones are all that is read when it is written, so the output may overlap what lies
 * before them. Sums of a phase are below 2^23, by 256 below 2^31; the host refuses other weights. Bit-equal to
 * transposed_conv2d_s8_hwc_ref. Not supported: weights_zero other than 0; stride_h * stride_w above 256; K above 2^20.
 */
#include "transposed_conv2d.h"

bool transposed_conv2d_s8_hwc_im2col_bytepairs_supports(const void *params) {
    return transposed_im2col_supports(params);
}

uint32_t transposed_conv2d_s8_hwc_im2col_bytepairs_scratch_bytes(const void *params) {
    return transposed_im2col_scratch_bytes(params);
}

uint32_t transposed_conv2d_s8_hwc_im2col_bytepairs_gap_bytes(const void *params) {
    return transposed_im2col_gap_bytes(params);
}

void transposed_conv2d_s8_hwc_im2col_bytepairs(const struct kernel_args *args) {
    transposed_im2col_run(args, GEMM_BYTEPAIRS);
}
