/* QUANTIZE from int8 to int8 from a table of its 256 results.
 *
 * No alignment needed. The output may be the input's place. Scratch: the table, which costs about as many instructions as
 * 256 elements of requantize_s8_flat_ref do, to which this is bit-equal. Not supported: fewer than 512 elements.
 */
#include "../dsp.h"
#include "../kernel.h"
#include "../requant.h"

#define VALUES      256
#define LEAST_ELEMS 512

bool requantize_s8_flat_tables_supports(const void *params) {
    return ((const struct requantize_params *)params)->elems >= LEAST_ELEMS;
}

uint32_t requantize_s8_flat_tables_scratch_bytes(const void *params) {
    (void)params;
    return VALUES;
}

void requantize_s8_flat_tables(const struct kernel_args *args) {
    const struct requantize_params *p = args->params;
    int8_t *table = args->scratch; /* by the bits of x as an unsigned number */
    for (int32_t x = INT8_MIN; x <= INT8_MAX; x++) {
        const int32_t y = requant(x - p->input_zero, p->multiplier, p->shift, p->rounding);
        table[(uint8_t)x] = (int8_t)add_clamp(y, p->output_zero, INT8_MIN, INT8_MAX);
    }
    const uint8_t *in = (const uint8_t *)args->in0;
    int8_t *out = args->out;
    for (const uint8_t *end = in + p->elems / 4 * 4; in != end; in += 4, out += 4) {
        const int8_t a = table[in[0]], b = table[in[1]], c = table[in[2]], d = table[in[3]];
        out[0] = a;
        out[1] = b;
        out[2] = c;
        out[3] = d;
    }
    for (int32_t i = 0; i < p->elems % 4; i++) out[i] = table[in[i]];
}
