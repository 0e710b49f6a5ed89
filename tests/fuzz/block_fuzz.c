/* The demo block's validator on any bytes, and everything that an accepted block offers.
 *
 * Input: u16 bytes of a plan, the plan, the block. Magic, sizes and both checksums are put right; a plan that is refused ends the
 * execution. The block is an allocation of exactly its size.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "app/demo/block.h"

#define ARENA_CAPACITY 65536u

static void repair(struct demo_header *header, uint8_t *block, uint32_t bytes, const struct plan *plan) {
    memcpy(header, block, sizeof *header);
    header->magic = DEMO_MAGIC;
    header->version = DEMO_VERSION;
    header->header_bytes = sizeof *header;
    header->total_bytes = bytes;
    header->plan_crc32 = plan->header->crc32;
    memcpy(block, header, sizeof *header);
    const uint32_t unchecked = offsetof(struct demo_header, plan_crc32);
    header->crc32 = crc32_update(0, block + unchecked, bytes - unchecked);
    memcpy(block, header, sizeof *header);
}

static void look(const struct demo_block *block, const struct plan *plan) {
    volatile uint8_t sum = 0;
    for (uint32_t i = 0; i < block->header->sample_count; i++) {
        const uint8_t *sample = demo_sample(block, i);
        for (uint32_t j = 0; j < block->header->sample_bytes; j++) sum = (uint8_t)(sum + sample[j]);
        const uint32_t label = demo_label(block, i);
        if (label != DEMO_NO_LABEL && label >= block->header->class_count) abort();
    }
    for (uint32_t i = 0; i < block->header->class_count; i++) {
        const char *name = demo_class_name(block, i);
        if (name != NULL && strlen(name) >= DEMO_CLASS_NAME_BYTES) abort();
    }
    for (int score = -128; score < 128; score++) demo_percent(block, (int8_t)score);
    (void)plan;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    const size_t wanted = (size_t)data[0] | (size_t)data[1] << 8;
    const uint32_t plan_bytes = (uint32_t)(wanted < size - 2 ? wanted : size - 2);
    const uint32_t block_bytes = (uint32_t)(size - 2 - plan_bytes) & ~3u;
    uint8_t *base = malloc(plan_bytes + 4), *block_base = malloc(block_bytes + 4);
    uint8_t *arena = malloc(ARENA_CAPACITY);
    if (base == NULL || block_base == NULL || arena == NULL) abort();
    memcpy(base, data + 2, plan_bytes);
    uint8_t *exact = realloc(block_base, block_bytes > 0 ? block_bytes : 1);
    memcpy(exact, data + 2 + plan_bytes, block_bytes);

    struct plan plan;
    struct plan_error error;
    struct demo_block block;
    struct demo_header header;
    if (plan_open(&plan, base, plan_bytes, arena, ARENA_CAPACITY, &error) == STATUS_OK) {
        demo_block_offset(base, plan_bytes);
        if (block_bytes >= sizeof header) repair(&header, exact, block_bytes, &plan);
        if (demo_block_open(&block, exact, block_bytes, &plan) == DEMO_FIELD_NONE) look(&block, &plan);
    }
    free(arena);
    free(exact);
    free(base);
    return 0;
}
