#include "depthwise_rows.h"

#include "../dsp.h"
#include "rescale.h"

/* Words of scratch that a layer may take; keeps the arithmetic below inside int32. */
#define MAX_WORDS (1 << 20)

/* Sizes in scratch: a ring of padded rows, a word (four channels) a column; then per pair of taps four weight words and
 * two offsets into the ring. */
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

/* Where the taps of output row oy are in the ring, for output column 0. An odd last tap has a twin of weight 0. */
static void tap_offsets(const struct depthwise_params *p, struct layout layout, int32_t oy,
                        int32_t *offsets) {
    const int32_t first = oy * p->stride_h;
    int32_t *to = offsets;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const int32_t slot = (first + ky * p->dilation_h) % layout.rows;
        for (int32_t kx = 0; kx < p->kernel_w; kx++) *to++ = slot * layout.columns + kx * p->dilation_w;
    }
    if (to - offsets < 2 * layout.pairs) *to = to[-1];
}

struct sums {
    int32_t s[4];
};

static inline struct sums window_sums(const uint32_t *window, const int32_t *offsets, const uint32_t *weights,
                                      int32_t pairs, struct sums sums) {
    int32_t s0 = sums.s[0], s1 = sums.s[1], s2 = sums.s[2], s3 = sums.s[3];
    for (const int32_t *end = offsets + 2 * pairs; offsets != end; offsets += 2, weights += 4) {
        const uint32_t a = window[offsets[0]], b = window[offsets[1]];
        const uint32_t low = pkhbt_lsl16(a, b), high = pkhtb_asr16(b, a);
        s0 = smlad(sxtb16(low), weights[0], s0);
        s1 = smlad(sxtb16_ror8(low), weights[1], s1);
        s2 = smlad(sxtb16(high), weights[2], s2);
        s3 = smlad(sxtb16_ror8(high), weights[3], s3);
    }
    return (struct sums){{s0, s1, s2, s3}};
}

/* One output row of four channels (or the last count of them). */
static void output_row(const struct kernel_args *args, const struct rescale_layer *layer, int32_t c,
                       int32_t count, const uint32_t *ring, const int32_t *offsets, const uint32_t *weights,
                       int32_t pairs, int8_t *out) {
    const struct depthwise_params *p = args->params;
    const struct requant_channel *channels = (const struct requant_channel *)args->channels + c;
    struct rescale r[4];
    struct sums bias = {{0}};
    bool is_short = true;
    for (int32_t i = 0; i < count; i++) {
        is_short &= rescale_prepare(&r[i], &channels[i], layer);
        bias.s[i] = channels[i].bias;
    }
    const uint32_t *window = ring;
    for (int32_t ox = 0; ox < p->out_w; ox++, window += p->stride_w, out += p->out_c) {
        const struct sums sums = window_sums(window, offsets, weights, pairs, bias);
        if (is_short && count == 4) {
            for (int32_t i = 0; i < 4; i++) out[i] = rescale_short(sums.s[i], &r[i], layer->addend);
        } else {
            for (int32_t i = 0; i < count; i++) out[i] = rescale_plain(sums.s[i], &channels[i], layer);
        }
    }
}

void depthwise_rows(const struct kernel_args *args) {
    const struct depthwise_params *p = args->params;
    const struct rescale_layer layer = rescale_layer(p->output_zero, p->clamp_min, p->clamp_max, p->rounding);
    const struct layout layout = layout_of(p);
    uint32_t *ring = args->scratch;
    uint32_t *weights = ring + layout.rows * layout.columns;
    int32_t *offsets = (int32_t *)(weights + 4 * layout.pairs);
    for (int32_t c = 0; c < p->out_c; c += 4) {
        const int32_t count = p->out_c - c < 4 ? p->out_c - c : 4;
        int32_t gathered = 0; /* rows, counted from the first padded one */
        pair_weights(args, c, count, layout.pairs, weights);
        for (int32_t oy = 0; oy < p->out_h; oy++) {
            const int32_t first = oy * p->stride_h;
            if (gathered < first) gathered = first;
            for (; gathered < first + layout.rows; gathered++) {
                uint32_t *row = ring + gathered % layout.rows * layout.columns;
                gather_row(args, gathered - p->pad_top, c, count, layout.columns, row);
            }
            tap_offsets(p, layout, oy, offsets);
            output_row(args, &layer, c, count, ring, offsets, weights, layout.pairs,
                       args->out + oy * p->out_w * p->out_c + c);
        }
    }
}
