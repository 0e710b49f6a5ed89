/* Max pool of bits, the obvious way: -1, a set bit, only where the whole window has it. Padding does not count; every window
 * touches the image. No scratch. Bit-equal to Larq Compute Engine's LceBMaxPool2d. */
#include "../bits.h"
#include "../kernel.h"

bool binary_max_pool_b1_hwc_ref_supports(const void *params) {
    (void)params;
    return true;
}

uint32_t binary_max_pool_b1_hwc_ref_scratch_bytes(const void *params) {
    (void)params;
    return 0;
}

void binary_max_pool_b1_hwc_ref(const struct kernel_args *args) {
    const struct binary_max_pool_params *p = args->params;
    const uint32_t *in = (const void *)args->in0;
    uint32_t *out = (void *)args->out;
    const int32_t words = bit_words(p->in_c);
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        for (int32_t ox = 0; ox < p->out_w; ox++) {
            for (int32_t word = 0; word < words; word++) {
                uint32_t all = UINT32_MAX;
                for (int32_t ky = 0; ky < p->kernel_h; ky++) {
                    const int32_t iy = oy * p->stride_h - p->pad_top + ky;
                    for (int32_t kx = 0; kx < p->kernel_w; kx++) {
                        const int32_t ix = ox * p->stride_w - p->pad_left + kx;
                        if (iy >= 0 && iy < p->in_h && ix >= 0 && ix < p->in_w)
                            all &= in[(iy * p->in_w + ix) * words + word];
                    }
                }
                *out++ = all;
            }
        }
    }
}
