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
    return p->weights_zero == 0 && window_inputs(p) <= MOST_INPUTS;
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

static int8_t *copy(const int8_t *from, int32_t count, int8_t *to) {
    for (; count >= 4; count -= 4, from += 4, to += 4) store_word(to, load_word(from));
    for (; count > 0; count--) *to++ = *from++;
    return to;
}

static int8_t *fill(int8_t value, int32_t count, int8_t *to) {
    for (; count > 0; count--) *to++ = value;
    return to;
}

/* The window at (top, left) as bytes, in the order of the weights. */
static void copy_window(const struct kernel_args *args, int32_t top, int32_t left, int8_t *to) {
    const struct conv2d_params *p = args->params;
    const int8_t zero = (int8_t)p->input_zero;
    /* columns of an undilated window before, in and after the image */
    const int32_t before = left >= 0 ? 0 : -left < p->kernel_w ? -left : p->kernel_w;
    const int32_t end = p->in_w - left < p->kernel_w ? p->in_w - left : p->kernel_w;
    const int32_t inside = end > before ? end - before : 0;
    for (int32_t ky = 0, iy = top; ky < p->kernel_h; ky++, iy += p->dilation_h) {
        if (iy < 0 || iy >= p->in_h) {
            to = fill(zero, p->kernel_w * p->in_c, to);
        } else if (p->dilation_w == 1) {
            to = fill(zero, before * p->in_c, to);
            if (inside) to = copy(args->in0 + (iy * p->in_w + left + before) * p->in_c, inside * p->in_c, to);
            to = fill(zero, (p->kernel_w - before - inside) * p->in_c, to);
        } else {
            for (int32_t kx = 0, ix = left; kx < p->kernel_w; kx++, ix += p->dilation_w)
                to = ix < 0 || ix >= p->in_w ? fill(zero, p->in_c, to)
                                             : copy(args->in0 + (iy * p->in_w + ix) * p->in_c, p->in_c, to);
        }
    }
}

/* Windows inside the image whose runs are whole words: `pixels`, 1 or 4, go to `to`. */
static void expand_windows(const struct kernel_args *args, enum gemm_form form, int32_t pixels, int32_t top,
                           int32_t left, uint32_t *to) {
    const struct conv2d_params *p = args->params;
    const int32_t bytes = run_bytes(p), runs = p->kernel_w * p->in_c / bytes;
    const int8_t *row = args->in0 + (top * p->in_w + left) * p->in_c;
    for (int32_t ky = 0; ky < p->kernel_h; ky++, row += p->dilation_h * p->in_w * p->in_c) {
        const int8_t *from = row;
        for (int32_t run = 0; run < runs; run++, from += p->dilation_w * p->in_c) {
            to = pixels == GEMM_TILE ? gemm_expand_tile(form, from, p->stride_w * p->in_c, bytes, to)
                                     : gemm_expand_pixel(form, from, bytes, to);
        }
    }
}

void gemm_im2col_run(const struct kernel_args *args, enum gemm_form form) {
    const struct conv2d_params *p = args->params;
    const int32_t inputs = window_inputs(p), bytes = window_bytes(p);
    const struct gemm gemm = gemm_prepare(args, form, inputs);
    const int32_t block = gemm_block_pixels(inputs, p->out_h * p->out_w);
    const int32_t block_bytes = gemm_block_bytes(inputs, p->out_h * p->out_w);
    const bool words = run_bytes(p) % 4 == 0;
    const int32_t last_top = p->in_h - 1 - (p->kernel_h - 1) * p->dilation_h;
    const int32_t last_left = p->in_w - 1 - (p->kernel_w - 1) * p->dilation_w;
    int8_t *windows = (int8_t *)args->scratch + block_bytes;
    int8_t *out = args->out;
    int32_t waiting = 0; /* pixels in the tiles */
    for (int32_t oy = 0, top = -p->pad_top; oy < p->out_h; oy++, top += p->stride_h) {
        for (int32_t ox = 0, left = -p->pad_left; ox < p->out_w;) {
            const bool whole = waiting % GEMM_TILE == 0 && p->out_w - ox >= GEMM_TILE;
            int32_t count = whole ? GEMM_TILE : 1;
            uint32_t *to = (uint32_t *)args->scratch + waiting / GEMM_TILE * GEMM_TILE * (bytes / 2) +
                           waiting % GEMM_TILE;
            const int32_t right = left + (count - 1) * p->stride_w;
            if (words && top >= 0 && top <= last_top && left >= 0 && right <= last_left) {
                expand_windows(args, form, count, top, left, to);
            } else if (words || !whole) {
                count = 1;
                if (words && top >= 0 && top <= last_top && left >= 0 && left <= last_left) {
                    expand_windows(args, form, 1, top, left, to);
                } else {
                    copy_window(args, top, left, windows);
                    gemm_expand_pixel(form, windows, inputs, to);
                }
            } else {
                for (int32_t i = 0; i < GEMM_TILE; i++)
                    copy_window(args, top, left + i * p->stride_w, windows + i * bytes);
                gemm_expand_tile(form, windows, bytes, inputs, to);
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
