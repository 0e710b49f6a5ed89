/* Bits to int8, the obvious way: see params.def. No scratch. Bit-equal to Larq Compute Engine's LceDequantize. */
#include "../bits.h"
#include "../kernel.h"

bool unbinarise_b1_flat_ref_supports(const void *params) {
    (void)params;
    return true;
}

uint32_t unbinarise_b1_flat_ref_scratch_bytes(const void *params) {
    (void)params;
    return 0;
}

void unbinarise_b1_flat_ref(const struct kernel_args *args) {
    const struct unbinarise_params *p = args->params;
    const uint32_t *in = (const void *)args->in0;
    int8_t *out = args->out;
    for (int32_t row = 0; row < p->rows; row++, in += bit_words(p->out_c))
        for (int32_t oc = 0; oc < p->out_c; oc++)
            *out++ = (int8_t)(in[oc / 32] >> oc % 32 & 1 ? p->value_set : p->value_clear);
}
