/* Definition of deformable_gather.S in C, for machines without the DSP extension. */
#include "deformable_gather.h"
#include "gemm.h"

#if !defined(__ARM_FEATURE_DSP)

static uint32_t sample(const struct cell *cell, int32_t channel, bool masked) {
    const int8_t *top = cell->top + channel, *bottom = cell->bottom + channel;
    const uint32_t upper = dsp_lanes(top[0], top[cell->right]);
    const uint32_t lower = dsp_lanes(bottom[0], bottom[cell->right]);
    const int32_t value = smlad(lower, cell->bottom_weights, smlad(upper, cell->top_weights, cell->start));
    if (!masked) return (uint32_t)(value >> (WEIGHT_BITS - SAMPLE_BITS));
    return (uint32_t)((value * cell->factor + (1 << (MASK_SHIFT - 1))) >> MASK_SHIFT);
}

static void gather(const struct cell *cell, uint32_t *to, int32_t groups, bool masked) {
    for (int32_t channel = 0; channel < 4 * groups; channel += 4, to += 2 * GEMM_TILE) {
        to[0] = pkhbt_lsl16(sample(cell, channel, masked), sample(cell, channel + 2, masked));
        to[GEMM_TILE] = pkhbt_lsl16(sample(cell, channel + 1, masked), sample(cell, channel + 3, masked));
    }
}

void deformable_gather(const struct cell *cell, uint32_t *to, int32_t groups) {
    gather(cell, to, groups, false);
}

void deformable_gather_masked(const struct cell *cell, uint32_t *to, int32_t groups) {
    gather(cell, to, groups, true);
}

#endif
