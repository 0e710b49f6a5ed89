/* CONV_2D with a 3x3 kernel, stride 1: exact integer Winograd F(4x4, 3x3),
 * 36 products instead of 144 for 16 outputs.
 *
 * in [in_h][in_w][in_c], out [out_h][out_w][out_c], any padding, dilation and groups, channels BMS, weights
 * WINOGRAD4, 8 times OHWI; for each group, with the group's channels:
 *     int16 pairs [out_c / 2 rounded up][36][2 * (in_c / 4 rounded up)][2], then int32 [out_c][5]
 * Scratch: at most 28 KiB if in_c > 16 and both tensors together are at most 16 KiB, else 15.25 KiB, unless
 * four tiles need more: 0.6 KiB a channel from in_c = 80 (44) on. Bit-equal to conv2d_s8_hwc_ref if the
 * host found every sum within +-2^25 (winograd.h); any other weights blob gives some output. The output may
 * lie over the input of a single group, which is read first, block by block. Not supported: other kernels,
 * strides; weights_zero other than 0; in_c of a group over 256; images of which a tile is the most.
 */
#include "winograd.h"

static const struct winograd winograd4 = {
    .n = 4,
    .stride = 1,
    .positions = WINOGRAD4_SPACE,
    .products = WINOGRAD4_SPACE,
    .pair_words = 4 * WINOGRAD4_SPACE,
    .pad_rows = 1 << 0,
    .pad_factor = -6,
    .pixel_offset = 128,
    .bias_factor = 36,
    .fixes = 5,
    .rows_even = winograd4_rows_even,
    .rows_odd = winograd4_rows_odd,
    .columns = winograd4_columns,
    .multiply = winograd4_multiply,
    .multiply_wide = winograd4_multiply_wide,
    .output = winograd4_output,
    .sums = winograd4_sums,
};

bool conv2d_s8_hwc_winograd4_3x3_supports(const void *params) {
    return winograd_supports(&winograd4, params);
}

uint32_t conv2d_s8_hwc_winograd4_3x3_scratch_bytes(const void *params) {
    return winograd_scratch_bytes(&winograd4, params);
}

uint32_t conv2d_s8_hwc_winograd4_3x3_gap_bytes(const void *params) {
    return winograd_gap_bytes(&winograd4, params);
}

void conv2d_s8_hwc_winograd4_3x3(const struct kernel_args *args) {
    winograd_run(&winograd4, args);
}
