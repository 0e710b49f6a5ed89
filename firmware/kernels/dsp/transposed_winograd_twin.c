/* Definition of transposed_winograd.S in C, for machines without the DSP extension. */
#include "transposed_winograd.h"

#include "../dsp.h"

#if !defined(__ARM_FEATURE_DSP)

void transposed_winograd_multiply(const uint32_t *v, const uint32_t *u, uint32_t *m,
                                  const struct transposed_winograd_pass *pass) {
    const int32_t pairs = pass->u_bytes / 8;
    const int32_t quads = pass->m_bytes / (4 * 2 * TRANSPOSED_WINOGRAD_PRODUCTS * (int32_t)sizeof(uint32_t));
    for (int32_t quad = 0; quad < quads; quad++, v += 4 * pairs + pass->v_next / 4) {
        for (int32_t tile = 0; tile < 4; tile++) {
            for (int32_t channel = 0; channel < 2; channel++, m += TRANSPOSED_WINOGRAD_PRODUCTS) {
                int32_t sum = 0;
                for (int32_t k = 0; k < pairs; k++) sum = smlad(u[2 * k + channel], v[4 * k + tile], sum);
                *m = (uint32_t)sum;
            }
        }
    }
}

#endif
