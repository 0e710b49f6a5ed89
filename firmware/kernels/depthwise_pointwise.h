/* The two parts of the fused operator depthwise_pointwise, as parameters of their own operators.
 *
 * For parameters that passed depthwise_pointwise_check(), those of either part are valid too, for the whole image and for every
 * strip of it.
 */
#ifndef TINYCONV_DEPTHWISE_POINTWISE_H
#define TINYCONV_DEPTHWISE_POINTWISE_H

#include "kernel.h"

/* Channels between the parts. */
static inline int32_t middle_channels(const struct depthwise_pointwise_params *p) {
    return p->in_c * p->depth_multiplier;
}

static inline struct depthwise_params depthwise_of_pair(const struct depthwise_pointwise_params *p) {
    return (struct depthwise_params){
        .in_h = p->in_h,
        .in_w = p->in_w,
        .in_c = p->in_c,
        .out_h = p->out_h,
        .out_w = p->out_w,
        .out_c = middle_channels(p),
        .kernel_h = p->kernel_h,
        .kernel_w = p->kernel_w,
        .stride_h = p->stride_h,
        .stride_w = p->stride_w,
        .dilation_h = p->dilation_h,
        .dilation_w = p->dilation_w,
        .pad_top = p->pad_top,
        .pad_left = p->pad_left,
        .input_zero = p->input_zero,
        .weights_zero = p->weights_zero,
        .output_zero = p->middle_zero,
        .clamp_min = p->middle_min,
        .clamp_max = p->middle_max,
        .rounding = p->rounding,
        .depth_multiplier = p->depth_multiplier,
    };
}

static inline struct conv2d_params pointwise_of_pair(const struct depthwise_pointwise_params *p) {
    return (struct conv2d_params){
        .in_h = p->out_h,
        .in_w = p->out_w,
        .in_c = middle_channels(p),
        .out_h = p->out_h,
        .out_w = p->out_w,
        .out_c = p->out_c,
        .kernel_h = 1,
        .kernel_w = 1,
        .stride_h = 1,
        .stride_w = 1,
        .dilation_h = 1,
        .dilation_w = 1,
        .input_zero = p->middle_zero,
        .weights_zero = p->weights1_zero,
        .output_zero = p->output_zero,
        .clamp_min = p->clamp_min,
        .clamp_max = p->clamp_max,
        .rounding = p->rounding,
        .groups = 1,
    };
}

/* Where the records begin in an OHWI_BMS blob of so many weights. */
static inline int32_t records_place(int32_t weights) {
    return (weights + 3) / 4 * 4;
}

#endif
