/* Driver of the Winograd kernels: cuts a layer into blocks of tiles, and each into transform, products and
 * outputs. */
#include "winograd.h"

#include <string.h>

#include "../dsp.h"
#include "../requant.h"

#define NOINLINE       __attribute__((noinline))
#define WIDE_PAIRS     8 /* channel pairs that multiply_wide does */
#define GATHERED_BYTES 4 /* of a pixel: one group of channels */
/* Scratch for V and M, in bytes. Larger blocks read U less often: the larger one where the tensors are
 * small. */
#define SMALL_BLOCK_BYTES   (15 * 1024 + 256)
#define LARGE_BLOCK_BYTES   (28 * 1024)
#define SMALL_TENSORS_BYTES (16 * 1024)
#define SMALL_IN_C          16 /* U is small, too */
#define MOST_IN_C           256

/* How a group of a layer is cut. A block is block_rows whole rows of tiles, or part of one.
 *
 * With dilation d, the outputs whose places have one remainder by d, one phase, make a plain convolution over
 * inputs d apart. So a tile's n outputs are d apart, and so are its inputs; all else is as without. Rows of
 * tiles go through the phases of one band of n * d output rows, then on to the next, so that inputs are read
 * from front to back; in a row of tiles those of one phase follow each other, for their windows share inputs. */
struct layout {
    int32_t in_c, out_c;   /* of a group */
    int32_t channel_pairs; /* even */
    int32_t rows, columns; /* tiles of a group */
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

/* Tiles along an axis: one a phase in each whole band of n * dilation outputs, and in a last one for each phase
 * that it reaches. */
static int32_t tiles_along(const struct winograd *w, int32_t out, int32_t dilation) {
    const int32_t band = w->n * dilation;
    return out / band * dilation + smaller(out % band, dilation);
}

/* The first output row of a row of tiles. */
static int32_t first_row(const struct winograd *w, const struct conv2d_params *p, int32_t row) {
    if (p->dilation_h == 1) return row * w->n;
    return row / p->dilation_h * w->n * p->dilation_h + row % p->dilation_h;
}

/* Tiles of one phase: the first's first output column, and how many there are from it on, or more. */
struct run {
    int32_t ox, tiles;
};

static NOINLINE struct run run_of_phase(const struct winograd *w, const struct conv2d_params *p,
                                        int32_t column) {
    const int32_t band = w->n * p->dilation_w;
    const int32_t longer = smaller(p->out_w % band, p->dilation_w); /* phases with one tile more, the first */
    int32_t tiles = p->out_w / band + 1, phase = 0;
    if (column >= longer * tiles) {
        column -= longer * tiles;
        phase = longer;
        tiles--;
    }
    const int32_t index = column % tiles;
    return (struct run){phase + column / tiles + index * band, tiles - index};
}

static struct run run_at(const struct winograd *w, const struct conv2d_params *p, int32_t column) {
    if (p->dilation_w == 1) return (struct run){column * w->n, INT32_MAX};
    return run_of_phase(w, p, column);
}

static struct layout layout_of(const struct winograd *w, const struct conv2d_params *p) {
    struct layout l;
    l.in_c = p->in_c / p->groups;
    l.out_c = p->out_c / p->groups;
    l.channel_pairs = quotient_up(l.in_c, 4) * 2;
    l.rows = tiles_along(w, p->out_h, p->dilation_h);
    l.columns = tiles_along(w, p->out_w, p->dilation_w);
    l.v_words = l.channel_pairs * w->products * 4;
    l.m_words = WINOGRAD_BLOCK_C * w->positions;
    const int32_t tensors = p->in_h * p->in_w * p->in_c + p->out_h * p->out_w * p->out_c;
    const bool large = tensors <= SMALL_TENSORS_BYTES && l.in_c > SMALL_IN_C;
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

/* Words of a group's U. */
static int32_t u_words(const struct winograd *w, const struct layout *l) {
    return quotient_up(l->out_c, 2) * w->products * l->channel_pairs * 2;
}

static int32_t tile_quads(const struct layout *l) {
    return quotient_up(l->block_rows * l->block_columns, 4);
}

/* Whether it is faster than conv2d_s8_hwc_im2col: not if most of the tiles, which come by fours, lie
 * outside the image. Measured on an emulated STM32F405 with 16 to 64 channels: 4x4 outputs win with n = 4
 * and 3x3 with n = 2, 3x3 and 2x2 lose. Tiles of many phases fill fours, but each has its own transforms: phases
 * of 2x2 outputs lose with n = 4. */
static bool pays(const struct winograd *w, const struct conv2d_params *p) {
    const struct layout l = layout_of(w, p);
    const int64_t quads = l.block_columns == l.columns ? quads_of(&l, l.block_rows)
                                                       : (int64_t)l.rows * quotient_up(l.columns, 4);
    const int64_t computed = quads * 4 * w->n * w->n, wanted = (int64_t)p->out_h * p->out_w;
    const int64_t transformed = (int64_t)l.rows * l.columns * w->n * w->n;
    if ((p->dilation_h > 1 || p->dilation_w > 1) && 2 * transformed > 5 * wanted) return false;
    return 2 * computed <= (w->n == 4 ? 9 : 5) * wanted;
}

bool winograd_supports(const struct winograd *w, const struct conv2d_params *p) {
    return p->kernel_h == 3 && p->kernel_w == 3 && p->stride_h == w->stride && p->stride_w == w->stride &&
           p->weights_zero == 0 && p->in_c / p->groups <= MOST_IN_C && pays(w, p);
}

uint32_t winograd_scratch_bytes(const struct winograd *w, const struct conv2d_params *p) {
    const struct layout l = layout_of(w, p);
    const int32_t m_words = larger(4 * tile_quads(&l) * l.m_words, 2 * z_words(w));
    return (uint32_t)(tile_quads(&l) * l.v_words + m_words) * sizeof(uint32_t);
}

/* The most that the outputs of a block reach beyond the first input that a later block reads. Each group reads from the
 * front again. */
uint32_t winograd_gap_bytes(const struct winograd *w, const struct conv2d_params *p) {
    const struct layout l = layout_of(w, p);
    if (p->groups > 1) return (uint32_t)(p->out_h * p->out_w * p->out_c);
    const bool whole_rows = l.block_columns == l.columns;
    int64_t gap = 0;
    for (int32_t row = 0; row < l.rows; row += l.block_rows) {
        const int32_t next = row + l.block_rows;
        if (whole_rows && next >= l.rows) break;
        const int32_t first = first_row(w, p, whole_rows ? next : row) * w->stride - p->pad_top;
        const int32_t end = first_row(w, p, next - 1) + (w->n - 1) * p->dilation_h + 1;
        const int64_t read = (int64_t)smaller(larger(first, 0), p->in_h) * p->in_w * p->in_c;
        const int64_t written = (int64_t)smaller(end, p->out_h) * p->out_w * p->out_c;
        if (written - read > gap) gap = written - read;
    }
    return (uint32_t)gap;
}

/* Output channels oc .. of M, at most four, ready to be requantised. */
struct group {
    int32_t oc, count;
    bool is_short; /* all of them */
    struct winograd_channel channels[WINOGRAD_BLOCK_C];
};

/* A group's tensors begin at its first channel. */
struct job {
    const struct winograd *w;
    const struct conv2d_params *p;
    struct layout l;
    const int8_t *in;
    int8_t *out;
    const uint32_t *u;
    const int32_t *fixes;
    const struct requant_channel *records;
    struct group group;
    uint32_t *v, *m, *z, *gathered; /* z and gathered lie where m will be */
};

/* Copies channels ic .. of a window's rows, `columns` pixels from (iy, ix), of which begin .. end - 1 are inside the
 * image, four bytes a pixel, padding included. */
static NOINLINE void gather(const struct job *job, int32_t iy, int32_t ix, int32_t columns, int32_t begin,
                            int32_t end, int32_t ic) {
    const struct conv2d_params *p = job->p;
    const int32_t count = job->l.in_c - ic, step = p->dilation_w * p->in_c;
    const uint32_t zero = (uint8_t)p->input_zero * 0x01010101u;
    uint32_t *to = job->gathered;
    for (int32_t i = 0; i < window_of(job->w); i++, iy += p->dilation_h, to += WINOGRAD_Z_COLUMNS) {
        const bool inside = iy >= 0 && iy < p->in_h;
        const int32_t from_x = inside ? begin : columns, to_x = inside ? end : columns;
        const int8_t *from = job->in;
        if (from_x < to_x) from += (iy * p->in_w + ix + begin * p->dilation_w) * p->in_c + ic;
        int32_t x = 0;
        for (; x < from_x; x++) to[x] = zero;
        if (count >= 4) {
            for (; x < to_x; x++, from += step) to[x] = load_word(from);
        } else {
            for (; x < to_x; x++, from += step) to[x] = load_bytes(from, count);
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

/* V of `tiles` tiles whose outputs begin at (oy, ox); `first` is the number of the first one in the block. */
static NOINLINE void transform_tiles(const struct job *job, int32_t oy, int32_t ox, int32_t tiles,
                                     int32_t first) {
    const struct winograd *w = job->w;
    const struct conv2d_params *p = job->p;
    const int32_t window = window_of(w), columns = (tiles - 1) * w->n * w->stride + window;
    const int32_t iy = oy * w->stride - p->pad_top, ix = ox * w->stride - p->pad_left;
    const bool rows_inside = iy >= 0 && iy + (window - 1) * p->dilation_h < p->in_h;
    const int32_t begin = smaller(larger(quotient_up(-ix, p->dilation_w), 0), columns);
    const int32_t end = larger(smaller(quotient_up(p->in_w - ix, p->dilation_w), columns), begin);
    const int32_t z_bytes = WINOGRAD_Z_COLUMNS * (int32_t)sizeof(uint32_t);
    const struct winograd_rows copied = {z_bytes, 3 * z_bytes, -z_bytes, GATHERED_BYTES};
    struct winograd_rows direct = copied; /* whose steps may not fit int32 if a window has rows outside */
    if (rows_inside) {
        const int32_t row_bytes = p->dilation_h * p->in_w * p->in_c;
        direct = (struct winograd_rows){row_bytes, 3 * row_bytes, -row_bytes, p->dilation_w * p->in_c};
    }
    const int32_t quad_bytes = job->l.v_words * (int32_t)sizeof(uint32_t);
    const int32_t word_bytes = 4 * (int32_t)sizeof(uint32_t); /* of four tiles */
    struct winograd_place place = {quad_bytes, job->l.channel_pairs * word_bytes, 0};
    uint32_t *v = job->v + first / 4 * job->l.v_words + first % 4;

    pad_z(job, 0, begin);
    pad_z(job, end, columns);
    for (int32_t ic = 0; ic < job->l.in_c; ic += 4) {
        const int8_t *from;
        const struct winograd_rows *rows;
        uint32_t *z = job->z;
        int32_t count = columns;
        if (rows_inside && begin < end && ic + 4 <= job->l.in_c) {
            from = job->in + ic + ((iy + p->dilation_h) * p->in_w + ix + begin * p->dilation_w) * p->in_c;
            rows = &direct;
            z += begin;
            count = end - begin;
        } else {
            gather(job, iy, ix, columns, begin, end, ic);
            from = (const int8_t *)(job->gathered + WINOGRAD_Z_COLUMNS);
            rows = &copied;
        }
        for (int32_t odd = 0; odd < 2; odd++, v += w->pair_words, place.pair_bytes += word_bytes) {
            (odd ? w->rows_odd : w->rows_even)(from, z, count, rows);
            w->columns(job->z, v, tiles, 4 - first % 4, &place);
        }
    }
}

static void transform_block(const struct job *job, int32_t row, int32_t rows, int32_t column,
                            int32_t columns) {
    const int32_t segment = (WINOGRAD_Z_COLUMNS - 2) / (job->w->n * job->w->stride);
    for (int32_t r = 0; r < rows; r++) {
        const int32_t oy = first_row(job->w, job->p, row + r);
        for (int32_t c = 0, tiles; c < columns; c += tiles) {
            const struct run run = run_at(job->w, job->p, column + c);
            tiles = smaller(smaller(segment, run.tiles), columns - c);
            transform_tiles(job, oy, run.ox, tiles, r * columns + c);
        }
    }
}

/* Constants of one channel. Returns whether requantisation in two instructions and a saturation is exact for
 * it: the sums are any int32 (tests/kernels/test_winograd.py). Clamps within int8 come after. */
static bool prepare(const struct job *job, int32_t oc, struct winograd_channel *channel) {
    const struct winograd *w = job->w;
    const struct requant_channel *record = job->records + oc;
    const int32_t exponent = -record->shift;
    uint32_t bias = (uint32_t)record->bias;
    if (w->fixes) {
        const int32_t *fixes = job->fixes + oc * w->fixes;
        bias += (uint32_t)fixes[0];
        memcpy(channel->fix, fixes + 1, sizeof channel->fix);
    }
    channel->bias = (int32_t)(bias * (uint32_t)w->bias_factor);
    channel->twice = (int32_t)(2 * (uint32_t)record->multiplier);
    channel->power = 0; /* multiplier 0: the sum does not matter */
    if (job->p->rounding != ROUND_DOUBLE) return false;
    if (record->multiplier == 0) return true;
    if (record->multiplier < 1 << 30 || exponent < 2 || exponent > 11) return false;
    channel->power = (int32_t)((UINT32_C(1) << (32 - exponent)) + 1);
    return true;
}

/* What all channels have in common. Steps from row to row fit int32 if there is a second row. */
static void prepare_steps(const struct conv2d_params *p, struct group *group) {
    const uint32_t row_bytes = (uint32_t)(p->out_w * p->out_c) * (uint32_t)p->dilation_h;
    for (int32_t c = 0; c < WINOGRAD_BLOCK_C; c++) {
        struct winograd_channel *channel = &group->channels[c];
        channel->zero = p->output_zero;
        channel->row_bytes = (int32_t)row_bytes;
        channel->row_bytes_3 = (int32_t)(3 * row_bytes);
        channel->pixel_bytes = p->dilation_w * p->out_c;
    }
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

/* `tiles` tiles whose outputs begin at (oy, ox), the first of which is at m. */
static NOINLINE void output_tiles(const struct job *job, const uint32_t *m, const struct group *group,
                                  int32_t oy, int32_t ox, int32_t tiles) {
    const struct conv2d_params *p = job->p;
    const int32_t n = job->w->n, rows = smaller(quotient_up(p->out_h - oy, p->dilation_h), n);
    const int32_t pixels = quotient_up(p->out_w - ox, p->dilation_w);
    int8_t *out = job->out + (oy * p->out_w + ox) * p->out_c + group->oc;
    int32_t t = 0;
    if (group->is_short && rows == n) {
        t = smaller(tiles, pixels / n);
        if (t > 0) job->w->output(m, out, t, group->channels, group->count);
    }
    for (; t < tiles; t++) {
        const int32_t columns = smaller(pixels - t * n, n);
        for (int32_t c = 0; c < group->count; c++) {
            const uint32_t *tile = m + t * job->l.m_words + c * job->w->positions;
            int8_t *to = out + t * n * group->channels->pixel_bytes + c;
            if (group->is_short)
                store_part(job, tile, to, rows, columns, &group->channels[c]);
            else
                store_sums(job, tile, to, rows, columns, &group->channels[c], &job->records[group->oc + c]);
        }
    }
}

/* A row of a block's tiles, the first of which is at m. */
static void output_row(const struct job *job, const uint32_t *m, const struct group *group, int32_t row,
                       int32_t column, int32_t columns) {
    const int32_t oy = first_row(job->w, job->p, row);
    for (int32_t c = 0, tiles; c < columns; c += tiles) {
        const struct run run = run_at(job->w, job->p, column + c);
        tiles = smaller(run.tiles, columns - c);
        output_tiles(job, m + c * job->l.m_words, group, oy, run.ox, tiles);
    }
}

/* Clamps the outputs of tiles that begin at (oy, ox), which are within int8 only. */
static void clamp_tiles(const struct job *job, int32_t oy, int32_t ox, int32_t tiles) {
    const struct conv2d_params *p = job->p;
    const int32_t n = job->w->n, min = p->clamp_min, max = p->clamp_max, step = p->dilation_w * p->out_c;
    const int32_t rows = smaller(quotient_up(p->out_h - oy, p->dilation_h), n);
    const int32_t pixels = smaller(quotient_up(p->out_w - ox, p->dilation_w), tiles * n);
    const bool together = step == job->l.out_c;
    const int32_t runs = together ? 1 : pixels, count = (together ? pixels : 1) * job->l.out_c;
    for (int32_t i = 0; i < rows; i++, oy += p->dilation_h) {
        int8_t *row = job->out + (oy * p->out_w + ox) * p->out_c;
        for (int32_t run = 0; run < runs; run++)
            for (int32_t c = 0; c < count; c++)
                row[run * step + c] = (int8_t)smaller(larger(row[run * step + c], min), max);
    }
}

static void clamp_row(const struct job *job, int32_t row, int32_t column, int32_t columns) {
    const int32_t oy = first_row(job->w, job->p, row);
    for (int32_t c = 0, tiles; c < columns; c += tiles) {
        const struct run run = run_at(job->w, job->p, column + c);
        tiles = smaller(run.tiles, columns - c);
        clamp_tiles(job, oy, run.ox, tiles);
    }
}

static void multiply_block(struct job *job, int32_t row, int32_t rows, int32_t column, int32_t columns) {
    const struct winograd *w = job->w;
    const struct conv2d_params *p = job->p;
    const uint32_t *u = job->u;
    const int32_t quads = quotient_up(rows * columns, 4);
    struct group *group = &job->group;
    for (int32_t oc = 0; oc < job->l.out_c; oc += WINOGRAD_BLOCK_C) {
        group->oc = oc;
        group->count = smaller(WINOGRAD_BLOCK_C, job->l.out_c - oc);
        group->is_short = true;
        for (int32_t c = 0; c < group->count; c++)
            group->is_short &= prepare(job, oc + c, &group->channels[c]);
        const int32_t block_words = w->products * job->l.channel_pairs * 2; /* of two channels */
        int32_t c = 0;
        if (w->multiply_wide && job->l.channel_pairs == WIDE_PAIRS && group->count > 2) {
            w->multiply_wide(job->v, u, job->m, WIDE_PAIRS, quads);
            u += 2 * block_words;
            c = group->count;
        }
        for (; c < group->count; c += 2) {
            w->multiply(job->v, u, job->m + c * w->positions, job->l.channel_pairs, quads);
            u += block_words;
        }
        for (int32_t r = 0; r < rows; r++)
            output_row(job, job->m + r * columns * job->l.m_words, group, row + r, column, columns);
    }
    if (p->clamp_min != INT8_MIN || p->clamp_max != INT8_MAX)
        for (int32_t r = 0; r < rows; r++) clamp_row(job, row + r, column, columns);
}

void winograd_run(const struct winograd *w, const struct kernel_args *args) {
    const struct conv2d_params *p = args->params;
    struct job job = {.w = w, .p = p, .l = layout_of(w, p)};
    const struct layout *l = &job.l;
    const int32_t group_words = u_words(w, l) + l->out_c * w->fixes;
    job.v = args->scratch;
    job.m = job.v + tile_quads(l) * l->v_words;
    job.z = job.m;
    job.gathered = job.z + z_words(w);
    prepare_steps(p, &job.group);
    for (int32_t g = 0; g < p->groups; g++) {
        job.in = args->in0 + g * l->in_c;
        job.out = args->out + g * l->out_c;
        job.u = (const uint32_t *)args->weights + g * group_words;
        job.fixes = (const int32_t *)job.u + u_words(w, l);
        job.records = (const struct requant_channel *)args->channels + g * l->out_c;
        for (int32_t row = 0; row < l->rows; row += l->block_rows) {
            const int32_t rows = smaller(l->block_rows, l->rows - row);
            for (int32_t column = 0; column < l->columns; column += l->block_columns) {
                const int32_t columns = smaller(l->block_columns, l->columns - column);
                transform_block(&job, row, rows, column, columns);
                multiply_block(&job, row, rows, column, columns);
            }
        }
    }
}
