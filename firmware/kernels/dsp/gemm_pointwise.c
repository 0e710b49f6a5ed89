#include "gemm_conv.h"

bool gemm_pointwise_supports(const struct conv2d_params *p) {
    return p->kernel_h == 1 && p->kernel_w == 1 && p->stride_h == 1 && p->stride_w == 1 &&
           p->out_h == p->in_h && p->out_w == p->in_w && p->pad_top == 0 && p->pad_left == 0 &&
           p->weights_zero == 0;
}

uint32_t gemm_pointwise_scratch_bytes(const struct conv2d_params *p) {
    return (uint32_t)gemm_block_bytes(p->in_c / p->groups, p->in_h * p->in_w);
}

/* Behind q pixels, q * out_c bytes are written and q * in_c are not needed any more; the last block begins at the largest q. Each
 * group reads from the front again. */
uint32_t gemm_pointwise_gap_bytes(const struct conv2d_params *p) {
    const int32_t pixels = p->in_h * p->in_w, block = gemm_block_pixels(p->in_c, pixels);
    if (p->groups > 1) return (uint32_t)(pixels * p->out_c);
    const int32_t before_last_block = (pixels - 1) / block * block;
    return p->out_c > p->in_c ? (uint32_t)((p->out_c - p->in_c) * before_last_block) : 0;
}

void gemm_pointwise_run(const struct kernel_args *args, enum gemm_form form) {
    const struct conv2d_params *p = args->params;
    const int32_t group_c = p->in_c / p->groups, block = gemm_block_pixels(group_c, p->in_h * p->in_w);
    struct gemm gemm = gemm_prepare(args, form, group_c);
    for (int32_t g = 0; g < p->groups; g++) {
        const int8_t *in = args->in0 + g * group_c;
        int8_t *out = args->out + g * gemm.out_c;
        if (g > 0) gemm_next_group(&gemm);
        for (int32_t left = p->in_h * p->in_w; left > 0; left -= block) {
            const int32_t pixels = left < block ? left : block;
            uint32_t *tile = args->scratch;
            int32_t i = 0;
            for (; i + GEMM_TILE <= pixels; i += GEMM_TILE, in += GEMM_TILE * p->in_c)
                tile = gemm_expand_tile(form, in, p->in_c, group_c, tile);
            for (; i < pixels; i++, in += p->in_c) gemm_expand_pixel(form, in, group_c, tile++);
            gemm_block_apart(&gemm, args->scratch, pixels, out, p->out_c);
            out += pixels * p->out_c;
        }
    }
}
