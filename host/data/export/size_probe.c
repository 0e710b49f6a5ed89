/* The least programs that use a network, so that a linker keeps what one needs. Linked by host/export/size.py; they never run. */
#include "tinyconv.h"

int probe_checked(struct tinyconv *network, const void *plan, void *arena, uint32_t bytes);
int probe_trusted(struct tinyconv *network, const void *plan, void *arena);

static int infer(struct tinyconv *network) {
    tinyconv_input(network, 0)[0] = 0;
    tinyconv_run(network);
    return tinyconv_output(network, 0)[0];
}

int probe_checked(struct tinyconv *network, const void *plan, void *arena, uint32_t bytes) {
    return tinyconv_init(network, plan, bytes, arena, bytes) == 0 ? infer(network) : -1;
}

int probe_trusted(struct tinyconv *network, const void *plan, void *arena) {
    tinyconv_init_trusted(network, plan, arena);
    return infer(network);
}
