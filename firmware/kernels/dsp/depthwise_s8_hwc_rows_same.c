/* depthwise_s8_hwc_rows for layers that keep the shape: its output may be the input's place.
 *
 * An output row is written when the ring holds the input row of that number and all before it: a window
 * begins less than its own extent above its output row. Not supported, besides: a stride, an output of
 * another shape, more padding.
 */
#include "depthwise_rows.h"

bool depthwise_s8_hwc_rows_same_supports(const void *params) {
    const struct depthwise_params *p = params;
    return p->stride_h == 1 && p->stride_w == 1 && p->out_h == p->in_h && p->out_w == p->in_w &&
           p->pad_top <= (p->kernel_h - 1) * p->dilation_h && depthwise_rows_supports(p);
}

uint32_t depthwise_s8_hwc_rows_same_scratch_bytes(const void *params) {
    return depthwise_rows_scratch_bytes(params);
}

void depthwise_s8_hwc_rows_same(const struct kernel_args *args) {
    depthwise_rows(args);
}
