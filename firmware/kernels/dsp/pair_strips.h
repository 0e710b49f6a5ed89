/* A depthwise kernel and a pointwise kernel by turns, on strips of rows: what the kernels of depthwise_pointwise share. */
#ifndef TINYCONV_PAIR_STRIPS_H
#define TINYCONV_PAIR_STRIPS_H

#include "../depthwise_pointwise.h"

struct pair_part {
    void (*run)(const struct kernel_args *args);
    bool (*supports)(const void *params);
    uint32_t (*scratch_bytes)(const void *params);
};

struct pair_kernels {
    struct pair_part depthwise; /* its blob is OHWI_BMS, or has no records beside it */
    struct pair_part pointwise; /* no records */
};

#define PAIR_PART(name) {name, name##_supports, name##_scratch_bytes}

/* Of a kernel that is a part: an exported network may have its file without its line in kernels.def. */
#define DECLARE_PAIR_PART(name)                                                                              \
    void name(const struct kernel_args *args);                                                               \
    bool name##_supports(const void *params);                                                                \
    uint32_t name##_scratch_bytes(const void *params);

/* The strip's int8 tensor between the parts, then what either part needs: strip_rows * out_w * in_c * depth_multiplier bytes and
 * the larger scratch of the two. */
uint32_t pair_scratch_bytes(const struct depthwise_pointwise_params *p, const struct pair_kernels *kernels);

/* Whether every window spans a row of the image, and the kernels support their part of every strip. */
bool pair_supports(const struct depthwise_pointwise_params *p, const struct pair_kernels *kernels);

uint32_t pair_gap_bytes(const struct depthwise_pointwise_params *p);

void pair_run(const struct kernel_args *args, const struct pair_kernels *kernels);

#endif
