/* DEPTHWISE_CONV_2D, 3x3, stride 1, dilated or with a depth multiplier: phase after phase as depthwise_s8_hwc_planes_3x3.
 *
 * in [in_h][in_w][in_c], out [out_h][out_w][in_c * depth_multiplier], weights PLANES_3X3 (depthwise_planes.h), for any dilation
 * and multiplier. The outputs whose row and column have one remainder each by the dilation, a phase, are a plain depthwise
 * convolution of inputs dilation_h rows and dilation_w columns apart; so only the steps differ from the kernel without
 * dilation. Output channels of one input channel are computed from the same words of scratch, one after the other.
 *
 * Scratch: (ceil(out_w / dilation_w) + 2) * 128 bytes. Bit-equal to depthwise_s8_hwc_ref; host/plan/pack_depthwise.py refuses layers
 * whose requantisation has none of the two forms. Products are below 2^23, sums modulo 2^32. Not supported: other kernels and
 * strides; weights_zero other than 0; padding beyond the kernel; images smaller than the dilation; phases of a single column;
 * dilation 1 with multiplier 1, for which there are others.
 *
 * Source: own work.
 */
#include "depthwise_planes.h"

bool depthwise_s8_hwc_phases_3x3_supports(const void *params) {
    const struct depthwise_params *p = params;
    return p->kernel_h == 3 && p->kernel_w == 3 && p->stride_h == 1 && p->stride_w == 1 &&
           p->weights_zero == 0 && (p->dilation_h > 1 || p->dilation_w > 1 || p->depth_multiplier > 1) &&
           p->pad_top <= 2 * p->dilation_h && p->pad_left <= 2 * p->dilation_w && p->in_h >= p->dilation_h &&
           p->in_w >= p->dilation_w && p->out_w >= 2 * p->dilation_w && p->out_h - p->pad_top <= p->in_h;
}

/* Of `count` places, those from `first` on, `step` apart. */
static int32_t places(int32_t count, int32_t first, int32_t step) {
    return count > first ? (count - first + step - 1) / step : 0;
}

uint32_t depthwise_s8_hwc_phases_3x3_scratch_bytes(const void *params) {
    const struct depthwise_params *p = params;
    return (uint32_t)planes_3x3_columns(places(p->out_w, 0, p->dilation_w)) * PLANES_COLUMN;
}

/* One axis of a phase: its windows begin `pad` inputs before the image's input number `first`. */
struct axis {
    int32_t first, pad;
};

static struct axis axis_of(int32_t phase, int32_t pad, int32_t dilation) {
    const int32_t outside = phase < pad ? (pad - phase + dilation - 1) / dilation : 0;
    return (struct axis){phase - pad + outside * dilation, outside};
}

void depthwise_s8_hwc_phases_3x3(const struct kernel_args *args) {
    const struct depthwise_params *p = args->params;
    const int32_t row_bytes = p->in_w * p->in_c, out_row_bytes = p->out_w * p->out_c;
    const uint32_t out_step =
        (uint32_t)p->dilation_h * (uint32_t)out_row_bytes; /* fits int32 if there is a second row */
    for (int32_t oy = 0; oy < p->dilation_h && oy < p->out_h; oy++) {
        const struct axis y = axis_of(oy, p->pad_top, p->dilation_h);
        for (int32_t ox = 0; ox < p->dilation_w; ox++) {
            const struct axis x = axis_of(ox, p->pad_left, p->dilation_w);
            const struct planes_view view = {.in = args->in0 + y.first * row_bytes + x.first * p->in_c,
                                             .out = args->out + oy * out_row_bytes + ox * p->out_c,
                                             .in_h = places(p->in_h, y.first, p->dilation_h),
                                             .in_w = places(p->in_w, x.first, p->dilation_w),
                                             .pixel_bytes = p->dilation_w * p->in_c,
                                             .row_bytes = p->dilation_h * row_bytes,
                                             .word_rows =
                                                 places(planes_word_rows(p, p->in_c), y.first, p->dilation_h),
                                             .out_h = places(p->out_h, oy, p->dilation_h),
                                             .out_w = places(p->out_w, ox, p->dilation_w),
                                             .out_pixel_bytes = p->dilation_w * p->out_c,
                                             .out_row_bytes = (int32_t)out_step,
                                             .pad_top = y.pad,
                                             .pad_left = x.pad};
            planes_3x3_strips(args, &view);
        }
    }
    planes_clamp(args);
}
