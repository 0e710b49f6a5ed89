/* Samples of the taps in one row of a window, into a tile of dsp/gemm.h. */
#ifndef TINYCONV_DEFORMABLE_ROW_H
#define TINYCONV_DEFORMABLE_ROW_H

#define ROW_GROUP_BYTES 32 /* from a pixel's words of four channels to those of the next four in a tile */

/* Offsets of struct deformable_row's fields, for assembly; the kernel asserts them. */
#define ROW_ZERO       24
#define ROW_RUN_BYTES  28
#define ROW_GAP_BYTES  32 /* and taps */
#define ROW_MULTIPLIER 40 /* and offset_zero */
#define ROW_Y          48 /* and x */
#define ROW_X          52
#define ROW_STEP       56
#define ROW_MASK_ZERO  60
#define ROW_OFFSETS    64 /* and mask */
#define ROW_TAPS       36

#ifndef __ASSEMBLER__

    #include "../deformable.h"

/* What the taps of a row have in common, and how far they are: `taps`, `x`, `offsets` and `mask` move on with each. */
struct deformable_row {
    const int8_t *in; /* the image, first channel of the offset group */
    int32_t row_bytes, c;
    int32_t start; /* of the values of a cell that is wholly inside: see deformable_start() */
    int32_t last_y, last_x;
    int32_t zero;
    int32_t
        run_bytes; /* of a pixel's words in the tile from a tap's first group of four channels to behind its last one */
    int32_t gap_bytes;   /* from there to the next tap's */
    int32_t taps;        /* left, at least 1 */
    int32_t multiplier;  /* of the offsets */
    int32_t offset_zero; /* times 2^15 */
    int32_t y, x;        /* positions without offset */
    int32_t step;        /* of positions, from a tap to the next */
    int32_t mask_zero;
    const void *offsets; /* of the next tap: dy, dx, int8 or int16 */
    const int8_t *mask;
};

/* All taps that are left: whole groups of four channels, (s0, s2), then GEMM_TILE words on (s1, s3). `to` is the pixel's word in
 * the tile, for the first tap; returns that for the tap behind the last. Offsets s8 or s16, with a mask or without. */
typedef uint32_t *deformable_row_kernel(struct deformable_row *row, uint32_t *to);
deformable_row_kernel deformable_row_s8, deformable_row_s16, deformable_row_s8_masked,
    deformable_row_s16_masked;

/* Without a mask samples keep the zero point, and start with half of their last bit; masked ones are without it. */
static inline int32_t deformable_start(int32_t input_zero, bool masked) {
    return masked ? -input_zero * (1 << WEIGHT_BITS) : 1 << (WEIGHT_BITS - SAMPLE_BITS - 1);
}

/* A cell of four pixels, whose rows begin at `top` and `bottom`, `right` bytes from the left pixel to the right one. All four are
 * inside the image: a corner outside has weight 0 and the place of one that is inside. Weights: left, right. */
struct cell {
    const int8_t *top, *bottom;
    int32_t right;
    uint32_t top_weights, bottom_weights;
    int32_t start;
    int32_t factor; /* the mask's, 0 without one */
};

/* The cell of the next tap. */
static inline struct cell deformable_cell(struct deformable_row *row, bool wide, bool masked) {
    const int8_t *narrow = row->offsets;
    const int16_t *moves = row->offsets;
    const int32_t dy = wide ? moves[0] : narrow[0], dx = wide ? moves[1] : narrow[1];
    row->offsets = wide ? (const void *)(moves + 2) : narrow + 2;
    const uint32_t multiplier = (uint32_t)row->multiplier;
    const int32_t y = smmlar((uint32_t)(dy * (1 << 15) - row->offset_zero), multiplier, row->y);
    const int32_t x = smmlar((uint32_t)(dx * (1 << 15) - row->offset_zero), multiplier, row->x);
    row->x += row->step;
    row->taps--;
    const struct corner_weights w = corner_weights(y, x);
    const uint32_t iy = (uint32_t)(y >> POSITION_BITS), ix = (uint32_t)(x >> POSITION_BITS);
    const uint32_t last_y = (uint32_t)row->last_y, last_x = (uint32_t)row->last_x;
    const uint32_t columns = (ix <= last_x ? 0x0000ffffu : 0) | (ix + 1 <= last_x ? 0xffff0000u : 0);
    struct cell cell;
    cell.top_weights = pkhbt_lsl16((uint32_t)w.w00, (uint32_t)w.w01) & (iy <= last_y ? columns : 0);
    cell.bottom_weights = pkhbt_lsl16((uint32_t)w.w10, (uint32_t)w.w11) & (iy + 1 <= last_y ? columns : 0);
    const int32_t inside = smlad(cell.top_weights, 0x00010001u, smlad(cell.bottom_weights, 0x00010001u, 0));
    cell.start = row->start + row->zero * ((1 << WEIGHT_BITS) - inside);
    /* above or left of the image, the other pixel is the first one */
    cell.top = row->in + (iy <= last_y ? (int32_t)iy * row->row_bytes : 0) +
               (ix <= last_x ? (int32_t)ix * row->c : 0);
    cell.bottom = cell.top + (iy < last_y ? row->row_bytes : 0);
    cell.right = ix < last_x ? row->c : 0;
    cell.factor = masked ? *row->mask++ - row->mask_zero : 0;
    return cell;
}

/* Its sample of a channel, int16. */
static inline uint32_t deformable_sample(const struct cell *cell, int32_t channel, bool masked) {
    const int8_t *top = cell->top + channel, *bottom = cell->bottom + channel;
    const uint32_t upper = pkhbt_lsl16((uint32_t)top[0], (uint32_t)top[cell->right]);
    const uint32_t lower = pkhbt_lsl16((uint32_t)bottom[0], (uint32_t)bottom[cell->right]);
    const int32_t value = smlad(lower, cell->bottom_weights, smlad(upper, cell->top_weights, cell->start));
    if (!masked) return (uint32_t)(value >> (WEIGHT_BITS - SAMPLE_BITS));
    return (uint32_t)((value * cell->factor + (1 << (MASK_SHIFT - 1))) >> MASK_SHIFT);
}

#endif
#endif
