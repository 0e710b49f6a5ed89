#include "pools.h"

#include <stddef.h>

struct pools pools_of_port(void) {
    struct pools pools = {0};
    while (pools.count < PORT_MAX_POOLS) {
        struct pool *pool = &pools.at[pools.count];
        pool->base = port_pool(pools.count, &pool->bytes);
        if (pool->base == NULL) break;
        if (pool->bytes >= pools.at[pools.largest].bytes) pools.largest = pools.count;
        pools.count++;
    }
    return pools;
}

uint32_t pools_place(const struct pools *pools, uint64_t needed_bytes, uint32_t taken_bytes) {
    uint32_t most = 0, most_room = 0;
    for (uint32_t i = 0; i < pools->count; i++) {
        const uint32_t room = pools->at[i].bytes - (i == pools->largest ? taken_bytes : 0);
        if (room >= needed_bytes) return i;
        if (room <= most_room) continue;
        most = i;
        most_room = room;
    }
    return most;
}
