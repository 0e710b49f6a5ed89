#include "tinyconv.h"

int tinyconv_init(struct tinyconv *network, const void *plan, uint32_t plan_bytes, void *arena,
                  uint32_t arena_bytes) {
    if (((uintptr_t)plan | (uintptr_t)arena) % PLAN_ALIGN != 0) {
        network->error = (struct plan_error){0};
        return STATUS_OUT_OF_RANGE;
    }
    return (int)plan_open(&network->plan, plan, plan_bytes, arena, arena_bytes, &network->error);
}

void tinyconv_init_trusted(struct tinyconv *network, const void *plan, void *arena) {
    network->error = (struct plan_error){0};
    plan_attach(&network->plan, plan, arena);
}

int8_t *tinyconv_input(const struct tinyconv *network, uint32_t index) {
    return (int8_t *)plan_tensor_data(&network->plan, network->plan.inputs[index]);
}

void tinyconv_run(const struct tinyconv *network) {
    for (uint32_t step = 0; step < network->plan.header->step_count; step++)
        plan_run_step(&network->plan, step);
}

const int8_t *tinyconv_output(const struct tinyconv *network, uint32_t index) {
    return (const int8_t *)plan_tensor_data(&network->plan, network->plan.outputs[index]);
}
