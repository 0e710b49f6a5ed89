/* Binary convolution, the obvious way: the definition that faster ones are tested against.
 *
 * in [in_h][in_w][words] of in_c bits, weights [out_c][kernel_h][kernel_w][words], out int8 [out_h][out_w][out_c] or bits
 * [out_h][out_w][words], channels AFFINE. Any stride, dilation, padding. Bits behind the last channel count like others. No scratch.
 * Bit-equal to Larq Compute Engine's LceBconv2d with records from host/oracle/binary.py.
 */
#include "../bits.h"
#include "../kernel.h"

bool binary_conv2d_b1_hwc_ref_supports(const void *params) {
    (void)params;
    return true;
}

uint32_t binary_conv2d_b1_hwc_ref_scratch_bytes(const void *params) {
    (void)params;
    return 0;
}

/* Sum of products of one tap, or of a tap in the padding; the latter reads as clear bits, which are +1. */
static int32_t tap_sum(const struct binary_conv2d_params *p, const uint32_t *in, const uint32_t *weights,
                       int32_t iy, int32_t ix) {
    const bool inside = iy >= 0 && iy < p->in_h && ix >= 0 && ix < p->in_w;
    const int32_t words = bit_words(p->in_c);
    int32_t sum = p->in_c;
    if (!inside && p->zero_padding) return 0;
    for (int32_t word = 0; word < words; word++) {
        const uint32_t x = inside ? in[(iy * p->in_w + ix) * words + word] : 0;
        sum -= 2 * bit_count(x ^ weights[word]);
    }
    return sum;
}

static int32_t window_sum(const struct kernel_args *args, int32_t oy, int32_t ox, int32_t oc) {
    const struct binary_conv2d_params *p = args->params;
    const uint32_t *in = (const void *)args->in0, *weights = args->weights;
    int32_t sum = 0;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        for (int32_t kx = 0; kx < p->kernel_w; kx++) {
            const int32_t tap = (oc * p->kernel_h + ky) * p->kernel_w + kx;
            sum += tap_sum(p, in, weights + tap * bit_words(p->in_c),
                           oy * p->stride_h - p->pad_top + ky * p->dilation_h,
                           ox * p->stride_w - p->pad_left + kx * p->dilation_w);
        }
    }
    return sum < p->sum_min ? p->sum_min : sum > p->sum_max ? p->sum_max : sum;
}

void binary_conv2d_b1_hwc_ref(const struct kernel_args *args) {
    const struct binary_conv2d_params *p = args->params;
    const struct affine_channel *channels = args->channels;
    int8_t *out = args->out;
    uint32_t *out_bits = (void *)args->out;
    for (int32_t pixel = 0; pixel < p->out_h * p->out_w; pixel++) {
        for (int32_t oc = 0; oc < p->out_c; oc++) {
            const int32_t sum = window_sum(args, pixel / p->out_w, pixel % p->out_w, oc);
            if (p->output_bits) {
                if (oc % 32 == 0) out_bits[oc / 32] = 0;
                out_bits[oc / 32] |= (uint32_t)(sum < channels[oc].multiplier) << oc % 32;
            } else {
                const int32_t lifted = (int32_t)((uint32_t)sum << p->lift);
                *out++ = (int8_t)affine(lifted, channels[oc].multiplier, channels[oc].offset, p->down);
            }
        }
        out_bits += bit_words(p->out_c);
    }
}
