/* RESIZE_NEAREST_NEIGHBOR: out[oy][ox] = in[rows[oy]][columns[ox]], all channels. in [in_h][in_w][in_c], out
 * [out_h][out_w][in_c]. weights: uint16 rows[out_h], then uint16 columns[out_w], below in_h and in_w. No
 * scratch.
 */
#include <string.h>

#include "../kernel.h"

bool resize_nearest_s8_hwc_ref_supports(const void *params) {
    (void)params;
    return true;
}

uint32_t resize_nearest_s8_hwc_ref_scratch_bytes(const void *params) {
    (void)params;
    return 0;
}

void resize_nearest_s8_hwc_ref(const struct kernel_args *args) {
    const struct resize_nearest_params *p = args->params;
    const uint16_t *rows = args->weights;
    const uint16_t *columns = rows + p->out_h;
    int8_t *out = args->out;
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        for (int32_t ox = 0; ox < p->out_w; ox++) {
            memcpy(out, args->in0 + (rows[oy] * p->in_w + columns[ox]) * p->in_c, (size_t)p->in_c);
            out += p->in_c;
        }
    }
}
