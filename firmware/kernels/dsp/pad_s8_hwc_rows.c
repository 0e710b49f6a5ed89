/* PAD of a 4-D tensor with one value, a row of pixels at a time.
 *
 * in [in_n][in_h][in_w][in_c], out likewise; no alignment needed. No scratch. Bit-equal to pad_s8_hwc_ref.
 * Not supported: padding of channels.
 */
#include <string.h>

#include "../kernel.h"

bool pad_s8_hwc_rows_supports(const void *params) {
    const struct pad_params *p = params;
    return p->out_c == p->in_c;
}

uint32_t pad_s8_hwc_rows_scratch_bytes(const void *params) {
    (void)params;
    return 0;
}

void pad_s8_hwc_rows(const struct kernel_args *args) {
    const struct pad_params *p = args->params;
    const size_t out_row = (size_t)(p->out_w * p->out_c), in_row = (size_t)(p->in_w * p->in_c);
    const size_t before = (size_t)(p->before_w * p->in_c), after = out_row - in_row - before;
    const int8_t *in = args->in0;
    int8_t *out = args->out;
    for (int32_t on = 0; on < p->out_n; on++) {
        for (int32_t oy = 0; oy < p->out_h; oy++, out += out_row) {
            const int32_t n = on - p->before_n, iy = oy - p->before_h;
            if (n < 0 || n >= p->in_n || iy < 0 || iy >= p->in_h) {
                memset(out, p->value, out_row);
                continue;
            }
            memset(out, p->value, before);
            memcpy(out + before, in, in_row);
            memset(out + before + in_row, p->value, after);
            in += in_row;
        }
    }
}
