#include "gemm_indirect.h"

#define FORM GEMM_BYTEPAIRS

static int32_t clip(int32_t x, int32_t low, int32_t high) {
    return x < low ? low : x > high ? high : x;
}

/* Zero points in one lane of a number of groups. */
static void put_zeros(const struct gemm_rows *rows, int32_t groups, uint32_t *to) {
    const uint32_t zeros = (uint32_t)(uint8_t)rows->zero * 0x01010101u;
    for (; groups > 0; groups--, to += 2 * GEMM_TILE) gemm_put(FORM, zeros, to);
}

/* Elements begin .. end - 1, some of whose lanes lie outside the image. */
static void expand_border(const struct gemm_rows *rows, const int8_t *row, int32_t begin, int32_t end,
                          uint32_t *to) {
    for (int32_t element = begin; element < end; element++, to += 2 * GEMM_TILE * rows->groups) {
        for (int32_t i = 0; i < GEMM_TILE; i++) {
            const int32_t column = element + rows->first + i * rows->step;
            if (column >= 0 && column < rows->width)
                gemm_expand_pixel(FORM, row + column * rows->pixel_bytes, rows->channels, to + i);
            else
                put_zeros(rows, rows->groups, to + i);
        }
    }
}

void gemm_expand_row(const struct gemm_rows *rows, int32_t row, uint32_t *to) {
    const int8_t *in = rows->in + row * rows->width * rows->pixel_bytes;
    const int32_t begin = clip(-rows->first, 0, rows->elements);
    const int32_t end = clip(rows->width - rows->first - 3 * rows->step, begin, rows->elements);
    const int32_t element_words = 2 * GEMM_TILE * rows->groups, step_bytes = rows->step * rows->pixel_bytes;
    expand_border(rows, in, 0, begin, to);
    if (begin < end) {
        const int8_t *from = in + (begin + rows->first) * rows->pixel_bytes;
        uint32_t *inside = to + begin * element_words;
        if (rows->channels % 4 == 0 && rows->channels == rows->pixel_bytes)
            gemm_expand_tile(FORM, from, step_bytes, (end - begin) * rows->channels, inside);
        else
            for (int32_t element = begin; element < end; element++, from += rows->pixel_bytes)
                inside = gemm_expand_tile(FORM, from, step_bytes, rows->channels, inside);
    }
    expand_border(rows, in, end, rows->elements, to + end * element_words);
}

void gemm_expand_zeros(const struct gemm_rows *rows, uint32_t *to) {
    for (int32_t i = 0; i < GEMM_TILE; i++) put_zeros(rows, rows->groups * rows->elements, to + i);
}

/* Channel pairs of one code. */
static void multiply_pairs(const struct gemm *gemm, int32_t pair, struct gemm_indirect_pass pass,
                           const uint32_t *tiles) {
    const struct gemm_record *record = gemm->records + pair;
    const uint32_t *weights = gemm->weights + 2 * gemm->groups * pair;
    const enum gemm_code code = gemm_code_of(record);
    if (code != GEMM_PLAIN) {
        (code == GEMM_SHORT ? gemm_indirect_short : gemm_indirect_ties)(tiles, weights, record, &pass);
        return;
    }
    int8_t *out = pass.out;
    int32_t sums[2 * GEMM_TILE];
    pass.out = (int8_t *)sums;
    for (int32_t place = 0; place < pass.tiles_bytes; place += pass.tile_step, out += pass.out_next) {
        gemm_indirect_sums(tiles + place / 4, weights, record, &pass);
        gemm_plain_tile(gemm, pair, sums, GEMM_TILE, pass.out_step, out);
    }
}

void gemm_indirect_row(const struct gemm *gemm, struct gemm_indirect_pass pass, const uint32_t *tiles,
                       int8_t *out) {
    const int32_t whole = gemm->out_c / 2, all = (gemm->out_c + 1) / 2;
    for (int32_t pair = 0; pair < all; pair += pass.pairs) {
        const enum gemm_code code = gemm_code_of(gemm->records + pair);
        pass.out = out + 2 * pair;
        pass.second = pair < whole;
        pass.pairs = 1;
        if (code != GEMM_PLAIN)
            while (pair + pass.pairs < whole && gemm_code_of(gemm->records + pair + pass.pairs) == code)
                pass.pairs++;
        multiply_pairs(gemm, pair, pass, tiles);
    }
}

void gemm_indirect_part(const struct gemm *gemm, struct gemm_indirect_pass pass, const uint32_t *tiles,
                        int8_t *out, int32_t pixels) {
    const int32_t whole = gemm->out_c / 2, all = (gemm->out_c + 1) / 2;
    const int32_t lane = pass.tiles_bytes / pass.tile_step, step = pass.out_step;
    int8_t tile[2 * GEMM_TILE];
    pass.out = tile;
    pass.out_step = 2;
    pass.pairs = 1;
    pass.tiles_bytes = pass.tile_step;
    for (int32_t pair = 0; pair < all; pair++) {
        pass.second = pair < whole;
        for (int32_t x = 0; x < lane; x++) {
            multiply_pairs(gemm, pair, pass, tiles + x * (pass.tile_step / 4));
            int8_t *to = out + x * pass.out_next + 2 * pair;
            for (int32_t i = 0, at = x; i < GEMM_TILE && at < pixels; i++, at += lane, to += step) {
                to[0] = tile[2 * i];
                if (pass.second) to[1] = tile[2 * i + 1];
            }
        }
    }
}
