/* The matrix product that the convolutions share: output channels, two by two, against tiles of four pixels.
 *
 * Inputs of a pixel (channels, or a window's) come in groups of four, a0 .. a3. A tile is, group by group, eight words of
 * two int16 lanes: X of its four pixels, then Y of them. Two forms of the same product, chosen by the host:
 *
 *              X          Y                                  a word of weights, whose lanes meet X and then Y
 *   PAIRS      (a0, a2)   (a1, a3)                           bytes (u0, v0, u2, v2), (u1, v1, u3, v3) of channels u and v
 *   BYTEPAIRS  (a1, a3)   256 * (a0, a2) - (a1, a3) + 127    (256 * u1 + u0, 256 * u3 + u2), then the same of v
 *
 * PAIRS: SXTB16 of a word is u's pair, SXTB16 with ROR #8 is v's; each product takes one SMLAD. 26 instructions a group for
 * 32 products. Exact for all weights and modulo 2^32.
 * BYTEPAIRS: the word as it is meets X, its SXTB16 (u0, u2) meets Y, so that channel u adds up
 *     (256 u1 + u0) a1 + u0 (256 a0 - a1 + 127) + ... = 256 * (u0 a0 + u1 a1 + ...) + 127 * (u0 + u2)
 * The bias undoes the second part; ASR #8 gives the sum. 23 instructions a group. Y spans int16 exactly: its bytes are a0
 * above 127 - a1 = a1 ^ 0x7f, so REV16 and EOR make it. Exact if 256 * u1 + u0 fits int16 (no weight -128 above a negative
 * one) and every sum, bias included, is within +-2^23: host/plan/pack_gemm.py.
 *
 * SAMPLES is PAIRS on inputs that are any int16 with 8 bits of fraction: ASR #8 of the sum, whose bias is 256 * bias + 128, halves
 * up. Only deformable convolutions have such inputs.
 *
 * The blob: a record of each channel pair, then the weights of each pair, group by group two words; groups and an odd last
 * channel are filled up with zeros. Own work of this project.
 */
#ifndef TINYCONV_GEMM_H
#define TINYCONV_GEMM_H

#define GEMM_TILE         4 /* pixels */
#define GEMM_COPIES       5 /* of a group's code in the inner loop */
#define GEMM_RECORD_BYTES 24
#define GEMM_FEW_INPUTS   16 /* so many or fewer are faster as PAIRS: no ASR, cheaper to expand */

#ifndef __ASSEMBLER__

    #include "../kernel.h"
    #include "rescale.h"

enum gemm_form { GEMM_PAIRS, GEMM_BYTEPAIRS, GEMM_FORMS };

/* Two output channels. `bias` starts the sum (BYTEPAIRS: 256 * bias - 127 * the weights at even places; SAMPLES: 256 * bias + 128). `power` says how the
 * sum x becomes an output:
 *   odd   SHORT  smmlar(y, power, zero) of y = smmlar(x, multiplier, x), then SSAT #8: multiplier is 2m - 2^32, power is
 *                2^(32-e) + 1 for a right shift of e; the 1 breaks ties away from zero. For e in 2 .. 11 and any x;
 *                for e in 12 .. 31 while |y| < 2^(32-e).
 *   even  TIES   the same with y + (y >> 31) for y and power = 2^(32-e): any x, e in 2 .. 31.
 *         0 in either makes the output output_zero, for multiplier 0 and for |y| < 2^(e-1).
 *   < 0   PLAIN  the multiplier as it is; the low six bits are shift + 31.
 * The code of a pair is the same for both channels. Any bits are safe: the worst they do is a wrong output. */
struct gemm_record {
    int32_t bias[2];
    struct {
        int32_t multiplier;
        int32_t power;
    } scale[2];
};

/* What a micro-kernel runs through. */
struct gemm_pass {
    int8_t *out;      /* first pixel, first channel */
    int32_t out_step; /* bytes from a pixel to the next */
    int32_t second;   /* bytes from the first channel of a pair to the second: 1, or 0 to drop the second */
    int32_t zero;     /* output_zero */
    int32_t pairs;    /* of channels, at least 1 */
    int32_t tiles_bytes;   /* of all tiles, at least one */
    int32_t weights_bytes; /* of a pair */
    int32_t skip;          /* copies of the inner loop to leave out at first */
};

/* Channel pairs against tiles, requantised and stored. One function for each form and SHORT or TIES. */
typedef void gemm_kernel(const uint32_t *tiles, const uint32_t *weights, const struct gemm_record *records,
                         const struct gemm_pass *pass);
gemm_kernel gemm_pairs_short, gemm_pairs_ties, gemm_bytepairs_short, gemm_bytepairs_ties, gemm_samples_short,
    gemm_samples_ties;

/* What a micro-kernel of conv2d_s8_hwc_indirect runs through: as struct gemm_pass, but a tile's inputs lie in `runs` runs of the
 * same length, run i 32 * offsets[i] bytes behind the tile's own place. */
struct gemm_indirect_pass {
    int8_t *out;
    int32_t out_step;
    int32_t second;
    int32_t zero;
    int32_t pairs;
    int32_t tiles_bytes; /* from the first tile's place to the end, a multiple of tile_step */
    int32_t out_next;    /* bytes from a tile's first pixel to the next tile's */
    int32_t tile_step;   /* bytes from a tile's place to the next */
    int32_t run_bytes;   /* of a pair's weights in a run */
    int32_t skip;
    const uint16_t *offsets;
    int32_t runs; /* at least 1 */
};

/* BYTEPAIRS. The last takes one pair and one tile, and stores eight sums at out, [channel][pixel]. */
typedef void gemm_indirect_kernel(const uint32_t *tiles, const uint32_t *weights,
                                  const struct gemm_record *records, const struct gemm_indirect_pass *pass);
gemm_indirect_kernel gemm_indirect_short, gemm_indirect_ties, gemm_indirect_sums;

/* One channel pair against one tile: sums[channel][pixel]. groups >= 1. */
typedef void gemm_sums_kernel(const uint32_t *tile, const uint32_t *weights, const struct gemm_record *record,
                              int32_t *sums, int32_t groups);
gemm_sums_kernel gemm_pairs_sums, gemm_bytepairs_sums, gemm_samples_sums;

/* A tile's words from four pixels, `step` bytes apart: groups >= 1 groups from each. */
typedef void gemm_expand_kernel(const int8_t *from, int32_t step, uint32_t *to, int32_t groups);
gemm_expand_kernel gemm_pairs_expand, gemm_bytepairs_expand;

/* The micro-kernels of a form: a layer refers to those that it needs, so that a program links no others. */
struct gemm_code_set {
    gemm_kernel *code[2]; /* TIES, SHORT */
    gemm_sums_kernel *sums;
};

extern const struct gemm_code_set gemm_code_sets[GEMM_FORMS];

/* A layer, ready to multiply. */
struct gemm {
    const struct gemm_record *records;
    const uint32_t *weights;
    int32_t groups;
    int32_t out_c;
    const struct gemm_code_set *set; /* what gemm_block() calls; not read for the indirect micro-kernels */
    struct rescale_layer layer;
};

struct gemm gemm_prepare(const struct kernel_args *args, enum gemm_form form, int32_t inputs);

/* Goes on to the next group of a convolution, whose blob follows. */
void gemm_next_group(struct gemm *gemm);

/* Groups of four inputs. */
static inline int32_t gemm_groups(int32_t inputs) {
    return (inputs + 3) / 4;
}

/* Pixels of a block, a multiple of 4: what fits 1,920 bytes of scratch, at most 64; 8 where that takes up to 4,608 bytes, for
 * every block reads all weights from flash; else 4. */
int32_t gemm_block_pixels(int32_t inputs, int32_t pixels);

/* Bytes of scratch for the tiles of a block. */
int32_t gemm_block_bytes(int32_t inputs, int32_t pixels);

/* Words of weights and records. */
static inline uint32_t gemm_blob_words(int32_t inputs, int32_t out_c) {
    return (uint32_t)((out_c + 1) / 2) *
           (GEMM_RECORD_BYTES / sizeof(uint32_t) + 2 * (uint32_t)gemm_groups(inputs));
}

/* Bytes of a window's row filled up to whole groups, and inputs of a window of such rows: weights GATHERED_PAIRS and
 * GATHERED_BYTEPAIRS, for each group of a convolution a blob. */
static inline int32_t gemm_gathered_row(const struct conv2d_params *p) {
    return 4 * gemm_groups(p->kernel_w * (p->in_c / p->groups));
}

static inline uint32_t gemm_gathered_blob_words(const struct conv2d_params *p) {
    return (uint32_t)p->groups * gemm_blob_words(p->kernel_h * gemm_gathered_row(p), p->out_c / p->groups);
}

/* X and Y of four inputs, in the tile's word of a pixel. */
static inline void gemm_put(enum gemm_form form, uint32_t word, uint32_t *to) {
    if (form == GEMM_BYTEPAIRS) {
        to[0] = sxtb16_ror8(word);
        to[GEMM_TILE] = rev16(word) ^ 0x007f007fu;
    } else {
        to[0] = sxtb16(word);
        to[GEMM_TILE] = sxtb16_ror8(word);
    }
}

/* One pixel of a tile: `to` is its word in the tile. count inputs; returns its word of the next group. */
uint32_t *gemm_expand_pixel(enum gemm_form form, const int8_t *from, int32_t count, uint32_t *to);

/* Four pixels of a tile; count is any. */
uint32_t *gemm_expand_tile(enum gemm_form form, const int8_t *from, int32_t step, int32_t count,
                           uint32_t *to);

enum gemm_code { GEMM_PLAIN, GEMM_TIES, GEMM_SHORT };

static inline enum gemm_code gemm_code_of(const struct gemm_record *record) {
    const int32_t powers = record->scale[0].power | record->scale[1].power;
    return powers < 0 ? GEMM_PLAIN : powers & 1 ? GEMM_SHORT : GEMM_TIES;
}

/* Copies of the inner loop to leave out at first. */
static inline int32_t gemm_skip(int32_t groups) {
    return (GEMM_COPIES - groups % GEMM_COPIES) % GEMM_COPIES;
}

/* Sums [channel][pixel] of a PLAIN pair to up to four pixels, `step` bytes apart, the pair's first channel at `out`. */
void gemm_plain_tile(const struct gemm *gemm, int32_t pair, const int32_t *sums, int32_t pixels, int32_t step,
                     int8_t *out);

/* The layer's clamp, if it has one, on `count` outputs. */
void gemm_clamp(const struct gemm *gemm, int8_t *out, int32_t count);

/* The same for all output channels of `pixels` pixels, `step` bytes apart. */
void gemm_clamp_pixels(const struct gemm *gemm, int8_t *out, int32_t pixels, int32_t step);

/* All output channels of `pixels` pixels at `out`, `step` bytes apart, as far as int8: not clamped yet. */
void gemm_pixels(const struct gemm *gemm, const uint32_t *tiles, int32_t pixels, int8_t *out, int32_t step);

/* All output channels of `pixels` pixels at `out`, which follow each other. */
void gemm_block(const struct gemm *gemm, const uint32_t *tiles, int32_t pixels, int8_t *out);

/* The same for pixels `step` bytes apart. */
void gemm_block_apart(const struct gemm *gemm, const uint32_t *tiles, int32_t pixels, int8_t *out,
                      int32_t step);

#endif
#endif
