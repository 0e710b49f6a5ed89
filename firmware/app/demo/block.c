#include "block.h"

#include <stddef.h>
#include <string.h>

#define CRC_BEGIN 16u

_Static_assert(sizeof(struct demo_header) == 84, "DEMO.md");
_Static_assert(offsetof(struct demo_header, zero_point) == 44, "DEMO.md");

uint32_t demo_block_offset(const uint8_t *region, uint32_t region_bytes) {
    struct plan_header plan;
    if (region_bytes < sizeof plan + sizeof(struct demo_header)) return region_bytes;
    memcpy(&plan, region, sizeof plan);
    if (plan.magic != PLAN_MAGIC || plan.total_bytes > region_bytes - sizeof(struct demo_header))
        return region_bytes;
    const uint32_t offset = (plan.total_bytes + DEMO_ALIGN - 1) & ~(DEMO_ALIGN - 1);
    return offset <= region_bytes - sizeof(struct demo_header) ? offset : region_bytes;
}

/* Whether `count` entries of `entry_bytes` from `offset` on lie behind the header and inside the block. */
static bool inside(const struct demo_header *h, uint32_t offset, uint32_t count, uint32_t entry_bytes) {
    if (offset < sizeof *h || offset > h->total_bytes) return false;
    return count <= (h->total_bytes - offset) / entry_bytes;
}

/* Whether the bytes are printable ASCII that ends, and ends with zeros: they go to a terminal as they are. */
static bool is_text(const char *text, uint32_t bytes) {
    uint32_t length = 0;
    while (length < bytes && text[length] != 0) {
        if (text[length] < ' ' || text[length] > '~') return false;
        length++;
    }
    for (uint32_t i = length; i < bytes; i++)
        if (text[i] != 0) return false;
    return length < bytes;
}

static uint32_t inputs_bytes(const struct plan *plan) {
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < plan->header->input_count; i++) bytes += plan->tensors[plan->inputs[i]].bytes;
    return bytes;
}

/* Scores are the elements of the one output, which are int8. */
static bool classes_fit(const struct demo_header *h, const struct plan *plan) {
    if (h->class_count == 0) return true;
    const struct plan_tensor *output = &plan->tensors[plan->outputs[0]];
    return plan->header->output_count == 1 && TENSOR_ELEM_BYTES(output->flags) == 1 &&
           output->bytes == h->class_count;
}

static bool picture_fits(const struct demo_header *h, const struct plan *plan) {
    if (h->height == 0 && h->width == 0 && h->channels == 0) return true;
    if (h->channels != 1 && h->channels != 3) return false;
    const struct plan_tensor *input = &plan->tensors[plan->inputs[0]];
    return TENSOR_ELEM_BYTES(input->flags) == 1 &&
           (uint64_t)h->height * h->width * h->channels == input->bytes;
}

static bool labels_fit(const struct demo_block *block) {
    for (uint32_t i = 0; i < block->header->sample_count; i++) {
        const uint32_t label = demo_label(block, i);
        if (label != DEMO_NO_LABEL && label >= block->header->class_count) return false;
    }
    return true;
}

static bool names_fit(const struct demo_block *block) {
    for (uint32_t i = 0; i < block->header->class_count; i++)
        if (!is_text(demo_class_name(block, i), DEMO_CLASS_NAME_BYTES)) return false;
    return true;
}

enum demo_field demo_block_open(struct demo_block *block, const uint8_t *base, uint32_t capacity,
                                const struct plan *plan) {
    const struct demo_header *h = (const void *)base;
    *block = (struct demo_block){base, h};
    if (capacity < sizeof *h || h->magic != DEMO_MAGIC) return DEMO_FIELD_MAGIC;
    if (h->version != DEMO_VERSION) return DEMO_FIELD_VERSION;
    if (h->header_bytes != sizeof *h) return DEMO_FIELD_HEADER_BYTES;
    if (h->total_bytes < sizeof *h || h->total_bytes % 4 || h->total_bytes > capacity)
        return DEMO_FIELD_TOTAL_BYTES;
    if (crc32_update(0, base + CRC_BEGIN, h->total_bytes - CRC_BEGIN) != h->crc32) return DEMO_FIELD_CRC32;
    if (h->plan_crc32 != plan->header->crc32) return DEMO_FIELD_PLAN_CRC32;
    if (h->sample_bytes == 0 || h->sample_bytes != inputs_bytes(plan)) return DEMO_FIELD_SAMPLE_BYTES;
    if (h->sample_count == 0) return DEMO_FIELD_SAMPLE_COUNT;
    if (!inside(h, h->samples_offset, h->sample_count, h->sample_bytes)) return DEMO_FIELD_SAMPLES_OFFSET;
    if (!classes_fit(h, plan)) return DEMO_FIELD_CLASS_COUNT;
    if (h->labels_offset) {
        if (h->labels_offset % 2 || !inside(h, h->labels_offset, h->sample_count, sizeof(uint16_t)))
            return DEMO_FIELD_LABELS_OFFSET;
        if (!labels_fit(block)) return DEMO_FIELD_LABELS;
    }
    if (h->names_offset) {
        if (!inside(h, h->names_offset, h->class_count, DEMO_CLASS_NAME_BYTES))
            return DEMO_FIELD_NAMES_OFFSET;
        if (!names_fit(block)) return DEMO_FIELD_NAMES;
    }
    if (h->percent_scale > DEMO_MAX_PERCENT_SCALE) return DEMO_FIELD_PERCENT_SCALE;
    if (h->zero_point < INT8_MIN || h->zero_point > INT8_MAX) return DEMO_FIELD_ZERO_POINT;
    if (!picture_fits(h, plan)) return DEMO_FIELD_PICTURE;
    if (!is_text(h->name, sizeof h->name)) return DEMO_FIELD_NAME;
    return DEMO_FIELD_NONE;
}

const char *demo_field_text(enum demo_field field) {
    static const char *const texts[] = {
#define DEMO_FIELD(name, text) text,
#include "fields.def"
#undef DEMO_FIELD
    };
    return texts[field];
}

const uint8_t *demo_sample(const struct demo_block *block, uint32_t sample) {
    return block->base + block->header->samples_offset + sample * block->header->sample_bytes;
}

uint32_t demo_label(const struct demo_block *block, uint32_t sample) {
    if (block->header->labels_offset == 0) return DEMO_NO_LABEL;
    const uint16_t *labels = (const void *)(block->base + block->header->labels_offset);
    return labels[sample];
}

const char *demo_class_name(const struct demo_block *block, uint32_t class_index) {
    if (block->header->names_offset == 0) return NULL;
    return (const char *)block->base + block->header->names_offset + class_index * DEMO_CLASS_NAME_BYTES;
}

int32_t demo_percent(const struct demo_block *block, int8_t score) {
    const int32_t scale = (int32_t)block->header->percent_scale;
    if (scale == 0) return -1;
    const int32_t percent = ((score - block->header->zero_point) * scale + 0x8000) >> 16;
    return percent < 0 ? 0 : percent > 100 ? 100 : percent;
}
