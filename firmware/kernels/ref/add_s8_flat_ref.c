/* ADD of two tensors of one shape. No scratch; the output may be the place of either input. Bit-equal to
 * LiteRT 2.3 BUILTIN_REF. Ranges: |x - zero| <= 255, shifted left by at most 20: below 2^28; the sum of two
 * below 2^29. The multipliers are below 1 (shift <= 0), so that nothing grows.
 */
#include "../kernel.h"
#include "../requant.h"

bool add_s8_flat_ref_supports(const void *params) {
    (void)params;
    return true;
}

uint32_t add_s8_flat_ref_scratch_bytes(const void *params) {
    (void)params;
    return 0;
}

void add_s8_flat_ref(const struct kernel_args *args) {
    const struct add_params *p = args->params;
    for (int32_t i = 0; i < p->elems; i++) {
        const int32_t x0 = (args->in0[i] - p->input0_zero) * (1 << p->left_shift);
        const int32_t x1 = (args->in1[i] - p->input1_zero) * (1 << p->left_shift);
        const int32_t sum = requant_double(x0, p->input0_multiplier, p->input0_shift) +
                            requant_double(x1, p->input1_multiplier, p->input1_shift);
        const int32_t y = requant_double(sum, p->output_multiplier, p->output_shift);
        args->out[i] = (int8_t)add_clamp(y, p->output_zero, p->clamp_min, p->clamp_max);
    }
}
