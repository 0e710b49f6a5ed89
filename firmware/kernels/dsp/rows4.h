/* A matrix times a vector: four rows of weights at a time, taken two bytes at a time as in BYTEPAIRS (gemm.h).
 *
 * The blob ROWS4 is read from front to back. For every four output channels, zeros in place of missing ones:
 *
 *     int32 bias[4]             256 * bias - 127 * the weights at even places
 *     int16 weights[K / 4][4][2]  (256 * w1 + w0, 256 * w3 + w2); K is rounded up to a multiple of 8
 *     int32 multiplier[4]
 *     int32 power[4]            2^(25 + shift)
 *
 * Requantisation with a single rounding takes three instructions and undoes the factor of 256 in passing. For x = 256 * sum:
 *
 *     y = smmul(x, multiplier)          floor(x * multiplier / 2^32)
 *     z = smmlar(y, power, zero)        zero + floor((y + 2^(e-2)) / 2^(e-1)), with e = 8 - shift
 *
 * which is floor((x * multiplier + 2^(30+e)) / 2^(31+e)) + zero, for a floor inside a floor of a sum with an integer changes
 * nothing. Domain: e in 3 .. 33, hence shift in -25 .. 5; the usual nudge; every sum within +-2^23 (host/plan/pack_gemm.py).
 * Other bytes in the blob are safe and give some output. Source: own work.
 */
#ifndef TINYCONV_ROWS4_H
#define TINYCONV_ROWS4_H

#define ROWS4_COPIES 4 /* of eight inputs' code in the inner loop */

#ifndef __ASSEMBLER__

    #include <stdint.h>

struct rows4_pass {
    const uint32_t *end; /* of the input's words */
    int32_t blocks;      /* of four channels, at least 1 */
    int32_t zero;        /* output_zero */
    int32_t skip;        /* copies of the inner loop to leave out at first */
};

/* input: X and Y (gemm.h) of each group of four inputs, an even number of groups, at least 2. */
void rows4_multiply(const uint32_t *input, const uint32_t *blob, int8_t *out, const struct rows4_pass *pass);

/* Groups of four inputs, an even number. */
static inline int32_t rows4_groups(int32_t inputs) {
    return (inputs + 7) / 8 * 2;
}

/* Words of a block of four channels. */
static inline int32_t rows4_block_words(int32_t inputs) {
    return 12 + 4 * rows4_groups(inputs);
}

#endif
#endif
