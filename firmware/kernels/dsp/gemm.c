#include "gemm.h"

#define SCRATCH_BYTES 1920
#define EIGHT_BYTES   4608 /* most scratch for eight pixels */
#define MOST_PIXELS   64

const struct gemm_code_set gemm_code_sets[GEMM_FORMS] = {
    {{gemm_pairs_ties, gemm_pairs_short}, gemm_pairs_sums},
    {{gemm_bytepairs_ties, gemm_bytepairs_short}, gemm_bytepairs_sums}};
static gemm_expand_kernel *const expand_kernels[GEMM_FORMS] = {gemm_pairs_expand, gemm_bytepairs_expand};

int32_t gemm_block_pixels(int32_t inputs, int32_t pixels) {
    const int32_t pixel_bytes = 8 * gemm_groups(inputs);
    int32_t fit = SCRATCH_BYTES / pixel_bytes / GEMM_TILE * GEMM_TILE;
    if (fit < 8) fit = 8 * pixel_bytes <= EIGHT_BYTES ? 8 : GEMM_TILE;
    if (fit > MOST_PIXELS) fit = MOST_PIXELS;
    const int32_t all = (pixels + GEMM_TILE - 1) / GEMM_TILE * GEMM_TILE;
    return fit < all ? fit : all;
}

int32_t gemm_block_bytes(int32_t inputs, int32_t pixels) {
    return gemm_block_pixels(inputs, pixels) * 8 * gemm_groups(inputs);
}

struct gemm gemm_prepare(const struct kernel_args *args, enum gemm_form form, int32_t inputs) {
    const struct conv2d_params *p = args->params;
    const struct gemm_record *records = args->weights;
    const int32_t out_c = p->out_c / p->groups;
    return (struct gemm){records,
                         (const uint32_t *)(records + (out_c + 1) / 2),
                         gemm_groups(inputs),
                         out_c,
                         &gemm_code_sets[form],
                         rescale_layer(p->output_zero, p->clamp_min, p->clamp_max, p->rounding)};
}

void gemm_next_group(struct gemm *gemm) {
    const int32_t pairs = (gemm->out_c + 1) / 2;
    gemm->records = (const struct gemm_record *)(gemm->weights + 2 * pairs * gemm->groups);
    gemm->weights = (const uint32_t *)(gemm->records + pairs);
}

uint32_t *gemm_expand_pixel(enum gemm_form form, const int8_t *from, int32_t count, uint32_t *to) {
    for (; count >= 4; count -= 4, from += 4, to += 2 * GEMM_TILE) gemm_put(form, load_word(from), to);
    if (count > 0) {
        gemm_put(form, load_bytes(from, count), to);
        to += 2 * GEMM_TILE;
    }
    return to;
}

uint32_t *gemm_expand_tile(enum gemm_form form, const int8_t *from, int32_t step, int32_t count,
                           uint32_t *to) {
    const int32_t whole = count / 4;
    if (whole > 0) expand_kernels[form](from, step, to, whole);
    to += whole * 2 * GEMM_TILE;
    if (count % 4 == 0) return to;
    from += whole * 4;
    for (int32_t i = 0; i < GEMM_TILE; i++, from += step) gemm_expand_pixel(form, from, count % 4, to + i);
    return to + 2 * GEMM_TILE;
}

void gemm_plain_tile(const struct gemm *gemm, int32_t pair, const int32_t *sums, int32_t pixels, int32_t step,
                     int8_t *out) {
    const struct gemm_record *record = gemm->records + pair;
    const int32_t channels = gemm->out_c - 2 * pair < 2 ? 1 : 2;
    for (int32_t channel = 0; channel < channels; channel++) {
        const int32_t shift = record->scale[channel].power & 63;
        const struct requant_channel rescale = {0, record->scale[channel].multiplier & INT32_MAX,
                                                (shift > 61 ? 61 : shift) - 31};
        for (int32_t i = 0; i < pixels; i++)
            out[i * step + channel] = rescale_plain(sums[GEMM_TILE * channel + i], &rescale, &gemm->layer);
    }
}

static void plain_pair(const struct gemm *gemm, int32_t pair, const uint32_t *tiles, int32_t pixels,
                       int8_t *out, int32_t step) {
    const int32_t tile_words = 2 * GEMM_TILE * gemm->groups;
    for (; pixels > 0; pixels -= GEMM_TILE, tiles += tile_words, out += GEMM_TILE * step) {
        int32_t sums[2 * GEMM_TILE];
        gemm->set->sums(tiles, gemm->weights + 2 * gemm->groups * pair, gemm->records + pair, sums,
                        gemm->groups);
        gemm_plain_tile(gemm, pair, sums, pixels < GEMM_TILE ? pixels : GEMM_TILE, step, out);
    }
}

/* Channel pairs of one code, SHORT or TIES: whole tiles in place, a last one with fewer pixels by way of the stack. */
static void short_pairs(const struct gemm *gemm, enum gemm_code code, int32_t pair, int32_t pairs,
                        const uint32_t *tiles, int32_t pixels, int8_t *out, int32_t step) {
    gemm_kernel *const kernel = gemm->set->code[code == GEMM_SHORT];
    const uint32_t *weights = gemm->weights + 2 * gemm->groups * pair;
    const struct gemm_record *records = gemm->records + pair;
    const int32_t tile_bytes = 8 * GEMM_TILE * gemm->groups, second = gemm->out_c > 2 * pair + 1;
    const int32_t whole = (int32_t)((uint32_t)pixels / GEMM_TILE), rest = pixels & (GEMM_TILE - 1);
    struct gemm_pass pass = {out + 2 * pair,
                             step,
                             second,
                             gemm->layer.output_zero,
                             pairs,
                             whole * tile_bytes,
                             8 * gemm->groups,
                             gemm_skip(gemm->groups - 1)};
    if (gemm->groups == 1) pass.skip = GEMM_COPIES;
    if (whole > 0) kernel(tiles, weights, records, &pass);
    if (rest == 0) return;
    int8_t tile[2 * GEMM_TILE];
    pass.out = tile;
    pass.out_step = 2;
    pass.pairs = 1;
    pass.tiles_bytes = tile_bytes;
    tiles += 2 * GEMM_TILE * gemm->groups * whole;
    out += whole * GEMM_TILE * step + 2 * pair;
    for (; pairs > 0; pairs--, weights += 2 * gemm->groups, records++, out += 2) {
        kernel(tiles, weights, records, &pass);
        for (int32_t i = 0; i < rest; i++) {
            out[i * step] = tile[2 * i];
            if (second) out[i * step + 1] = tile[2 * i + 1];
        }
    }
}

void gemm_clamp(const struct gemm *gemm, int8_t *out, int32_t count) {
    const int32_t min = gemm->layer.clamp_min, max = gemm->layer.clamp_max;
    if (min == INT8_MIN && max == INT8_MAX) return;
    for (; count > 0; count--, out++) *out = (int8_t)(*out < min ? min : *out > max ? max : *out);
}

void gemm_clamp_pixels(const struct gemm *gemm, int8_t *out, int32_t pixels, int32_t step) {
    if (gemm->layer.clamp_min == INT8_MIN && gemm->layer.clamp_max == INT8_MAX) return;
    if (step == gemm->out_c) {
        gemm_clamp(gemm, out, pixels * step);
        return;
    }
    for (; pixels > 0; pixels--, out += step) gemm_clamp(gemm, out, gemm->out_c);
}

/* Pairs behind the first, before `end`, whose code is the first's, which is not PLAIN. Every block asks: the bits that tell the
 * codes apart are all that is looked at. */
static int32_t pairs_alike(const struct gemm_record *first, const struct gemm_record *end) {
    const uint32_t telling = 0x80000001u; /* sign, and the lowest bit */
    const uint32_t code = (uint32_t)(first->scale[0].power | first->scale[1].power);
    const struct gemm_record *record = first + 1;
    while (record < end && !(((uint32_t)(record->scale[0].power | record->scale[1].power) ^ code) & telling))
        record++;
    return (int32_t)(record - first) - 1;
}

void gemm_pixels(const struct gemm *gemm, const uint32_t *tiles, int32_t pixels, int8_t *out, int32_t step) {
    const int32_t whole = gemm->out_c >> 1, all = (gemm->out_c + 1) >> 1;
    for (int32_t pair = 0; pair < all;) {
        const enum gemm_code code = gemm_code_of(gemm->records + pair);
        int32_t end = pair + 1;
        if (code == GEMM_PLAIN) {
            plain_pair(gemm, pair, tiles, pixels, out + 2 * pair, step);
        } else {
            end += pairs_alike(gemm->records + pair, gemm->records + whole);
            short_pairs(gemm, code, pair, end - pair, tiles, pixels, out, step);
        }
        pair = end;
    }
}

void gemm_block(const struct gemm *gemm, const uint32_t *tiles, int32_t pixels, int8_t *out) {
    gemm_block_apart(gemm, tiles, pixels, out, gemm->out_c);
}

void gemm_block_apart(const struct gemm *gemm, const uint32_t *tiles, int32_t pixels, int8_t *out,
                      int32_t step) {
    gemm_pixels(gemm, tiles, pixels, out, step);
    gemm_clamp_pixels(gemm, out, pixels, step);
}
