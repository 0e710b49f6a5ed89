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

/* What a tap's cells have in common. */
struct image {
    const int8_t *in; /* first channel of the offset group */
    int32_t h, w, c;
    int32_t zero;
    bool masked;
};

/* -zero of the pixels inside, or the zero point for those outside and half of a sample's last bit. */
static int32_t start_of(const struct image *image, int32_t inside) {
    return image->masked ? -image->zero * inside : image->zero * ((1 << WEIGHT_BITS) - inside) + 32;
}

static int32_t clamp_index(int32_t i, int32_t count) {
    return i < 0 ? 0 : i < count ? i : count - 1;
}

/* A cell that is not wholly inside. */
static __attribute__((noinline)) void edge_cell(const struct image *image, int32_t iy, int32_t ix,
                                                struct corner_weights w, struct cell *cell) {
    const bool top = iy >= 0 && iy < image->h, bottom = iy + 1 >= 0 && iy + 1 < image->h;
    const bool left = ix >= 0 && ix < image->w, right = ix + 1 >= 0 && ix + 1 < image->w;
    if (!top || !left) w.w00 = 0;
    if (!top || !right) w.w01 = 0;
    if (!bottom || !left) w.w10 = 0;
    if (!bottom || !right) w.w11 = 0;
    const int32_t x0 = clamp_index(ix, image->w), x1 = clamp_index(ix + 1, image->w);
    cell->top = image->in + (clamp_index(iy, image->h) * image->w + x0) * image->c;
    cell->bottom = image->in + (clamp_index(iy + 1, image->h) * image->w + x0) * image->c;
    cell->right = (x1 - x0) * image->c;
    cell->top_weights = pkhbt_lsl16((uint32_t)w.w00, (uint32_t)w.w01);
    cell->bottom_weights = pkhbt_lsl16((uint32_t)w.w10, (uint32_t)w.w11);
    cell->start = start_of(image, w.w00 + w.w01 + w.w10 + w.w11);
}

static inline void find_cell(const struct image *image, int32_t y, int32_t x, struct cell *cell) {
    const struct corner_weights w = corner_weights(y, x);
    const int32_t iy = y >> POSITION_BITS, ix = x >> POSITION_BITS;
    if ((uint32_t)iy >= (uint32_t)(image->h - 1) || (uint32_t)ix >= (uint32_t)(image->w - 1)) {
        edge_cell(image, iy, ix, w, cell);
        return;
    }
    cell->top = image->in + (iy * image->w + ix) * image->c;
    cell->bottom = cell->top + image->w * image->c;
    cell->right = image->c;
    cell->top_weights = pkhbt_lsl16((uint32_t)w.w00, (uint32_t)w.w01);
    cell->bottom_weights = pkhbt_lsl16((uint32_t)w.w10, (uint32_t)w.w11);
    cell->start = start_of(image, 1 << WEIGHT_BITS);
}

/* A last group of `count` channels, 1 .. 3: the cell's bytes are copied, so that none behind the image is read. */
static __attribute__((noinline)) void gather_rest(const struct cell *cell, bool masked, int32_t first,
                                                  int32_t count, uint32_t *to) {
    const int8_t *const corners[4] = {cell->top + first, cell->top + first + cell->right,
                                      cell->bottom + first, cell->bottom + first + cell->right};
    uint32_t bytes[4];
    for (int32_t i = 0; i < 4; i++) bytes[i] = load_bytes(corners[i], count);
    struct cell copy = *cell;
    copy.top = (const int8_t *)bytes;
    copy.bottom = (const int8_t *)(bytes + 2);
    copy.right = sizeof *bytes;
    (masked ? deformable_gather_masked : deformable_gather)(&copy, to, 1);
}

static uint32_t *gather_run(const struct cell *cell, bool masked, int32_t run, uint32_t *to) {
    const int32_t whole = run / 4;
    if (whole > 0) (masked ? deformable_gather_masked : deformable_gather)(cell, to, whole);
    to += whole * 2 * GEMM_TILE;
    if (run % 4 == 0) return to;
    gather_rest(cell, masked, 4 * whole, run % 4, to);
    return to + 2 * GEMM_TILE;
}

/* All inputs of the pixel at (oy, ox); `to` is its word in the tile. */
static void gather_pixel(const struct kernel_args *args, int32_t oy, int32_t ox, uint32_t *to) {
    const struct deformable_conv2d_params *p = args->params;
    const int32_t run = run_of(p), left = ox * p->stride_w - p->pad_left;
    struct image image = {args->in0, p->in_h, p->in_w, p->in_c, p->input_zero, p->masked != 0};
    int32_t index = (oy * p->out_w + ox) * p->offset_groups * p->kernel_h * p->kernel_w;
    for (int32_t group = 0; group < p->offset_groups; group++, image.in += run) {
        int32_t base_y = oy * p->stride_h - p->pad_top;
        for (int32_t ky = 0; ky < p->kernel_h; ky++, base_y += p->dilation_h) {
            int32_t base_x = left;
            for (int32_t kx = 0; kx < p->kernel_w; kx++, base_x += p->dilation_w, index++) {
                const int32_t y =
                    deformable_position(base_y, deformable_step(args, 2 * index), p->offset_multiplier);
                const int32_t x =
                    deformable_position(base_x, deformable_step(args, 2 * index + 1), p->offset_multiplier);
                struct cell cell;
                find_cell(&image, y, x, &cell);
                cell.factor = image.masked ? args->in2[index] - p->mask_zero : 0;
                to = gather_run(&cell, image.masked, run, to);
            }
        }
    }
}

void deformable_conv2d_s8_hwc_samples(const struct kernel_args *args) {
    const struct deformable_conv2d_params *p = args->params;
    const int32_t inputs = deformable_inputs(p), pixels = p->out_h * p->out_w;
    const int32_t block = gemm_block_pixels(inputs, pixels);
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
            gather_pixel(args, oy, ox, tile + waiting % GEMM_TILE);
            if (++waiting < block && waiting < left) continue;
            gemm_block(&gemm, args->scratch, waiting, out);
            out += waiting * p->out_c;
            left -= waiting;
            waiting = 0;
        }
    }
}
