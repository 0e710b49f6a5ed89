/* Binary convolution of any shape, a pixel at a time: its window gathered, then counted three words at a time.
 *
 * Tensors, weights and records as binary_conv2d_b1_hwc_ref, which it equals if the bits behind the last channel are clear. For single
 * pixels (fully connected layers), where tables (binary_conv2d_b1_hwc_lookup) do not pay, and for padding of 0 with an odd number
 * of channels. Scratch: the words of a window, and as many masks, which leave out padding of 0. 27 instructions for 96 products.
 */
#include "../bits.h"
#include "../dsp.h"
#include "../kernel.h"
#include "binary_words.h"

bool binary_conv2d_b1_hwc_words_supports(const void *params) {
    (void)params;
    return true;
}

static int32_t window_words(const struct binary_conv2d_params *p) {
    return p->kernel_h * p->kernel_w * bit_words(p->in_c);
}

uint32_t binary_conv2d_b1_hwc_words_scratch_bytes(const void *params) {
    return 2 * (uint32_t)window_words(params) * (uint32_t)sizeof(uint32_t);
}

#if !defined(__ARM_FEATURE_DSP)

/* Definition of binary_words_arm.S. */
int32_t binary_words_count(const uint32_t *x, const uint32_t *weights, int32_t words) {
    int32_t total = 0;
    for (; words > 0; words--) total += bit_count(*x++ ^ *weights++);
    return total;
}

#endif

/* The same of the words where masks are set. */
static int32_t count_masked(const uint32_t *x, const uint32_t *masks, const uint32_t *weights,
                            int32_t words) {
    int32_t total = 0;
    for (; words > 0; words--) total += bit_count((*x++ ^ *weights++) & *masks++);
    return total;
}

/* Words and masks of the window at (oy, ox); how many taps count. */
static int32_t gather(const struct kernel_args *args, int32_t oy, int32_t ox, uint32_t *x) {
    const struct binary_conv2d_params *p = args->params;
    const int32_t words = bit_words(p->in_c);
    uint32_t *masks = x + window_words(p);
    int32_t taps = p->kernel_h * p->kernel_w;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        for (int32_t kx = 0; kx < p->kernel_w; kx++) {
            const int32_t iy = oy * p->stride_h - p->pad_top + ky * p->dilation_h;
            const int32_t ix = ox * p->stride_w - p->pad_left + kx * p->dilation_w;
            const bool inside = iy >= 0 && iy < p->in_h && ix >= 0 && ix < p->in_w;
            const bool counts = inside || !p->zero_padding;
            const uint32_t *from = (const uint32_t *)(const void *)args->in0;
            if (inside) from += (iy * p->in_w + ix) * words;
            for (int32_t i = 0; i < words; i++) {
                *x++ = inside ? from[i] : 0;
                *masks++ = counts ? UINT32_MAX : 0;
            }
            taps -= !counts;
        }
    }
    return taps;
}

static int32_t clip(int32_t x, int32_t low, int32_t high) {
    return x < low ? low : x > high ? high : x;
}

void binary_conv2d_b1_hwc_words(const struct kernel_args *args) {
    const struct binary_conv2d_params *p = args->params;
    const struct affine_channel *channels = args->channels;
    const int32_t words = window_words(p), taps = p->kernel_h * p->kernel_w;
    uint32_t *x = args->scratch, *out_bits = (void *)args->out;
    int8_t *out = args->out;
    for (int32_t pixel = 0; pixel < p->out_h * p->out_w; pixel++) {
        const int32_t inside = gather(args, pixel / p->out_w, pixel % p->out_w, x);
        const uint32_t *weights = args->weights;
        uint32_t bits = 0;
        for (int32_t oc = 0; oc < p->out_c; oc++, weights += words) {
            const int32_t differ = inside == taps ? binary_words_count(x, weights, words)
                                                  : count_masked(x, x + words, weights, words);
            const int32_t sum = clip(inside * p->in_c - 2 * differ, p->sum_min, p->sum_max);
            if (!p->output_bits) {
                const int32_t y =
                    smmla((uint32_t)sum << p->lift, (uint32_t)channels[oc].multiplier, channels[oc].offset);
                *out++ = (int8_t)ssat8(y >> p->down);
                continue;
            }
            bits |= (uint32_t)(sum < channels[oc].multiplier) << oc % 32;
            if (oc % 32 == 31 || oc == p->out_c - 1) {
                *out_bits++ = bits;
                bits = 0;
            }
        }
    }
}
