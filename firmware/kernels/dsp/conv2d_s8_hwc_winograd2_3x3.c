/* CONV_2D with a 3x3 kernel, stride 1: exact integer Winograd F(2x2, 3x3),
 * 16 products instead of 36 for 4 outputs.
 *
 * in [in_h][in_w][in_c], out [out_h][out_w][out_c], any padding, dilation and groups, channels BMS, weights
 * WINOGRAD2, 3.56 times OHWI; for each group, with the group's channels:
 *     int16 pairs [out_c / 2 rounded up][16][2 * (in_c / 4 rounded up)][2]
 * Scratch: at most 28 KiB if in_c > 16 and both tensors together are at most 16 KiB, else 15.25 KiB, unless
 * four tiles need more: 0.25 KiB a channel from in_c = 208 (104) on. Bit-equal to conv2d_s8_hwc_ref if the
 * host found every sum within +-2^29 (winograd.h); any other weights blob gives some output. The output may
 * lie over the input of a single group, which is read first, block by block. Not supported: other kernels,
 * strides; weights_zero other than 0; in_c of a group over 256; images of which a tile is the most.
 */
#include "winograd.h"

static const struct winograd winograd2 = {
    .n = 2,
    .stride = 1,
    .positions = WINOGRAD2_SPACE,
    .products = WINOGRAD2_SPACE,
    .pair_words = 4 * WINOGRAD2_SPACE,
    .pad_rows = 1 << 0,
    .pad_factor = 2,
    .pixel_offset = 0,
    .bias_factor = 4,
    .fixes = 0,
    .rows_even = winograd2_rows_even,
    .rows_odd = winograd2_rows_odd,
    .columns = winograd2_columns,
    .multiply = winograd2_multiply,
    .multiply_wide = winograd2_multiply_wide,
    .output = winograd2_output,
    .sums = winograd2_sums,
};

bool conv2d_s8_hwc_winograd2_3x3_supports(const void *params) {
    return winograd_supports(&winograd2, params);
}

uint32_t conv2d_s8_hwc_winograd2_3x3_scratch_bytes(const void *params) {
    return winograd_scratch_bytes(&winograd2, params);
}

uint32_t conv2d_s8_hwc_winograd2_3x3_gap_bytes(const void *params) {
    return winograd_gap_bytes(&winograd2, params);
}

void conv2d_s8_hwc_winograd2_3x3(const struct kernel_args *args) {
    winograd_run(&winograd2, args);
}
