/* A cache or flash accelerator: sets of lines, least recently used out first, lines filled in sub-blocks. */
#ifndef CACHE_H
#define CACHE_H

#include <stdbool.h>
#include <stdint.h>

struct cache_line {
    uint32_t tag;
    uint32_t valid; /* one bit a sub-block */
    uint64_t used;
    bool dirty;
};

struct cache {
    uint32_t lines; /* 0: there is no such cache */
    uint32_t ways;  /* 0: fully associative */
    uint32_t line_bytes;
    uint32_t sub_bytes; /* what one fill brings; line_bytes if lines are filled whole */
    uint32_t sets;
    uint64_t tick;
    uint64_t write_backs;
    struct cache_line *line;
};

/* Completes the geometry and empties the cache. */
void cache_init(struct cache *cache);

/* Looks an address up and fills its sub-block; true if it was missing. A write marks the line dirty. */
bool cache_misses(struct cache *cache, uint32_t address, bool write);

#endif
