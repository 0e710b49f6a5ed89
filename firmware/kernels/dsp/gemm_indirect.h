/* What the kernels share that read tiles where they lie in a ring of expanded rows: conv2d_s8_hwc_indirect.c has the idea.
 * BYTEPAIRS of gemm.h.
 */
#ifndef TINYCONV_GEMM_INDIRECT_H
#define TINYCONV_GEMM_INDIRECT_H

#include "gemm.h"

#define GEMM_MOST_SPAN 65536 /* groups in a ring: offsets have 16 bits */

/* How rows of an image are expanded. Element e holds columns e + first + {0, 1, 2, 3} * step of the row, zero points where there
 * is none, as a tile of `groups` groups of channels; what fills up the last group is anything. */
struct gemm_rows {
    const int8_t *in; /* [h][width], pixels of `channels` bytes, pixel_bytes apart */
    int32_t width;
    int32_t channels;
    int32_t pixel_bytes;
    int32_t zero;
    int32_t first;
    int32_t step;
    int32_t elements; /* of a row */
    int32_t groups;   /* of an element */
};

/* A row of the image, or a row of zero points. */
void gemm_expand_row(const struct gemm_rows *rows, int32_t row, uint32_t *to);
void gemm_expand_zeros(const struct gemm_rows *rows, uint32_t *to);

/* All output channels of the tiles at `tiles`, whose first pixel is at `out`; `pass` says all else, but for its first three and
 * `pairs`. Whole tiles: pixels beyond the row are written, too. */
void gemm_indirect_row(const struct gemm *gemm, struct gemm_indirect_pass pass, const uint32_t *tiles,
                       int8_t *out);

/* The same, but no more than `pixels` outputs. */
void gemm_indirect_part(const struct gemm *gemm, struct gemm_indirect_pass pass, const uint32_t *tiles,
                        int8_t *out, int32_t pixels);

#endif
