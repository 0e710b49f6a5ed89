/* One input of a CONCATENATION: in [outer][in_inner] to columns out_offset .. of out [outer][out_inner]; the
 * rest of the output is left alone. No scratch.
 */
#include <string.h>

#include "../kernel.h"

bool copy_slice_s8_flat_ref_supports(const void *params) {
    (void)params;
    return true;
}

uint32_t copy_slice_s8_flat_ref_scratch_bytes(const void *params) {
    (void)params;
    return 0;
}

void copy_slice_s8_flat_ref(const struct kernel_args *args) {
    const struct copy_slice_params *p = args->params;
    for (int32_t outer = 0; outer < p->outer; outer++)
        memcpy(args->out + outer * p->out_inner + p->out_offset, args->in0 + outer * p->in_inner,
               (size_t)p->in_inner);
}
