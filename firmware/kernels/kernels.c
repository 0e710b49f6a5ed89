/* The kernel table and the checks of what a kernel reads besides its parameters. */
#include "kernel.h"

#include <stddef.h>

#include "bits.h"
#include "deformable.h"
#include "depthwise_pointwise.h"
#include "dsp/depthwise_planes.h"
#include "dsp/depthwise_separable.h"
#include "dsp/gemm.h"
#include "dsp/rows4.h"
#include "dsp/transposed_conv2d.h"
#include "dsp/transposed_winograd.h"

#define GAP_NONE(name)  NULL
#define GAP_EXACT(name) NULL
#define GAP_AHEAD(name) name##_gap_bytes

const struct kernel kernel_table[] = {
#define KERNEL(kernel_id, operator, function, weights_layout, channels_layout, rule)                         \
    {                                                                                                        \
        .name = #function,                                                                                   \
        .run = function,                                                                                     \
        .supports = function##_supports,                                                                     \
        .scratch_bytes = function##_scratch_bytes,                                                           \
        .gap_bytes = GAP_##rule(function),                                                                   \
        .id = kernel_id,                                                                                     \
        .op = OP_##operator,                                                                                 \
        .overlap = OVERLAP_##rule,                                                                           \
        .weights = WEIGHTS_##weights_layout,                                                                 \
        .channels = CHANNELS_##channels_layout,                                                              \
    },
#include "kernels.def"
#undef KERNEL
};

const uint32_t kernel_count = sizeof kernel_table / sizeof *kernel_table;

enum place {
#define KERNEL(id, op, name, weights, channels, overlap) PLACE_##name,
#include "kernels.def"
#undef KERNEL
};

/* By id: one more than the place in the table, 0 for none. A step looks its kernel up at every run. */
static const uint8_t places[] = {
#define KERNEL(id, op, name, weights, channels, overlap) [id] = PLACE_##name + 1,
#include "kernels.def"
#undef KERNEL
};

const struct kernel *kernel_find(uint32_t id) {
    return id < sizeof places && places[id] != 0 ? &kernel_table[places[id] - 1] : NULL;
}

bool kernel_overlap_allowed(const struct kernel *kernel, const void *params, uint32_t input,
                            uint32_t in_begin, uint32_t in_bytes, uint32_t out_begin, uint32_t out_bytes) {
    if (in_begin + in_bytes <= out_begin || out_begin + out_bytes <= in_begin) return true;
    switch (kernel->overlap) {
    case OVERLAP_EXACT:
        return in_begin == out_begin && in_bytes == out_bytes;
    case OVERLAP_AHEAD:
        return input == 0 && in_begin >= out_begin && in_begin - out_begin >= kernel->gap_bytes(params);
    default:
        return false;
    }
}

/* Output channels, for operators that have channel records. */
static uint32_t channel_count(const struct kernel *kernel, const void *params) {
    switch (kernel->op) {
    case OP_conv2d:
        return (uint32_t)((const struct conv2d_params *)params)->out_c;
    case OP_depthwise:
        return (uint32_t)((const struct depthwise_params *)params)->out_c;
    case OP_transposed_conv2d:
        return (uint32_t)((const struct transposed_conv2d_params *)params)->out_c;
    case OP_fully_connected:
        return (uint32_t)((const struct fully_connected_params *)params)->out_c;
    case OP_deformable_conv2d:
        return (uint32_t)((const struct deformable_conv2d_params *)params)->out_c;
    case OP_binary_conv2d:
        return (uint32_t)((const struct binary_conv2d_params *)params)->out_c;
    case OP_planes_conv2d:
        return (uint32_t)((const struct planes_conv2d_params *)params)->out_c;
    default:
        return 0;
    }
}

static uint32_t ohwi_elems(const struct kernel *kernel, const void *params) {
    switch (kernel->op) {
    case OP_conv2d: {
        const struct conv2d_params *p = params;
        return (uint32_t)(p->out_c * p->kernel_h * p->kernel_w * (p->in_c / p->groups));
    }
    case OP_depthwise: {
        const struct depthwise_params *p = params;
        return (uint32_t)(p->kernel_h * p->kernel_w * p->out_c);
    }
    case OP_transposed_conv2d: {
        const struct transposed_conv2d_params *p = params;
        return (uint32_t)(p->out_c * p->kernel_h * p->kernel_w * p->in_c);
    }
    case OP_fully_connected: {
        const struct fully_connected_params *p = params;
        return (uint32_t)(p->out_c * p->in_c);
    }
    case OP_deformable_conv2d: {
        const struct deformable_conv2d_params *p = params;
        return (uint32_t)(p->out_c * p->kernel_h * p->kernel_w * (p->in_c / p->groups));
    }
    default:
        return 0;
    }
}

static uint32_t bits_words(const struct kernel *kernel, const void *params) {
    if (kernel->op == OP_binary_conv2d) {
        const struct binary_conv2d_params *p = params;
        return (uint32_t)(p->out_c * p->kernel_h * p->kernel_w * bit_words(p->in_c));
    }
    const struct planes_conv2d_params *p = params;
    return (uint32_t)(p->out_c * p->kernel_h * p->kernel_w * p->weight_planes * bit_words(p->in_c));
}

/* dsp/winograd.h: for each group int16 pairs of two output channels together, then int32 fixes of each. */
static uint32_t winograd_bytes(const struct conv2d_params *p, uint32_t positions, uint32_t fixes) {
    const uint32_t groups = (uint32_t)p->groups, out_c = (uint32_t)p->out_c / groups;
    const uint32_t blocks = (out_c + 1) / 2, pairs = ((uint32_t)p->in_c / groups + 3) / 4 * 2;
    return 4 * groups * (blocks * positions * pairs * 2 + out_c * fixes);
}

/* dsp/depthwise_planes.h: the form, then a record a channel. */
static uint32_t planes_bytes(const struct depthwise_params *p, uint32_t words) {
    return 4 * (1 + (uint32_t)p->out_c * (PLANES_RECORD_HEAD + words));
}

/* A part of depthwise_pointwise as if it were a kernel: what the sizes and contents of its blob depend on. */
static struct kernel part_kernel(uint8_t op, uint8_t weights) {
    const bool records = weights == WEIGHTS_OHWI_BMS;
    return (struct kernel){.op = op,
                           .weights = records ? WEIGHTS_OHWI : weights,
                           .channels = records ? CHANNELS_BMS : CHANNELS_NONE};
}

static struct kernel depthwise_part(const struct kernel *kernel) {
    return part_kernel(OP_depthwise, kernel->weights);
}

/* Its blob is where other operators have their channel records. */
static struct kernel pointwise_part(const struct kernel *kernel) {
    const uint8_t weights = kernel->channels == CHANNELS_PAIRS       ? WEIGHTS_PAIRS
                            : kernel->channels == CHANNELS_BYTEPAIRS ? WEIGHTS_BYTEPAIRS
                                                                     : WEIGHTS_OHWI_BMS;
    return part_kernel(OP_conv2d, weights);
}

static uint32_t records_offset(const struct kernel *part, const void *params) {
    return (kernel_weights_bytes(part, params) + 3) / 4 * 4;
}

static uint32_t part_bytes(const struct kernel *part, const void *params) {
    return records_offset(part, params) + kernel_channels_bytes(part, params);
}

static bool part_valid(const struct kernel *part, const void *params, const void *blob) {
    return kernel_data_valid(part, params, blob, (const uint8_t *)blob + records_offset(part, params));
}

uint32_t kernel_weights_bytes(const struct kernel *kernel, const void *params) {
    if (kernel->op == OP_depthwise_pointwise) {
        const struct kernel part = depthwise_part(kernel);
        const struct depthwise_params part_params = depthwise_of_pair(params);
        return part_bytes(&part, &part_params);
    }
    switch (kernel->weights) {
    case WEIGHTS_OHWI:
        return ohwi_elems(kernel, params);
    case WEIGHTS_U16: {
        const struct resize_nearest_params *p = params;
        return (uint32_t)(p->out_h + p->out_w) * sizeof(uint16_t);
    }
    case WEIGHTS_WINOGRAD4:
        return winograd_bytes(params, 36, 5);
    case WEIGHTS_WINOGRAD2:
        return winograd_bytes(params, 16, 0);
    case WEIGHTS_WINOGRAD2_STRIDE2:
        return winograd_bytes(params, 25, 0);
    case WEIGHTS_PLANES_3X3:
    case WEIGHTS_PLANES_3X3_STRIDE2:
    case WEIGHTS_PLANES_REGISTERS:
        return planes_bytes(params, 6);
    case WEIGHTS_PLANES_WIDE: {
        const struct depthwise_params *p = params;
        return planes_bytes(p, (uint32_t)(p->kernel_h * planes_wide_row_words(p->kernel_w, p->stride_w)));
    }
    case WEIGHTS_SEPARABLE: {
        const struct depthwise_params *p = params;
        return 4 * (1 + (uint32_t)(p->out_c * separable_record_words(p)));
    }
    case WEIGHTS_SEPARABLE_BYTEPAIRS: {
        const struct conv2d_params *p = params;
        return 4 * gemm_blob_words(p->kernel_w * p->in_c, p->out_c) + 2 * (uint32_t)(p->out_c * p->kernel_h);
    }
    case WEIGHTS_PAIRS:
    case WEIGHTS_BYTEPAIRS: {
        const struct conv2d_params *p = params;
        const int32_t inputs = p->kernel_h * p->kernel_w * (p->in_c / p->groups);
        return 4 * (uint32_t)p->groups * gemm_blob_words(inputs, p->out_c / p->groups);
    }
    case WEIGHTS_GATHERED_PAIRS:
    case WEIGHTS_GATHERED_BYTEPAIRS:
        return 4 * gemm_gathered_blob_words(params);
    case WEIGHTS_TRANSPOSED_BYTEPAIRS:
    case WEIGHTS_TRANSPOSED_PAIRS:
        return 4 * transposed_blob_words(params);
    case WEIGHTS_TRANSPOSED_WINOGRAD2:
        return 4 * transposed_winograd_words(params);
    case WEIGHTS_SAMPLES: {
        const struct deformable_conv2d_params *p = params;
        return 4 * gemm_blob_words(deformable_inputs(p), p->out_c);
    }
    case WEIGHTS_ROWS4: {
        const struct fully_connected_params *p = params;
        return 4 * (uint32_t)((p->out_c + 3) / 4) * (uint32_t)rows4_block_words(p->in_c);
    }
    case WEIGHTS_BITS:
        return 4 * bits_words(kernel, params);
    case WEIGHTS_COUNTED_BITS:
        return 4 *
               (bits_words(kernel, params) + (uint32_t)((const struct planes_conv2d_params *)params)->out_c);
    case WEIGHTS_SOFTMAX_TABLE:
        return 256 * sizeof(int32_t);
    default:
        return 0;
    }
}

uint32_t kernel_channels_bytes(const struct kernel *kernel, const void *params) {
    if (kernel->op == OP_depthwise_pointwise) {
        const struct kernel part = pointwise_part(kernel);
        const struct conv2d_params part_params = pointwise_of_pair(params);
        return part_bytes(&part, &part_params);
    }
    switch (kernel->channels) {
    case CHANNELS_BMS:
        return channel_count(kernel, params) * (uint32_t)sizeof(struct requant_channel);
    case CHANNELS_BMSN:
        return channel_count(kernel, params) * (uint32_t)sizeof(struct nudged_channel);
    case CHANNELS_AFFINE:
        return channel_count(kernel, params) * (uint32_t)sizeof(struct affine_channel);
    default:
        return 0;
    }
}

static bool indices_below(const uint16_t *indices, int32_t count, int32_t limit) {
    for (int32_t i = 0; i < count; i++)
        if (indices[i] >= limit) return false;
    return true;
}

/* exp(0) = 1 is there, so that a row's sum is at least 2^19; none is negative. */
static bool softmax_table_valid(const int32_t *table) {
    for (uint32_t i = 0; i < 256; i++)
        if (table[i] < 0) return false;
    return table[0] == INT32_MAX;
}

static bool rescale_valid(int32_t multiplier, int32_t shift) {
    return multiplier >= 0 && shift >= -31 && shift <= 30;
}

static bool channels_valid(const struct requant_channel *channels, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (!rescale_valid(channels[i].multiplier, channels[i].shift)) return false;
    return true;
}

static bool nudged_channels_valid(const struct nudged_channel *channels, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (!rescale_valid(channels[i].multiplier, channels[i].shift)) return false;
        if (channels[i].nudge_high < -(1 << 30) || channels[i].nudge_high >= 1 << 30) return false;
    }
    return true;
}

/* Whatever their records hold is safe. */
static bool is_planes(const struct kernel *kernel) {
    return kernel->weights == WEIGHTS_PLANES_3X3 || kernel->weights == WEIGHTS_PLANES_3X3_STRIDE2 ||
           kernel->weights == WEIGHTS_PLANES_REGISTERS || kernel->weights == WEIGHTS_PLANES_WIDE ||
           kernel->weights == WEIGHTS_SEPARABLE;
}

bool kernel_data_valid(const struct kernel *kernel, const void *params, const void *weights,
                       const void *channels) {
    if (kernel->op == OP_depthwise_pointwise) {
        const struct kernel first = depthwise_part(kernel), second = pointwise_part(kernel);
        const struct depthwise_params first_params = depthwise_of_pair(params);
        const struct conv2d_params second_params = pointwise_of_pair(params);
        return part_valid(&first, &first_params, weights) && part_valid(&second, &second_params, channels);
    }
    const uint32_t count = channel_count(kernel, params);
    if (kernel->channels == CHANNELS_BMS && !channels_valid(channels, count)) return false;
    if (kernel->channels == CHANNELS_BMSN && !nudged_channels_valid(channels, count)) return false;
    if (is_planes(kernel)) return *(const uint32_t *)weights <= PLANES_DOUBLE;
    if (kernel->weights == WEIGHTS_SOFTMAX_TABLE) return softmax_table_valid(weights);
    if (kernel->weights == WEIGHTS_U16) {
        const struct resize_nearest_params *p = params;
        const uint16_t *rows = weights;
        return indices_below(rows, p->out_h, p->in_h) && indices_below(rows + p->out_h, p->out_w, p->in_w);
    }
    return true;
}
