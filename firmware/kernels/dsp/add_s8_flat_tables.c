/* ADD of two tensors of one shape; each input's rescale comes from a table over its 256 values.
 *
 * No alignment needed. The output may be the place of either input. Scratch: two tables of int32[256]. They
 * cost about 20000 instructions, hence the least number of elements. Ranges as in add_s8_flat_ref, to which
 * this is bit-equal. Not supported: fewer than 512 elements.
 */
#include "rescale.h"

#define VALUES      256
#define LEAST_ELEMS 512

bool add_s8_flat_tables_supports(const void *params) {
    return ((const struct add_params *)params)->elems >= LEAST_ELEMS;
}

uint32_t add_s8_flat_tables_scratch_bytes(const void *params) {
    (void)params;
    return 2 * VALUES * sizeof(int32_t);
}

/* table[x + 128] for every x */
static void tabulate(int32_t *table, int32_t zero, int32_t left_shift, int32_t multiplier, int32_t shift) {
    for (int32_t x = INT8_MIN; x <= INT8_MAX; x++)
        *table++ = requant_double((x - zero) * (1 << left_shift), multiplier, shift);
}

void add_s8_flat_tables(const struct kernel_args *args) {
    const struct add_params *p = args->params;
    int32_t *table0 = args->scratch, *table1 = table0 + VALUES;
    tabulate(table0, p->input0_zero, p->left_shift, p->input0_multiplier, p->input0_shift);
    tabulate(table1, p->input1_zero, p->left_shift, p->input1_multiplier, p->input1_shift);

    const struct rescale_layer layer =
        rescale_layer(p->output_zero, p->clamp_min, p->clamp_max, ROUND_DOUBLE);
    const struct requant_channel channel = {0, p->output_multiplier, p->output_shift};
    struct rescale rescale;
    const bool is_short = rescale_prepare(&rescale, &channel, &layer);
    const int32_t *middle0 = table0 - INT8_MIN, *middle1 = table1 - INT8_MIN;
    const int8_t *in0 = args->in0, *in1 = args->in1;
    int8_t *out = args->out;
    if (is_short)
        for (const int8_t *end = out + p->elems; out != end;)
            *out++ = rescale_short(middle0[*in0++] + middle1[*in1++], &rescale, layer.addend);
    else
        for (const int8_t *end = out + p->elems; out != end;)
            *out++ = rescale_plain(middle0[*in0++] + middle1[*in1++], &channel, &layer);
}
