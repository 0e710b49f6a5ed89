#include "block.h"

#include <stdbool.h>
#include <stddef.h>

#define CRC_BEGIN offsetof(struct mlperf_block, plan_crc32)

_Static_assert(sizeof(struct mlperf_block) == 52, "MLPERF.md");

/* Printable ASCII, at least a character, zeros behind it, at least one. */
static bool is_model(const char *text) {
    uint32_t length = 0;
    while (length < MLPERF_MODEL_BYTES && text[length] > ' ' && text[length] <= '~') length++;
    if (length == 0 || length == MLPERF_MODEL_BYTES) return false;
    for (uint32_t i = length; i < MLPERF_MODEL_BYTES; i++)
        if (text[i] != 0) return false;
    return true;
}

/* One int8 tensor in and one out is all that the benchmark knows. */
static bool is_int8(const struct plan *plan, uint32_t count, const uint16_t *tensors) {
    return count == 1 && TENSOR_ELEM_BYTES(plan->tensors[tensors[0]].flags) == 1;
}

static bool result_fits(const struct mlperf_block *block, const struct plan *plan) {
    if (!is_int8(plan, plan->header->output_count, plan->outputs)) return false;
    const uint32_t elems = plan->tensors[plan->outputs[0]].bytes;
    if (block->result_kind == MLPERF_RESULT_SCORES) return elems <= MLPERF_MAX_SCORES;
    /* An autoencoder gives back what it was given. */
    return block->result_kind == MLPERF_RESULT_SQUARED_ERROR && block->input_kind == MLPERF_INPUT_FLOAT32 &&
           elems == plan->tensors[plan->inputs[0]].bytes;
}

/* Neither a NaN nor out of what a float's arithmetic takes without overflow. */
static bool is_scale(float scale) {
    return scale > 1e-30f && scale < 1e30f;
}

static bool is_zero_point(int32_t zero_point) {
    return zero_point >= INT8_MIN && zero_point <= INT8_MAX;
}

enum mlperf_field mlperf_block_open(const uint8_t *base, uint32_t capacity, const struct plan *plan) {
    const struct mlperf_block *block = (const void *)base;
    if (capacity < sizeof *block || block->magic != MLPERF_MAGIC) return MLPERF_FIELD_MAGIC;
    if (block->version != MLPERF_VERSION) return MLPERF_FIELD_VERSION;
    if (block->total_bytes != sizeof *block) return MLPERF_FIELD_TOTAL_BYTES;
    if (crc32_update(0, base + CRC_BEGIN, (uint32_t)(sizeof *block - CRC_BEGIN)) != block->crc32)
        return MLPERF_FIELD_CRC32;
    if (block->plan_crc32 != plan->header->crc32) return MLPERF_FIELD_PLAN_CRC32;
    if (!is_model(block->model)) return MLPERF_FIELD_MODEL;
    if ((block->flags & ~MLPERF_FLAG_ENERGY) != 0 || block->reserved != 0) return MLPERF_FIELD_FLAGS;
    if (block->input_kind >= MLPERF_INPUT_KINDS || !is_int8(plan, plan->header->input_count, plan->inputs))
        return MLPERF_FIELD_INPUT_KIND;
    if (!result_fits(block, plan)) return MLPERF_FIELD_RESULT_KIND;
    if (!is_scale(block->input_scale)) return MLPERF_FIELD_INPUT_SCALE;
    if (!is_zero_point(block->input_zero_point)) return MLPERF_FIELD_INPUT_ZERO_POINT;
    if (!is_scale(block->output_scale)) return MLPERF_FIELD_OUTPUT_SCALE;
    if (!is_zero_point(block->output_zero_point)) return MLPERF_FIELD_OUTPUT_ZERO_POINT;
    return MLPERF_FIELD_NONE;
}

const char *mlperf_field_text(enum mlperf_field field) {
    static const char *const texts[] = {
#define MLPERF_FIELD(name, text) text,
#include "fields.def"
#undef MLPERF_FIELD
    };
    return texts[field];
}

uint32_t mlperf_raw_bytes(const struct mlperf_block *block, uint32_t elems) {
    return block->input_kind == MLPERF_INPUT_FLOAT32 ? elems * (uint32_t)sizeof(float) : elems;
}
