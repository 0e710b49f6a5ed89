#include "gemm_conv.h"

#define MOST_INPUTS (1 << 20)
#define MOST_BYTES  (1 << 21) /* of the ring */
#define EMPTY       (-1)
#define ZEROS       (-2)

/* How a layer is cut; conv2d_s8_hwc_gathered_bytepairs.c has the idea. */
struct shape {
    int32_t group_c;      /* input channels of a group */
    int32_t turns;        /* outputs x, x + turns, ... of a row have their windows in one phase */
    int32_t step;         /* entries from the window of x to that of x + turns */
    int32_t most;         /* outputs of a turn */
    int64_t phase_bytes;  /* of a row in the ring, one phase */
    int64_t row_bytes;    /* of a row in the ring */
    int32_t rows;         /* in the ring */
    int32_t window_bytes; /* of a window's row, whole words */
};

static int32_t common_divisor(int32_t a, int32_t b) {
    while (b != 0) {
        const int32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static struct shape shape_of(const struct conv2d_params *p) {
    const int32_t divisor = common_divisor(p->stride_w, p->dilation_w);
    struct shape shape;
    shape.group_c = p->in_c / p->groups;
    shape.turns = p->dilation_w / divisor;
    shape.step = p->stride_w / divisor;
    shape.most = (p->out_w + shape.turns - 1) / shape.turns;
    const int32_t last = (shape.turns < p->out_w ? shape.turns : p->out_w) - 1;
    const int32_t first = last * p->stride_w / p->dilation_w; /* most that a turn begins at */
    const int32_t tiles = (shape.most + GEMM_TILE - 1) / GEMM_TILE * GEMM_TILE;
    shape.phase_bytes = ((int64_t)(tiles - 1) * shape.step + first + p->kernel_w) * shape.group_c;
    shape.row_bytes =
        (p->dilation_w * shape.phase_bytes + 3 + 3) / 4 * 4; /* three bytes may be read behind it */
    shape.rows = (p->kernel_h - 1) * p->dilation_h + 1;
    if (shape.rows > p->in_h + 1) shape.rows = p->in_h + 1;
    shape.window_bytes = gemm_gathered_row(p);
    return shape;
}

bool gemm_gathered_supports(const struct conv2d_params *p) {
    if (p->weights_zero != 0 || (p->groups == 1 && p->dilation_w == 1)) return false;
    if ((int64_t)p->kernel_h * 4 * ((p->kernel_w * (p->in_c / p->groups) + 3) / 4) > MOST_INPUTS)
        return false;
    const struct shape shape = shape_of(p);
    return shape.row_bytes * shape.rows <= MOST_BYTES;
}

static int32_t tiles_bytes(const struct conv2d_params *p, const struct shape *shape) {
    return gemm_block_bytes(p->kernel_h * shape->window_bytes, shape->most);
}

uint32_t gemm_gathered_scratch_bytes(const struct conv2d_params *p) {
    const struct shape shape = shape_of(p);
    return (uint32_t)(tiles_bytes(p, &shape) + shape.rows * (shape.row_bytes + (int64_t)sizeof(int32_t)));
}

/* Behind output row oy, rows from the next window's top on may be unread. Each group reads from the front again. */
uint32_t gemm_gathered_gap_bytes(const struct conv2d_params *p) {
    int32_t gap = 0;
    if (p->groups > 1) return (uint32_t)(p->out_h * p->out_w * p->out_c);
    for (int32_t oy = 0; oy < p->out_h - 1; oy++) {
        const int32_t unread = (oy + 1) * p->stride_h - p->pad_top;
        if (unread >= p->in_h) break;
        const int32_t read = (unread < 0 ? 0 : unread) * p->in_w * p->in_c;
        if ((oy + 1) * p->out_w * p->out_c - read > gap) gap = (oy + 1) * p->out_w * p->out_c - read;
    }
    return (uint32_t)gap;
}

static int32_t clip(int32_t x, int32_t low, int32_t high) {
    return x < low ? low : x > high ? high : x;
}

/* `count` entries of `bytes` bytes each, from pixels `step` bytes apart. */
static void copy_entries(const int8_t *from, int32_t step, int32_t bytes, int32_t count, int8_t *to) {
    if (bytes == 4) {
        for (; count > 0; count--, from += step, to += 4) store_word(to, load_word(from));
    } else if (bytes > 4) {
        for (; count > 0; count--, from += step, to += bytes) {
            for (int32_t i = 0; i < bytes - 4; i += 4) store_word(to + i, load_word(from + i));
            store_word(to + bytes - 4, load_word(from + bytes - 4));
        }
    } else {
        for (; count > 0; count--, from += step)
            for (int32_t i = 0; i < bytes; i++) *to++ = from[i];
    }
}

static void fill(int8_t *to, int8_t *end, int32_t value) {
    while (to < end) *to++ = (int8_t)value;
}

/* A row of a group's channels by phases, with the padding; `row` outside the image is all padding. */
static void gather_row(const struct conv2d_params *p, const struct shape *shape, const int8_t *in,
                       int32_t row, int8_t *to) {
    const int32_t bytes = (int32_t)shape->phase_bytes, entries = bytes / shape->group_c;
    if (row < 0 || row >= p->in_h) {
        fill(to, to + p->dilation_w * bytes, p->input_zero);
        return;
    }
    for (int32_t phase = 0; phase < p->dilation_w; phase++, to += bytes) {
        const int32_t first = phase - p->pad_left; /* column of the first entry */
        const int32_t begin = clip((-first + p->dilation_w - 1) / p->dilation_w, 0, entries);
        const int32_t end = clip((p->in_w - first + p->dilation_w - 1) / p->dilation_w, begin, entries);
        fill(to, to + begin * shape->group_c, p->input_zero);
        if (begin < end)
            copy_entries(in + (row * p->in_w + first + begin * p->dilation_w) * p->in_c,
                         p->dilation_w * p->in_c, shape->group_c, end - begin, to + begin * shape->group_c);
        fill(to + end * shape->group_c, to + bytes, p->input_zero);
    }
}

/* Rows above the image share the slot of row -1, those below it that of row in_h: no window that has them needs it for another
 * row. */
static int32_t slot_of(const struct conv2d_params *p, const struct shape *shape, int32_t row) {
    if (row >= 0 && row < p->in_h) return row % shape->rows;
    return row < 0 ? shape->rows - 1 : p->in_h % shape->rows;
}

/* Sees to it that the ring holds the rows of the window at `top`. A slot's tag is the row in it. */
static void prepare_rows(const struct conv2d_params *p, const struct shape *shape, const int8_t *in,
                         int32_t top, int32_t *tags, int8_t *ring) {
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const int32_t row = top + ky * p->dilation_h, slot = slot_of(p, shape, row);
        const int32_t tag = row >= 0 && row < p->in_h ? row : ZEROS;
        if (tags[slot] != tag) gather_row(p, shape, in, row, ring + slot * (int32_t)shape->row_bytes);
        tags[slot] = tag;
    }
}

/* Tiles of `pixels` windows from the one at `offset` in each row of the window at `top`. */
static void expand_windows(const struct conv2d_params *p, const struct shape *shape, enum gemm_form form,
                           const int8_t *ring, int32_t top, int32_t offset, int32_t pixels, uint32_t *to) {
    const int32_t step = shape->step * shape->group_c;
    for (; pixels > 0; pixels -= GEMM_TILE, offset += GEMM_TILE * step) {
        for (int32_t ky = 0; ky < p->kernel_h; ky++) {
            const int32_t slot = slot_of(p, shape, top + ky * p->dilation_h);
            to = gemm_expand_tile(form, ring + slot * (int32_t)shape->row_bytes + offset, step,
                                  shape->window_bytes, to);
        }
    }
}

void gemm_gathered_run(const struct kernel_args *args, enum gemm_form form) {
    const struct conv2d_params *p = args->params;
    const struct shape shape = shape_of(p);
    const int32_t inputs = p->kernel_h * shape.window_bytes, block = gemm_block_pixels(inputs, shape.most);
    const int32_t out_step = shape.turns * p->out_c;
    struct gemm gemm = gemm_prepare(args, form, inputs);
    uint32_t *tiles = args->scratch;
    int32_t *tags = (int32_t *)args->scratch + tiles_bytes(p, &shape) / 4;
    int8_t *ring = (int8_t *)(tags + shape.rows);
    for (int32_t g = 0; g < p->groups; g++) {
        const int8_t *in = args->in0 + g * shape.group_c;
        int8_t *out = args->out + g * gemm.out_c;
        if (g > 0) gemm_next_group(&gemm);
        for (int32_t slot = 0; slot < shape.rows; slot++) tags[slot] = EMPTY;
        for (int32_t oy = 0; oy < p->out_h; oy++) {
            const int32_t top = oy * p->stride_h - p->pad_top;
            prepare_rows(p, &shape, in, top, tags, ring);
            for (int32_t turn = 0; turn < shape.turns && turn < p->out_w; turn++) {
                const int32_t x = turn * p->stride_w, entry = x / p->dilation_w;
                int32_t offset = x % p->dilation_w * (int32_t)shape.phase_bytes + entry * shape.group_c;
                int8_t *to = out + (oy * p->out_w + turn) * p->out_c;
                for (int32_t left = (p->out_w - turn + shape.turns - 1) / shape.turns; left > 0;
                     left -= block) {
                    const int32_t pixels = left < block ? left : block;
                    expand_windows(p, &shape, form, ring, top, offset, pixels, tiles);
                    gemm_block_apart(&gemm, tiles, pixels, to, out_step);
                    offset += block * shape.step * shape.group_c;
                    to += block * out_step;
                }
            }
        }
    }
}
