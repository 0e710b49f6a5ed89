/* MEAN over the middle of [outer][reduce][inner]; 1 / reduce is part of the multiplier. No scratch. Sums stay
 * below 2^22 * 255. Bit-equal to LiteRT 2.3 BUILTIN_REF with ROUND_DOUBLE.
 */
#include "../kernel.h"
#include "../requant.h"

bool mean_s8_flat_ref_supports(const void *params) {
    (void)params;
    return true;
}

uint32_t mean_s8_flat_ref_scratch_bytes(const void *params) {
    (void)params;
    return 0;
}

void mean_s8_flat_ref(const struct kernel_args *args) {
    const struct mean_params *p = args->params;
    int8_t *out = args->out;
    for (int32_t outer = 0; outer < p->outer; outer++) {
        for (int32_t inner = 0; inner < p->inner; inner++) {
            int32_t sum = 0;
            for (int32_t i = 0; i < p->reduce; i++)
                sum += args->in0[(outer * p->reduce + i) * p->inner + inner] - p->input_zero;
            const int32_t y = requant(sum, p->multiplier, p->shift, p->rounding);
            *out++ = (int8_t)add_clamp(y, p->output_zero, INT8_MIN, INT8_MAX);
        }
    }
}
