/* DEPTHWISE_CONV_2D of any kernel, stride, dilation and padding, four channels at a time.
 *
 * in [in_h][in_w][in_c], out [out_h][out_w][in_c], weights [kernel_h][kernel_w][in_c] (any alignment),
 * channels BMS. The rows under a window lie in a ring in scratch, padded, one word of four channels a column;
 * taps are taken in pairs: PKH, SXTB16, SMLAD. A product is below 2^14, sums are modulo 2^32. Bit-equal to
 * depthwise_s8_hwc_ref. Not supported: depth_multiplier other than 1, weights_zero other than 0.
 */
#include "depthwise_rows.h"

bool depthwise_s8_hwc_rows_supports(const void *params) {
    return depthwise_rows_supports(params);
}

uint32_t depthwise_s8_hwc_rows_scratch_bytes(const void *params) {
    return depthwise_rows_scratch_bytes(params);
}

void depthwise_s8_hwc_rows(const struct kernel_args *args) {
    depthwise_rows(args);
}
