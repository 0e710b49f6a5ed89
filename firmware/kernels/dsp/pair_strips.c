#include "pair_strips.h"

/* Rows of outputs, and the parts' parameters for them. The first input row is `top`. */
struct strip {
    int32_t begin, end;
    int32_t top;
    struct depthwise_params depthwise;
    struct conv2d_params pointwise;
};

/* Rows begin .. of the output with the halo of input rows that their windows span, and padding only where the image ends. */
static struct strip strip_at(const struct depthwise_pointwise_params *p, int32_t begin) {
    struct strip strip = {
        .begin = begin, .depthwise = depthwise_of_pair(p), .pointwise = pointwise_of_pair(p)};
    strip.end = begin + p->strip_rows < p->out_h ? begin + p->strip_rows : p->out_h;
    const int32_t first = begin * p->stride_h - p->pad_top;
    const int32_t last = (strip.end - 1) * p->stride_h - p->pad_top + (p->kernel_h - 1) * p->dilation_h;
    strip.top = first > 0 ? first : 0;
    strip.depthwise.in_h = (last < p->in_h ? last + 1 : p->in_h) - strip.top;
    strip.depthwise.pad_top = strip.top - first;
    strip.depthwise.out_h = strip.pointwise.in_h = strip.pointwise.out_h = strip.end - begin;
    return strip;
}

/* Then every strip has a row of the image. */
static bool windows_span_rows(const struct depthwise_pointwise_params *p) {
    return p->pad_top <= (int64_t)(p->kernel_h - 1) * p->dilation_h &&
           (int64_t)(p->out_h - 1) * p->stride_h - p->pad_top < p->in_h;
}

bool pair_supports(const struct depthwise_pointwise_params *p, const struct pair_kernels *kernels) {
    if (!windows_span_rows(p)) return false;
    for (int32_t begin = 0; begin < p->out_h; begin += p->strip_rows) {
        const struct strip strip = strip_at(p, begin);
        if (!kernels->depthwise.supports(&strip.depthwise)) return false;
        if (!kernels->pointwise.supports(&strip.pointwise)) return false;
    }
    return true;
}

static uint32_t middle_bytes(const struct depthwise_pointwise_params *p) {
    return (uint32_t)(p->strip_rows * p->out_w * middle_channels(p) + 3) / 4 * 4;
}

uint32_t pair_scratch_bytes(const struct depthwise_pointwise_params *p, const struct pair_kernels *kernels) {
    uint32_t most = 0;
    for (int32_t begin = 0; begin < p->out_h; begin += p->strip_rows) {
        const struct strip strip = strip_at(p, begin);
        const uint32_t first = kernels->depthwise.scratch_bytes(&strip.depthwise);
        const uint32_t second = kernels->pointwise.scratch_bytes(&strip.pointwise);
        if (first > most) most = first;
        if (second > most) most = second;
    }
    return middle_bytes(p) + most;
}

/* When a strip is written, the rows from the next one's top on are unread. */
uint32_t pair_gap_bytes(const struct depthwise_pointwise_params *p) {
    int32_t gap = 0;
    for (int32_t begin = p->strip_rows; begin < p->out_h; begin += p->strip_rows) {
        const int32_t written = begin * p->out_w * p->out_c;
        const int32_t unread = strip_at(p, begin).top * p->in_w * p->in_c;
        if (written - unread > gap) gap = written - unread;
    }
    return (uint32_t)gap;
}

void pair_run(const struct kernel_args *args, const struct pair_kernels *kernels) {
    const struct depthwise_pointwise_params *p = args->params;
    int8_t *const middle = args->scratch;
    struct kernel_args first = {
        .out = middle,
        .weights = args->weights,
        .channels =
            (const int8_t *)args->weights + records_place(p->kernel_h * p->kernel_w * middle_channels(p)),
        .scratch = middle + middle_bytes(p),
    };
    struct kernel_args second = {
        .in0 = middle,
        .weights = args->channels,
        .scratch = middle + middle_bytes(p),
    };
    for (int32_t begin = 0; begin < p->out_h; begin += p->strip_rows) {
        const struct strip strip = strip_at(p, begin);
        first.params = &strip.depthwise;
        first.in0 = args->in0 + strip.top * p->in_w * p->in_c;
        kernels->depthwise.run(&first);
        second.params = &strip.pointwise;
        second.out = args->out + begin * p->out_w * p->out_c;
        kernels->pointwise.run(&second);
    }
}
