/* TRANSPOSE_CONV with a 3x3 kernel, stride 2, by Winograd: 25 products instead of 36 (transposed_winograd.h).
 *
 * in [in_h][in_w][in_c], out [out_h][out_w][out_c], any pad_top, pad_left and output size, channels BMS, weights
 * TRANSPOSED_WINOGRAD2, which are 3.56 times OHWI and 16 bytes a channel. Tiles of 4x4 outputs are counted through the rows of
 * the image. Scratch: at most 28 KiB if both tensors together are at most 16 KiB, else 15 KiB, but at least 128 bytes a channel
 * and 800 for four tiles; besides 9 bytes a channel and 4 a tile. Sums are modulo 2^32. Bit-equal to
 * transposed_conv2d_s8_hwc_ref whatever the sums; any other blob gives some output. A block of tiles is read before it is
 * written, so the output may lie over the input as far as it stays before what later blocks read. Not supported: other kernels
 * and strides; weights_zero other than 0; in_c over 256; images whose tiles are a third or more beside them.
 */
#include <string.h>

#include "../dsp.h"
#include "rescale.h"
#include "transposed_winograd.h"

#define MOST_IN_C 256
/* For V and M. Larger blocks read U less often: the larger one where the tensors are small, as in winograd.c. */
#define SMALL_BLOCK_BYTES   (15 * 1024)
#define LARGE_BLOCK_BYTES   (28 * 1024)
#define SMALL_TENSORS_BYTES (16 * 1024)
#define INPUTS              TRANSPOSED_WINOGRAD_INPUTS
#define PRODUCTS            TRANSPOSED_WINOGRAD_PRODUCTS
#define TILE                4 /* outputs, along either axis */

/* A tile at (row, column) has outputs TILE * row - pad_top .., and inputs 2 * row - 1 .. */
struct layout {
    int32_t first_row, first_column;
    int32_t rows, columns;
    int32_t pairs; /* of channels */
    int32_t block; /* tiles, a multiple of four */
};

static int32_t tiles_of(int32_t out, int32_t pad) {
    return (pad + out - 1) / TILE - pad / TILE + 1;
}

static int32_t quads_of(int32_t tiles) {
    return (tiles + 3) / 4;
}

/* Bytes of V and M of four tiles. */
static int32_t v_bytes(const struct layout *l) {
    return 4 * INPUTS * l->pairs * (int32_t)sizeof(uint32_t);
}

static int32_t m_bytes(void) {
    return 4 * 2 * PRODUCTS * (int32_t)sizeof(uint32_t);
}

static struct layout layout_of(const struct transposed_conv2d_params *p) {
    struct layout l = {.first_row = p->pad_top / TILE,
                       .first_column = p->pad_left / TILE,
                       .rows = tiles_of(p->out_h, p->pad_top),
                       .columns = tiles_of(p->out_w, p->pad_left),
                       .pairs = transposed_winograd_pairs(p->in_c)};
    const int32_t tensors = p->in_h * p->in_w * p->in_c + p->out_h * p->out_w * p->out_c;
    const int32_t bytes = tensors <= SMALL_TENSORS_BYTES ? LARGE_BLOCK_BYTES : SMALL_BLOCK_BYTES;
    const int32_t most = bytes / (v_bytes(&l) + m_bytes()), all = quads_of(l.rows * l.columns);
    l.block = 4 * (most > all ? all : most > 0 ? most : 1);
    return l;
}

bool transposed_conv2d_s8_hwc_winograd2_3x3_stride2_supports(const void *params) {
    const struct transposed_conv2d_params *p = params;
    if (p->kernel_h != 3 || p->kernel_w != 3 || p->stride_h != 2 || p->stride_w != 2 ||
        p->weights_zero != 0 || p->in_c > MOST_IN_C)
        return false;
    const int32_t quads = quads_of(tiles_of(p->out_h, p->pad_top) * tiles_of(p->out_w, p->pad_left));
    return 2 * (int64_t)quads * 4 * TILE * TILE <= 3 * (int64_t)p->out_h * p->out_w;
}

/* V, M, a window of whole words, and where the tiles of a block lie. */
uint32_t transposed_conv2d_s8_hwc_winograd2_3x3_stride2_scratch_bytes(const void *params) {
    const struct layout l = layout_of(params);
    return (uint32_t)(l.block / 4 * (v_bytes(&l) + m_bytes()) + 9 * 2 * l.pairs +
                      l.block * (int32_t)sizeof(int32_t));
}

/* Behind a block, whole rows of tiles are written as far as it began them; the next tile's inputs and all after it are unread. */
uint32_t transposed_conv2d_s8_hwc_winograd2_3x3_stride2_gap_bytes(const void *params) {
    const struct transposed_conv2d_params *p = params;
    const struct layout l = layout_of(p);
    int32_t gap = 0;
    for (int32_t next = l.block; next < l.rows * l.columns; next += l.block) {
        const int32_t unread = 2 * (l.first_row + next / l.columns) - 1;
        if (unread >= p->in_h) break;
        const int32_t end = TILE * (l.first_row + (next - 1) / l.columns + 1) - p->pad_top;
        const int32_t written = (end < p->out_h ? end : p->out_h) * p->out_w * p->out_c;
        const int32_t ahead = written - (unread > 0 ? unread : 0) * p->in_w * p->in_c;
        if (ahead > gap) gap = ahead;
    }
    return (uint32_t)gap;
}

#define PARTIAL (-1)

struct job {
    const struct transposed_conv2d_params *p;
    const struct kernel_args *args;
    struct layout l;
    struct rescale_layer layer; /* without clamps */
    uint32_t *v, *m;
    int8_t *window;  /* 3x3 pixels */
    int32_t *places; /* in bytes from the first output, or PARTIAL if outputs lie outside the image */
    int32_t begin;   /* the block's first tile */
    int32_t tiles;   /* of the block */
};

static int32_t row_of(const struct job *job, int32_t tile) {
    return job->l.first_row + (job->begin + tile) / job->l.columns;
}

static int32_t column_of(const struct job *job, int32_t tile) {
    return job->l.first_column + (job->begin + tile) % job->l.columns;
}

/* A channel pair of three pixels: of the even or odd channels of each word. */
struct lanes {
    uint32_t d0, d1, d2;
};

static inline struct lanes lanes_of(const int8_t *from, int32_t pixel_bytes, bool odd) {
    const uint32_t w0 = load_word(from), w1 = load_word(from + pixel_bytes),
                   w2 = load_word(from + 2 * pixel_bytes);
    return odd ? (struct lanes){sxtb16_ror8(w0), sxtb16_ror8(w1), sxtb16_ror8(w2)}
               : (struct lanes){sxtb16(w0), sxtb16(w1), sxtb16(w2)};
}

static inline struct lanes difference(struct lanes a, struct lanes b) {
    return (struct lanes){ssub16(a.d0, b.d0), ssub16(a.d1, b.d1), ssub16(a.d2, b.d2)};
}

/* Four inputs of a row; returns where the next row's go. */
static inline uint32_t *across(struct lanes row, uint32_t *v, int32_t step) {
    v[0] = ssub16(row.d0, row.d1);
    v[step] = row.d1;
    v[2 * step] = ssub16(row.d2, row.d1);
    v += 2 * step;
    v[step] = row.d2;
    return v + 2 * step;
}

/* The 16 inputs of the even or the odd channels of a word in 3x3 pixels. Inlined, so that `odd` is a constant. */
__attribute__((always_inline)) static inline void
inputs_of(const int8_t *from, int32_t row_bytes, int32_t pixel_bytes, bool odd, uint32_t *v, int32_t step) {
    const struct lanes middle = lanes_of(from + row_bytes, pixel_bytes, odd);
    v = across(difference(lanes_of(from, pixel_bytes, odd), middle), v, step);
    v = across(middle, v, step);
    const struct lanes bottom = lanes_of(from + 2 * row_bytes, pixel_bytes, odd);
    v = across(difference(bottom, middle), v, step);
    across(bottom, v, step);
}

/* The 16 inputs, `step` words apart, of each channel pair of 3x3 pixels. */
KEEP_ORDER static void put_inputs(const int8_t *from, int32_t row_bytes, int32_t pixel_bytes, uint32_t *v,
                                  int32_t step, const uint32_t *end) {
    for (; v != end; from += 4, v += 8) {
        inputs_of(from, row_bytes, pixel_bytes, false, v, step);
        inputs_of(from, row_bytes, pixel_bytes, true, v + 4, step);
    }
}

/* Copies 3x3 pixels from (y, x) on, each filled up to whole words; those outside the image are zero points. */
static void gather(const struct job *job, int32_t y, int32_t x) {
    const struct transposed_conv2d_params *p = job->p;
    int8_t *to = job->window;
    for (int32_t i = 0; i < 9; i++, to += 2 * job->l.pairs) {
        const int32_t iy = y + i / 3, ix = x + i % 3;
        memset(to, p->input_zero, (size_t)(2 * job->l.pairs));
        if (iy >= 0 && iy < p->in_h && ix >= 0 && ix < p->in_w)
            memcpy(to, job->args->in0 + (iy * p->in_w + ix) * p->in_c, (size_t)p->in_c);
    }
}

/* V of the block. */
static void transform(const struct job *job) {
    const struct transposed_conv2d_params *p = job->p;
    const int32_t step = 4 * job->l.pairs, quad_words = v_bytes(&job->l) / (int32_t)sizeof(uint32_t);
    for (int32_t t = 0; t < job->tiles; t++) {
        const int32_t y = 2 * row_of(job, t) - 1, x = 2 * column_of(job, t) - 1;
        const int8_t *from = job->window;
        int32_t row_bytes = 3 * 2 * job->l.pairs, pixel_bytes = 2 * job->l.pairs;
        if (p->in_c % 4 == 0 && y >= 0 && y + 3 <= p->in_h && x >= 0 && x + 3 <= p->in_w) {
            from = job->args->in0 + (y * p->in_w + x) * p->in_c;
            row_bytes = p->in_w * p->in_c;
            pixel_bytes = p->in_c;
        } else {
            gather(job, y, x);
        }
        uint32_t *v = job->v + t / 4 * quad_words + t % 4;
        put_inputs(from, row_bytes, pixel_bytes, v, step, v + 4 * job->l.pairs);
    }
}

/* M of two channels, from their U. */
static void multiply(const struct job *job, const uint32_t *u) {
    static const uint8_t input_of[5] = {0, 1, 2, 1, 3}, weight_of[5] = {0, 1, 2, 3, 3};
    const int32_t pairs = job->l.pairs;
    const struct transposed_winograd_pass pass = {.u_bytes = 8 * pairs,
                                                  .m_bytes = quads_of(job->tiles) * m_bytes(),
                                                  .v_next = v_bytes(&job->l) - 16 * pairs,
                                                  .skip = (1 - pairs) & (TRANSPOSED_WINOGRAD_COPIES - 1)};
    uint32_t *m = job->m;
    for (int32_t i = 0; i < 5; i++) {
        const uint32_t *inputs = job->v + 16 * pairs * input_of[i], *weights = u + 8 * pairs * weight_of[i];
        for (int32_t j = 0; j < 5; j++)
            transposed_winograd_multiply(inputs + 4 * pairs * input_of[j], weights + 2 * pairs * weight_of[j],
                                         m++, &pass);
    }
}

/* An output channel: biases of the phases (even, even), (even, odd), (odd, even), (odd, odd). */
struct channel {
    const struct requant_channel *record;
    struct rescale rescale;
    bool is_short;
    uint32_t bias[4];
};

static struct channel channel_of(const struct job *job, int32_t oc) {
    const int32_t blocks = (job->p->out_c + 1) / 2;
    const uint32_t *fix = (const uint32_t *)job->args->weights +
                          blocks * transposed_winograd_block_words(job->p->in_c) + 4 * oc;
    struct channel channel = {.record = (const struct requant_channel *)job->args->channels + oc};
    channel.is_short = rescale_prepare(&channel.rescale, channel.record, &job->layer);
    for (int32_t i = 0; i < 4; i++) channel.bias[i] = (uint32_t)channel.record->bias + fix[i];
    return channel;
}

/* Four sums of a row from its five products. */
struct row {
    uint32_t sums[4];
};

static inline struct row row_of_sums(uint32_t r0, uint32_t r1, uint32_t r2, uint32_t r3, uint32_t r4,
                                     uint32_t even, uint32_t odd) {
    r1 += even;
    return (struct row){{r0 + r1, r3 + odd, r1 + r2, r4 + odd}};
}

static inline struct row even_row(const uint32_t *m, const uint32_t *bias) {
    return row_of_sums(m[0] + m[5], m[1] + m[6], m[2] + m[7], m[3] + m[8], m[4] + m[9], bias[0], bias[1]);
}

static inline struct row odd_row(const uint32_t *m, const uint32_t *bias) {
    return row_of_sums(m[0], m[1], m[2], m[3], m[4], bias[2], bias[3]);
}

static inline void store_row(struct row row, const struct rescale *rescale, int32_t zero, int8_t *out,
                             int32_t step) {
    out[0] = rescale_short((int32_t)row.sums[0], rescale, zero);
    out[step] = rescale_short((int32_t)row.sums[1], rescale, zero);
    out[2 * step] = rescale_short((int32_t)row.sums[2], rescale, zero);
    out[3 * step] = rescale_short((int32_t)row.sums[3], rescale, zero);
}

/* Where the rows and pixels of an output lie. */
struct strides {
    int32_t row_bytes, pixel_bytes;
};

/* A channel's outputs of tiles at places, those that are whole, the short way; `out` is its first one. */
KEEP_ORDER static void store_short(const uint32_t *m, const struct channel *channel, int32_t zero,
                                   const int32_t *places, int32_t tiles, int8_t *out,
                                   struct strides strides) {
    const struct rescale rescale = channel->rescale;
    for (const int32_t *end = places + tiles; places != end; places++, m += 2 * PRODUCTS) {
        if (*places == PARTIAL) continue;
        int8_t *to = out + *places;
        store_row(even_row(m, channel->bias), &rescale, zero, to, strides.pixel_bytes);
        store_row(odd_row(m + 15, channel->bias), &rescale, zero, to += strides.row_bytes,
                  strides.pixel_bytes);
        store_row(even_row(m + 5, channel->bias), &rescale, zero, to += strides.row_bytes,
                  strides.pixel_bytes);
        store_row(odd_row(m + 20, channel->bias), &rescale, zero, to + strides.row_bytes,
                  strides.pixel_bytes);
    }
}

/* One tile's outputs, whatever the requantisation; those outside the image are dropped. */
static void store_tile(const struct job *job, const uint32_t *m, const struct channel *channel, int32_t oc,
                       int32_t tile) {
    const struct transposed_conv2d_params *p = job->p;
    const int32_t oy = TILE * row_of(job, tile) - p->pad_top, ox = TILE * column_of(job, tile) - p->pad_left;
    const struct row rows[TILE] = {even_row(m, channel->bias), odd_row(m + 15, channel->bias),
                                   even_row(m + 5, channel->bias), odd_row(m + 20, channel->bias)};
    for (int32_t y = oy; y < oy + TILE; y++) {
        for (int32_t x = ox; x < ox + TILE; x++) {
            if (y < 0 || y >= p->out_h || x < 0 || x >= p->out_w) continue;
            job->args->out[(y * p->out_w + x) * p->out_c + oc] =
                rescale_plain((int32_t)rows[y - oy].sums[x - ox], channel->record, &job->layer);
        }
    }
}

/* The outputs of a channel in the block. */
static void output(const struct job *job, const uint32_t *m, int32_t oc) {
    const struct transposed_conv2d_params *p = job->p;
    const struct channel channel = channel_of(job, oc);
    const struct strides strides = {p->out_w * p->out_c, p->out_c};
    if (channel.is_short)
        store_short(m, &channel, p->output_zero, job->places, job->tiles, job->args->out + oc, strides);
    for (int32_t t = 0; t < job->tiles; t++)
        if (!channel.is_short || job->places[t] == PARTIAL)
            store_tile(job, m + 2 * PRODUCTS * t, &channel, oc, t);
}

/* Finds the places of the block's tiles. */
static void find_places(const struct job *job) {
    const struct transposed_conv2d_params *p = job->p;
    for (int32_t t = 0; t < job->tiles; t++) {
        const int32_t oy = TILE * row_of(job, t) - p->pad_top, ox = TILE * column_of(job, t) - p->pad_left;
        const bool whole = oy >= 0 && oy + TILE <= p->out_h && ox >= 0 && ox + TILE <= p->out_w;
        job->places[t] = whole ? (oy * p->out_w + ox) * p->out_c : PARTIAL;
    }
}

/* The layer's clamp on the outputs of the block. */
static void clamp(const struct job *job) {
    const struct transposed_conv2d_params *p = job->p;
    for (int32_t t = 0; t < job->tiles; t++) {
        const int32_t oy = TILE * row_of(job, t) - p->pad_top, ox = TILE * column_of(job, t) - p->pad_left;
        const int32_t left = ox < 0 ? 0 : ox, right = ox + TILE < p->out_w ? ox + TILE : p->out_w;
        for (int32_t y = oy < 0 ? 0 : oy; y < oy + TILE && y < p->out_h; y++) {
            int8_t *out = job->args->out + (y * p->out_w + left) * p->out_c;
            for (const int8_t *end = out + (right - left) * p->out_c; out < end; out++) {
                if (*out < p->clamp_min) *out = (int8_t)p->clamp_min;
                if (*out > p->clamp_max) *out = (int8_t)p->clamp_max;
            }
        }
    }
}

void transposed_conv2d_s8_hwc_winograd2_3x3_stride2(const struct kernel_args *args) {
    const struct transposed_conv2d_params *p = args->params;
    struct job job = {.p = p,
                      .args = args,
                      .l = layout_of(p),
                      .layer = rescale_layer(p->output_zero, INT8_MIN, INT8_MAX, p->rounding),
                      .v = args->scratch};
    const struct layout *l = &job.l;
    job.m = job.v + l->block / 4 * v_bytes(l) / (int32_t)sizeof(uint32_t);
    job.places = (int32_t *)(job.m + l->block * 2 * PRODUCTS);
    job.window = (int8_t *)(job.places + l->block);
    for (int32_t all = l->rows * l->columns; job.begin < all; job.begin += l->block) {
        job.tiles = all - job.begin < l->block ? all - job.begin : l->block;
        find_places(&job);
        transform(&job);
        const uint32_t *u = args->weights;
        for (int32_t oc = 0; oc < p->out_c; oc += 2, u += transposed_winograd_block_words(p->in_c)) {
            multiply(&job, u);
            output(&job, job.m, oc);
            if (oc + 1 < p->out_c) output(&job, job.m + PRODUCTS, oc + 1);
        }
        if (p->clamp_min != INT8_MIN || p->clamp_max != INT8_MAX) clamp(&job);
    }
}
