#include "gemm_conv.h"

#define MOST_INPUTS (1 << 20) /* scratch of 9 MB: no overflow */

static int32_t window_inputs(const struct conv2d_params *p) {
    return p->kernel_h * p->kernel_w * p->in_c;
}

/* Bytes that lie next to each other, in the window and in the image: a row of the window, or with dilation a pixel. */
static int32_t run_bytes(const struct conv2d_params *p) {
    return (p->dilation_w == 1 ? p->kernel_w : 1) * p->in_c;
}

static int32_t window_bytes(const struct conv2d_params *p) {
    return 4 * gemm_groups(window_inputs(p));
}

bool gemm_im2col_supports(const struct conv2d_params *p) {
    return p->weights_zero == 0 && p->groups == 1 && window_inputs(p) <= MOST_INPUTS;
}

/* Windows as bytes: those of a tile, or the one that reaches into the padding if the others need none. */
static int32_t windows_bytes(const struct conv2d_params *p) {
    return (run_bytes(p) % 4 ? GEMM_TILE : 1) * window_bytes(p);
}

uint32_t gemm_im2col_scratch_bytes(const struct conv2d_params *p) {
    return (uint32_t)(gemm_block_bytes(window_inputs(p), p->out_h * p->out_w) + windows_bytes(p));
}

/* When the block that begins at pixel q is gathered, q * out_c bytes are written; its rows and later ones are still needed.
 * For each output row, the last such q counts. */
uint32_t gemm_im2col_gap_bytes(const struct conv2d_params *p) {
    const int32_t block = gemm_block_pixels(window_inputs(p), p->out_h * p->out_w);
    int32_t gap = 0;
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        const int32_t q = ((oy + 1) * p->out_w - 1) / block * block;
        if (q < oy * p->out_w) continue;
        const int32_t top = oy * p->stride_h - p->pad_top;
        const int32_t needed = (top < 0 ? 0 : top > p->in_h ? p->in_h : top) * p->in_w * p->in_c;
        if (q * p->out_c - needed > gap) gap = q * p->out_c - needed;
    }
    return (uint32_t)gap;
}

/* Rows of `run` bytes; a last word that is not whole is copied together with bytes before it. */
static void copy_rows(const int8_t *from, int32_t from_step, int8_t *to, int32_t to_step, int32_t run,
                      int32_t rows) {
    const int32_t last = run - 4;
    for (; rows > 0; rows--, from += from_step, to += to_step) {
        if (last < 0) {
            for (int32_t i = 0; i < run; i++) to[i] = from[i];
        } else {
            for (int32_t i = 0; i < last; i += 4) store_word(to + i, load_word(from + i));
            store_word(to + last, load_word(from + last));
        }
    }
}

/* Of `count` places `step` apart, the first at `from`: where those inside 0 .. size - 1 begin and end. */
struct range {
    int32_t begin, end;
};

static struct range inside_range(int32_t from, int32_t step, int32_t count, int32_t size) {
    struct range range = {0, count};
    while (range.begin < count && from + range.begin * step < 0) range.begin++;
    while (range.end > range.begin && from + (range.end - 1) * step >= size) range.end--;
    return range;
}

/* The window at (top, left) as bytes, in the order of the weights; `to` is aligned. */
static void copy_window(const struct kernel_args *args, int32_t top, int32_t left, bool inside, int8_t *to) {
    const struct conv2d_params *p = args->params;
    const int32_t row_bytes = p->kernel_w * p->in_c, image_row_bytes = p->in_w * p->in_c;
    struct range y = {0, p->kernel_h}, x = {0, p->kernel_w};
    if (!inside) {
        const uint32_t zeros = (uint32_t)(uint8_t)p->input_zero * 0x01010101u;
        for (int32_t i = 0, bytes = window_bytes(p); i < bytes; i += 4) store_word(to + i, zeros);
        y = inside_range(top, p->dilation_h, p->kernel_h, p->in_h);
        x = inside_range(left, p->dilation_w, p->kernel_w, p->in_w);
        if (y.begin == y.end || x.begin == x.end) return;
    }
    const int32_t rows = y.end - y.begin, columns = x.end - x.begin;
    const int32_t first_row = top + y.begin * p->dilation_h, first_column = left + x.begin * p->dilation_w;
    const int8_t *from = args->in0 + first_row * image_row_bytes + first_column * p->in_c;
    to += y.begin * row_bytes + x.begin * p->in_c;
    if (p->dilation_w == 1) {
        copy_rows(from, p->dilation_h * image_row_bytes, to, row_bytes, columns * p->in_c, rows);
        return;
    }
    for (int32_t i = 0; i < rows; i++, from += p->dilation_h * image_row_bytes, to += row_bytes)
        copy_rows(from, p->dilation_w * p->in_c, to, p->in_c, p->in_c, columns);
}

/* Four windows inside the image whose runs are whole words, from where they are. */
static void expand_windows(const struct kernel_args *args, enum gemm_form form, int32_t top, int32_t left,
                           uint32_t *to) {
    const struct conv2d_params *p = args->params;
    const int32_t bytes = run_bytes(p), runs = p->kernel_w * p->in_c / bytes;
    const int8_t *row = args->in0 + (top * p->in_w + left) * p->in_c;
    for (int32_t ky = 0; ky < p->kernel_h; ky++, row += p->dilation_h * p->in_w * p->in_c) {
        const int8_t *from = row;
        for (int32_t run = 0; run < runs; run++, from += p->dilation_w * p->in_c)
            to = gemm_expand_tile(form, from, p->stride_w * p->in_c, bytes, to);
    }
}

/* Four windows inside the image, of three rows of nine bytes: 3x3 of three channels. Words that span two rows are put
 * together from parts, and nothing beyond a row is read. BYTEPAIRS. */
static void expand_nine_by_three(const int8_t *top, int32_t row_bytes, int32_t step, uint32_t *to) {
    for (const uint32_t *end = to + GEMM_TILE; to != end; to++, top += step) {
        const int8_t *middle = top + row_bytes, *bottom = middle + row_bytes;
        uint32_t *at = to;
        gemm_put(GEMM_BYTEPAIRS, load_word(top), at);
        gemm_put(GEMM_BYTEPAIRS, load_word(top + 4), at += 2 * GEMM_TILE);
        gemm_put(GEMM_BYTEPAIRS, (uint8_t)top[8] | load_word(middle) << 8, at += 2 * GEMM_TILE);
        gemm_put(GEMM_BYTEPAIRS, load_word(middle + 3), at += 2 * GEMM_TILE);
        gemm_put(GEMM_BYTEPAIRS, load_half(middle + 7) | load_half(bottom) << 16, at += 2 * GEMM_TILE);
        gemm_put(GEMM_BYTEPAIRS, load_word(bottom + 2), at += 2 * GEMM_TILE);
        gemm_put(GEMM_BYTEPAIRS, load_word(bottom + 5) >> 8, at += 2 * GEMM_TILE);
    }
}

void gemm_im2col_run(const struct kernel_args *args, enum gemm_form form) {
    const struct conv2d_params *p = args->params;
    const int32_t inputs = window_inputs(p), bytes = window_bytes(p);
    const struct gemm gemm = gemm_prepare(args, form, inputs);
    const int32_t block = gemm_block_pixels(inputs, p->out_h * p->out_w);
    const int32_t block_bytes = gemm_block_bytes(inputs, p->out_h * p->out_w);
    const bool words = run_bytes(p) % 4 == 0;
    const bool nine_by_three = form == GEMM_BYTEPAIRS && p->kernel_h == 3 && p->kernel_w * p->in_c == 9 &&
                               p->dilation_w == 1 && p->dilation_h == 1;
    const int32_t last_top = p->in_h - 1 - (p->kernel_h - 1) * p->dilation_h;
    const int32_t last_left = p->in_w - 1 - (p->kernel_w - 1) * p->dilation_w;
    int8_t *windows = (int8_t *)args->scratch + block_bytes;
    int8_t *out = args->out;
    int32_t waiting = 0; /* pixels in the tiles */
    for (int32_t oy = 0, top = -p->pad_top; oy < p->out_h; oy++, top += p->stride_h) {
        const bool inside = top >= 0 && top <= last_top;
        for (int32_t ox = 0, left = -p->pad_left; ox < p->out_w;) {
            uint32_t *to = (uint32_t *)args->scratch + waiting / GEMM_TILE * GEMM_TILE * (bytes / 2) +
                           waiting % GEMM_TILE;
            const bool whole = waiting % GEMM_TILE == 0 && p->out_w - ox >= GEMM_TILE;
            const bool all_inside = inside && left >= 0 && left + 3 * p->stride_w <= last_left;
            int32_t count = GEMM_TILE;
            if (whole && words && all_inside) {
                expand_windows(args, form, top, left, to);
            } else if (whole && nine_by_three && all_inside) {
                expand_nine_by_three(args->in0 + (top * p->in_w + left) * p->in_c, p->in_w * p->in_c,
                                     p->stride_w * p->in_c, to);
            } else if (whole && !words) {
                for (int32_t i = 0; i < GEMM_TILE; i++) {
                    const int32_t x = left + i * p->stride_w;
                    copy_window(args, top, x, inside && x >= 0 && x <= last_left, windows + i * bytes);
                }
                gemm_expand_tile(form, windows, bytes, inputs, to);
            } else {
                count = 1;
                copy_window(args, top, left, inside && left >= 0 && left <= last_left, windows);
                gemm_expand_pixel(form, windows, inputs, to);
            }
            ox += count;
            left += count * p->stride_w;
            waiting += count;
            if (waiting == block) {
                gemm_block(&gemm, args->scratch, block, out);
                out += block * p->out_c;
                waiting = 0;
            }
        }
    }
    if (waiting > 0) gemm_block(&gemm, args->scratch, waiting, out);
}
