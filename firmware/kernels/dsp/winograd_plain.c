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

void winograd4_columns(const uint32_t *z, uint32_t *v, int32_t tiles, int32_t first_step,
                       int32_t steps_bytes) {
    for (int32_t step = first_step; tiles > 0; tiles--, z += 4, v += step / 4, step = steps_bytes - step) {
        for (int32_t i = 0; i < 6; i++) {
            uint32_t d[6], row[6];
            for (int32_t j = 0; j < 6; j++) d[j] = z[i * ZC + j];
            d[4] += WINOGRAD4_LANE;
            d[5] += WINOGRAD4_LANE;
            transform4(d, row);
            for (int32_t j = 0; j < 6; j++) v[2 * (6 * i + j)] = row[j];
        }
    }
}

static void multiply(const uint32_t *v, const uint32_t *u, uint32_t *m, int32_t channel_pairs,
                     int32_t tile_pairs, int32_t positions) {
    for (int32_t tile = 0; tile < 2 * tile_pairs; tile++) {
        for (int32_t c = 0; c < WINOGRAD_BLOCK_C; c++) {
            for (int32_t at = 0; at < positions; at++) {
                int32_t sum = 0;
                for (int32_t k = 0; k < channel_pairs; k++) {
                    const uint32_t x = v[((tile / 2 * channel_pairs + k) * positions + at) * 2 + tile % 2];
                    sum = smlad(x, u[(at * channel_pairs + k) * WINOGRAD_BLOCK_C + c], sum);
                }
                m[(tile * WINOGRAD_BLOCK_C + c) * positions + at] = (uint32_t)sum;
            }
        }
    }
}

void winograd4_multiply(const uint32_t *v, const uint32_t *u, uint32_t *m, int32_t channel_pairs,
                        int32_t tile_pairs) {
    multiply(v, u, m, channel_pairs, tile_pairs, WINOGRAD4_SPACE);
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

void winograd4_output(const uint32_t *m, int8_t *out, int32_t tiles, const struct winograd_channel *channel) {
    for (; tiles > 0; tiles--, m += WINOGRAD_BLOCK_C * WINOGRAD4_SPACE, out += 4 * channel->pixel_bytes) {
        int32_t sums[16];
        winograd4_sums(m, sums, channel);
        for (int32_t i = 0; i < 16; i++)
            out[i / 4 * channel->row_bytes + i % 4 * channel->pixel_bytes] = requantised(sums[i], channel);
    }
}

#endif
