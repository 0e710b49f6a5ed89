#include "cache.h"

#include <stdlib.h>

void cache_init(struct cache *cache) {
    if (!cache->lines) return;
    if (!cache->line_bytes) cache->line_bytes = 16;
    if (!cache->sub_bytes || cache->sub_bytes > cache->line_bytes) cache->sub_bytes = cache->line_bytes;
    if (!cache->ways || cache->ways > cache->lines) cache->ways = cache->lines;
    cache->sets = cache->lines / cache->ways;
    cache->line = calloc(cache->lines, sizeof *cache->line);
}

bool cache_misses(struct cache *cache, uint32_t address, bool write) {
    const uint32_t tag = address / cache->line_bytes;
    const uint32_t sub_block = 1u << address % cache->line_bytes / cache->sub_bytes;
    struct cache_line *set = cache->line + (size_t)(tag % cache->sets) * cache->ways;
    struct cache_line *victim = set;
    cache->tick++;
    for (struct cache_line *line = set; line < set + cache->ways; line++) {
        if (line->valid && line->tag == tag) {
            line->used = cache->tick;
            line->dirty |= write;
            const bool missing = !(line->valid & sub_block);
            line->valid |= sub_block;
            return missing;
        }
        if (victim->valid && (!line->valid || line->used < victim->used)) victim = line;
    }
    if (victim->valid && victim->dirty) cache->write_backs++;
    *victim = (struct cache_line){tag, sub_block, cache->tick, write};
    return true;
}
