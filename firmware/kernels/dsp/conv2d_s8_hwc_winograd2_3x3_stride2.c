/* CONV_2D with a 3x3 kernel, stride 2: even and odd pixels apart, Winograd F(2x2, 2x2) on the even ones,
 * 25 products instead of 36 for 4 outputs.
 *
 * in [in_h][in_w][in_c], out [out_h][out_w][out_c], any padding, dilation and groups, channels BMS, weights
 * WINOGRAD2_STRIDE2, which are 5.56 times OHWI; for each group, with the group's channels: int16 pairs
 * [out_c / 2 rounded up][25 * 2 * (in_c / 4 rounded up)][2].
 * Scratch: at most 28 KiB if in_c > 16 and both tensors together are at most 16 KiB, else 15.25 KiB, unless
 * four tiles need more: 0.4 KiB a channel from in_c = 144 (76) on. Bit-equal to conv2d_s8_hwc_ref whatever
 * the sums (winograd.h); any other weights blob gives some output. The output may lie over the input of a
 * single group, which is read first, block by block. Not supported: other kernels, strides; weights_zero other
 * than 0; in_c of a group over 256; images of which a tile is the most.
 */
#include <stddef.h>

#include "winograd.h"

static const struct winograd winograd2s2 = {
    .n = 2,
    .stride = 2,
    .positions = WINOGRAD2S2_SPACE,
    .products = 25,
    .pair_words = 0,
    .pad_rows = 1 << 1 | 1 << 3 | 1 << 4,
    .pad_factor = 1,
    .pixel_offset = 0,
    .bias_factor = 1,
    .fixes = 0,
    .rows_even = winograd2s2_rows_even,
    .rows_odd = winograd2s2_rows_odd,
    .columns = winograd2s2_columns,
    .multiply = winograd2s2_multiply,
    .multiply_wide = NULL,
    .output = winograd2s2_output,
    .sums = winograd2s2_sums,
};

bool conv2d_s8_hwc_winograd2_3x3_stride2_supports(const void *params) {
    return winograd_supports(&winograd2s2, params);
}

uint32_t conv2d_s8_hwc_winograd2_3x3_stride2_scratch_bytes(const void *params) {
    return winograd_scratch_bytes(&winograd2s2, params);
}

uint32_t conv2d_s8_hwc_winograd2_3x3_stride2_gap_bytes(const void *params) {
    return winograd_gap_bytes(&winograd2s2, params);
}

void conv2d_s8_hwc_winograd2_3x3_stride2(const struct kernel_args *args) {
    winograd_run(&winograd2s2, args);
}
