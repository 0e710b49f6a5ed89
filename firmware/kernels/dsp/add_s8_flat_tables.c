/* ADD of two tensors of one shape; each input's rescale comes from a table over its 256 values.
 *
 * No alignment needed. The output may be the place of either input. Scratch: two tables of int32[256], which cost about 5,000
 * instructions, hence the least number of elements. Ranges as in add_s8_flat_ref, to which this is bit-equal. Not supported:
 * fewer than 256 elements.
 */
#include "rescale.h"

#define VALUES      256
#define LEAST_ELEMS 256

bool add_s8_flat_tables_supports(const void *params) {
    return ((const struct add_params *)params)->elems >= LEAST_ELEMS;
}

uint32_t add_s8_flat_tables_scratch_bytes(const void *params) {
    (void)params;
    return 2 * VALUES * sizeof(int32_t);
}

/* table[x + 128] for every x; sums below 2^28 (ops.c) do not saturate in the short form. */
static void tabulate(int32_t *table, int32_t zero, int32_t left_shift, int32_t multiplier, int32_t shift) {
    const struct rescale_layer layer = rescale_layer(0, INT8_MIN, INT8_MAX, ROUND_DOUBLE);
    const struct requant_channel channel = {0, multiplier, shift};
    struct rescale rescale;
    const int32_t *end = table + VALUES;
    const int32_t step = 1 << left_shift;
    int32_t x = (INT8_MIN - zero) * step;
    if (rescale_prepare(&rescale, &channel, &layer))
        for (; table != end; x += step) *table++ = rescale_wide(x, &rescale, 0);
    else if (multiplier >= 1 << 30 && shift == 0)
        for (; table != end; x += step) *table++ = smmlar((uint32_t)x, rescale.twice, x);
    else
        for (; table != end; x += step) *table++ = requant_double(x, multiplier, shift);
}

/* Four sums of table entries a round: the bytes of a word are peeled off as indices. */
KEEP_ORDER static void add_short(const int32_t *table0, const int32_t *table1, const struct kernel_args *args,
                                 const struct rescale *at, int32_t zero) {
    const int32_t elems = ((const struct add_params *)args->params)->elems;
    const struct rescale rescale = *at;
    const int32_t *middle0 = table0 - INT8_MIN, *middle1 = table1 - INT8_MIN;
    const int8_t *in0 = args->in0, *in1 = args->in1;
    int8_t *out = args->out;
    for (const int8_t *end = in0 + elems / 4 * 4; in0 != end; in0 += 4, in1 += 4, out += 4) {
        const int32_t a = middle0[in0[0]] + middle1[in1[0]], b = middle0[in0[1]] + middle1[in1[1]];
        const int32_t c = middle0[in0[2]] + middle1[in1[2]], d = middle0[in0[3]] + middle1[in1[3]];
        out[0] = rescale_short(a, &rescale, zero);
        out[1] = rescale_short(b, &rescale, zero);
        out[2] = rescale_short(c, &rescale, zero);
        out[3] = rescale_short(d, &rescale, zero);
    }
    for (int32_t i = 0; i < elems % 4; i++)
        out[i] = rescale_short(middle0[in0[i]] + middle1[in1[i]], &rescale, zero);
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
    if (rescale_prepare(&rescale, &channel, &layer)) {
        add_short(table0, table1, args, &rescale, p->output_zero);
        return;
    }
    const int8_t *in0 = args->in0, *in1 = args->in1;
    int8_t *out = args->out;
    for (const int8_t *end = out + p->elems; out != end;)
        *out++ = rescale_plain(table0[*in0++ - INT8_MIN] + table1[*in1++ - INT8_MIN], &channel, &layer);
}
