/* FULLY_CONNECTED, the obvious way: the definition that faster ones are tested against.
 *
 * in [rows][in_c], out [rows][out_c], weights [out_c][in_c], channels BMSN. Any weights_zero. No scratch.
 * Bit-equal to LiteRT 2.3 BUILTIN_REF, whose float64 rescale the host turns into multiplier, shift and nudge
 * (host/oracle/params.py).
 */
#include "../kernel.h"
#include "../requant.h"

bool fully_connected_s8_flat_ref_supports(const void *params) {
    (void)params;
    return true;
}

uint32_t fully_connected_s8_flat_ref_scratch_bytes(const void *params) {
    (void)params;
    return 0;
}

void fully_connected_s8_flat_ref(const struct kernel_args *args) {
    const struct fully_connected_params *p = args->params;
    const struct nudged_channel *channels = args->channels;
    const int8_t *weights = args->weights;
    for (int32_t row = 0; row < p->rows; row++) {
        for (int32_t oc = 0; oc < p->out_c; oc++) {
            uint32_t acc = (uint32_t)channels[oc].bias; /* modulo 2^32; a product is below 2^15 */
            for (int32_t ic = 0; ic < p->in_c; ic++) {
                const int32_t w = weights[oc * p->in_c + ic] - p->weights_zero;
                acc += (uint32_t)(args->in0[row * p->in_c + ic] * w);
            }
            const int64_t y = requant_nudged((int32_t)acc, &channels[oc]);
            args->out[row * p->out_c + oc] = (int8_t)add_clamp(y, p->output_zero, p->clamp_min, p->clamp_max);
        }
    }
}
