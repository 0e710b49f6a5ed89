/* Driver of the Winograd kernels: cuts a layer into blocks of tiles, and each into transform, products and
 * outputs. */
#include "winograd.h"

#include <string.h>

#include "../dsp.h"
#include "../requant.h"

#define WIDE_PAIRS     8 /* channel pairs that multiply_wide does */
#define GATHERED_BYTES 4 /* of a pixel: one group of channels */
/* Scratch for V and M, in bytes. Larger blocks read U less often: the larger one where the tensors are
 * small. */
#define SMALL_BLOCK_BYTES   (15 * 1024 + 256)
#define LARGE_BLOCK_BYTES   (28 * 1024)
#define SMALL_TENSORS_BYTES (16 * 1024)
#define SMALL_IN_C          16 /* U is small, too */
#define MOST_IN_C           256

/* How a layer is cut. A block is block_rows whole rows of tiles, or part of one. */
struct layout {
    int32_t channel_pairs; /* even */
    int32_t rows, columns; /* tiles of the layer */
    int32_t block_rows, block_columns;
    int32_t v_words; /* of four tiles */
    int32_t m_words; /* of a tile */
};

static int32_t quotient_up(int32_t x, int32_t by) {
    return (x + by - 1) / by;
}

static int32_t smaller(int32_t x, int32_t y) {
    return x < y ? x : y;
}

static int32_t larger(int32_t x, int32_t y) {
    return x > y ? x : y;
}

/* Fours of tiles to multiply if blocks have that many rows. */
static int32_t quads_of(const struct layout *l, int32_t block_rows) {
    const int32_t whole = l->rows / block_rows, rest = l->rows % block_rows;
    return whole * quotient_up(block_rows * l->columns, 4) + quotient_up(rest * l->columns, 4);
}

static struct layout layout_of(const struct winograd *w, const struct conv2d_params *p) {
    struct layout l;
    l.channel_pairs = quotient_up(p->in_c, 4) * 2;
    l.rows = quotient_up(p->out_h, w->n);
    l.columns = quotient_up(p->out_w, w->n);
    l.v_words = l.channel_pairs * w->products * 4;
    l.m_words = WINOGRAD_BLOCK_C * w->positions;
    const int32_t tensors = p->in_h * p->in_w * p->in_c + p->out_h * p->out_w * p->out_c;
    const bool large = tensors <= SMALL_TENSORS_BYTES && p->in_c > SMALL_IN_C;
    const int32_t bytes = large ? LARGE_BLOCK_BYTES : SMALL_BLOCK_BYTES;
    const int32_t quad_bytes = (l.v_words + 4 * l.m_words) * (int32_t)sizeof(uint32_t);
    const int32_t most = larger(bytes / quad_bytes, 1) * 4;
    if (l.columns <= most) {
        l.block_columns = l.columns;
        l.block_rows = 1;
        for (int32_t rows = 2; rows <= smaller(l.rows, most / l.columns); rows++)
            if (quads_of(&l, rows) <= quads_of(&l, l.block_rows)) l.block_rows = rows;
    } else {
        l.block_columns = quotient_up(quotient_up(l.columns, quotient_up(l.columns, most)), 4) * 4;
        l.block_rows = 1;
    }
    return l;
}

/* Rows and columns of input of a tile. */
static int32_t window_of(const struct winograd *w) {
    return (w->n - 1) * w->stride + 3;
}

static int32_t z_words(const struct winograd *w) {
    return window_of(w) * WINOGRAD_Z_COLUMNS;
}

static int32_t tile_quads(const struct layout *l) {
    return quotient_up(l->block_rows * l->block_columns, 4);
}

/* Whether it is faster than conv2d_s8_hwc_im2col: not if most of the tiles, which come by fours, lie
 * outside the image. Measured on an emulated STM32F405 with 16 to 64 channels: 4x4 outputs win with n = 4
 * and 3x3 with n = 2, 3x3 and 2x2 lose. */
static bool pays(const struct winograd *w, const struct conv2d_params *p) {
    const struct layout l = layout_of(w, p);
    const int64_t quads = l.block_columns == l.columns ? quads_of(&l, l.block_rows)
                                                       : (int64_t)l.rows * quotient_up(l.columns, 4);
    const int64_t computed = quads * 4 * w->n * w->n, wanted = (int64_t)p->out_h * p->out_w;
    return 2 * computed <= (w->n == 4 ? 9 : 5) * wanted;
}

bool winograd_supports(const struct winograd *w, const struct conv2d_params *p) {
    return p->kernel_h == 3 && p->kernel_w == 3 && p->stride_h == w->stride && p->stride_w == w->stride &&
           p->dilation_h == 1 && p->dilation_w == 1 && p->weights_zero == 0 && p->groups == 1 &&
           p->in_c <= MOST_IN_C && pays(w, p);
}

uint32_t winograd_scratch_bytes(const struct winograd *w, const struct conv2d_params *p) {
    const struct layout l = layout_of(w, p);
    const int32_t m_words = larger(4 * tile_quads(&l) * l.m_words, 2 * z_words(w));
    return (uint32_t)(tile_quads(&l) * l.v_words + m_words) * sizeof(uint32_t);
}

/* The most that the outputs of a block reach beyond the first input that a later block reads. */
uint32_t winograd_gap_bytes(const struct winograd *w, const struct conv2d_params *p) {
    const struct layout l = layout_of(w, p);
    const bool whole_rows = l.block_columns == l.columns;
    int64_t gap = 0;
    for (int32_t row = 0; row < l.rows; row += l.block_rows) {
        const int32_t next = row + l.block_rows;
        if (whole_rows && next >= l.rows) break;
        const int32_t first = w->n * w->stride * (whole_rows ? next : row) - p->pad_top;
        const int64_t read = (int64_t)smaller(larger(first, 0), p->in_h) * p->in_w * p->in_c;
        const int64_t written = (int64_t)smaller(w->n * next, p->out_h) * p->out_w * p->out_c;
        if (written - read > gap) gap = written - read;
    }
    return (uint32_t)gap;
}

struct job {
    const struct winograd *w;
    const struct kernel_args *args;
    const struct conv2d_params *p;
    struct layout l;
    uint32_t *v, *m, *z, *gathered; /* z and gathered lie where m will be */
};

/* Copies channels ic .. of a window's rows, `columns` pixels from (iy, ix), four bytes a pixel, padding
 * included. */
static void gather(const struct job *job, int32_t iy, int32_t ix, int32_t columns, int32_t ic) {
    const struct conv2d_params *p = job->p;
    const int32_t count = p->in_c - ic;
    const uint32_t zero = (uint8_t)p->input_zero * 0x01010101u;
    uint32_t *to = job->gathered;
    const int32_t begin = smaller(larger(-ix, 0), columns);
    const int32_t end = larger(smaller(p->in_w - ix, columns), begin);
    for (int32_t i = 0; i < window_of(job->w); i++, to += WINOGRAD_Z_COLUMNS) {
        const bool inside = iy + i >= 0 && iy + i < p->in_h;
        const int32_t from_x = inside ? begin : columns, to_x = inside ? end : columns;
        const int8_t *from = job->args->in0 + (inside ? ((iy + i) * p->in_w + ix + begin) * p->in_c + ic : 0);
        int32_t x = 0;
        for (; x < from_x; x++) to[x] = zero;
        if (count >= 4) {
            for (; x < to_x; x++, from += p->in_c) to[x] = load_word(from);
        } else {
            for (; x < to_x; x++, from += p->in_c) to[x] = load_bytes(from, count);
        }
        for (; x < columns; x++) to[x] = zero;
    }
}

/* Columns of Z from `begin` to `end` are padding. */
static void pad_z(const struct job *job, int32_t begin, int32_t end) {
    const struct winograd *w = job->w;
    const uint32_t zero = (uint32_t)(job->p->input_zero + w->pixel_offset);
    const uint32_t low = zero * (uint32_t)w->pad_factor;
    /* n = 4: one integer of two lanes; n = 2: two lanes. */
    const uint32_t pair = w->pixel_offset ? low * 0x10001u : (low & 0xffffu) * 0x10001u;
    for (int32_t i = 0; i < window_of(w); i++)
        for (int32_t x = begin; x < end; x++)
            job->z[i * WINOGRAD_Z_COLUMNS + x] = w->pad_rows >> i & 1 ? pair : 0;
}

/* V of `tiles` tiles from (row, column); `first` is the number of the first one in the block. */
static void transform_tiles(const struct job *job, int32_t row, int32_t column, int32_t tiles,
                            int32_t first) {
    const struct winograd *w = job->w;
    const struct conv2d_params *p = job->p;
    const int32_t step = w->n * w->stride, window = window_of(w);
    const int32_t iy = row * step - p->pad_top, ix = column * step - p->pad_left;
    const int32_t columns = (tiles - 1) * step + window;
    const bool rows_inside = iy >= 0 && iy + window <= p->in_h;
    const int32_t begin = smaller(larger(-ix, 0), columns);
    const int32_t end = larger(smaller(p->in_w - ix, columns), begin);
    const int32_t row_bytes = p->in_w * p->in_c, z_bytes = WINOGRAD_Z_COLUMNS * (int32_t)sizeof(uint32_t);
    const struct winograd_rows direct = {row_bytes, 3 * row_bytes, -row_bytes, p->in_c};
    const struct winograd_rows copied = {z_bytes, 3 * z_bytes, -z_bytes, GATHERED_BYTES};
    const int32_t quad_bytes = job->l.v_words * (int32_t)sizeof(uint32_t);
    const int32_t word_bytes = 4 * (int32_t)sizeof(uint32_t); /* of four tiles */
    struct winograd_place place = {quad_bytes, job->l.channel_pairs * word_bytes, 0};
    uint32_t *v = job->v + first / 4 * job->l.v_words + first % 4;

    pad_z(job, 0, begin);
    pad_z(job, end, columns);
    for (int32_t ic = 0; ic < p->in_c; ic += 4) {
        const int8_t *from;
        const struct winograd_rows *rows;
        uint32_t *z = job->z;
        int32_t count = columns;
        if (rows_inside && ic + 4 <= p->in_c) {
            from = job->args->in0 + ((iy + 1) * p->in_w + ix + begin) * p->in_c + ic;
            rows = &direct;
            z += begin;
            count = end - begin;
        } else {
            gather(job, iy, ix, columns, ic);
            from = (const int8_t *)(job->gathered + WINOGRAD_Z_COLUMNS);
            rows = &copied;
        }
        for (int32_t odd = 0; odd < 2; odd++, v += w->pair_words, place.pair_bytes += word_bytes) {
            if (count > 0) (odd ? w->rows_odd : w->rows_even)(from, z, count, rows);
            w->columns(job->z, v, tiles, 4 - first % 4, &place);
        }
    }
}

static void transform_block(const struct job *job, int32_t row, int32_t rows, int32_t column,
                            int32_t columns) {
    const int32_t segment = (WINOGRAD_Z_COLUMNS - 2) / (job->w->n * job->w->stride);
    for (int32_t r = 0; r < rows; r++) {
        for (int32_t c = 0; c < columns; c += segment)
            transform_tiles(job, row + r, column + c, smaller(segment, columns - c), r * columns + c);
    }
}

/* Constants of one channel. Returns whether requantisation in two instructions and a saturation is exact for
 * it: the sums are any int32 (tests/kernels/test_winograd.py). Clamps within int8 come after. */
static bool prepare(const struct job *job, int32_t oc, struct winograd_channel *channel) {
    const struct winograd *w = job->w;
    const struct conv2d_params *p = job->p;
    const struct requant_channel *record = (const struct requant_channel *)job->args->channels + oc;
    const int32_t u_words = quotient_up(p->out_c, 2) * w->products * job->l.channel_pairs * 2;
    const int32_t *fixes = (const int32_t *)job->args->weights + u_words + oc * w->fixes;
    const int32_t exponent = -record->shift;
    uint32_t bias = (uint32_t)record->bias;
    if (w->fixes) {
        bias += (uint32_t)fixes[0];
        memcpy(channel->fix, fixes + 1, sizeof channel->fix);
    }
    channel->bias = (int32_t)(bias * (uint32_t)w->bias_factor);
    channel->zero = p->output_zero;
    channel->row_bytes = p->out_w * p->out_c;
    channel->row_bytes_3 = 3 * channel->row_bytes;
    channel->pixel_bytes = p->out_c;
    channel->twice = (int32_t)(2 * (uint32_t)record->multiplier);
    channel->power = 0; /* multiplier 0: the sum does not matter */
    if (p->rounding != ROUND_DOUBLE) return false;
    if (record->multiplier == 0) return true;
    if (record->multiplier < 1 << 30 || exponent < 2 || exponent > 11) return false;
    channel->power = (int32_t)((UINT32_C(1) << (32 - exponent)) + 1);
    return true;
}

/* Requantises the sums of one tile the long way; rows and columns are those inside the image. */
static void store_sums(const struct job *job, const uint32_t *m, int8_t *out, int32_t rows, int32_t columns,
                       const struct winograd_channel *channel, const struct requant_channel *record) {
    const struct conv2d_params *p = job->p;
    const int32_t n = job->w->n;
    int32_t sums[16];
    job->w->sums(m, sums, channel);
    for (int32_t i = 0; i < rows; i++) {
        for (int32_t j = 0; j < columns; j++) {
            const int32_t y = requant(sums[i * n + j], record->multiplier, record->shift, p->rounding);
            out[i * channel->row_bytes + j * channel->pixel_bytes] =
                (int8_t)add_clamp(y, p->output_zero, p->clamp_min, p->clamp_max);
        }
    }
}

/* Stores the part of a tile that is inside the image. */
static void store_part(const struct job *job, const uint32_t *m, int8_t *out, int32_t rows, int32_t columns,
                       const struct winograd_channel *channel) {
    const int32_t n = job->w->n;
    struct winograd_channel aside = *channel;
    int8_t tile[16];
    aside.row_bytes = n;
    aside.row_bytes_3 = 3 * n;
    aside.pixel_bytes = 1;
    job->w->output(m, tile, 1, &aside, 1);
    for (int32_t i = 0; i < rows; i++) {
        for (int32_t j = 0; j < columns; j++)
            out[i * channel->row_bytes + j * channel->pixel_bytes] = tile[i * n + j];
    }
}

/* Output channels oc .. of M, at most four, ready to be requantised. */
struct group {
    int32_t oc, count;
    bool is_short; /* all of them */
    struct winograd_channel channels[WINOGRAD_BLOCK_C];
};

/* A row of tiles from tile (row, column), the first of which is at m. */
static void output_tiles(const struct job *job, const uint32_t *m, const struct group *group, int32_t row,
                         int32_t column, int32_t tiles) {
    const struct conv2d_params *p = job->p;
    const struct requant_channel *records = (const struct requant_channel *)job->args->channels + group->oc;
    const int32_t n = job->w->n, rows = smaller(p->out_h - row * n, n);
    int8_t *out = job->args->out + (row * p->out_w + column) * n * p->out_c + group->oc;
    int32_t t = 0;
    if (group->is_short && rows == n) {
        t = smaller(tiles, p->out_w / n - column);
        if (t > 0) job->w->output(m, out, t, group->channels, group->count);
    }
    for (; t < tiles; t++) {
        const int32_t columns = smaller(p->out_w - (column + t) * n, n);
        for (int32_t c = 0; c < group->count; c++) {
            const uint32_t *tile = m + t * job->l.m_words + c * job->w->positions;
            int8_t *to = out + t * n * p->out_c + c;
            if (group->is_short)
                store_part(job, tile, to, rows, columns, &group->channels[c]);
            else
                store_sums(job, tile, to, rows, columns, &group->channels[c], &records[c]);
        }
    }
}

/* Clamps the outputs of a block, which are within int8 only. */
static void clamp_block(const struct job *job, int32_t row, int32_t rows, int32_t column, int32_t columns) {
    const struct conv2d_params *p = job->p;
    const int32_t n = job->w->n, min = p->clamp_min, max = p->clamp_max;
    const int32_t end = smaller((row + rows) * n, p->out_h);
    const int32_t count = (smaller((column + columns) * n, p->out_w) - column * n) * p->out_c;
    for (int32_t oy = row * n; oy < end; oy++) {
        int8_t *out = job->args->out + (oy * p->out_w + column * n) * p->out_c;
        for (int32_t i = 0; i < count; i++) out[i] = (int8_t)smaller(larger(out[i], min), max);
    }
}

static void multiply_block(const struct job *job, int32_t row, int32_t rows, int32_t column,
                           int32_t columns) {
    const struct winograd *w = job->w;
    const struct conv2d_params *p = job->p;
    const uint32_t *u = job->args->weights;
    const int32_t quads = quotient_up(rows * columns, 4);
    for (int32_t oc = 0; oc < p->out_c; oc += WINOGRAD_BLOCK_C) {
        struct group group = {.oc = oc, .count = smaller(WINOGRAD_BLOCK_C, p->out_c - oc), .is_short = true};
        for (int32_t c = 0; c < group.count; c++) group.is_short &= prepare(job, oc + c, &group.channels[c]);
        const int32_t block_words = w->products * job->l.channel_pairs * 2; /* of two channels */
        int32_t c = 0;
        if (w->multiply_wide && job->l.channel_pairs == WIDE_PAIRS && group.count > 2) {
            w->multiply_wide(job->v, u, job->m, WIDE_PAIRS, quads);
            u += 2 * block_words;
            c = group.count;
        }
        for (; c < group.count; c += 2) {
            w->multiply(job->v, u, job->m + c * w->positions, job->l.channel_pairs, quads);
            u += block_words;
        }
        for (int32_t r = 0; r < rows; r++)
            output_tiles(job, job->m + r * columns * job->l.m_words, &group, row + r, column, columns);
    }
    if (p->clamp_min != INT8_MIN || p->clamp_max != INT8_MAX) clamp_block(job, row, rows, column, columns);
}

void winograd_run(const struct winograd *w, const struct kernel_args *args) {
    struct job job = {.w = w, .args = args, .p = args->params, .l = layout_of(w, args->params)};
    const struct layout *l = &job.l;
    job.v = args->scratch;
    job.m = job.v + tile_quads(l) * l->v_words;
    job.z = job.m;
    job.gathered = job.z + z_words(w);
    for (int32_t row = 0; row < l->rows; row += l->block_rows) {
        const int32_t rows = smaller(l->block_rows, l->rows - row);
        for (int32_t column = 0; column < l->columns; column += l->block_columns) {
            const int32_t columns = smaller(l->block_columns, l->columns - column);
            transform_block(&job, row, rows, column, columns);
            multiply_block(&job, row, rows, column, columns);
        }
    }
}
