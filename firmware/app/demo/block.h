/* The demo block: inputs in flash behind the plan, and what is needed to show the results. Format: DEMO.md.
 *
 * demo_block_open() checks everything once; after it said DEMO_FIELD_NONE the other functions trust the block.
 */
#ifndef TINYCONV_DEMO_BLOCK_H
#define TINYCONV_DEMO_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "../../runtime/plan.h"

#define DEMO_MAGIC             0x4d444354u /* "TCDM" */
#define DEMO_VERSION           1u
#define DEMO_ALIGN             16u /* of the block, from the plan's first byte */
#define DEMO_NAME_BYTES        32u
#define DEMO_CLASS_NAME_BYTES  16u
#define DEMO_NO_LABEL          0xffffu
#define DEMO_MAX_PERCENT_SCALE (100u << 16) /* times 255 still fits int32 */

enum demo_field {
#define DEMO_FIELD(name, text) DEMO_FIELD_##name,
#include "fields.def"
#undef DEMO_FIELD
    DEMO_FIELD_COUNT
};

struct demo_header {
    uint32_t magic;
    uint16_t version;
    uint16_t header_bytes;
    uint32_t total_bytes;  /* multiple of 4 */
    uint32_t crc32;        /* of bytes 16 .. total_bytes - 1 */
    uint32_t plan_crc32;   /* of the plan that the samples are for, from its header */
    uint32_t sample_bytes; /* all inputs of one sample, in the plan's order */
    uint16_t sample_count;
    uint16_t class_count;    /* elements of the plan's one output, or 0 if they are no classes' scores */
    uint32_t samples_offset; /* this and the other offsets are from the block's first byte */
    uint32_t labels_offset;  /* uint16 a sample, DEMO_NO_LABEL if not known; 0: none is known */
    uint32_t names_offset;   /* DEMO_CLASS_NAME_BYTES a class; 0: none is known */
    uint32_t percent_scale;  /* percent in 1/65536 for one step of the output; 0 if it is no probability */
    int16_t zero_point;      /* of the output */
    uint16_t height;         /* of the first input as a picture; all three 0 if it is none */
    uint16_t width;
    uint16_t channels; /* 1 grey, 3 red green blue */
    char name[DEMO_NAME_BYTES];
};

struct demo_block {
    const uint8_t *base;
    const struct demo_header *header;
};

/* Where the block of the plan at `region` would begin, from there; `region_bytes` if there is no room for one. Trusts nothing. */
uint32_t demo_block_offset(const uint8_t *region, uint32_t region_bytes);

/* Validates the block at `base` (4-byte aligned, `capacity` bytes readable) for an open plan. Returns the first field that is
 * wrong; *block is left unusable then. */
enum demo_field demo_block_open(struct demo_block *block, const uint8_t *base, uint32_t capacity,
                                const struct plan *plan);

/* What a refusal calls the field. */
const char *demo_field_text(enum demo_field field);

/* The sample's inputs, one after another. */
const uint8_t *demo_sample(const struct demo_block *block, uint32_t sample);

/* The sample's right class, or DEMO_NO_LABEL. */
uint32_t demo_label(const struct demo_block *block, uint32_t sample);

/* The class's name, or NULL if it has none. */
const char *demo_class_name(const struct demo_block *block, uint32_t class_index);

/* A score as percent, rounded; -1 if the output is no probability. */
int32_t demo_percent(const struct demo_block *block, int8_t score);

#endif
