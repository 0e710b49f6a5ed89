/* The two passes of depthwise_s8_hwc_separable over one channel: across the columns, then down the rows. Read by C and by the
 * assembler.
 *
 * A record: bias, constant0, constant1 (depthwise_planes.h), then the pairs of the row v of weights, then those of the column u:
 *
 *     (w0, w1) (w2, w3) ... then (w1, w2) (w3, w4) ...
 *
 * as a kernel row of PLANES_WIDE with stride 1. A plane has SEPARABLE_DEPTH rows: of the input words (column, column + 1),
 * SEPARABLE_COLUMN bytes from pair to pair of columns; of the sums words (row, row + 1), those of an even column and of the odd
 * one behind it by turns, SEPARABLE_SUMS bytes from pair to pair of columns.
 */
#ifndef TINYCONV_DEPTHWISE_SEPARABLE_H
#define TINYCONV_DEPTHWISE_SEPARABLE_H

#include "depthwise_planes.h"

#define SEPARABLE_DEPTH  PLANES_WIDE_DEPTH
#define SEPARABLE_COLUMN PLANES_WIDE_COLUMN
#define SEPARABLE_SUMS   (4 * SEPARABLE_DEPTH)

#ifndef __ASSEMBLER__

/* Two rows of two columns at a time, in the order of the assembler's LDM. */
struct separable_across {
    const uint32_t *from;
    uint32_t *to;
    int32_t rows_bytes; /* 4 for each row, an even number of them */
    int32_t pairs;      /* of columns; >= 1 */
};
typedef void separable_across_kernel(const struct separable_across *pass, const uint32_t *weights);
separable_across_kernel separable_across_3, separable_across_5, separable_across_7;

/* The sums of a strip to outputs: two rows of two columns at a time, the later ones written first, so that steps of 0 drop them. */
struct separable_down {
    const uint32_t *from;
    int8_t *out;
    int32_t rows_bytes; /* of words, 8 for each pair of rows; >= 8 */
    int32_t pairs;      /* of columns; >= 1 */
    int32_t row_step;   /* bytes from row to row */
    int32_t out_step;   /* bytes from column to column */
    int32_t zero;       /* output_zero; for DOUBLE */
};
typedef void separable_down_kernel(const struct separable_down *pass, const uint32_t *weights,
                                   const uint32_t *record);
separable_down_kernel separable_down_3_linear, separable_down_5_linear, separable_down_7_linear;
separable_down_kernel separable_down_3_double, separable_down_5_double, separable_down_7_double;

/* Words of the pairs of `taps` weights, an odd number. */
static inline int32_t separable_words(int32_t taps) {
    return taps / 2 * 2;
}

/* Words of a channel's record. */
static inline int32_t separable_record_words(const struct depthwise_params *p) {
    return PLANES_RECORD_HEAD + separable_words(p->kernel_w) + separable_words(p->kernel_h);
}

#endif
#endif
