/* CONV_2D of any shape, with groups or dilated columns: rows are gathered so that windows are runs of bytes, then multiplied.
 *
 * in [in_h][in_w][in_c], out [out_h][out_w][out_c], weights GATHERED_BYTEPAIRS: for each group the BYTEPAIRS (gemm.h) of windows
 * whose rows, kernel_w * in_c / groups inputs, are filled up to whole words with zeros. No alignment needed but the blob's.
 *
 *     One group after the other. A ring holds the rows of a window, the group's channels only, padding included, and each row
 *     by phases: first the columns 0, dilation_w, 2 dilation_w, ..., then 1, dilation_w + 1, ... So a row of a window is one run
 *     of bytes, and outputs x, x + turns, x + 2 turns, ..., with turns = dilation_w / gcd(stride_w, dilation_w), have theirs at
 *     equal steps: tiles of four are expanded from where they are. What is read behind a run meets zeros of the weights.
 *
 * Scratch: a block of pixels as for conv2d_s8_hwc_pointwise_bytepairs with the filled window's inputs for in_c, and with
 * n = min((kernel_h - 1) * dilation_h + 1, in_h + 1) rows in the ring, n times a row of the image with padding and up to three
 * windows more, in_c / groups bytes a pixel: at most 2 MB. Rows are read before an output row is written that needs them, so
 * the output of a single group may overlap what lies before the next window's top. Sums are below 2^23, by 256 below 2^31; the
 * host refuses other weights. Bit-equal to conv2d_s8_hwc_ref. Not supported: weights_zero other than 0; a single group that is
 * not dilated, for which there are others; windows of up to 16 inputs, where PAIRS is faster; larger windows than 2^20 inputs,
 * larger rings.
 */
#include "gemm_conv.h"

bool conv2d_s8_hwc_gathered_bytepairs_supports(const void *params) {
    const struct conv2d_params *p = params;
    return gemm_gathered_supports(p) && p->kernel_h * gemm_gathered_row(p) > GEMM_FEW_INPUTS;
}

uint32_t conv2d_s8_hwc_gathered_bytepairs_scratch_bytes(const void *params) {
    return gemm_gathered_scratch_bytes(params);
}

uint32_t conv2d_s8_hwc_gathered_bytepairs_gap_bytes(const void *params) {
    return gemm_gathered_gap_bytes(params);
}

void conv2d_s8_hwc_gathered_bytepairs(const struct kernel_args *args) {
    gemm_gathered_run(args, GEMM_BYTEPAIRS);
}
