/* DEPTHWISE_CONV_2D, 3x3 with a border of one pixel on planes of 3x3, also in place: a channel's nine pixels stay in registers.
 *
 * in, out [3][3][in_c], any number of channels; weights PLANES_REGISTERS (depthwise_planes.h). Bit-equal to depthwise_s8_hwc_ref;
 * host/plan/pack_depthwise.py refuses layers without the LINEAR form. Pixels minus input_zero are below 2^8, products below
 * 2^24, sums modulo 2^32. No scratch. The last stages of small networks have such planes: nothing is worth gathering there.
 *
 * Source: own work (prototypes/depthwise of this project).
 */
#include <string.h>

#include "depthwise_planes.h"

bool depthwise_s8_hwc_registers_3x3_supports(const void *params) {
    const struct depthwise_params *p = params;
    return p->in_h == 3 && p->in_w == 3 && p->out_h == 3 && p->out_w == 3 && p->kernel_h == 3 &&
           p->kernel_w == 3 && p->stride_h == 1 && p->stride_w == 1 && p->pad_top == 1 && p->pad_left == 1 &&
           planes_supports(p);
}

uint32_t depthwise_s8_hwc_registers_3x3_scratch_bytes(const void *params) {
    (void)params;
    return 0;
}

void depthwise_s8_hwc_registers_3x3(const struct kernel_args *args) {
    const struct depthwise_params *p = args->params;
    if (args->out != args->in0) memcpy(args->out, args->in0, (size_t)(9 * p->in_c));
    planes_registers_3x3(args->out, (const uint32_t *)args->weights + 1, p->in_c, p->input_zero);
    planes_clamp(args);
}
