#include "depthwise_rows.h"

#include "../dsp.h"
#include "rescale.h"

/* Words of scratch that a layer may take; keeps the arithmetic below inside int32. */
#define MAX_WORDS (1 << 20)

/* Sizes in scratch: a ring of padded rows, a word (four channels) a column; then per pair of taps four weight
 * words and two offsets into the ring. */
struct layout {
    int32_t rows;    /* of the ring: as many as a window spans */
    int32_t columns; /* of a row: from the first window's first tap to the last one's last */
    int32_t pairs;   /* of taps */
};

static struct layout layout_of(const struct depthwise_params *p) {
    return (struct layout){
        .rows = (p->kernel_h - 1) * p->dilation_h + 1,
        .columns = (p->out_w - 1) * p->stride_w + (p->kernel_w - 1) * p->dilation_w + 1,
        .pairs = (p->kernel_h * p->kernel_w + 1) / 2,
    };
}

static int64_t scratch_words(struct layout layout) {
    return (int64_t)layout.rows * layout.columns + (int64_t)layout.pairs * 6;
}

bool depthwise_rows_supports(const struct depthwise_params *p) {
    return p->depth_multiplier == 1 && p->weights_zero == 0 && scratch_words(layout_of(p)) <= MAX_WORDS;
}

uint32_t depthwise_rows_scratch_bytes(const struct depthwise_params *p) {
    return (uint32_t)scratch_words(layout_of(p)) * sizeof(uint32_t);
}

/* Row iy of channels c .. c + count - 1 to the ring; everything outside the image is input_zero. */
static void gather_row(const struct kernel_args *args, int32_t iy, int32_t c, int32_t count, int32_t columns,
                       uint32_t *to) {
    const struct depthwise_params *p = args->params;
    const uint32_t zero = (uint32_t)(uint8_t)p->input_zero * 0x01010101u;
    const uint32_t *end = to + columns;
    if (iy >= 0 && iy < p->in_h) {
        const int8_t *from = args->in0 + iy * p->in_w * p->in_c + c;
        const int32_t before = p->pad_left < columns ? p->pad_left : columns;
        const int32_t last = p->in_w < columns - before ? p->in_w : columns - before;
        for (int32_t i = 0; i < before; i++) *to++ = zero;
        if (count >= 4)
            for (int32_t i = 0; i < last; i++, from += p->in_c) *to++ = load_word(from);
        else
            for (int32_t i = 0; i < last; i++, from += p->in_c) *to++ = load_bytes(from, count);
    }
    while (to < end) *to++ = zero;
}

/* Weight words of channels c .. : for taps 2i and 2i + 1, one word a channel with tap 2i in lane 0. */
static void pair_weights(const struct kernel_args *args, int32_t c, int32_t count, int32_t pairs,
                         uint32_t *to) {
    const struct depthwise_params *p = args->params;
    const int32_t taps = p->kernel_h * p->kernel_w;
    const int8_t *weights = (const int8_t *)args->weights + c;
    for (int32_t i = 0; i < pairs; i++, to += 4) {
        const int8_t *even = weights + 2 * i * p->out_c;
        const uint32_t a = count >= 4 ? load_word(even) : load_bytes(even, count);
        uint32_t b = 0;
        if (2 * i + 1 < taps) {
            const int8_t *odd = even + p->out_c;
            b = count >= 4 ? load_word(odd) : load_bytes(odd, count);
        }
        const uint32_t low = pkhbt_lsl16(a, b), high = pkhtb_asr16(b, a);
        to[0] = sxtb16(low);
        to[1] = sxtb16_ror8(low);
        to[2] = sxtb16(high);
        to[3] = sxtb16_ror8(high);
    }
}

/* Where the taps of output row oy are in the ring, for output column 0. An odd last tap has a twin of weight
 * 0. */
static void tap_offsets(const struct depthwise_params *p, struct layout layout, int32_t oy,
                        int32_t *offsets) {
    int32_t slot = oy * p->stride_h % layout.rows;
    int32_t *to = offsets;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        for (int32_t kx = 0; kx < p->kernel_w; kx++) *to++ = slot * layout.columns + kx * p->dilation_w;
        slot += p->dilation_h;
        if (slot >= layout.rows) slot -= layout.rows;
    }
    if (to - offsets < 2 * layout.pairs) *to = to[-1];
}

/* One output row of four channels. */
struct row {
    const uint32_t *ring;
    const int32_t *offsets;
    const uint32_t *weights;
    int32_t pairs;
    int32_t stride; /* words from window to window */
    int8_t *out;
    int32_t out_c;
    int32_t count; /* pixels */
    const struct rescale *rescale;
    int32_t addend;
};

/* Adds two taps of four channels, a word each, to s0 .. s3. Macros on scalars, for GCC keeps an array of sums
 * in memory. */
#define ADD_PAIR(first, second, weights)                                                                     \
    do {                                                                                                     \
        const uint32_t a = (first), b = (second);                                                            \
        const uint32_t low = pkhbt_lsl16(a, b), high = pkhtb_asr16(b, a);                                    \
        s0 = smlad(sxtb16(low), (weights)[0], s0);                                                           \
        s1 = smlad(sxtb16_ror8(low), (weights)[1], s1);                                                      \
        s2 = smlad(sxtb16(high), (weights)[2], s2);                                                          \
        s3 = smlad(sxtb16_ror8(high), (weights)[3], s3);                                                     \
    } while (0)

/* The same for a last tap, whose weights are in lane 0. */
#define ADD_SINGLE(word, weights)                                                                            \
    do {                                                                                                     \
        const uint32_t even = sxtb16(word), odd = sxtb16_ror8(word);                                         \
        s0 = smlabb(even, (weights)[0], s0);                                                                 \
        s1 = smlabb(odd, (weights)[1], s1);                                                                  \
        s2 = smlatb(even, (weights)[2], s2);                                                                 \
        s3 = smlatb(odd, (weights)[3], s3);                                                                  \
    } while (0)

#define START_SUMS(r) int32_t s0 = (r)[0].bias, s1 = (r)[1].bias, s2 = (r)[2].bias, s3 = (r)[3].bias

#define STORE_SHORT(out, r, addend)                                                                          \
    do {                                                                                                     \
        (out)[0] = rescale_short(s0, &(r)[0], addend);                                                       \
        (out)[1] = rescale_short(s1, &(r)[1], addend);                                                       \
        (out)[2] = rescale_short(s2, &(r)[2], addend);                                                       \
        (out)[3] = rescale_short(s3, &(r)[3], addend);                                                       \
    } while (0)

KEEP_ORDER static void short_row(const struct row *row) {
    const struct rescale *r = row->rescale;
    const uint32_t *window = row->ring;
    int8_t *out = row->out;
    for (int32_t left = row->count; left > 0; left--, window += row->stride, out += row->out_c) {
        START_SUMS(r);
        const int32_t *offsets = row->offsets;
        const uint32_t *weights = row->weights;
        for (const int32_t *end = offsets + 2 * row->pairs; offsets != end; offsets += 2, weights += 4)
            ADD_PAIR(window[offsets[0]], window[offsets[1]], weights);
        STORE_SHORT(out, r, row->addend);
    }
}

KEEP_ORDER static void short_row_3x3(const struct row *row) {
    const struct rescale *r = row->rescale;
    const uint32_t *w = row->weights;
    const uint32_t *row0 = row->ring + row->offsets[0], *row1 = row->ring + row->offsets[3];
    const uint32_t *row2 = row->ring + row->offsets[6];
    int8_t *out = row->out;
    const int32_t stride = row->stride, addend = row->addend, out_c = row->out_c;
    for (const int8_t *end = out + row->count * out_c; out != end; out += out_c) {
        START_SUMS(r);
        ADD_PAIR(row0[0], row0[1], w);
        ADD_PAIR(row0[2], row1[0], w + 4);
        row0 += stride;
        ADD_PAIR(row1[1], row1[2], w + 8);
        row1 += stride;
        ADD_PAIR(row2[0], row2[1], w + 12);
        ADD_SINGLE(row2[2], w + 16);
        row2 += stride;
        STORE_SHORT(out, r, addend);
    }
}

/* Any rescale, and the last channels if they are fewer than four. */
static void plain_row(const struct row *row, const struct requant_channel *channels,
                      const struct rescale_layer *layer, int32_t count) {
    const uint32_t *window = row->ring;
    int8_t *out = row->out;
    for (int32_t left = row->count; left > 0; left--, window += row->stride, out += row->out_c) {
        int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        for (int32_t i = 0; i < row->pairs; i++)
            ADD_PAIR(window[row->offsets[2 * i]], window[row->offsets[2 * i + 1]], row->weights + 4 * i);
        const int32_t sums[4] = {s0, s1, s2, s3};
        for (int32_t i = 0; i < count; i++) {
            const int32_t sum = (int32_t)((uint32_t)sums[i] + (uint32_t)channels[i].bias);
            out[i] = rescale_plain(sum, &channels[i], layer);
        }
    }
}

void depthwise_rows(const struct kernel_args *args) {
    const struct depthwise_params *p = args->params;
    const struct rescale_layer layer = rescale_layer(p->output_zero, p->clamp_min, p->clamp_max, p->rounding);
    const struct layout layout = layout_of(p);
    const bool is_3x3 = p->kernel_h == 3 && p->kernel_w == 3 && p->dilation_w == 1;
    uint32_t *ring = args->scratch;
    uint32_t *weights = ring + layout.rows * layout.columns;
    int32_t *offsets = (int32_t *)(weights + 4 * layout.pairs);
    for (int32_t c = 0; c < p->out_c; c += 4) {
        const struct requant_channel *channels = (const struct requant_channel *)args->channels + c;
        const int32_t count = p->out_c - c < 4 ? p->out_c - c : 4;
        struct rescale rescale[4];
        bool is_short = count == 4;
        for (int32_t i = 0; i < count; i++) is_short &= rescale_prepare(&rescale[i], &channels[i], &layer);

        int32_t gathered = 0; /* rows, counted from the first padded one */
        pair_weights(args, c, count, layout.pairs, weights);
        for (int32_t oy = 0; oy < p->out_h; oy++) {
            const int32_t first = oy * p->stride_h;
            if (gathered < first) gathered = first;
            for (; gathered < first + layout.rows; gathered++) {
                uint32_t *to = ring + gathered % layout.rows * layout.columns;
                gather_row(args, gathered - p->pad_top, c, count, layout.columns, to);
            }
            tap_offsets(p, layout, oy, offsets);
            const struct row row = {
                .ring = ring,
                .offsets = offsets,
                .weights = weights,
                .pairs = layout.pairs,
                .stride = p->stride_w,
                .out = args->out + oy * p->out_w * p->out_c + c,
                .out_c = p->out_c,
                .count = p->out_w,
                .rescale = rescale,
                .addend = layer.output_zero,
            };
            if (!is_short)
                plain_row(&row, channels, &layer, count);
            else if (is_3x3)
                short_row_3x3(&row);
            else
                short_row(&row);
        }
    }
}
