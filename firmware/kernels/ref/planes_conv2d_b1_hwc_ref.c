/* Convolution of bit planes, the obvious way: the definition that faster ones are tested against.
 *
 * in [in_h][in_w][planes][words], weights [out_c][kernel_h][kernel_w][weight_planes][words], out int8 [out_h][out_w][out_c], channels
 * BMS. A product of bit i of a level and bit j of a weight counts 2^(i + j) times +1 if both are set, -1 if only the level's is.
 * |sum| <= 15 * 15 * 2^22 fits int32; with bias it is modulo 2^32. No scratch. Equal to conv2d_s8_hwc_ref on the same integers.
 */
#include "../bits.h"
#include "../kernel.h"
#include "../requant.h"

bool planes_conv2d_b1_hwc_ref_supports(const void *params) {
    (void)params;
    return true;
}

uint32_t planes_conv2d_b1_hwc_ref_scratch_bytes(const void *params) {
    (void)params;
    return 0;
}

/* Sum of products of the words of one tap. */
static int32_t tap_sum(const struct planes_conv2d_params *p, const uint32_t *in, const uint32_t *weights) {
    const int32_t words = bit_words(p->in_c);
    int32_t sum = 0;
    for (int32_t i = 0; i < p->planes; i++) {
        for (int32_t j = 0; j < p->weight_planes; j++) {
            for (int32_t word = 0; word < words; word++) {
                const uint32_t level = in[i * words + word], weight = weights[j * words + word];
                sum += (2 * bit_count(level & weight) - bit_count(level)) * (1 << (i + j));
            }
        }
    }
    return sum;
}

static int32_t window_sum(const struct kernel_args *args, int32_t oy, int32_t ox, int32_t oc) {
    const struct planes_conv2d_params *p = args->params;
    const struct requant_channel *channels = args->channels;
    const uint32_t *in = (const void *)args->in0, *weights = args->weights;
    const int32_t words = bit_words(p->in_c);
    uint32_t acc = (uint32_t)channels[oc].bias;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        for (int32_t kx = 0; kx < p->kernel_w; kx++) {
            const int32_t iy = oy * p->stride_h - p->pad_top + ky * p->dilation_h;
            const int32_t ix = ox * p->stride_w - p->pad_left + kx * p->dilation_w;
            if (iy < 0 || iy >= p->in_h || ix < 0 || ix >= p->in_w) continue;
            const int32_t tap = (oc * p->kernel_h + ky) * p->kernel_w + kx;
            acc += (uint32_t)tap_sum(p, in + (iy * p->in_w + ix) * p->planes * words,
                                     weights + tap * p->weight_planes * words);
        }
    }
    return (int32_t)acc;
}

void planes_conv2d_b1_hwc_ref(const struct kernel_args *args) {
    const struct planes_conv2d_params *p = args->params;
    const struct requant_channel *channels = args->channels;
    int8_t *out = args->out;
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        for (int32_t ox = 0; ox < p->out_w; ox++) {
            for (int32_t oc = 0; oc < p->out_c; oc++) {
                const int32_t sum = window_sum(args, oy, ox, oc);
                const int32_t y = requant(sum, channels[oc].multiplier, channels[oc].shift, p->rounding);
                *out++ = (int8_t)add_clamp(y, p->output_zero, p->clamp_min, p->clamp_max);
            }
        }
    }
}
