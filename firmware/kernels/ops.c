/* What parameters an operator accepts. They come from a plan that nobody has checked: after op_params_valid()
 * said yes, no kernel leaves its buffers, overflows an index or divides by zero, whatever the values.
 *
 * Two stages: every field has a range by its name; then one function an operator relates the fields to each
 * other.
 */
#include "ops.h"

struct field_range {
    int32_t min, max;
};

#define DIM    {1, MAX_DIM}
#define OFFSET {0, MAX_DIM}
#define ELEMS  {1, MAX_ELEMS}
#define INT8   {INT8_MIN, INT8_MAX}
#define Q31    {0, INT32_MAX}
#define SHIFT  {-31, 30}
#define RIGHT  {-31, 0}
#define AXIS   {0, 3}

#define RANGE_in_n              DIM
#define RANGE_in_h              DIM
#define RANGE_in_w              DIM
#define RANGE_in_c              DIM
#define RANGE_out_n             DIM
#define RANGE_out_h             DIM
#define RANGE_out_w             DIM
#define RANGE_out_c             DIM
#define RANGE_kernel_h          DIM
#define RANGE_kernel_w          DIM
#define RANGE_stride_h          DIM
#define RANGE_stride_w          DIM
#define RANGE_dilation_h        DIM
#define RANGE_dilation_w        DIM
#define RANGE_pad_top           OFFSET
#define RANGE_pad_left          OFFSET
#define RANGE_depth_multiplier  DIM
#define RANGE_groups            DIM
#define RANGE_input_zero        INT8
#define RANGE_input0_zero       INT8
#define RANGE_input1_zero       INT8
#define RANGE_weights_zero      INT8
#define RANGE_output_zero       INT8
#define RANGE_clamp_min         INT8
#define RANGE_clamp_max         INT8
#define RANGE_rounding          {ROUND_DOUBLE, ROUND_SINGLE}
#define RANGE_multiplier        Q31
#define RANGE_input0_multiplier Q31
#define RANGE_input1_multiplier Q31
#define RANGE_output_multiplier Q31
#define RANGE_shift             SHIFT
#define RANGE_input0_shift      RIGHT
#define RANGE_input1_shift      RIGHT
#define RANGE_output_shift      RIGHT
#define RANGE_left_shift        {0, 20} /* 255 * 2^20 twice fits int32 */
#define RANGE_rows              ELEMS
#define RANGE_depth             {1, 4095} /* exponentials of at most 2^19, summed in int32 */
#define RANGE_elems             ELEMS
#define RANGE_outer             ELEMS
#define RANGE_inner             ELEMS
#define RANGE_reduce            {1, MAX_REDUCE}
#define RANGE_in_inner          ELEMS
#define RANGE_out_inner         ELEMS
#define RANGE_out_offset        {0, MAX_ELEMS}
#define RANGE_before_n          OFFSET
#define RANGE_before_h          OFFSET
#define RANGE_before_w          OFFSET
#define RANGE_before_c          OFFSET
#define RANGE_half_up           {0, 1}
#define RANGE_value             INT8
#define RANGE_offset_groups     DIM
#define RANGE_offset_bytes      {1, 2}
#define RANGE_offset_zero       {INT16_MIN, INT16_MAX}
#define RANGE_offset_multiplier Q31
#define RANGE_masked            {0, 1}
#define RANGE_mask_zero         INT8
#define RANGE_in_0              DIM
#define RANGE_in_1              DIM
#define RANGE_in_2              DIM
#define RANGE_in_3              DIM
#define RANGE_middle_zero       INT8
#define RANGE_middle_min        INT8
#define RANGE_middle_max        INT8
#define RANGE_weights1_zero     INT8
#define RANGE_strip_rows        DIM
#define RANGE_perm_0            AXIS
#define RANGE_perm_1            AXIS
#define RANGE_perm_2            AXIS
#define RANGE_perm_3            AXIS
#define RANGE_value_clear       INT8
#define RANGE_value_set         INT8
#define RANGE_zero_padding      {0, 1}
#define RANGE_output_bits       {0, 1}
#define RANGE_sum_min           {-MAX_REDUCE, MAX_REDUCE}
#define RANGE_sum_max           {-MAX_REDUCE, MAX_REDUCE}
#define RANGE_lift              {0, 30}
#define RANGE_down              {0, 31}
#define RANGE_planes            {1, 4}
#define RANGE_weight_planes     {1, 4}

#define FIELD(name)                  RANGE_##name,
#define OP(id, name, inputs, fields) static const struct field_range name##_ranges[] = {fields};
#include "params.def"
#undef OP
#undef FIELD

struct op_info {
    uint16_t op;
    uint16_t fields;
    const struct field_range *ranges;
    uint32_t (*check)(const void *params);
    struct op_bytes (*bytes)(const void *params);
};

#define OP(id, name, inputs, fields)                                                                         \
    static const struct op_info name##_info                                                                  \
        __attribute__((unused)) = {OP_##name, sizeof(struct name##_params) / sizeof(int32_t), name##_ranges, \
                                   name##_check, name##_bytes};
#include "params.def"
#undef OP

/* The operators that have kernels: a firmware with few of them links no others. */
static const struct op_info *const op_table[] = {
#define KERNEL(id, op, name, weights, channels, overlap) &op##_info,
#include "kernels.def"
#undef KERNEL
};

static const struct op_info *op_find(uint32_t op) {
    for (uint32_t i = 0; i < sizeof op_table / sizeof *op_table; i++)
        if (op_table[i]->op == op) return op_table[i];
    return NULL;
}

uint32_t op_params_bytes(uint32_t op) {
    const struct op_info *info = op_find(op);
    return info ? info->fields * (uint32_t)sizeof(int32_t) : 0;
}

bool op_params_valid(uint32_t op, const void *params, uint32_t *field) {
    const struct op_info *info = op_find(op);
    const int32_t *values = params;
    *field = 0;
    if (info == NULL) return false;
    for (uint32_t i = 0; i < info->fields; i++) {
        *field = i;
        if (values[i] < info->ranges[i].min || values[i] > info->ranges[i].max) return false;
    }
    *field = info->check(params);
    return *field == AGREED;
}

struct op_bytes op_tensor_bytes(uint32_t op, const void *params) {
    return op_find(op)->bytes(params);
}
