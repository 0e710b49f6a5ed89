/* QUANTIZE from int8 to int8. No scratch; the output may be the input's place. Bit-equal to LiteRT 2.3
 * BUILTIN_REF with ROUND_DOUBLE.
 */
#include "../kernel.h"
#include "../requant.h"

bool requantize_s8_flat_ref_supports(const void *params) {
    (void)params;
    return true;
}

uint32_t requantize_s8_flat_ref_scratch_bytes(const void *params) {
    (void)params;
    return 0;
}

void requantize_s8_flat_ref(const struct kernel_args *args) {
    const struct requantize_params *p = args->params;
    for (int32_t i = 0; i < p->elems; i++) {
        const int32_t y = requant(args->in0[i] - p->input_zero, p->multiplier, p->shift, p->rounding);
        args->out[i] = (int8_t)add_clamp(y, p->output_zero, INT8_MIN, INT8_MAX);
    }
}
