/* Exact integer Winograd convolution, F(n x n, 3x3) for n = 4 or 2: what micro-kernels and driver share.
 *
 * n x n outputs of one channel come from a tile of (n + 2) x (n + 2) inputs: both tile and weights are
 * transformed by integer matrices, multiplied position by position, summed over channels, transformed back:
 *     out = A^T [ sum over ic of (G g G^T) * (B^T d B) ] A / scale
 * G and A are Lavin's (2015, arXiv 1509.09308) times integers that make them whole. V = B^T d B and
 * U = G g G^T fit int16. Everything after them is modulo 2^32, so no sum can overflow; the result is
 * scale * acc modulo 2^32, where scale is 9 * 2^k, k <= 6, for n = 4, and 4 for n = 2. 9 has an inverse
 * modulo 2^32. That determines acc while |acc| < 2^25 for n = 4, 2^29 for n = 2. host/plan/pack_winograd.py
 * proves it channel by channel before it packs.
 *
 *     V[tile / 4][channel pair][position][4 tiles]     words of two int16 channels, in scratch
 *     U[output channel / 2][position][channel pair][2] the same, in the weights blob
 *     M[tile][4 output channels][position]             int32, in scratch
 *     Z[n + 2][WINOGRAD_Z_COLUMNS]                     pairs transformed vertically, where M will be
 * Channels come four by four, as pairs (0, 2), (1, 3), which is what SXTB16 makes of a word; zeros fill the
 * last. Rows of the transform come in the order 1, 2, 3, 4, 0, 5 (1, 2, 0, 3), columns in the natural one.
 *
 * Stride 2, n = 2: outputs y0, y1 need x0 .. x4. Even and odd pixels apart, a product saved among the even:
 *     y0 = g0 (x0 - x2) + g1 x1 + (g0 + g2) x2        y1 = g2 (x4 - x2) + g1 x3 + (g0 + g2) x2
 * are three sums of 2, 1 and 2 products in place of six products, 25 in place of 36 for a tile; they are M's
 * 3 x 3 positions. V is [tile / 4][position of M][channel pair][its 4, 2 or 1 products][4 tiles], U accordingly,
 * so that a position of M is one run. Nothing is scaled: exact modulo 2^32 whatever the sums.
 *
 * Groups are layers of their own, one after the other. Dilation d: the outputs of each phase, the places with one
 * remainder by d, make a plain layer over inputs d apart; only the steps between pixels and rows are larger.
 *
 * The micro-kernels are assembly where there is an Arm core with DSP (winograd_arm.S), and else their
 * definition in C (winograd_plain.c). Source: prototypes of this project.
 */
#ifndef TINYCONV_WINOGRAD_H
#define TINYCONV_WINOGRAD_H

/* Columns of Z: 8 tiles of n = 4 or 16 of n = 2, next to each other, and one on either side. */
#define WINOGRAD_Z_COLUMNS 34
#define WINOGRAD_BLOCK_C   4  /* output channels of M */
#define WINOGRAD4_SPACE    36 /* positions */
#define WINOGRAD2_SPACE    16
#define WINOGRAD2S2_SPACE  9 /* of M; 25 of V and U */
/* Added to the low lanes of V for n = 4, so that they are never negative: a pair is transformed as one
 * integer high * 65536 + low. Without it V is at most 68 * 255 and at least -50 * 255, of pixels 0 .. 255. */
#define WINOGRAD4_LANE 0x3800

#ifndef __ASSEMBLER__

    #include <stdbool.h>
    #include <stdint.h>

    #include "../kernel.h"

/* Where six (four) rows of pixels lie, in bytes: row 1 at a pointer, row 2 row_bytes after it, and so on. */
struct winograd_rows {
    int32_t row_bytes;
    int32_t row_bytes_3; /* three times row_bytes */
    int32_t row0_offset; /* from row 1 */
    int32_t pixel_bytes;
};

/* Where V of a channel pair lies. The last two are for stride 2 only. */
struct winograd_place {
    int32_t quad_bytes;  /* of four tiles */
    int32_t pairs_bytes; /* of a word of each tile and channel pair */
    int32_t pair_bytes;  /* the same of the channel pairs before this one */
};

/* An output channel, ready for requantisation: smmlar(x, twice, x), smmlar(x, power, zero), ssat8. */
struct winograd_channel {
    int32_t bias;   /* what is added at position (1, 1) */
    int32_t fix[4]; /* n = 4: undoes WINOGRAD4_LANE at outputs (2,2) (3,2) (2,3) (3,3), row first */
    int32_t twice;  /* 2 * multiplier */
    int32_t power;  /* 2^(32 - exponent) + 1, or 0 for multiplier 0 */
    int32_t zero;
    int32_t row_bytes; /* of the output */
    int32_t row_bytes_3;
    int32_t pixel_bytes;
};

/* Micro-kernels, for n = 4, n = 2, and n = 2 with stride 2.
 *
 * rows_even, rows_odd: vertical transform of channels 0 and 2 (1 and 3) of `columns` words from row1.
 * columns: horizontal transform of `tiles` tiles of Z, one channel pair. The first goes to v, where `left` (1
 *     to 4) tiles are left of four.
 * multiply: M = U V for 2 output channels; channel_pairs is even.
 * multiply_wide: the same for 4 output channels, for 8 channel_pairs only.
 * output: transforms back, requantises and stores `tiles` tiles of `channels` channels next to each other, at
 *     most WINOGRAD_BLOCK_C; tiles are n pixels apart. `channel` are their records.
 * sums: the same for one tile of one channel, as far as the exact sums.
 */
typedef void winograd_rows_fn(const int8_t *row1, uint32_t *z, int32_t columns,
                              const struct winograd_rows *rows);
typedef void winograd_columns_fn(const uint32_t *z, uint32_t *v, int32_t tiles, int32_t left,
                                 const struct winograd_place *place);
typedef void winograd_multiply_fn(const uint32_t *v, const uint32_t *u, uint32_t *m, int32_t channel_pairs,
                                  int32_t tile_quads);
typedef void winograd_output_fn(const uint32_t *m, int8_t *out, int32_t tiles,
                                const struct winograd_channel *channel, int32_t channels);
typedef void winograd_sums_fn(const uint32_t *m, int32_t *sums, const struct winograd_channel *channel);

winograd_rows_fn winograd4_rows_even, winograd4_rows_odd, winograd2_rows_even, winograd2_rows_odd,
    winograd2s2_rows_even, winograd2s2_rows_odd;
winograd_columns_fn winograd4_columns, winograd2_columns, winograd2s2_columns;
winograd_multiply_fn winograd4_multiply, winograd2_multiply, winograd2s2_multiply;
winograd_multiply_fn winograd4_multiply_wide, winograd2_multiply_wide;
winograd_output_fn winograd4_output, winograd2_output, winograd2s2_output;
winograd_sums_fn winograd4_sums, winograd2_sums, winograd2s2_sums;

/* Which n and stride, and what differs. */
struct winograd {
    int32_t n;
    int32_t stride;
    int32_t positions;  /* of M */
    int32_t products;   /* positions of V and U, which are added to those of M */
    int32_t pair_words; /* of V from one channel pair to the next, or 0 if columns() adds that */
    int32_t pad_rows;   /* bits: the rows of Z where a column of equal pixels x becomes pad_factor * x */
    int32_t pad_factor;
    int32_t pixel_offset; /* added to every pixel by rows_even and rows_odd */
    int32_t bias_factor;
    int32_t fixes; /* words a channel after U: -pixel_offset * sum(w), then winograd_channel's fix */
    winograd_rows_fn *rows_even, *rows_odd;
    winograd_columns_fn *columns;
    winograd_multiply_fn *multiply;
    winograd_multiply_fn *multiply_wide; /* or NULL */
    winograd_output_fn *output;
    winograd_sums_fn *sums;
};

/* The driver, winograd.c; the kernels are these with their n. */
bool winograd_supports(const struct winograd *w, const struct conv2d_params *p);
uint32_t winograd_scratch_bytes(const struct winograd *w, const struct conv2d_params *p);
uint32_t winograd_gap_bytes(const struct winograd *w, const struct conv2d_params *p);
void winograd_run(const struct winograd *w, const struct kernel_args *args);

#endif
#endif
