/* PAD of a 4-D tensor with one value. in [in_n][in_h][in_w][in_c], out likewise. No scratch. */
#include "../kernel.h"

bool pad_s8_hwc_ref_supports(const void *params) {
    (void)params;
    return true;
}

uint32_t pad_s8_hwc_ref_scratch_bytes(const void *params) {
    (void)params;
    return 0;
}

void pad_s8_hwc_ref(const struct kernel_args *args) {
    const struct pad_params *p = args->params;
    int8_t *out = args->out;
    for (int32_t on = 0; on < p->out_n; on++) {
        for (int32_t oy = 0; oy < p->out_h; oy++) {
            for (int32_t ox = 0; ox < p->out_w; ox++) {
                for (int32_t oc = 0; oc < p->out_c; oc++) {
                    const int32_t in = on - p->before_n, iy = oy - p->before_h;
                    const int32_t ix = ox - p->before_w, ic = oc - p->before_c;
                    const bool inside = in >= 0 && in < p->in_n && iy >= 0 && iy < p->in_h && ix >= 0 &&
                                        ix < p->in_w && ic >= 0 && ic < p->in_c;
                    *out++ = inside ? args->in0[((in * p->in_h + iy) * p->in_w + ix) * p->in_c + ic]
                                    : (int8_t)p->value;
                }
            }
        }
    }
}
