/* libFuzzer: the plan validator on any bytes, and every plan that it accepts run to its end.
 *
 * The checksum would stop nearly every mutation, so it and the size are put right here. Plan and arena are
 * allocations of exactly their sizes: whatever a plan that was accepted makes a kernel read or write outside is
 * found by the address sanitizer.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/plan.h"

#define ARENA_CAPACITY 65536u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const uint32_t bytes = (uint32_t)size & ~3u;
    uint8_t *base = malloc(bytes + 1);
    uint8_t *arena = NULL;
    if (base == NULL) abort();
    memcpy(base, data, bytes);
    uint32_t arena_bytes = 0;
    if (bytes >= sizeof(struct plan_header)) {
        struct plan_header header;
        memcpy(&header, base, sizeof header);
        header.magic = PLAN_MAGIC;
        header.version = PLAN_VERSION;
        header.total_bytes = bytes;
        memcpy(base, &header, sizeof header);
        const uint32_t unchecked = offsetof(struct plan_header, arena_bytes);
        header.crc32 = crc32_update(0, base + unchecked, bytes - unchecked);
        memcpy(base, &header, sizeof header);
        arena_bytes = header.arena_bytes < ARENA_CAPACITY ? header.arena_bytes : ARENA_CAPACITY;
    }
    arena = calloc(1, arena_bytes + 1);
    if (arena == NULL) abort();

    struct plan plan;
    struct plan_error error;
    if (plan_open(&plan, base, bytes, arena, arena_bytes, &error) == STATUS_OK) {
        for (uint32_t step = 0; step < plan.header->step_count; step++) {
            plan_run_step(&plan, step);
            for (uint32_t tensor = 0; tensor < plan.header->tensor_count; tensor++)
                plan_tensor_alive(&plan, tensor, step + 1);
        }
        plan_inputs_survive(&plan);
    }
    free(arena);
    free(base);
    return 0;
}
