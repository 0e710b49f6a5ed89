/* A network inside a program of your own. Nothing here allocates, waits or has globals: all state is in struct tinyconv,
 * in the arena, and in the plan, which is only read and may lie in flash.
 *
 *     static uint32_t arena[NET_ARENA_BYTES / 4];
 *     struct tinyconv network;
 *     if (tinyconv_init(&network, net_plan, sizeof net_plan, arena, sizeof arena) != 0) ...
 *     write tinyconv_input(&network, 0); tinyconv_run(&network); read tinyconv_output(&network, 0);
 *
 * Sizes, shapes and quantisation of inputs and outputs are constants in the network's own header.
 */
#ifndef TINYCONV_H
#define TINYCONV_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "plan.h"

/* Read-only for you. `error` tells why tinyconv_init() refused: field and status are numbers in status.def. */
struct tinyconv {
    struct plan plan;
    struct plan_error error;
};

/* Checks the whole plan once: checksum, bounds, shapes, kernels. Returns 0, or the status (status.def) of the first fault.
 * plan and arena: 4-byte aligned (else STATUS_OUT_OF_RANGE), at least as large as the network's header says.
 * The arena's former content does not matter; it must stay the network's while you use it. */
int tinyconv_init(struct tinyconv *network, const void *plan, uint32_t plan_bytes, void *arena,
                  uint32_t arena_bytes);

/* The same without checks, for memory that a test of this very program has shown to be good: without tinyconv_init() the
 * linker drops the code of the checks. */
void tinyconv_init_trusted(struct tinyconv *network, const void *plan, void *arena);

/* Where to write input number `index`: int8, or what the network's header says; 4-byte aligned. Write all inputs before
 * every run: a run may use their memory. */
int8_t *tinyconv_input(const struct tinyconv *network, uint32_t index);

/* One inference. */
void tinyconv_run(const struct tinyconv *network);

/* Output number `index`, int8, valid from the end of a run until inputs are written again. */
const int8_t *tinyconv_output(const struct tinyconv *network, uint32_t index);

#ifdef __cplusplus
}
#endif
#endif
