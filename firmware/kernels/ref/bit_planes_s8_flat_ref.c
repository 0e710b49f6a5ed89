/* int8 to planes of bits, the obvious way: see params.def. No scratch. */
#include "../bits.h"
#include "../kernel.h"

bool bit_planes_s8_flat_ref_supports(const void *params) {
    (void)params;
    return true;
}

uint32_t bit_planes_s8_flat_ref_scratch_bytes(const void *params) {
    (void)params;
    return 0;
}

void bit_planes_s8_flat_ref(const struct kernel_args *args) {
    const struct bit_planes_params *p = args->params;
    const int32_t words = bit_words(p->in_c), most = (1 << p->planes) - 1;
    const int8_t *in = args->in0;
    uint32_t *out = (void *)args->out;
    for (int32_t row = 0; row < p->rows; row++, out += p->planes * words) {
        for (int32_t i = 0; i < p->planes * words; i++) out[i] = 0;
        for (int32_t ic = 0; ic < p->in_c; ic++) {
            const int32_t x = *in++ - p->input_zero;
            const uint32_t level = (uint32_t)(x < 0 ? 0 : x > most ? most : x);
            for (int32_t plane = 0; plane < p->planes; plane++)
                out[plane * words + ic / 32] |= (level >> plane & 1) << ic % 32;
        }
    }
}
