/* Definition of deformable_row.S in C, for machines without the DSP extension. */
#include "deformable_row.h"
#include "gemm.h"

#if !defined(__ARM_FEATURE_DSP)

static uint32_t *gather(struct deformable_row *row, uint32_t *to, bool wide, bool masked) {
    while (row->taps > 0) {
        const struct cell cell = deformable_cell(row, wide, masked);
        for (int32_t channel = 0; channel < 4 * (row->run_bytes / ROW_GROUP_BYTES);
             channel += 4, to += 2 * GEMM_TILE) {
            uint32_t samples[4];
            for (int32_t i = 0; i < 4; i++) samples[i] = deformable_sample(&cell, channel + i, masked);
            to[0] = pkhbt_lsl16(samples[0], samples[2]);
            to[GEMM_TILE] = pkhbt_lsl16(samples[1], samples[3]);
        }
        to += row->gap_bytes / (int32_t)sizeof *to;
    }
    return to;
}

    #define DEFINE_ROW(name, wide, masked)                                                                   \
        uint32_t *name(struct deformable_row *row, uint32_t *to) {                                           \
            return gather(row, to, wide, masked);                                                            \
        }
DEFINE_ROW(deformable_row_s8, false, false)
DEFINE_ROW(deformable_row_s16, true, false)
DEFINE_ROW(deformable_row_s8_masked, false, true)
DEFINE_ROW(deformable_row_s16_masked, true, true)

#endif
