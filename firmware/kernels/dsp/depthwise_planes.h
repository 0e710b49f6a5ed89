/* What the depthwise kernels of channel planes share: layouts of scratch and weights, micro-kernels, drivers' parts.
 * Read by C and by the assembler.
 *
 * Scratch holds, of four channels at a time, words of two int16 pixels: [column][channel][depth]. The depth is a constant,
 * so that every address in an inner loop is an immediate offset, whatever the image's size.
 *
 *     narrow, stride 1   a word is two pixels of a column, one below the other: rows 2d, 2d + 1 of the strip; depth 8
 *     narrow, stride 2   a word is two pixels of a row: columns 2i, 2i + 1; column i, depth 5 rows
 *     wide               likewise, depth 20 rows; pixels minus input_zero
 *
 * A strip is as much of the image as the depth holds.
 *
 * Weights blob: one word, the form of requantisation, then a record a channel: bias, two constants, and pairs of weights:
 *
 *     PLANES_3X3          A0 B0 A1 B1 A2 B2     Ac = (w[0][c], w[1][c]), Bc = (w[1][c], w[2][c]); the first is the low half
 *     PLANES_REGISTERS    B0 B1 B2 A0 A1 A2     the same; always LINEAR; for pixels minus input_zero
 *     PLANES_3X3_STRIDE2  S0 S1 S2 F0 F1 F2     Sr = (w[r][0], w[r][1]), Fr = (w[r][2], 0); pad_left odd: (0, w[r][0]), (w[r][1], w[r][2])
 *     PLANES_WIDE         per kernel row, stride 1: (w0, w1) (w2, w3) ... then (w1, w2) (w3, w4) ...
 *                                         stride 2: (w0, w1) (w2, w3) ... (wlast, 0); pad_left odd: (0, w0) (w1, w2) ...
 *
 * With stride 2 every window begins at a word, whatever pad_left: an odd one counts as one more, before a weight of 0.
 *
 * Forms, with x the sum of products and bias, modulo 2^32 (exact where host/plan/pack_depthwise.py says that they are):
 *
 *     LINEAR  out = ssat8((constant1 + (x * constant0 >> 32)) >> 10)         smmla, ssat
 *             weights and bias carry a power of two; the host has checked every step of the result against the definition
 *     DOUBLE  y = x + round(x * constant0 / 2^32)                            smmlar
 *             out = ssat8(output_zero + round(y * constant1 / 2^32))         smmlar, ssat
 *             constant0 = 2 * multiplier - 2^32, constant1 = 2^(32 - exponent) + 1, which breaks ties of negative numbers
 *
 * Other clamps than int8's are applied afterwards, to all of the output.
 */
#ifndef TINYCONV_DEPTHWISE_PLANES_H
#define TINYCONV_DEPTHWISE_PLANES_H

#define PLANES_DEPTH         8
#define PLANES_STRIDE2_DEPTH 5
#define PLANES_WIDE_DEPTH    20
/* Bytes from channel to channel and from column to column. */
#define PLANES_CHANNEL         (4 * PLANES_DEPTH)
#define PLANES_COLUMN          (4 * PLANES_CHANNEL)
#define PLANES_STRIDE2_CHANNEL (4 * PLANES_STRIDE2_DEPTH)
#define PLANES_STRIDE2_COLUMN  (4 * PLANES_STRIDE2_CHANNEL)
#define PLANES_WIDE_CHANNEL    (4 * PLANES_WIDE_DEPTH)
#define PLANES_WIDE_COLUMN     (4 * PLANES_WIDE_CHANNEL)
#define PLANES_LINEAR_SHIFT    10

#ifndef __ASSEMBLER__

    #include "../kernel.h"

enum planes_form { PLANES_LINEAR = 0, PLANES_DOUBLE = 1 };

    /* Words of the records besides their weights: bias, constant0, constant1. */
    #define PLANES_RECORD_HEAD 3

/* Four pixels, at from + 0, b, c, d, become words of two for each of four channels: (0, b) at depth 0, (c, d) at depth 1 of
 * `to`; count times, from advancing by step, to by a column. Reads 4 bytes a pixel at any alignment; count >= 1. */
struct planes_gather {
    const int8_t *from;
    uint32_t *to;
    int32_t b, c, d;
    int32_t step;
    int32_t count;
    uint32_t zero; /* wide: input_zero in both halves, subtracted */
};
typedef void planes_gather_kernel(const struct planes_gather *gather);
planes_gather_kernel planes_gather, planes_gather_stride2, planes_gather_wide;

/* Two pixels, at a and b, become a word of each of four channels at depth 0 of `to`; count times, with steps of their own: a step
 * of 0 repeats. Reads 4 bytes a pixel, or `channels` if those are fewer; what the other channels get is of no use. count >= 1. */
struct planes_words {
    const int8_t *a, *b;
    uint32_t *to;
    int32_t a_step, b_step;
    int32_t count;
    uint32_t zero;    /* in both halves, subtracted */
    int32_t depth;    /* of the layout */
    int32_t channels; /* read by planes_words() only */
};
void planes_words(const struct planes_words *words);
void planes_words4(const struct planes_words *words);

/* Where a micro-kernel puts its pixels, all in the order of the assembler's LDM. */
struct planes_block {
    int32_t columns;  /* of the output; >= 2, stride 2: >= 1 */
    int32_t rows;     /* >= 1; stride 2: not read, two rows are written, the second first */
    int32_t out_step; /* bytes from pixel to pixel */
    int32_t row_step; /* bytes from row to row; stride 2: 0 for a second row that is none */
    int32_t zero;     /* output_zero; for DOUBLE */
    int32_t channels; /* 1 .. 4 */
};

/* 3x3, stride 1, up to four channels: rows of outputs, row r from words r / 2, r / 2 + 1 of columns + 2 columns. */
typedef void planes_3x3_kernel(const uint32_t *plane, int8_t *out, const uint32_t *record,
                               const struct planes_block *block);
planes_3x3_kernel planes_3x3_linear, planes_3x3_double;
/* 3x3, stride 2, up to four channels: two rows of outputs, from 5 rows of columns + 1 columns. */
planes_3x3_kernel planes_3x3_stride2_linear, planes_3x3_stride2_double;

/* 3x3 on planes of 3x3 with a border of one, LINEAR: from pixels [3][3][channels] to their own place. channels >= 1. */
void planes_registers_3x3(int8_t *pixels, const uint32_t *record, int32_t channels, int32_t input_zero);

/* Micro-kernels of the wide kernel: kernel width, stride, and output columns at a time. */
enum planes_wide_variant {
    PLANES_5_S1_X2,
    PLANES_5_S1_X3,
    PLANES_5_S1_X4,
    PLANES_5_S1_X5,
    PLANES_5_S1_X5_ODD, /* from an odd column */
    PLANES_7_S1_X2,
    PLANES_7_S1_X3,
    PLANES_7_S1_X4,
    PLANES_5_S2_X2,
    PLANES_5_S2_X3,
    PLANES_5_S2_X4,
    PLANES_5_S2_X5,
    PLANES_7_S2_X2,
    PLANES_7_S2_X3,
    PLANES_7_S2_X4,
    PLANES_7_S2_X5,
    PLANES_WIDE_VARIANTS
};

/* One output row: kernel rows first .. first + count - 1 are inside the image. count 0 ends a table. */
struct planes_wide_row {
    int32_t plane_bytes; /* offset of the first image row: 4 times its place in the strip */
    int32_t count;
    int32_t weights_bytes; /* offset of the first kernel row's weights */
};

struct planes_wide_block {
    int32_t out_step;
    int32_t row_step;
    int32_t zero;
    int32_t form;
    int32_t variant;
    const struct planes_wide_row *table; /* ended by count 0 */
    int32_t channels;                    /* 1 .. 4 */
    int32_t record_bytes;
};
void planes_wide(const uint32_t *plane, int8_t *out, const uint32_t *record,
                 const struct planes_wide_block *block);

/* Words of weights in one kernel row of PLANES_WIDE. */
static inline int32_t planes_wide_row_words(int32_t kernel_w, int32_t stride_w) {
    return stride_w == 1 ? kernel_w / 2 * 2 : (kernel_w + 1) / 2;
}

/* What all of them demand: no depth multiplier, dilation or weights_zero; windows that touch the image; output rows no
 * longer than input rows. Then they work in place: of four channels, an output pixel is written after the input pixel of
 * the same number was read, and other channels are not touched. */
bool planes_supports(const struct depthwise_params *p);

/* An image and its output, or those pixels of both that belong to one phase of a dilated convolution. */
struct planes_view {
    const int8_t *in;
    int8_t *out;
    int32_t in_h, in_w;
    int32_t pixel_bytes, row_bytes; /* from a pixel to the next, from a row to the next */
    int32_t word_rows;              /* planes_word_rows() of the last channels */
    int32_t out_h, out_w;
    int32_t out_pixel_bytes, out_row_bytes;
    int32_t pad_top, pad_left;
};

static inline int32_t planes_3x3_columns(int32_t out_w) {
    return out_w + 2;
}

/* 3x3, stride 1, any depth multiplier, weights PLANES_3X3, PLANES_COLUMN bytes of scratch for each of the columns: strip after strip
 * of four channels. All but the clamp. out_w >= 2. With multiplier 1 an output row is written when two rows more have been read. */
void planes_3x3_strips(const struct kernel_args *args, const struct planes_view *view);

/* Rows of words of two pixels: pair i is columns 2i - pad and 2i + 1 - pad of the channels c .. */
struct planes_rows {
    const struct kernel_args *args;
    int32_t c;
    int32_t channels;             /* 1 .. 4 */
    int32_t pad;                  /* pad_left, rounded up to an even number for stride 2 */
    int32_t pairs;                /* in scratch */
    int32_t first;                /* pair that is wholly inside the image, like `inside` from there on */
    int32_t right;                /* pair whose first half is the image's last column, -1 if there is none */
    uint32_t zero;                /* four times input_zero */
    struct planes_gather gather;  /* of two rows; from and to change */
    planes_gather_kernel *kernel; /* for it */
    struct planes_words words;    /* of one row; a, b and to change */
};
struct planes_rows planes_rows(const struct kernel_args *args, int32_t pairs, int32_t depth,
                               planes_gather_kernel *kernel, int32_t subtract);

/* Pairs wholly outside the image; nothing else is ever written there. */
void planes_rows_borders(const struct planes_rows *rows);

/* Image rows y .. y + count - 1 to depths at, at + 1 ..; rows outside the image are input_zero. */
void planes_rows_gather(struct planes_rows *rows, int32_t y, int32_t at, int32_t count);

/* Moves `keep` words from depth `from` of every channel of count columns to depth 0. */
void planes_move(uint32_t *scratch, int32_t columns, int32_t depth, int32_t from, int32_t keep);

/* Rows, from the first, whose pixels may be read as whole words at channel c: of the last channels, a word reaches up to three
 * bytes into the next row, which the last row has not. */
int32_t planes_word_rows(const struct depthwise_params *p, int32_t c);

/* clamp_min and clamp_max, where they are not int8's own. */
void planes_clamp(const struct kernel_args *args);

#endif
#endif
