/* Exact integer Winograd for transposed convolution, 3x3, stride 2: 25 products instead of 36 for 16 outputs.
 *
 * Seen along one axis, without the crop, the kernel g0, g1, g2 makes of inputs x[i]
 *     y[2i] = x[i] g0 + x[i-1] g2        y[2i+1] = x[i] g1
 * so two even outputs are F(2,2), and a tile of four outputs from d0, d1, d2 = x[2t-1], x[2t], x[2t+1] takes five products
 * instead of six:
 *     p0 = (d0 - d1) g2   p1 = d1 (g0 + g2)   p2 = (d2 - d1) g0   p3 = d1 g1   p4 = d2 g1
 *     y[4t] = p0 + p1   y[4t+1] = p3   y[4t+2] = p1 + p2   y[4t+3] = p4
 * Four inputs d0 - d1, d1, d2 - d1, d2 and four weights g2, g0 + g2, g0, g1 make them, 16 of each in two dimensions. Inputs
 * are within +-510, weights within +-508; nothing is scaled, so all is exact modulo 2^32 whatever the sums. It is the adjoint of
 * the stride 2 of winograd.h.
 *
 *     V[tile / 4][16 inputs][channel pair][4 tiles]           words of two int16 channels, in scratch
 *     U[output channel / 2][16 weights][channel pair][2]      the same, in the blob
 *     fix[output channel][4]                                  behind U: -input_zero * sum(w) of the phases (even, even), (even,
 *                                                             odd), (odd, even), (odd, odd) of y
 *     M[tile][2 output channels][25 products]                 int32, in scratch
 * Channels come four by four, as pairs (0, 2), (1, 3), which is what SXTB16 makes of a word; zeros fill the last. Own work.
 */
#ifndef TINYCONV_TRANSPOSED_WINOGRAD_H
#define TINYCONV_TRANSPOSED_WINOGRAD_H

#define TRANSPOSED_WINOGRAD_INPUTS   16
#define TRANSPOSED_WINOGRAD_PRODUCTS 25
#define TRANSPOSED_WINOGRAD_COPIES   8 /* of a channel pair's code in the inner loop */

#ifndef __ASSEMBLER__

    #include "../kernel.h"

/* What the micro-kernel runs through. */
struct transposed_winograd_pass {
    int32_t u_bytes; /* of a run: 8 a channel pair, an even number of them */
    int32_t m_bytes; /* of all tiles, four by four, at least four */
    int32_t v_next;  /* bytes from the end of a run in V to the next four tiles' */
    int32_t skip;    /* copies of the inner loop to leave out at first */
};

/* One product of two channels in all tiles: sums over the channels of a run in V times a run in U. */
void transposed_winograd_multiply(const uint32_t *v, const uint32_t *u, uint32_t *m,
                                  const struct transposed_winograd_pass *pass);

static inline int32_t transposed_winograd_pairs(int32_t in_c) {
    return (in_c + 3) / 4 * 2;
}

/* Words of U of two output channels. */
static inline int32_t transposed_winograd_block_words(int32_t in_c) {
    return TRANSPOSED_WINOGRAD_INPUTS * 2 * transposed_winograd_pairs(in_c);
}

/* Words of the blob. */
static inline uint32_t transposed_winograd_words(const struct transposed_conv2d_params *p) {
    return (uint32_t)((p->out_c + 1) / 2) * (uint32_t)transposed_winograd_block_words(p->in_c) +
           4 * (uint32_t)p->out_c;
}

#endif
#endif
