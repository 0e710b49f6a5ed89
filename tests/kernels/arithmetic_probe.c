/* Exports the inline functions of requant.h and rescale.h over arrays, for test_arithmetic.py. */
#include "../../firmware/kernels/dsp/rescale.h"
#include "../../firmware/kernels/requant.h"

void probe_double(uint32_t count, const int32_t *x, const int32_t *multiplier, const int32_t *shift,
                  int32_t *y) {
    for (uint32_t i = 0; i < count; i++) y[i] = requant_double(x[i], multiplier[i], shift[i]);
}

void probe_single(uint32_t count, const int32_t *x, const int32_t *multiplier, const int32_t *shift,
                  int32_t *y) {
    for (uint32_t i = 0; i < count; i++) y[i] = requant_single(x[i], multiplier[i], shift[i]);
}

void probe_nudged(uint32_t count, const int32_t *x, const struct nudged_channel *channels, int64_t *y) {
    for (uint32_t i = 0; i < count; i++) y[i] = requant_nudged(x[i], &channels[i]);
}

/* valid[i] says whether channel i has the short form at all. */
void probe_short(uint32_t count, const int32_t *x, const int32_t *multiplier, const int32_t *shift,
                 int32_t zero, int32_t *y, int32_t *valid) {
    const struct rescale_layer layer = rescale_layer(zero, INT8_MIN, INT8_MAX, ROUND_DOUBLE);
    for (uint32_t i = 0; i < count; i++) {
        const struct requant_channel channel = {0, multiplier[i], shift[i]};
        struct rescale rescale;
        valid[i] = rescale_prepare(&rescale, &channel, &layer);
        y[i] = valid[i] ? rescale_short(x[i], &rescale, zero) : 0;
    }
}
