/* Definition of Winograd's micro-kernels, in C; winograd_arm.S is bit-equal to it. */
#include "winograd.h"

#include "../dsp.h"

#if !(defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP)

    #define INVERSE_OF_9 954437177u /* modulo 2^32 */
    #define ZC           WINOGRAD_Z_COLUMNS

/* B^T of n = 4 on plain integers modulo 2^32, rows in the order 0 .. 5. */
static void transform4(const uint32_t d[6], uint32_t v[6]) {
    v[0] = 4 * d[0] - 5 * d[2] + d[4];
    v[1] = d[3] + d[4] - 4 * (d[1] + d[2]);
    v[2] = d[4] - d[3] + 4 * (d[1] - d[2]);
    v[3] = d[4] - d[2] + 2 * (d[3] - d[1]);
    v[4] = d[4] - d[2] - 2 * (d[3] - d[1]);
    v[5] = 4 * d[1] - 5 * d[3] + d[5];
}

static const int8_t *pixel_of_row(const int8_t *row1, const struct winograd_rows *rows, int32_t row) {
    return row == 0 ? row1 + rows->row0_offset : row1 + (row - 1) * rows->row_bytes;
}

/* Row of the transform in each row of Z, V and M. */
static const uint8_t order4[6] = {1, 2, 3, 4, 0, 5};

static void rows4(const int8_t *row1, uint32_t *z, int32_t columns, const struct winograd_rows *rows,
                  uint32_t odd) {
    for (int32_t x = 0; x < columns; x++, row1 += rows->pixel_bytes, z++) {
        uint32_t d[6], v[6];
        for (int32_t i = 0; i < 6; i++) {
            const uint32_t word = load_word(pixel_of_row(row1, rows, i));
            d[i] = ((odd ? word >> 8 : word) & 0x00ff00ffu) ^ 0x00800080u; /* pixel + 128 in both lanes */
        }
        transform4(d, v);
        for (int32_t i = 0; i < 6; i++) z[i * ZC] = v[order4[i]];
    }
}

void winograd4_rows_even(const int8_t *row1, uint32_t *z, int32_t columns, const struct winograd_rows *rows) {
    rows4(row1, z, columns, rows, 0);
}

void winograd4_rows_odd(const int8_t *row1, uint32_t *z, int32_t columns, const struct winograd_rows *rows) {
    rows4(row1, z, columns, rows, 1);
}

/* The place of the next tile's V. */
static uint32_t *next_tile(uint32_t *v, int32_t *left, int32_t quad_bytes) {
    v++;
    if (--*left > 0) return v;
    *left = 4;
    return v - 4 + quad_bytes / 4;
}

void winograd4_columns(const uint32_t *z, uint32_t *v, int32_t tiles, int32_t left,
                       const struct winograd_place *place) {
    for (; tiles > 0; tiles--, z += 4, v = next_tile(v, &left, place->quad_bytes)) {
        for (int32_t i = 0; i < 6; i++) {
            uint32_t d[6], row[6];
            for (int32_t j = 0; j < 6; j++) d[j] = z[i * ZC + j];
            d[4] += WINOGRAD4_LANE;
            d[5] += WINOGRAD4_LANE;
            transform4(d, row);
            for (int32_t j = 0; j < 6; j++) v[4 * (6 * i + j)] = row[j];
        }
    }
}

static uint32_t lanes(int32_t low, int32_t high) {
    return (uint32_t)(uint16_t)low | (uint32_t)(uint16_t)high << 16;
}

static uint32_t lanes_add(uint32_t x, uint32_t y) {
    return lanes((int32_t)(x + y), (int32_t)((x >> 16) + (y >> 16)));
}

static uint32_t lanes_subtract(uint32_t x, uint32_t y) {
    return lanes((int32_t)(x - y), (int32_t)((x >> 16) - (y >> 16)));
}

/* B^T of n = 2, lane by lane. */
static void transform2(const uint32_t d[4], uint32_t v[4]) {
    v[0] = lanes_subtract(d[0], d[2]);
    v[1] = lanes_add(d[1], d[2]);
    v[2] = lanes_subtract(d[2], d[1]);
    v[3] = lanes_subtract(d[1], d[3]);
}

static const uint8_t order2[4] = {1, 2, 0, 3};

static void rows2(const int8_t *row1, uint32_t *z, int32_t columns, const struct winograd_rows *rows,
                  uint32_t odd) {
    for (int32_t x = 0; x < columns; x++, row1 += rows->pixel_bytes, z++) {
        uint32_t d[4], v[4];
        for (int32_t i = 0; i < 4; i++) {
            const uint32_t word = load_word(pixel_of_row(row1, rows, i));
            d[i] = odd ? sxtb16_ror8(word) : sxtb16(word);
        }
        transform2(d, v);
        for (int32_t i = 0; i < 4; i++) z[i * ZC] = v[order2[i]];
    }
}

void winograd2_rows_even(const int8_t *row1, uint32_t *z, int32_t columns, const struct winograd_rows *rows) {
    rows2(row1, z, columns, rows, 0);
}

void winograd2_rows_odd(const int8_t *row1, uint32_t *z, int32_t columns, const struct winograd_rows *rows) {
    rows2(row1, z, columns, rows, 1);
}

void winograd2_columns(const uint32_t *z, uint32_t *v, int32_t tiles, int32_t left,
                       const struct winograd_place *place) {
    for (; tiles > 0; tiles--, z += 2, v = next_tile(v, &left, place->quad_bytes)) {
        for (int32_t i = 0; i < 4; i++) {
            uint32_t row[4];
            transform2(z + i * ZC, row);
            for (int32_t j = 0; j < 4; j++) v[4 * (4 * i + j)] = row[j];
        }
    }
}

/* Stride 2 along one axis: products, in the order of Z's rows, which belong to sums 0, 1, 2, 0, 2. */
static void transform2s2(const uint32_t d[5], uint32_t v[5]) {
    v[0] = lanes_subtract(d[0], d[2]);
    v[1] = d[2];
    v[2] = lanes_subtract(d[4], d[2]);
    v[3] = d[1];
    v[4] = d[3];
}

/* Which products make each sum. */
static const struct {
    uint8_t count, product[2];
} sums2s2[3] = {{2, {0, 3}}, {1, {1, 1}}, {2, {2, 4}}};

static void rows2s2(const int8_t *row1, uint32_t *z, int32_t columns, const struct winograd_rows *rows,
                    uint32_t odd) {
    for (int32_t x = 0; x < columns; x++, row1 += rows->pixel_bytes, z++) {
        uint32_t d[5], v[5];
        for (int32_t i = 0; i < 5; i++) {
            const uint32_t word = load_word(pixel_of_row(row1, rows, i));
            d[i] = odd ? sxtb16_ror8(word) : sxtb16(word);
        }
        transform2s2(d, v);
        for (int32_t i = 0; i < 5; i++) z[i * ZC] = v[i];
    }
}

void winograd2s2_rows_even(const int8_t *row1, uint32_t *z, int32_t columns,
                           const struct winograd_rows *rows) {
    rows2s2(row1, z, columns, rows, 0);
}

void winograd2s2_rows_odd(const int8_t *row1, uint32_t *z, int32_t columns,
                          const struct winograd_rows *rows) {
    rows2s2(row1, z, columns, rows, 1);
}

void winograd2s2_columns(const uint32_t *z, uint32_t *v, int32_t tiles, int32_t left,
                         const struct winograd_place *place) {
    const int32_t pairs = place->pairs_bytes / 16, pair = place->pair_bytes / 16;
    for (; tiles > 0; tiles--, z += 4, v = next_tile(v, &left, place->quad_bytes)) {
        uint32_t product[5][5];
        for (int32_t i = 0; i < 5; i++) transform2s2(z + i * ZC, product[i]);
        uint32_t *run = v;
        for (int32_t sum = 0; sum < 9; sum++) {
            const int32_t i = sum / 3, j = sum % 3, count = sums2s2[i].count * sums2s2[j].count;
            uint32_t *to = run + pair * count * 4;
            for (int32_t a = 0; a < sums2s2[i].count; a++)
                for (int32_t b = 0; b < sums2s2[j].count; b++, to += 4)
                    *to = product[sums2s2[i].product[a]][sums2s2[j].product[b]];
            run += pairs * count * 4;
        }
    }
}

void winograd2s2_multiply(const uint32_t *v, const uint32_t *u, uint32_t *m, int32_t channel_pairs,
                          int32_t tile_quads) {
    for (int32_t sum = 0; sum < 9; sum++) {
        const int32_t steps = channel_pairs * sums2s2[sum / 3].count * sums2s2[sum % 3].count;
        for (int32_t tile = 0; tile < 4 * tile_quads; tile++) {
            const uint32_t *run = v + tile / 4 * (channel_pairs * 25 * 4) + tile % 4;
            for (int32_t c = 0; c < 2; c++) {
                int32_t total = 0;
                for (int32_t k = 0; k < steps; k++) total = smlad(run[k * 4], u[k * 2 + c], total);
                m[(tile * WINOGRAD_BLOCK_C + c) * WINOGRAD2S2_SPACE + sum] = (uint32_t)total;
            }
        }
        v += steps * 4;
        u += steps * 2;
    }
}

void winograd2s2_sums(const uint32_t *m, int32_t *sums, const struct winograd_channel *channel) {
    for (int32_t i = 0; i < 2; i++)
        for (int32_t j = 0; j < 2; j++)
            sums[2 * i + j] = (int32_t)((uint32_t)channel->bias + m[3 * i + j] + m[3 * i + j + 1] +
                                        m[3 * i + j + 3] + m[3 * i + j + 4]);
}

static void multiply(const uint32_t *v, const uint32_t *u, uint32_t *m, int32_t channel_pairs,
                     int32_t tile_quads, int32_t positions) {
    for (int32_t tile = 0; tile < 4 * tile_quads; tile++) {
        for (int32_t c = 0; c < 2; c++) {
            for (int32_t at = 0; at < positions; at++) {
                int32_t sum = 0;
                for (int32_t k = 0; k < channel_pairs; k++) {
                    const uint32_t x = v[((tile / 4 * channel_pairs + k) * positions + at) * 4 + tile % 4];
                    sum = smlad(x, u[(at * channel_pairs + k) * 2 + c], sum);
                }
                m[(tile * WINOGRAD_BLOCK_C + c) * positions + at] = (uint32_t)sum;
            }
        }
    }
}

void winograd4_multiply(const uint32_t *v, const uint32_t *u, uint32_t *m, int32_t channel_pairs,
                        int32_t tile_quads) {
    multiply(v, u, m, channel_pairs, tile_quads, WINOGRAD4_SPACE);
}

void winograd2_multiply(const uint32_t *v, const uint32_t *u, uint32_t *m, int32_t channel_pairs,
                        int32_t tile_quads) {
    multiply(v, u, m, channel_pairs, tile_quads, WINOGRAD2_SPACE);
}

static void multiply_wide(const uint32_t *v, const uint32_t *u, uint32_t *m, int32_t channel_pairs,
                          int32_t tile_quads, int32_t positions) {
    for (int32_t c = 0; c < 4; c += 2)
        multiply(v, u + c * positions * channel_pairs, m + c * positions, channel_pairs, tile_quads,
                 positions);
}

void winograd4_multiply_wide(const uint32_t *v, const uint32_t *u, uint32_t *m, int32_t channel_pairs,
                             int32_t tile_quads) {
    multiply_wide(v, u, m, channel_pairs, tile_quads, WINOGRAD4_SPACE);
}

void winograd2_multiply_wide(const uint32_t *v, const uint32_t *u, uint32_t *m, int32_t channel_pairs,
                             int32_t tile_quads) {
    multiply_wide(v, u, m, channel_pairs, tile_quads, WINOGRAD2_SPACE);
}

/* A^T of n = 4: outputs 3 * 2^a times the sums, a = 3, 2, 1, 1. */
static const uint8_t power4[4] = {3, 2, 1, 1};

static void back4(const uint32_t m[6], uint32_t y[4]) {
    const uint32_t s12 = m[1] + m[2], d12 = m[1] - m[2], s34 = m[3] + m[4], d34 = m[3] - m[4];
    y[0] = 2 * m[0] + 4 * s12 + s34;
    y[1] = 2 * d12 + d34;
    y[2] = s12 + s34;
    y[3] = d12 + 2 * d34 + 2 * m[5];
}

void winograd4_sums(const uint32_t *m, int32_t *sums, const struct winograd_channel *channel) {
    uint32_t half[6][4];
    for (int32_t i = 0; i < 6; i++) {
        uint32_t row[6];
        for (int32_t j = 0; j < 6; j++) row[j] = m[6 * i + j];
        if (i == 0) row[1] += (uint32_t)channel->bias; /* row 1 of the transform */
        back4(row, half[order4[i]]);
    }
    for (int32_t x = 0; x < 4; x++) {
        uint32_t column[6], y[4];
        for (int32_t i = 0; i < 6; i++) column[i] = half[i][x];
        back4(column, y);
        for (int32_t i = 0; i < 4; i++) {
            uint32_t scaled = y[i] * INVERSE_OF_9;
            if (x >= 2 && i >= 2) scaled += (uint32_t)channel->fix[(x - 2) * 2 + i - 2];
            sums[4 * i + x] = (int32_t)scaled >> (power4[i] + power4[x]);
        }
    }
}

static int8_t requantised(int32_t x, const struct winograd_channel *channel) {
    const int32_t high = smmlar((uint32_t)x, (uint32_t)channel->twice, x);
    return (int8_t)ssat8(smmlar((uint32_t)high, (uint32_t)channel->power, channel->zero));
}

/* Outputs 2 * the sums. */
static void back2(const uint32_t m[4], uint32_t y[2]) {
    y[0] = 2 * m[0] + m[1] + m[2];
    y[1] = m[1] - m[2] - 2 * m[3];
}

void winograd2_sums(const uint32_t *m, int32_t *sums, const struct winograd_channel *channel) {
    uint32_t half[4][2];
    for (int32_t i = 0; i < 4; i++) {
        uint32_t row[4];
        for (int32_t j = 0; j < 4; j++) row[j] = m[4 * i + j];
        if (i == 0) row[1] += (uint32_t)channel->bias; /* row 1 of the transform */
        back2(row, half[order2[i]]);
    }
    for (int32_t x = 0; x < 2; x++) {
        uint32_t column[4], y[2];
        for (int32_t i = 0; i < 4; i++) column[i] = half[i][x];
        back2(column, y);
        for (int32_t i = 0; i < 2; i++) sums[2 * i + x] = (int32_t)y[i] >> 2;
    }
}

static void output(const uint32_t *m, int8_t *out, int32_t tiles, const struct winograd_channel *channel,
                   int32_t channels, int32_t n, int32_t positions, winograd_sums_fn *exact_sums) {
    for (int32_t c = 0; c < channels; c++, channel++) {
        for (int32_t t = 0; t < tiles; t++) {
            int32_t sums[16];
            exact_sums(m + (t * WINOGRAD_BLOCK_C + c) * positions, sums, channel);
            for (int32_t i = 0; i < n * n; i++)
                out[c + i / n * channel->row_bytes + (t * n + i % n) * channel->pixel_bytes] =
                    requantised(sums[i], channel);
        }
    }
}

void winograd4_output(const uint32_t *m, int8_t *out, int32_t tiles, const struct winograd_channel *channel,
                      int32_t channels) {
    output(m, out, tiles, channel, channels, 4, WINOGRAD4_SPACE, winograd4_sums);
}

void winograd2_output(const uint32_t *m, int8_t *out, int32_t tiles, const struct winograd_channel *channel,
                      int32_t channels) {
    output(m, out, tiles, channel, channels, 2, WINOGRAD2_SPACE, winograd2_sums);
}

void winograd2s2_output(const uint32_t *m, int8_t *out, int32_t tiles, const struct winograd_channel *channel,
                        int32_t channels) {
    output(m, out, tiles, channel, channels, 2, WINOGRAD2S2_SPACE, winograd2s2_sums);
}

#endif
