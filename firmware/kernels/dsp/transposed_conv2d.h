/* Phases of a transposed convolution: what its kernel and the size of its weights share.
 *
 * The outputs with equal oy % stride_h and ox % stride_w, a phase, meet the same positions of the kernel: those ky with (oy +
 * pad_top - ky) % stride_h = 0, likewise kx. They are an ordinary convolution of the input with stride 1, whose taps are
 * these positions from the last to the first. No zeros are inserted or multiplied.
 *
 * The blobs TRANSPOSED_BYTEPAIRS and TRANSPOSED_PAIRS have, for each phase that the output has, row by row, a blob BYTEPAIRS
 * or PAIRS (gemm.h) of its taps, each with its channels filled up with zeros to whole groups; a phase without taps has a
 * group of zeros. Its biases contain -input_zero * sum(w) of its own taps. Source: the sub-convolutions of Shi 2016 (arXiv
 * 1609.07009); layout own work.
 */
#ifndef TINYCONV_TRANSPOSED_CONV2D_H
#define TINYCONV_TRANSPOSED_CONV2D_H

#include "gemm.h"

#define TRANSPOSED_MOST_PHASES 256 /* of a layer: its blob stays below 2^32 bytes */

/* Phases of one axis. */
struct transposed_axis {
    int32_t phases;
    int32_t tapped; /* phases with taps */
    int32_t taps;   /* of all phases */
    int32_t most;   /* taps of a phase */
};

/* Positions of the kernel along one axis that the phase of output `phase` meets. */
static inline int32_t transposed_taps(int32_t phase, int32_t kernel, int32_t stride, int32_t pad) {
    const int32_t first = (phase + pad) % stride;
    return first < kernel ? (kernel - 1 - first) / stride + 1 : 0;
}

static inline struct transposed_axis transposed_axis_of(int32_t out, int32_t kernel, int32_t stride,
                                                        int32_t pad) {
    struct transposed_axis axis = {out < stride ? out : stride, 0, 0, 0};
    for (int32_t phase = 0; phase < axis.phases; phase++) {
        const int32_t taps = transposed_taps(phase, kernel, stride, pad);
        axis.tapped += taps > 0;
        axis.taps += taps;
        if (taps > axis.most) axis.most = taps;
    }
    return axis;
}

/* The last input row or column that output o meets if it has taps; it meets those before it, too. */
static inline int32_t transposed_newest(int32_t o, int32_t stride, int32_t pad) {
    return (o + pad) / stride;
}

/* Words of weights and records, modulo 2^32: below that for what the kernel supports. */
static inline uint32_t transposed_blob_words(const struct transposed_conv2d_params *p) {
    const struct transposed_axis v = transposed_axis_of(p->out_h, p->kernel_h, p->stride_h, p->pad_top);
    const struct transposed_axis h = transposed_axis_of(p->out_w, p->kernel_w, p->stride_w, p->pad_left);
    const uint32_t phases = (uint32_t)v.phases * (uint32_t)h.phases;
    const uint32_t untapped = phases - (uint32_t)v.tapped * (uint32_t)h.tapped;
    const uint32_t groups = (uint32_t)v.taps * (uint32_t)h.taps * (uint32_t)gemm_groups(p->in_c) + untapped;
    return (uint32_t)((p->out_c + 1) / 2) *
           (GEMM_RECORD_BYTES / (uint32_t)sizeof(uint32_t) * phases + 2 * groups);
}

static inline bool transposed_phases_fit(const struct transposed_conv2d_params *p) {
    return (int64_t)p->stride_h * p->stride_w <= TRANSPOSED_MOST_PHASES;
}

/* The kernels of either form that gather windows: transposed_im2col.c. */
bool transposed_im2col_supports(const struct transposed_conv2d_params *p);
uint32_t transposed_im2col_scratch_bytes(const struct transposed_conv2d_params *p);
uint32_t transposed_im2col_gap_bytes(const struct transposed_conv2d_params *p);
void transposed_im2col_run(const struct kernel_args *args, enum gemm_form form);

#endif
