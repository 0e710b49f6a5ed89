/* The banks of RAM for plan, counts and arena, and which of them holds what. PROTOCOL.md states the rule. */
#ifndef TINYCONV_POOLS_H
#define TINYCONV_POOLS_H

#include <stdint.h>

#include "../port/port.h"

struct pool {
    uint8_t *base; /* 8-byte aligned */
    uint32_t bytes;
};

struct pools {
    struct pool at[PORT_MAX_POOLS]; /* fastest first */
    uint32_t count;
    uint32_t largest; /* of equal ones the last, which is the slowest */
};

/* Those that the port has. */
struct pools pools_of_port(void);

/* The first pool with room for so many bytes, else the one with most room; taken_bytes of the largest are in use, and it has as many.
 * Whether they fit is for plan_open() to say. host/plan/banks.py does the same. */
uint32_t pools_place(const struct pools *pools, uint64_t needed_bytes, uint32_t taken_bytes);

#endif
