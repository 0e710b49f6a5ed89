/* TRANSPOSE of a 4-D tensor: output dimension d is input dimension perm_<d>. No scratch. */
#include "../kernel.h"

bool transpose_s8_flat_ref_supports(const void *params) {
    (void)params;
    return true;
}

uint32_t transpose_s8_flat_ref_scratch_bytes(const void *params) {
    (void)params;
    return 0;
}

void transpose_s8_flat_ref(const struct kernel_args *args) {
    const struct transpose_params *p = args->params;
    const int32_t in_shape[4] = {p->in_0, p->in_1, p->in_2, p->in_3};
    const int32_t in_stride[4] = {p->in_1 * p->in_2 * p->in_3, p->in_2 * p->in_3, p->in_3, 1};
    const int32_t perm[4] = {p->perm_0, p->perm_1, p->perm_2, p->perm_3};
    int32_t shape[4], stride[4]; /* of the output's dimensions, in the input */
    for (int32_t d = 0; d < 4; d++) {
        shape[d] = in_shape[perm[d]];
        stride[d] = in_stride[perm[d]];
    }
    int8_t *out = args->out;
    for (int32_t i0 = 0; i0 < shape[0]; i0++)
        for (int32_t i1 = 0; i1 < shape[1]; i1++)
            for (int32_t i2 = 0; i2 < shape[2]; i2++)
                for (int32_t i3 = 0; i3 < shape[3]; i3++)
                    *out++ = args->in0[i0 * stride[0] + i1 * stride[1] + i2 * stride[2] + i3 * stride[3]];
}
