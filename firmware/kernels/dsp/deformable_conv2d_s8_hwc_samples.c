/* Deformable convolution: windows are interpolated to tiles of four, then multiplied.
 *
 * in0 [in_h][in_w][in_c], offsets and mask as in the reference, out [out_h][out_w][out_c], weights SAMPLES (gemm.h). Where a tap
 * reads is found once for all channels of its offset group: a cell of four pixels and their weights; then its samples, int16
 * with 8 bits of fraction, go to the tile, four channels at a time (deformable_gather.h). Inputs of a pixel are, for each
 * offset group and tap, the group's channels, filled up to four. Cells at the image's edge take corners that exist with weight 0
 * for those that do not, whatever the offsets are. Scratch: a block of pixels as for conv2d_s8_hwc_pointwise_pairs with those
 * inputs. Sums, by 256, are below 2^31; the host refuses other weights. Layers of several groups run as dense ones whose other
 * weights are 0. Bit-equal to deformable_conv2d_s8_hwc_ref. Not supported: weights_zero other than 0.
 */
#include "deformable_gather.h"
#include "gemm.h"

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

/* What all cells have in common. */
struct image {
    int32_t h, w, c;
    int32_t row_bytes;
    int32_t zero;
    int32_t start;        /* of a cell that is wholly inside */
    int32_t groups, rest; /* of four channels in an offset group, and channels behind them */
    deformable_gather_kernel *gather;
};

/* Without a mask samples keep the zero point, and start with half of their last bit; masked ones are without it. */
static struct image image_of(const struct deformable_conv2d_params *p) {
    return (struct image){
        .h = p->in_h,
        .w = p->in_w,
        .c = p->in_c,
        .row_bytes = p->in_w * p->in_c,
        .zero = p->input_zero,
        .start = p->masked ? -p->input_zero * (1 << WEIGHT_BITS) : 32,
        .groups = run_of(p) / 4,
        .rest = run_of(p) % 4,
        .gather = p->masked ? deformable_gather_masked : deformable_gather,
    };
}

/* A cell that is not wholly inside, at pixel (iy, ix) of the image at `in`; its weights are those of one inside. */
static __attribute__((noinline)) void edge_cell(const struct image *image, const int8_t *in, int32_t iy,
                                                int32_t ix, struct cell *cell) {
    const bool top = (uint32_t)iy < (uint32_t)image->h, bottom = (uint32_t)iy + 1 < (uint32_t)image->h;
    const bool left = (uint32_t)ix < (uint32_t)image->w, right = (uint32_t)ix + 1 < (uint32_t)image->w;
    const uint32_t columns = (left ? 0x0000ffffu : 0) | (right ? 0xffff0000u : 0);
    cell->top_weights &= top ? columns : 0;
    cell->bottom_weights &= bottom ? columns : 0;
    const int32_t inside = smlad(cell->top_weights, 0x00010001u, smlad(cell->bottom_weights, 0x00010001u, 0));
    cell->start = image->start + image->zero * ((1 << WEIGHT_BITS) - inside);
    /* above or left of the image the other pixel is the first one */
    cell->top = in + (top ? iy * image->row_bytes : 0) + (left ? ix * image->c : 0);
    cell->bottom = cell->top + (top && bottom ? image->row_bytes : 0);
    cell->right = left && right ? image->c : 0;
}

static inline void find_cell(const struct image *image, const int8_t *in, int32_t y, int32_t x,
                             struct cell *cell) {
    const struct corner_weights w = corner_weights(y, x);
    const int32_t iy = y >> POSITION_BITS, ix = x >> POSITION_BITS;
    cell->top_weights = pkhbt_lsl16((uint32_t)w.w00, (uint32_t)w.w01);
    cell->bottom_weights = pkhbt_lsl16((uint32_t)w.w10, (uint32_t)w.w11);
    if ((uint32_t)iy >= (uint32_t)(image->h - 1) || (uint32_t)ix >= (uint32_t)(image->w - 1)) {
        edge_cell(image, in, iy, ix, cell);
        return;
    }
    cell->top = in + iy * image->row_bytes + ix * image->c;
    cell->bottom = cell->top + image->row_bytes;
    cell->right = image->c;
    cell->start = image->start;
}

/* A last group of 1 .. 3 channels: the cell's bytes are copied, so that none behind the image is read. */
static __attribute__((noinline)) void gather_rest(const struct image *image, const struct cell *cell,
                                                  uint32_t *to) {
    const int8_t *const top = cell->top + 4 * image->groups, *const bottom = cell->bottom + 4 * image->groups;
    const uint32_t bytes[4] = {load_bytes(top, image->rest), load_bytes(top + cell->right, image->rest),
                               load_bytes(bottom, image->rest),
                               load_bytes(bottom + cell->right, image->rest)};
    struct cell copy = *cell;
    copy.top = (const int8_t *)bytes;
    copy.bottom = (const int8_t *)(bytes + 2);
    copy.right = sizeof *bytes;
    image->gather(&copy, to, 1);
}

/* Inputs of the taps of one row of the window and one offset group: `index` is the first one's in offsets and mask, y and x its
 * place without the offset, in pixels. Returns where those of the next tap go. */
static uint32_t *gather_row(const struct kernel_args *args, const struct image *image, const int8_t *in,
                            int32_t index, int32_t y, int32_t x, uint32_t *to) {
    const struct deformable_conv2d_params *p = args->params;
    const int32_t multiplier = p->offset_multiplier;
    struct cell cell;
    for (const int32_t end = index + p->kernel_w; index != end; index++, x += p->dilation_w) {
        find_cell(image, in, deformable_position(y, deformable_step(args, 2 * index), multiplier),
                  deformable_position(x, deformable_step(args, 2 * index + 1), multiplier), &cell);
        cell.factor = p->masked ? args->in2[index] - p->mask_zero : 0;
        if (image->groups > 0) image->gather(&cell, to, image->groups);
        to += image->groups * 2 * GEMM_TILE;
        if (image->rest > 0) {
            gather_rest(image, &cell, to);
            to += 2 * GEMM_TILE;
        }
    }
    return to;
}

/* All inputs of the pixel at (oy, ox); `to` is its word in the tile. */
static void gather_pixel(const struct kernel_args *args, const struct image *image, int32_t oy, int32_t ox,
                         uint32_t *to) {
    const struct deformable_conv2d_params *p = args->params;
    const int8_t *in = args->in0;
    int32_t index = (oy * p->out_w + ox) * p->offset_groups * p->kernel_h * p->kernel_w;
    for (int32_t group = 0; group < p->offset_groups; group++, in += run_of(p)) {
        int32_t y = oy * p->stride_h - p->pad_top;
        for (int32_t ky = 0; ky < p->kernel_h; ky++, y += p->dilation_h, index += p->kernel_w)
            to = gather_row(args, image, in, index, y, ox * p->stride_w - p->pad_left, to);
    }
}

void deformable_conv2d_s8_hwc_samples(const struct kernel_args *args) {
    const struct deformable_conv2d_params *p = args->params;
    const int32_t inputs = deformable_inputs(p), pixels = p->out_h * p->out_w;
    const int32_t block = gemm_block_pixels(inputs, pixels);
    const struct image image = image_of(p);
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
            gather_pixel(args, &image, oy, ox, tile + waiting % GEMM_TILE);
            if (++waiting < block && waiting < left) continue;
            gemm_block(&gemm, args->scratch, waiting, out);
            out += waiting * p->out_c;
            left -= waiting;
            waiting = 0;
        }
    }
}
