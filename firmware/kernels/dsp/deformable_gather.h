/* Bilinear samples of a run of channels, into a tile of dsp/gemm.h. */
#ifndef TINYCONV_DEFORMABLE_GATHER_H
#define TINYCONV_DEFORMABLE_GATHER_H

/* Offsets of struct cell's fields, for assembly. */
#define CELL_FACTOR 24

#ifndef __ASSEMBLER__

    #include "../deformable.h"

/* A cell of four pixels, whose rows begin at `top` and `bottom`, with `right` bytes from the left pixel to the right one. All
 * four are inside the image: a corner outside has weight 0 and any place. Weights are Q14 in two lanes, left and right.
 * value = start + sum of weight * pixel; a sample is value >> 6, with a mask (value * factor + 2^14) >> 15 (deformable.h). */
struct cell {
    const int8_t *top;
    const int8_t *bottom;
    int32_t right;
    uint32_t top_weights;
    uint32_t bottom_weights;
    int32_t start;
    int32_t factor;
};

/* `groups` >= 1 groups of four channels to the words of one pixel in a tile: (s0, s2), GEMM_TILE words on (s1, s3). */
typedef void deformable_gather_kernel(const struct cell *cell, uint32_t *to, int32_t groups);
deformable_gather_kernel deformable_gather, deformable_gather_masked;

#endif
#endif
