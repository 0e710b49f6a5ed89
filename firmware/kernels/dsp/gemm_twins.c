/* Definition of gemm_kernels.S in C, for machines without the DSP extension. */
#include "gemm.h"

#if !defined(__ARM_FEATURE_DSP)

/* Adds a group's products to sums[channel][pixel]. */
static void add_group(enum gemm_form form, const uint32_t *tile, const uint32_t *weights, int32_t *sums) {
    for (int32_t half = 0; half < 2; half++, tile += GEMM_TILE) {
        uint32_t u, v;
        if (form == GEMM_BYTEPAIRS) {
            u = half ? sxtb16(weights[0]) : weights[0];
            v = half ? sxtb16(weights[1]) : weights[1];
        } else {
            u = sxtb16(weights[half]);
            v = sxtb16_ror8(weights[half]);
        }
        for (int32_t i = 0; i < GEMM_TILE; i++) {
            sums[i] = smlad(u, tile[i], sums[i]);
            sums[GEMM_TILE + i] = smlad(v, tile[i], sums[GEMM_TILE + i]);
        }
    }
}

/* With a `fraction`, sums are 256 times too large. */
static void add_groups(enum gemm_form form, bool fraction, const uint32_t *tile, const uint32_t *weights,
                       const struct gemm_record *record, int32_t *sums, int32_t groups) {
    for (int32_t i = 0; i < 2 * GEMM_TILE; i++) sums[i] = record->bias[i / GEMM_TILE];
    for (; groups > 0; groups--, tile += 2 * GEMM_TILE, weights += 2) add_group(form, tile, weights, sums);
    if (fraction)
        for (int32_t i = 0; i < 2 * GEMM_TILE; i++) sums[i] >>= 8;
}

/* Requantised, four pixels of two channels. */
static void store(const int32_t *sums, bool ties, const struct gemm_record *record, int32_t zero, int8_t *out,
                  int32_t step, int32_t second) {
    for (int32_t i = 0; i < GEMM_TILE; i++, out += step) {
        for (int32_t channel = 1; channel >= 0; channel--) {
            const uint32_t x = (uint32_t)sums[GEMM_TILE * channel + i];
            int32_t y = smmlar(x, (uint32_t)record->scale[channel].multiplier, (int32_t)x);
            if (ties) y = (int32_t)((uint32_t)y + (uint32_t)(y >> 31));
            const uint32_t power = (uint32_t)record->scale[channel].power;
            out[channel ? second : 0] = (int8_t)ssat8(smmlar((uint32_t)y, power, zero));
        }
    }
}

static void multiply(enum gemm_form form, bool fraction, bool ties, const uint32_t *tiles,
                     const uint32_t *weights, const struct gemm_record *record,
                     const struct gemm_pass *pass) {
    const int32_t groups = pass->weights_bytes / 8;
    for (int32_t pair = 0; pair < pass->pairs; pair++, record++, weights += 2 * groups) {
        int8_t *out = pass->out + 2 * pair;
        const uint32_t *tile = tiles;
        for (int32_t left = pass->tiles_bytes / (32 * groups); left > 0; left--, tile += 8 * groups) {
            int32_t sums[2 * GEMM_TILE];
            add_groups(form, fraction, tile, weights, record, sums, groups);
            store(sums, ties, record, pass->zero, out, pass->out_step, pass->second);
            out += GEMM_TILE * pass->out_step;
        }
    }
}

    #define DEFINE_KERNEL(name, form, fraction, ties)                                                        \
        void name(const uint32_t *tiles, const uint32_t *weights, const struct gemm_record *records,         \
                  const struct gemm_pass *pass) {                                                            \
            multiply(form, fraction, ties, tiles, weights, records, pass);                                   \
        }
DEFINE_KERNEL(gemm_pairs_short, GEMM_PAIRS, false, false)
DEFINE_KERNEL(gemm_pairs_ties, GEMM_PAIRS, false, true)
DEFINE_KERNEL(gemm_bytepairs_short, GEMM_BYTEPAIRS, true, false)
DEFINE_KERNEL(gemm_bytepairs_ties, GEMM_BYTEPAIRS, true, true)
DEFINE_KERNEL(gemm_samples_short, GEMM_PAIRS, true, false)
DEFINE_KERNEL(gemm_samples_ties, GEMM_PAIRS, true, true)

void gemm_pairs_sums(const uint32_t *tile, const uint32_t *weights, const struct gemm_record *record,
                     int32_t *sums, int32_t groups) {
    add_groups(GEMM_PAIRS, false, tile, weights, record, sums, groups);
}

void gemm_bytepairs_sums(const uint32_t *tile, const uint32_t *weights, const struct gemm_record *record,
                         int32_t *sums, int32_t groups) {
    add_groups(GEMM_BYTEPAIRS, true, tile, weights, record, sums, groups);
}

void gemm_samples_sums(const uint32_t *tile, const uint32_t *weights, const struct gemm_record *record,
                       int32_t *sums, int32_t groups) {
    add_groups(GEMM_PAIRS, true, tile, weights, record, sums, groups);
}

/* Eight sums of the tile at that place. */
static void indirect_tile(const uint32_t *place, const uint32_t *weights, const struct gemm_record *record,
                          const struct gemm_indirect_pass *pass, int32_t *sums) {
    for (int32_t i = 0; i < 2 * GEMM_TILE; i++) sums[i] = record->bias[i / GEMM_TILE];
    for (int32_t run = 0; run < pass->runs; run++) {
        const uint32_t *tile = place + 2 * GEMM_TILE * pass->offsets[run];
        for (int32_t left = pass->run_bytes / 8; left > 0; left--, tile += 2 * GEMM_TILE, weights += 2)
            add_group(GEMM_BYTEPAIRS, tile, weights, sums);
    }
    for (int32_t i = 0; i < 2 * GEMM_TILE; i++) sums[i] >>= 8;
}

static void indirect(const uint32_t *tiles, const uint32_t *weights, const struct gemm_record *record,
                     const struct gemm_indirect_pass *pass, bool ties) {
    for (int32_t pair = 0; pair < pass->pairs; pair++, record++) {
        int8_t *out = pass->out + 2 * pair;
        for (int32_t place = 0; place < pass->tiles_bytes; place += pass->tile_step, out += pass->out_next) {
            int32_t sums[2 * GEMM_TILE];
            indirect_tile(tiles + place / 4, weights, record, pass, sums);
            store(sums, ties, record, pass->zero, out, pass->out_step, pass->second);
        }
        weights += pass->runs * (pass->run_bytes / 4);
    }
}

void gemm_indirect_short(const uint32_t *tiles, const uint32_t *weights, const struct gemm_record *records,
                         const struct gemm_indirect_pass *pass) {
    indirect(tiles, weights, records, pass, false);
}

void gemm_indirect_ties(const uint32_t *tiles, const uint32_t *weights, const struct gemm_record *records,
                        const struct gemm_indirect_pass *pass) {
    indirect(tiles, weights, records, pass, true);
}

void gemm_indirect_sums(const uint32_t *tiles, const uint32_t *weights, const struct gemm_record *records,
                        const struct gemm_indirect_pass *pass) {
    int32_t sums[2 * GEMM_TILE];
    indirect_tile(tiles, weights, records, pass, sums);
    memcpy(pass->out, sums, sizeof sums);
}

static void expand(enum gemm_form form, const int8_t *from, int32_t step, uint32_t *to, int32_t groups) {
    for (int32_t i = 0; i < GEMM_TILE; i++, from += step) gemm_expand_pixel(form, from, 4 * groups, to + i);
}

void gemm_pairs_expand(const int8_t *from, int32_t step, uint32_t *to, int32_t groups) {
    expand(GEMM_PAIRS, from, step, to, groups);
}

void gemm_bytepairs_expand(const int8_t *from, int32_t step, uint32_t *to, int32_t groups) {
    expand(GEMM_BYTEPAIRS, from, step, to, groups);
}

#endif
