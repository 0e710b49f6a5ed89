/* AVERAGE_POOL_2D over the positions of each window that lie inside the image; there is at least one.
 *
 * in [in_h][in_w][in_c], out [out_h][out_w][in_c]. No scratch. Sums stay below 2^22 * 128. Bit-equal to
 * LiteRT 2.3 BUILTIN_REF, half_up for its uint8 form.
 */
#include "../average.h"
#include "../kernel.h"
#include "../requant.h"

bool average_pool_s8_hwc_ref_supports(const void *params) {
    (void)params;
    return true;
}

uint32_t average_pool_s8_hwc_ref_scratch_bytes(const void *params) {
    (void)params;
    return 0;
}

static int32_t larger(int32_t a, int32_t b) {
    return a > b ? a : b;
}

static int32_t smaller(int32_t a, int32_t b) {
    return a < b ? a : b;
}

void average_pool_s8_hwc_ref(const struct kernel_args *args) {
    const struct average_pool_params *p = args->params;
    int8_t *out = args->out;
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        for (int32_t ox = 0; ox < p->out_w; ox++) {
            const int32_t top = oy * p->stride_h - p->pad_top;
            const int32_t left = ox * p->stride_w - p->pad_left;
            const int32_t y0 = larger(top, 0), y1 = smaller(top + p->kernel_h, p->in_h);
            const int32_t x0 = larger(left, 0), x1 = smaller(left + p->kernel_w, p->in_w);
            const int32_t count = (y1 - y0) * (x1 - x0);
            for (int32_t c = 0; c < p->in_c; c++) {
                int32_t sum = 0;
                for (int32_t iy = y0; iy < y1; iy++)
                    for (int32_t ix = x0; ix < x1; ix++) sum += args->in0[(iy * p->in_w + ix) * p->in_c + c];
                const int32_t mean = p->half_up ? mean_half_up(sum, count) : mean_half_away(sum, count);
                *out++ = (int8_t)add_clamp(mean, 0, p->clamp_min, p->clamp_max);
            }
        }
    }
}
