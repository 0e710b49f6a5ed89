/* Counting bits by tables: sixteen pixels at once, four channels a step.
 *
 * Cortex-M cannot count bits, and a dot product of 32 bits in a word takes some seven instructions. Here tables do it: for four
 * channels of sixteen pixels there are only 16 ways of weights, so their counts are computed once, in lanes of four bits, and
 * serve all output channels. Weights are nibbles of the words that they are stored in. For each word of a window the tables are
 *
 *     uint32 table[8 nibbles][16 weights][2 halves of eight pixels]
 *
 * Three lookups add up to at most 12 in a lane; then even and odd lanes go to bytes, and bytes to 16 bits when a chunk of at
 * most LOOKUP_WORDS words is done (7 * 32 = 224). Per word, that is 47 instructions for 512 products and 3 for the loop.
 * Position q of the sixteen is in lane lookup_lane(q) of its half, for the lanes come out in that order.
 * Source: own work.
 */
#ifndef TINYCONV_BINARY_LOOKUP_H
#define TINYCONV_BINARY_LOOKUP_H

#define LOOKUP_PIXELS      16
#define LOOKUP_WORDS       7
#define LOOKUP_TABLE_WORDS 256
#define LOOKUP_TOTAL_WORDS 8
#define LOOKUP_DOWN        16

#ifndef __ASSEMBLER__

    #include <stdbool.h>
    #include <stdint.h>

    #include "../kernel.h"

struct lookup_pass {
    const uint32_t *tables_end;
    const uint32_t *totals_end;
    int32_t skip_bytes; /* from the last weights of a row to the first of the next */
};

/* The tables of a word's eight nibbles, one half of every entry, which is table[0] of the two. nibbles[k]: bits of channels
 * 4 * k to 4 * k + 3 of eight pixels. inside: a one in each lane of the image; the other lanes count padding[k]. */
void lookup_tables(const uint32_t *nibbles, uint32_t *table, uint32_t inside, const uint32_t *padding);

/* For each row of weights adds the counts of its words to its totals, uint16[16]. At least one word, at most LOOKUP_WORDS. */
void lookup_count(const uint32_t *tables, const uint32_t *weights, uint32_t *totals,
                  const struct lookup_pass *pass);

struct lookup_put {
    const struct affine_channel *channels_end;
    int32_t out_c;
    uint32_t all, twice; /* products << lift, 2 << lift */
};

/* int8 outputs of all channels of sixteen pixels from their totals: all - total * twice, scaled, with a right shift of LOOKUP_DOWN
 * (binary_conv2d in params.def). At least one channel. */
void lookup_put_int8(const uint16_t *totals, const struct affine_channel *channels, int8_t *out,
                     const struct lookup_put *put);

/* Windows over an image of bits, and what is counted of them. */
struct lookup_image {
    const uint32_t *in;
    int32_t in_h, in_w, in_c, out_w, kernel_h, kernel_w;
    int32_t stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
    int32_t pixel_words; /* from a pixel to the next; those of a plane come first */
    bool half; /* of padding, half of the channels count, an even number; else it is like clear bits */
};

/* Words of scratch for windows of so many words a tap and so many rows of weights. */
uint32_t lookup_scratch_words(int32_t taps, int32_t words, int32_t rows);

/* Adds to the totals of the rows what the windows of sixteen pixels from `pixel` on count; those behind the last pixel count
 * something. scratch: lookup_scratch_words(), of which the first are the totals. */
void lookup_windows(const struct lookup_image *image, int32_t pixel, const uint32_t *weights, int32_t rows,
                    uint32_t *scratch);

#endif
#endif
