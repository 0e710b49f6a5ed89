/* The matrix product that the convolutions share: output channels against a block of pixels, two by two.
 *
 * A block holds pairs of pixels, expanded to int16. Of a pair, four inputs of the first pixel, then the same
 * four of the second; within four the order is 0 2 1 3, which is what SXTB16 makes of a weight word. Inputs
 * are padded with zeros to a multiple of four. Weights stay int8, as TensorFlow Lite has them; they may be
 * unaligned.
 *
 * Inner loop: 2 channels x 2 pixels x 4 inputs = 16 products in 2 loads and 4 SXTB16 of weights, 4 words of
 * activations and 8 SMLAD; one pointer serves both pixels, so that everything stays in registers.
 */
#ifndef TINYCONV_GEMM_H
#define TINYCONV_GEMM_H

#include "../dsp.h"
#include "../kernel.h"
#include "rescale.h"

/* Inputs of a pixel, rounded up to whole groups of four. */
static inline int32_t gemm_groups(int32_t inputs) {
    return (inputs + 3) / 4;
}

#define GEMM_PAIR_WORDS(inputs) (4 * gemm_groups(inputs))

/* Pixels of a block: up to 32 in 2 KB of scratch, at least `least`; even. Every block costs each pair of
 * channels a set-up and a pass over its weights. */
static inline int32_t gemm_block_pixels(int32_t inputs, int32_t least) {
    const int32_t fit = 2048 / (8 * gemm_groups(inputs)) & ~1;
    return fit < least ? least : fit > 32 ? 32 : fit;
}

/* Words of scratch of a block. */
static inline int32_t gemm_block_words(int32_t inputs, int32_t least) {
    return gemm_block_pixels(inputs, least) / 2 * GEMM_PAIR_WORDS(inputs);
}

/* Expands count inputs at `from` to groups at `to`; groups of a pixel are four words apart. */
static inline uint32_t *gemm_expand(const int8_t *from, int32_t count, uint32_t *to) {
    for (; count >= 4; count -= 4, from += 4, to += 4) {
        const uint32_t word = load_word(from);
        to[0] = sxtb16(word);
        to[1] = sxtb16_ror8(word);
    }
    if (count > 0) {
        const uint32_t word = load_bytes(from, count);
        to[0] = sxtb16(word);
        to[1] = sxtb16_ror8(word);
        to += 4;
    }
    return to;
}

/* out[pixel][channel], pixels out_c apart: channels oc and oc + 1 (or oc alone) for all pixels of the block.
 * weights: row of channel oc, inputs bytes; the next row follows. */
struct gemm {
    const int8_t *weights;
    const struct requant_channel *channels;
    int32_t inputs;
    int32_t out_c;
    struct rescale_layer layer;
};

void gemm_block(const struct gemm *gemm, const uint32_t *pairs, int32_t pixels, int8_t *out);

#endif
