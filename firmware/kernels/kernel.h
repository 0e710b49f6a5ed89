/* The seam between runtime and kernels: what a kernel is given and what it must offer.
 *
 * A kernel NAME is three functions:
 *   void     NAME(const struct kernel_args *args)           does the work; everything was checked before
 *   bool     NAME_supports(const void *params)              whether it computes exactly this shape and these values
 *   uint32_t NAME_scratch_bytes(const void *params)         bytes of args->scratch that it needs, the same on every machine
 *   uint32_t NAME_gap_bytes(const void *params)             only if its overlap is AHEAD: see kernels.def
 * No globals, no allocation, no input or output. Tensors, parameters, blobs and scratch are 4-byte aligned. Sums of products are modulo 2^32: equal to the reference's wherever those fit int32, whatever the partial sums.
 */
#ifndef TINYCONV_KERNEL_H
#define TINYCONV_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

/* Reference rounding of a requantisation. DOUBLE: saturating rounding doubling high multiply, then rounding shift
 * (CONV_2D, DEPTHWISE_CONV_2D, ADD, MEAN, QUANTIZE). SINGLE: one rounding of the 64-bit product (FULLY_CONNECTED). */
enum rounding { ROUND_DOUBLE = 0, ROUND_SINGLE = 1 };

#define FIELD(name) int32_t name;
#define OP(id, name, inputs, fields)                                                                         \
    struct name##_params {                                                                                   \
        fields                                                                                               \
    };
#include "params.def"
#undef OP
#undef FIELD

enum op {
#define OP(id, name, inputs, fields) OP_##name = (id),
#include "params.def"
#undef OP
};

/* Channel record BMS, one per output channel. shift > 0 is to the left. multiplier in [0, 2^31), shift in [-31, 30]. */
struct requant_channel {
    int32_t bias;
    int32_t multiplier;
    int32_t shift;
};

/* Channel record BMSN of fully_connected: single rounding with an offset of its own, which makes the integers equal to
 * the reference's float64 (host/oracle/fixedpoint.py, exact_single): (x * multiplier + nudge) >> (31 - shift).
 * The nudge is two words, low first, so that records need only 4-byte alignment. Usually it is 1 << (30 - shift);
 * |nudge| < 2^62, so that the sum fits. The clamp follows in 64 bits. */
struct nudged_channel {
    int32_t bias;
    int32_t multiplier;
    int32_t shift;
    uint32_t nudge_low;
    int32_t nudge_high;
};

/* Channel record AFFINE of binary_conv2d: see params.def. With output_bits, multiplier is the bound of the sum. Any values. */
struct affine_channel {
    int32_t multiplier;
    int32_t offset;
};

#define OP_INPUTS 3 /* most tensors that an operator reads */

/* Inputs that the operator does not have are NULL. Tensors are int8 unless params.def says otherwise. */
struct kernel_args {
    const int8_t *in0;
    const int8_t *in1;
    const int8_t *in2;
    int8_t *out;
    const void *params; /* struct <op>_params */
    const void *weights;
    const void *channels;
    void *scratch;
};

enum overlap { OVERLAP_NONE = 0, OVERLAP_EXACT = 1, OVERLAP_AHEAD = 2 };

enum weights_layout {
    WEIGHTS_NONE,
    WEIGHTS_OHWI,
    WEIGHTS_U16,
    WEIGHTS_SOFTMAX_TABLE,
    WEIGHTS_WINOGRAD4,
    WEIGHTS_WINOGRAD2,
    WEIGHTS_WINOGRAD2_STRIDE2,
    WEIGHTS_PLANES_3X3,
    WEIGHTS_PLANES_3X3_STRIDE2,
    WEIGHTS_PLANES_REGISTERS,
    WEIGHTS_PLANES_WIDE,
    WEIGHTS_SEPARABLE,
    WEIGHTS_SEPARABLE_BYTEPAIRS,
    WEIGHTS_PAIRS,
    WEIGHTS_BYTEPAIRS,
    WEIGHTS_GATHERED_PAIRS,
    WEIGHTS_GATHERED_BYTEPAIRS,
    WEIGHTS_TRANSPOSED_BYTEPAIRS,
    WEIGHTS_TRANSPOSED_PAIRS,
    WEIGHTS_TRANSPOSED_WINOGRAD2,
    WEIGHTS_ROWS4,
    WEIGHTS_SAMPLES,
    WEIGHTS_BITS,
    WEIGHTS_COUNTED_BITS,
    WEIGHTS_OHWI_BMS
};
enum channels_layout {
    CHANNELS_NONE,
    CHANNELS_BMS,
    CHANNELS_BMSN,
    CHANNELS_AFFINE,
    CHANNELS_PAIRS,
    CHANNELS_BYTEPAIRS,
    CHANNELS_OHWI_BMS
};

struct kernel {
    const char *name;
    void (*run)(const struct kernel_args *args);
    bool (*supports)(const void *params);
    uint32_t (*scratch_bytes)(const void *params);
    uint32_t (*gap_bytes)(const void *params); /* NULL unless overlap is OVERLAP_AHEAD */
    uint16_t id;
    uint8_t op;
    uint8_t overlap;
    uint8_t weights;
    uint8_t channels;
};

#define KERNEL(id, op, name, weights, channels, overlap)                                                     \
    void name(const struct kernel_args *args);                                                               \
    bool name##_supports(const void *params);                                                                \
    uint32_t name##_scratch_bytes(const void *params);                                                       \
    uint32_t name##_gap_bytes(const void *params);
#include "kernels.def"
#undef KERNEL

extern const struct kernel kernel_table[];
extern const uint32_t kernel_count;

/* The kernel with that id, or NULL. */
const struct kernel *kernel_find(uint32_t id);

/* Whether the kernel may write its output at out_begin while its input number `input` lies at in_begin, `bytes` long. */
bool kernel_overlap_allowed(const struct kernel *kernel, const void *params, uint32_t input,
                            uint32_t in_begin, uint32_t in_bytes, uint32_t out_begin, uint32_t out_bytes);

/* Size of the operator's parameter struct in bytes, 0 if there is no such operator. */
uint32_t op_params_bytes(uint32_t op);

/* Whether the parameters are consistent in themselves: dimensions at least 1 and products within int32, output sizes
 * that windows can reach (every window starts inside the padded image), clamps, zero points, multipliers and shifts in
 * range. Everything a kernel relies on to stay inside its buffers. On failure *field is the index of the field. */
bool op_params_valid(uint32_t op, const void *params, uint32_t *field);

/* Bytes of the tensors that an operator's parameters speak of; 0 for inputs that it does not have, which come last. */
struct op_bytes {
    uint32_t in[OP_INPUTS];
    uint32_t out;
};

/* The parameters are valid. */
struct op_bytes op_tensor_bytes(uint32_t op, const void *params);

/* Bytes of the weights and channels blobs in the kernel's layouts. */
uint32_t kernel_weights_bytes(const struct kernel *kernel, const void *params);
uint32_t kernel_channels_bytes(const struct kernel *kernel, const void *params);

/* Whether the contents of the blobs are safe: multipliers and shifts in range, table entries inside the image. */
bool kernel_data_valid(const struct kernel *kernel, const void *params, const void *weights,
                       const void *channels);

#endif
