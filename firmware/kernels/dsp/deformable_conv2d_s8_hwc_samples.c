/* Deformable convolution: windows are interpolated to tiles of four, then multiplied.
 *
 * in0 [in_h][in_w][in_c], offsets and mask as in the reference, out [out_h][out_w][out_c], weights SAMPLES (gemm.h). Where a tap
 * reads is found once for all channels of its offset group: a cell of four pixels and their weights; then its samples, int16
 * with 8 bits of fraction, go to the tile, four channels at a time (deformable_row.h). Inputs of a pixel are, for each
 * offset group and tap, the group's channels, filled up to four. Cells at the image's edge take corners that exist with weight 0
 * for those that do not, whatever the offsets are. Scratch: a block of pixels as for conv2d_s8_hwc_pointwise_pairs with those
 * inputs. Sums, by 256, are below 2^31; the host refuses other weights. Layers of several groups run as dense ones whose other
 * weights are 0. Bit-equal to deformable_conv2d_s8_hwc_ref. Not supported: weights_zero other than 0.
 */
#include <stddef.h>

#include "deformable_row.h"
#include "gemm.h"

#if defined(__ARM_FEATURE_DSP)
_Static_assert(offsetof(struct deformable_row, last_x) == 20 &&
                   offsetof(struct deformable_row, zero) == ROW_ZERO &&
                   offsetof(struct deformable_row, run_bytes) == ROW_RUN_BYTES &&
                   offsetof(struct deformable_row, taps) == ROW_TAPS && ROW_TAPS == ROW_GAP_BYTES + 4 &&
                   offsetof(struct deformable_row, multiplier) == ROW_MULTIPLIER &&
                   offsetof(struct deformable_row, x) == ROW_X && ROW_X == ROW_Y + 4 &&
                   offsetof(struct deformable_row, step) == ROW_STEP &&
                   offsetof(struct deformable_row, mask_zero) == ROW_MASK_ZERO &&
                   offsetof(struct deformable_row, mask) == ROW_OFFSETS + 4,
               "deformable_row.S");
#endif

#define MOST_INPUTS  (1 << 20) /* scratch of 9 MB: no overflow */
#define MOST_WEIGHTS (1 << 28)

static const struct gemm_code_set samples_set = {{gemm_samples_ties, gemm_samples_short}, gemm_samples_sums};

/* Channels of an offset group. */
static int32_t run_of(const struct deformable_conv2d_params *p) {
    return p->in_c / p->offset_groups;
}

bool deformable_conv2d_s8_hwc_samples_supports(const void *params) {
    const struct deformable_conv2d_params *p = params;
    const int64_t taps = p->offset_groups * p->kernel_h * p->kernel_w;
    const int64_t inputs = taps * 4 * gemm_groups(run_of(p));
    return p->weights_zero == 0 && inputs <= MOST_INPUTS && inputs * p->out_c <= MOST_WEIGHTS;
}

uint32_t deformable_conv2d_s8_hwc_samples_scratch_bytes(const void *params) {
    const struct deformable_conv2d_params *p = params;
    return (uint32_t)gemm_block_bytes(deformable_inputs(p), p->out_h * p->out_w);
}

static deformable_row_kernel *const row_kernels[2][2] = {{deformable_row_s8, deformable_row_s8_masked},
                                                         {deformable_row_s16, deformable_row_s16_masked}};

/* At the first tap of the first pixel. */
static struct deformable_row first_row(const struct kernel_args *args) {
    const struct deformable_conv2d_params *p = args->params;
    return (struct deformable_row){
        .row_bytes = p->in_w * p->in_c,
        .c = p->in_c,
        .start = deformable_start(p->input_zero, p->masked != 0),
        .last_y = p->in_h - 1,
        .last_x = p->in_w - 1,
        .zero = p->input_zero,
        .run_bytes = run_of(p) / 4 * ROW_GROUP_BYTES,
        .gap_bytes = run_of(p) % 4 ? ROW_GROUP_BYTES : 0,
        .multiplier = p->offset_multiplier,
        .offset_zero = p->offset_zero * (1 << 15),
        .step = p->dilation_w * (1 << POSITION_BITS),
        .mask_zero = p->mask_zero,
        .offsets = args->in1,
        .mask = args->in2,
    };
}

/* The last 1 .. 3 channels of every tap of a row, behind the whole groups; nothing behind the image is read. */
static __attribute__((noinline)) uint32_t *gather_rest(struct deformable_row *row, int32_t rest, bool wide,
                                                       bool masked, uint32_t *to) {
    const int32_t first = row->run_bytes / ROW_GROUP_BYTES * 4;
    while (row->taps > 0) {
        const struct cell cell = deformable_cell(row, wide, masked);
        uint32_t samples[4] = {0};
        for (int32_t i = 0; i < rest; i++) samples[i] = deformable_sample(&cell, first + i, masked);
        to += row->run_bytes / (int32_t)sizeof *to;
        to[0] = pkhbt_lsl16(samples[0], samples[2]);
        to[GEMM_TILE] = pkhbt_lsl16(samples[1], samples[3]);
        to += 2 * GEMM_TILE;
    }
    return to;
}

/* All inputs of the pixel at (oy, ox); `row` is at its first tap, `to` its word in the tile. */
static void gather_pixel(const struct kernel_args *args, struct deformable_row *row, int32_t oy, int32_t ox,
                         uint32_t *to) {
    const struct deformable_conv2d_params *p = args->params;
    const bool wide = p->offset_bytes == 2, masked = p->masked != 0;
    const int32_t run = run_of(p), x = (ox * p->stride_w - p->pad_left) * (1 << POSITION_BITS);
    row->in = args->in0;
    for (int32_t group = 0; group < p->offset_groups; group++, row->in += run) {
        row->y = (oy * p->stride_h - p->pad_top) * (1 << POSITION_BITS);
        for (int32_t ky = 0; ky < p->kernel_h; ky++, row->y += p->dilation_h * (1 << POSITION_BITS)) {
            row->x = x;
            row->taps = p->kernel_w;
            if (run % 4 == 0) {
                to = row_kernels[wide][masked](row, to);
                continue;
            }
            struct deformable_row rest = *row;
            if (run > 4) row_kernels[wide][masked](row, to);
            to = gather_rest(&rest, run % 4, wide, masked, to);
            *row = rest;
        }
    }
}

void deformable_conv2d_s8_hwc_samples(const struct kernel_args *args) {
    const struct deformable_conv2d_params *p = args->params;
    const int32_t inputs = deformable_inputs(p), pixels = p->out_h * p->out_w;
    const int32_t block = gemm_block_pixels(inputs, pixels);
    struct deformable_row row = first_row(args);
    const struct gemm_record *records = args->weights;
    const struct gemm gemm = {
        .records = records,
        .weights = (const uint32_t *)(records + (p->out_c + 1) / 2),
        .groups = gemm_groups(inputs),
        .out_c = p->out_c,
        .set = &samples_set,
        .layer = rescale_layer(p->output_zero, p->clamp_min, p->clamp_max, p->rounding),
    };
    int8_t *out = args->out;
    int32_t waiting = 0, left = pixels; /* in the tiles; not yet multiplied */
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        for (int32_t ox = 0; ox < p->out_w; ox++) {
            uint32_t *tile = (uint32_t *)args->scratch + waiting / GEMM_TILE * (2 * GEMM_TILE) * gemm.groups;
            gather_pixel(args, &row, oy, ox, tile + waiting % GEMM_TILE);
            if (++waiting < block && waiting < left) continue;
            gemm_block(&gemm, args->scratch, waiting, out);
            out += waiting * p->out_c;
            left -= waiting;
            waiting = 0;
        }
    }
}
