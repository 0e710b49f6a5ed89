/* int8 to bits, the obvious way: see params.def. Reads rows of in_c bytes, writes rows of whole words. No scratch. Bit-equal to
 * Larq Compute Engine's LceQuantize. */
#include "../bits.h"
#include "../kernel.h"

bool binarise_s8_flat_ref_supports(const void *params) {
    (void)params;
    return true;
}

uint32_t binarise_s8_flat_ref_scratch_bytes(const void *params) {
    (void)params;
    return 0;
}

void binarise_s8_flat_ref(const struct kernel_args *args) {
    const struct binarise_params *p = args->params;
    const int8_t *in = args->in0;
    uint32_t *out = (void *)args->out;
    for (int32_t row = 0; row < p->rows; row++) {
        for (int32_t ic = 0; ic < p->in_c; ic++, in++) {
            if (ic % 32 == 0) out[ic / 32] = 0;
            if (*in < p->input_zero) out[ic / 32] |= 1u << ic % 32;
        }
        out += bit_words(p->in_c);
    }
}
